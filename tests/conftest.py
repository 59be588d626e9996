"""One torch thread, no display, and the place where the real series are."""

import os
from pathlib import Path

import hypothesis
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]

os.environ.setdefault("MPLBACKEND", "Agg")

# A deadline measures the machine's load, not the code.
hypothesis.settings.register_profile("sknas", deadline=None)
hypothesis.settings.load_profile("sknas")


def pytest_collection_modifyitems(items):
    """Begin with the file whose one test takes longest, for which none shall wait at the end."""
    items.sort(key=lambda item: item.path.name != "test_soak.py")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real series: $SKNAS_DATA, by default ../shared/data beside the checkout."""
    folder = Path(os.environ.get("SKNAS_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the real series; {folder} is absent (set SKNAS_DATA to their folder)")
    return folder
