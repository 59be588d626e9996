"""What a report of a fault should say of the machine and of the packages on it."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

__all__ = ["show_versions"]

_REQUIRED = ("sknas", "numpy", "pandas", "scikit-learn", "skorch", "torch", "tqdm")
_OPTIONAL = ("scipy", "joblib", "matplotlib", "onnx", "onnxruntime", "skops", "sktime")


def show_versions() -> None:
    """Print the versions of Python, of the packages and of the machine, for a report of a fault.

    Examples
    --------
    >>> show_versions()  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
    <BLANKLINE>
    System:
        python: 3...
    """
    import torch  # only here, so that nothing waits for it before

    system = {
        "python": sys.version.replace("\n", " "),
        "executable": sys.executable,
        "machine": platform.platform(),
        "processors": str(os.cpu_count()),
        "threads of torch": str(torch.get_num_threads()),
        "GPU": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
    }
    packages = {name: _version(name) for name in (*_REQUIRED, *_OPTIONAL)}
    for title, lines in (("System", system), ("Packages", packages)):
        print(f"\n{title}:")  # noqa: T201
        for name, value in lines.items():
            print(f"{name:>20}: {value}")  # noqa: T201


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
