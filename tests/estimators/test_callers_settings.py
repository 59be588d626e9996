"""The caller's generators, threads, filters and streams are left as they were found."""

import os
import pickle
import random
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.faults import raise_at
from tests.small import MAKERS, SEARCH, data_for, flushes_denormals, product, regressor

pytestmark = pytest.mark.usefixtures("short_epochs")


def settings_of_the_process():
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
        "warnings": list(warnings.filters),
        "numpy errors": np.geterr(),
        "folder": Path.cwd(),
        "environment": {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"},
        "recursion": sys.getrecursionlimit(),
    }


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads, denormals flushed"])
def unusual_settings(request):
    """Change settings that a fit borrows, and put the usual ones back at the end."""
    threads, flushes = torch.get_num_threads(), flushes_denormals()
    torch.set_num_threads(request.param)
    torch.set_flush_denormal(request.param == 2)
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(flushes)


@pytest.mark.parametrize("make", MAKERS)
def test_fit_and_predict_leave_the_callers_settings_as_found(make, unusual_settings):
    found = settings_of_the_process()
    X, y = data_for(make)
    model = make(**SEARCH).fit(X, y)
    assert settings_of_the_process() == found
    model.predict(X)
    assert settings_of_the_process() == found
    pickle.loads(pickle.dumps(model)).predict(X)
    assert settings_of_the_process() == found


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, MemoryError])
def test_a_fit_that_raises_leaves_the_callers_settings_as_found(
    error, unusual_settings, monkeypatch
):
    found = settings_of_the_process()
    X, y = product()
    raise_at(monkeypatch, 5, error)
    with pytest.raises(error):
        regressor().fit(X, y)
    assert settings_of_the_process() == found
    with pytest.raises(ValueError, match="max_params"):
        regressor(max_params=1).fit(X, y)
    assert settings_of_the_process() == found


def test_a_fit_prints_nothing_unless_asked(capfd):
    X, y = product()
    regressor().fit(X, y).predict(X)
    quiet = capfd.readouterr()
    assert (quiet.out, quiet.err) == ("", "")
    regressor(verbose=1).fit(X, y)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "search" in shown.err
