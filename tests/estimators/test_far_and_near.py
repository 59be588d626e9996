"""Of long windows what was found is trained on the newest steps too, and both are averaged."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sknas import Genotype
from sknas.estimators._stages import Stages
from tests.small import normal, regressor

pytestmark = pytest.mark.usefixtures("short_epochs")

LOOKBACK, NEAR, N_CHANNELS = 24, 3, 2
FOUND = {"search_epochs": 6, "max_epochs": 6, "hidden_size": 6, "channel_mode": "auto"}


@pytest.fixture(autouse=True)
def short_windows_count_as_long(monkeypatch):
    monkeypatch.setattr("sknas.estimators._trainings.SHORTEST_NEAR", NEAR)


def series(n_samples=240, lookback=LOOKBACK):
    """Return windows whose future is a product of two recent steps, and what is old is noise."""
    X = normal(n_samples, lookback, N_CHANNELS)
    own = X[:, -1] * X[:, -2] + 0.5 * X[:, -1]
    return X, (own + 0.1 * normal(n_samples, N_CHANNELS, seed=1))[:, None]


def fitted(**parameters):
    X, Y = series(lookback=parameters.pop("lookback", LOOKBACK))
    parameters = {**FOUND, "linear_seed": False, "window_norm": "none", **parameters}
    return regressor(**parameters).fit(X, Y)


def reaches(genotype):
    return {branch.reach for branch in genotype.branches}


@pytest.fixture
def as_chosen(monkeypatch):
    """Let the mean of both be the result, whatever validation says."""

    whole = Stages.choose

    def choose(stages, size_penalty):
        both = [stage for stage in stages.account.stages if stage.name == "far and near"]
        return both[0] if both else whole(stages, size_penalty)

    monkeypatch.setattr("sknas.estimators._companions.MOST_WORSE", np.inf)
    monkeypatch.setattr(Stages, "is_better", lambda *args: False)
    monkeypatch.setattr(Stages, "choose", choose)


@pytest.mark.usefixtures("as_chosen")
def test_the_mean_of_both_errs_less_than_they_do_on_average():
    model = fitted()
    losses = model.search_report_.stages.val_loss
    # The squared error is convex.
    assert losses["far and near"] < (losses["blended"] + losses["nearer"]) / 2
    assert reaches(model.genotype_) == {None, NEAR}
    assert "near" in set(model.search_history_["phase"])


def test_where_it_is_worse_it_is_not_offered():
    model = fitted()
    losses = model.search_report_.stages.val_loss
    assert losses["far and near"] > 1.005 * losses["averaged"]
    assert model.search_report_.chosen != "far and near"


@pytest.mark.usefixtures("as_chosen")
def test_a_near_branch_does_not_see_what_is_old():
    model = fitted()
    near = [b for b in model.module_.trunk.branches if b.segments.reach == NEAR]
    assert near
    X, _ = series()
    changed = X.copy()
    changed[:, : LOOKBACK - NEAR] = normal(*changed[:, : LOOKBACK - NEAR].shape, seed=5)
    del model.module_.trunk.branches[:]
    model.module_.trunk.branches.extend(near)
    for parameter in model.module_.trunk.seed.parameters():
        parameter.data.zero_()
    model._set_module(model.module_)
    assert_allclose(model.predict(X), model.predict(changed), rtol=1e-12)


@pytest.mark.usefixtures("as_chosen")
def test_the_genotype_can_be_given_again():
    model = fitted()
    again = Genotype.from_json(model.genotype_.to_json())
    assert again == model.genotype_
    assert f"newest {NEAR} steps" in str(again)
    X, Y = series()
    given = regressor(genotype=again, max_epochs=2, hidden_size="auto").fit(X, Y)
    assert reaches(given.module_.spec.genotype) == reaches(again)
    assert np.isfinite(given.predict(X)).all()


@pytest.mark.parametrize(
    "parameters",
    [
        {"lookback": LOOKBACK - 8},
        {"n_models": 1},
        {"channel_mode": "independent"},
        {"window_norm": "revin"},
        {"size_penalty": 1e-3},
        {"genotype": "gru"},
        {"target_channels": ()},
    ],
    ids=str,
)
def test_elsewhere_there_is_none(parameters):
    model = fitted(**parameters)
    assert "near" not in model.search_report_.stages.index
    assert reaches(model.genotype_) <= {None}


@pytest.mark.usefixtures("as_chosen")
def test_it_stays_within_the_bound_on_weights():
    bound = fitted().n_params_ - 1
    bounded = fitted(max_params=bound)
    assert bounded.n_params_ <= bound
    assert reaches(bounded.genotype_) == {None}


@pytest.mark.usefixtures("as_chosen")
def test_it_learns_on():
    model = fitted()
    X, Y = series(60)
    before = model.predict(X)
    model.partial_fit(X, Y)
    assert NEAR in reaches(model.genotype_)
    assert np.isfinite(model.predict(X)).all()
    assert before.shape == model.predict(X).shape
