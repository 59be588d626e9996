"""`max_params` bounds what is returned, and what is searched, whatever else is asked for."""

import hashlib
import warnings

import numpy as np
import pytest

from sknas.exceptions import SearchWarning
from tests.steady import CASES

pytestmark = pytest.mark.usefixtures("tiny_epochs")
MODES = ("interleaved", "sequential", "fixed", "random")
CHOICES = {
    "mode": MODES,
    "n_models": ("auto", 1, 3),
    "hidden_size": ("auto", 3, 16),
    "channel_mode": ("auto", "independent", "mixed"),
    "backbone": ("two_input", "dag"),
    "refit": ("auto", "scratch", "both"),
    "refit_full": (False, True),
    "size_penalty": (0.0, 0.1),
    "initial_genotype": ("auto", "linear", "product"),
    "n_layers": (1, 2),
    "linear_seed": (True, False),
}


def drawn(number):
    """Return parameters, drawn by a number; each mode comes in turn."""
    source = np.random.default_rng(number)
    parameters = {name: values[source.integers(len(values))] for name, values in CHOICES.items()}
    parameters["mode"] = MODES[number % len(MODES)]
    if parameters["mode"] in ("random", "fixed"):  # which know what they start from
        parameters["initial_genotype"] = "auto"
    return parameters


def n_seed(case, **parameters):
    """Return the weights of the smallest result."""
    return case.fitted(**{**parameters, "max_nodes": 0, "linear_seed": True}).n_params_


def check(name, number):
    case, parameters = CASES[name], drawn(number)
    if name != "forecaster":
        parameters["channel_mode"] = "mixed"
    room = (0, 40, 200, 1000)[number // len(MODES) % 4]
    mode = "mixed" if parameters["channel_mode"] == "mixed" else "independent"
    bound = n_seed(case, channel_mode=mode) + room
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SearchWarning)  # there is little room for what is asked
        model = case.fitted(**parameters, max_params=bound, search_epochs=8)
    assert model.n_params_ <= bound, parameters
    assert sum(p.numel() for p in model.module_.parameters()) == model.n_params_
    assert (model.search_history_["n_params"] <= bound).all(), parameters
    return model


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("number", range(4))
def test_no_result_has_more_weights_than_it_may(name, number):
    check(name, number)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("number", range(4, 32))
def test_no_result_of_many_settings_has_more_weights_than_it_may(name, number):
    check(name, number)


def test_the_settings_that_are_tried_differ():
    told = {hashlib.sha256(repr(drawn(number)).encode()).digest() for number in range(32)}
    assert len(told) == 32
