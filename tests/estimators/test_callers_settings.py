"""The caller's generators, threads, filters and streams are left as they were found."""

import pickle

import pytest
import torch

from tests.faults import raise_at
from tests.small import MAKERS, SEARCH, data_for, flushes_denormals, product, regressor
from tests.surroundings import settings_of_the_process

pytestmark = pytest.mark.usefixtures("short_epochs")


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
