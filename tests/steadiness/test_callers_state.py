"""All estimators leave the process as they found it, whatever it is like and whatever they meet."""

import contextlib
import random
import warnings

import numpy as np
import pytest
import torch

from tests.steady import BRIEF, CASES, N_ROWS
from tests.surroundings import left_as_found

pytestmark = pytest.mark.usefixtures("tiny_epochs")
every_case = pytest.mark.parametrize("name", CASES)


@contextlib.contextmanager
def unusual():
    """Set what a caller may have set."""
    dtype = torch.get_default_dtype()
    deterministic = torch.are_deterministic_algorithms_enabled()
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(mode=True)
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 (the caller may use it)
    random.seed(5)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"), torch.inference_mode():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.use_deterministic_algorithms(mode=deterministic)


@every_case
def test_fits_and_predictions_in_an_unusual_process_are_the_usual_ones(name, tmp_path, monkeypatch):
    case = CASES[name]
    expected = case.digest(case.fitted(refit_full=True))
    monkeypatch.chdir(tmp_path)
    with unusual(), left_as_found(tmp_path):
        assert case.digest(case.fitted(refit_full=True)) == expected


@every_case
def test_learning_on_leaves_the_process_as_found(name, tmp_path, monkeypatch):
    case = CASES[name]
    monkeypatch.chdir(tmp_path)
    with left_as_found(tmp_path):
        if name == "forecaster":
            (series,) = case.data
            model = case.make(**BRIEF).fit(series.iloc[:-20])
            model.update(series.iloc[-20:], refit=True)
            model.backtest(series, initial=N_ROWS - 10, step=5)
        else:
            case.fitted().partial_fit(*case.data)


@every_case
def test_a_prediction_that_fails_leaves_the_process_as_found(name, tmp_path, monkeypatch):
    case = CASES[name]
    model = case.fitted()
    expected = case.digest(model)
    monkeypatch.chdir(tmp_path)
    with left_as_found(tmp_path):
        if name == "forecaster":
            with pytest.raises(ValueError, match="horizon"):
                model.predict(0)
        else:
            with pytest.raises(ValueError, match="features"):
                model.predict(np.zeros((3, 5)))
            with monkeypatch.context() as patch:
                patch.setattr(model._frozen, "outputs", _fail)
                with pytest.raises(MemoryError):
                    case.tell(model)
    assert case.digest(model) == expected


def _fail(*args, **kwargs):
    raise MemoryError
