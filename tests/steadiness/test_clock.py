"""When the time is up nothing more is begun that a result can do without; told by a false clock."""

import time

import numpy as np
import pytest

import sknas.estimators._planting as planting
import sknas.forecasting._lookback as lookback
import sknas.training.nets as nets
import sknas.training.seeding as seeding
from sknas._torch import Adam, AdamW
from sknas.training.gate_net import GateNet
from tests.small import MAKERS, classifier, data_for, held_together, product, regressor
from tests.steady import CASES

pytestmark = pytest.mark.usefixtures("tiny_epochs")
BUDGET = 100.0


class Clock:
    """Stands still until it is put forward."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def advances_at(self, function, seconds):
        """Return the function, which takes that long, and the list of its calls."""
        calls = []

        def slow(*args, **kwargs):
            calls.append(self.now)
            self.now += seconds
            return function(*args, **kwargs)

        return slow, calls


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


@pytest.mark.parametrize(("seconds", "n_solved"), [(0.3 * BUDGET, 2), (BUDGET, 1), (0.0, 4)])
def test_penalties_of_a_classifier_are_tried_for_half_of_the_budget(
    seconds, n_solved, clock, monkeypatch
):
    X, y = data_for(classifier)
    slow, calls = clock.advances_at(seeding._logistic, seconds)
    monkeypatch.setattr(seeding, "_logistic", slow)
    model = classifier(max_nodes=0, time_budget=BUDGET).fit(X, y)
    assert len(calls) == n_solved
    assert np.isfinite(model.predict_proba(X)).all()
    calls.clear()
    classifier(max_nodes=0).fit(X, y)
    assert len(calls) == 4


@pytest.mark.parametrize("seconds", [0.0, BUDGET])
def test_lookbacks_are_tried_for_half_of_the_budget(seconds, clock, monkeypatch):
    case = CASES["forecaster"]
    slow, calls = clock.advances_at(lookback.seed_loss, seconds)
    monkeypatch.setattr(lookback, "seed_loss", slow)
    model = case.fitted(lookback="auto", max_nodes=0, linear_seed=True, time_budget=BUDGET)
    assert (len(calls) == 1) == (seconds > 0)
    assert np.isfinite(case.told(model)).all()


@pytest.mark.parametrize(
    ("seconds", "n_solved"), [(BUDGET, 1), (BUDGET / 3, 2), (BUDGET / 5, 3), (0.0, 4)]
)
def test_further_seeds_are_solved_while_there_is_time(seconds, n_solved, clock, monkeypatch):
    cut = np.lib.stride_tricks.sliding_window_view(held_together(300), 4, axis=0)
    X, Y = cut[..., :3].swapaxes(1, 2), cut[..., 3:].swapaxes(1, 2)
    slow, calls = clock.advances_at(planting._planted, seconds)
    monkeypatch.setattr(planting, "_planted", slow)
    regressor(max_nodes=0, channel_mode="auto", time_budget=BUDGET).fit(X, Y)
    assert len(calls) == n_solved


PHASES = {
    "search": ({}, nets.SearchNet),
    "train": ({}, nets.DerivedNet),
    "narrow": ({"size_penalty": 1e-3}, GateNet),
    "refit": ({"refit_full": True}, nets.DerivedNet),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("phase", PHASES)
def test_no_step_is_taken_when_the_time_is_up(phase, name, clock, monkeypatch):
    case, (parameters, net) = CASES[name], PHASES[phase]
    steps, whole = [], net.train_step

    def last_step(self, batch, **kwargs):
        result = whole(self, batch, **kwargs)
        if phase != "refit" or self.trainee.best._probe is None:
            clock.now += 2 * BUDGET
        return result

    for optimizer in (Adam, AdamW):

        def step(self, closure=None, *, whole=optimizer.step):
            steps.append(clock.now)
            return whole(self, closure)

        monkeypatch.setattr(optimizer, "step", step)
    monkeypatch.setattr(net, "train_step", last_step)
    model = case.fitted(time_budget=BUDGET, **parameters)
    begun = min(steps)
    assert max(steps) == begun
    assert model.search_report_.stopped_by == "time_budget"
    assert "stopped by: time_budget" in str(model.search_report_)
    assert "stopped by: time_budget" in model.search_report_._repr_html_()
    assert np.isfinite(case.told(model)).all()


@pytest.mark.parametrize("make", MAKERS)
def test_a_fit_that_has_no_time_at_all_is_the_linear_seed(make, clock, monkeypatch):
    X, y = data_for(make)
    slow, calls = clock.advances_at(planting._planted, BUDGET)
    monkeypatch.setattr(planting, "_planted", slow)
    model = make(time_budget=0.01, refit_full=True).fit(X, y)
    seed = make(max_nodes=0).fit(X, y)
    assert model.search_report_.stopped_by == "time_budget"
    assert model.search_report_.chosen == "seed"
    assert model.n_params_ == seed.n_params_
    assert not len(model.search_history_)
    assert len(calls) == 2
    assert model.predict(X).shape == np.shape(y)


def test_a_fit_ends_before_its_time_is_up_so_that_judging_is_within(clock, monkeypatch):
    X, y = product()
    ends, whole = [], nets.SearchNet.train_step

    def slow(self, batch, **kwargs):
        clock.now += BUDGET / 50
        ends.append(clock.now)
        return whole(self, batch, **kwargs)

    monkeypatch.setattr(nets.SearchNet, "train_step", slow)
    begun = clock.now
    regressor(time_budget=BUDGET, search_epochs=1000).fit(X, y)
    assert 0.9 * BUDGET < max(ends) - begun <= BUDGET
