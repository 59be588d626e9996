"""What a fit must leave as it was: a snapshot of all that a process's other code may rely on."""

import contextlib
import logging
import os
import random
import signal
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import torch

from tests.small import flushes_denormals


def settings_of_the_process():
    """Return the generators, settings, handlers and filters of the process, to be compared."""
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 (the caller may use it)
    return {
        "python": random.getstate(),
        "numpy": (kind, keys.tolist(), *rest),
        "torch": torch.get_rng_state().tolist(),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "denormals": flushes_denormals(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "anomalies": torch.is_anomaly_enabled(),
        "warnings": list(warnings.filters),
        "numpy errors": np.geterr(),
        "logging": _loggers(),
        "folder": Path.cwd(),
        "environment": {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"},
        "recursion": sys.getrecursionlimit(),
        "python threads": {thread.name for thread in threading.enumerate()},
        "signals": _signals(),
    }


@contextlib.contextmanager
def left_as_found(*folders):
    """Compare the process, and the files below some folders, before and after, whatever happens.

    Parameters
    ----------
    *folders : Path
        None of their files may be new, changed or gone.
    """
    found, files = settings_of_the_process(), _files(folders)
    try:
        yield
    finally:
        left = settings_of_the_process()
        changed = {name: (found[name], left[name]) for name in found if found[name] != left[name]}
        assert not changed
        assert _files(folders) == files


def _loggers():
    """Return level, handlers and filters of the root logger and of ours."""
    told = [logging.getLogger(name) for name in (None, "sknas", "py.warnings")]
    return [(each.level, each.handlers[:], each.filters[:], each.disabled) for each in told]


def _signals():
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def _files(folders):
    paths = [path for folder in folders for path in Path(folder).rglob("*")]
    return {path: path.stat().st_mtime_ns for path in paths}
