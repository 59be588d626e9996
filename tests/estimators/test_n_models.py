"""`n_models`: the mean of several trainings of what was found, where validation prefers it."""

import copy
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sknas.estimators import _stages
from sknas.exceptions import SearchWarning
from tests.faults import raise_in_training_at
from tests.small import (
    GRU,
    MAKERS,
    N_EPOCH_STEPS,
    data_for,
    normal,
    product,
    regressor,
    sequences,
    trained,
)

pytestmark = pytest.mark.usefixtures("short_epochs")
LONG = {"genotype": "product", "hidden_size": 8, "max_epochs": 30, "learning_rate": 0.01}


def noisy():
    """Return a law under noise, on which no training is clearly better than another."""
    X, y = product(600)
    return X, y + 0.6 * np.random.default_rng(1).normal(size=len(y))


def stages(model):
    return model.search_report_.stages


@pytest.mark.parametrize("make", MAKERS)
def test_the_mean_is_offered_and_validates_no_worse_than_its_members_do_on_average(make):
    X, y = data_for(make)
    model = make(**LONG, linear_seed=False, n_models=3).fit(X, y)
    table = stages(model)
    members = table.val_loss[["trained", "retrained 2", "retrained 3"]]
    assert members.nunique() == 3
    assert table.val_loss["averaged"] < members.mean()  # both losses are convex
    assert table.n_params["averaged"] == 3 * table.n_params["trained"] - 2 * table.n_params["seed"]


def test_a_training_that_is_clearly_better_is_preferred_to_the_mean(monkeypatch):
    X, y = noisy()
    monkeypatch.setattr(_stages, "average_networks", lambda networks: shifted(networks[0]))
    model = trained(**LONG, n_models=2).fit(X, y)
    assert model.search_report_.chosen == stages(model).val_loss.iloc[2:].idxmin() != "averaged"


def shifted(network):
    worse = copy.deepcopy(network)
    worse.trunk.seed.bias.data += 1.0
    return worse


def test_the_mean_predicts_what_its_members_do_on_average():
    X, y = noisy()
    model = trained(**LONG, n_models=3).fit(X, y)
    assert model.search_report_.chosen == "averaged"
    assert len(model.genotype_.branches) == 3
    branches = model.module_.trunk.branches
    found = model.predict(X)
    heads = [head.detach().clone() for branch in branches for head in branch.heads]
    alone = []
    for own in range(3):
        for place, branch in enumerate(branches):
            branch.heads[0].data = 3.0 * heads[place] if place == own else 0.0 * heads[place]
        model._set_module(model.module_)
        alone.append(model.predict(X))
    assert_allclose(np.mean(alone, axis=0), found, atol=1e-6)
    assert np.ptp(alone, axis=0).max() > 0.01


BOTH = {"initial_genotype": "product", "refit": "both"}


@pytest.mark.parametrize("given", [{}, {"n_models": 2}])
def test_by_default_the_mean_is_that_of_the_inherited_and_the_new_one(given):
    X, y = product()
    names = list(stages(trained(**BOTH, **given).fit(X, y)).index)
    assert names[-3:] == ["trained", "retrained", "averaged"]


def test_a_cell_that_tied_in_the_race_is_what_is_trained_anew(monkeypatch):
    monkeypatch.setattr("sknas.search.race._TOLERANCE", 1.0)  # all do
    X = normal(200, 6, 2)
    y = X[:, -1, 0] * X[:, -2, 0]
    races = {
        "linear_seed": False,
        "segment_length": 2,
        "search_epochs": 16,
        "max_epochs": 20,
        "refit": "both",
        "learning_rate": 0.02,
    }
    for given, anew in ({}, "runner-up"), ({"n_models": 2}, "retrained"):
        table = stages(regressor(**races, **given).fit(X, y))
        assert list(table.index)[-3:] == ["trained", anew, "averaged"]
        sizes = table.n_params
        assert sizes["averaged"] == sizes["trained"] + sizes[anew] - sizes["seed"]
        # Cells that race have different numbers of weights.
        assert (sizes[anew] == sizes["trained"]) == (anew == "retrained")


def test_where_nothing_is_averaged_the_found_cell_is_what_is_trained_anew(monkeypatch):
    monkeypatch.setattr("sknas.search.race._TOLERANCE", 1.0)
    X = np.random.default_rng(0).integers(0, 5, size=(200, 4, 1))
    y = (X[:, -1, 0] * X[:, -2, 0]).astype(float)
    learns = {"search_epochs": 16, "max_epochs": 2, "learning_rate": 0.02, "refit": "both"}
    names = stages(regressor(embedding_size=3, **learns).fit(X, y)).index
    assert list(names)[-2:] == ["trained", "retrained"]


@pytest.mark.parametrize(("n_models", "n_anew"), [("auto", 3), (1, 1)])
def test_where_forecasts_are_few_three_are_trained_anew(n_models, n_anew):
    X, y = normal(40, 6, 2), normal(40, 2, 2, seed=1)
    model = trained(search_epochs=8, n_models=n_models).fit(X, y)
    anew = [name for name in stages(model).index if name.startswith(("retrained", "runner-up"))]
    assert len(anew) == n_anew
    assert anew[0] == "retrained"
    assert ("averaged" in stages(model).index) == (n_anew > 1)


@pytest.mark.parametrize(
    "given",
    [LONG, {**BOTH, "refit": "scratch"}, {**BOTH, "n_models": 1}, {**BOTH, "size_penalty": 0.5}],
)
def test_of_one_training_and_where_weights_have_a_price_there_is_no_mean_by_default(given):
    X, y = product()
    assert "averaged" not in stages(trained(**given).fit(X, y)).index


def test_by_default_the_mean_keeps_within_the_bounds_without_a_word():
    X, y = product()
    one = trained(**BOTH, n_models=1).fit(X, y)
    bounded = trained(**BOTH, max_params=one.n_params_)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bounded.fit(X, y)
    assert bounded.n_params_ <= one.n_params_
    assert "averaged" not in stages(bounded).index


@pytest.mark.parametrize("given", [{"max_nodes": 0}, {"genotype": "linear"}])
def test_a_linear_seed_is_what_it_is(given):
    X, y = product()
    one, three = (regressor(**given, n_models=n).fit(X, y) for n in (1, 3))
    assert_array_equal(one.predict(X), three.predict(X))


def test_max_params_is_the_means():
    X, y = noisy()
    size = trained(**LONG).fit(X, y).n_params_
    with pytest.warns(SearchWarning, match="room for 2 of n_models=3"):
        model = trained(**LONG, n_models=3, max_params=2 * size).fit(X, y)
    assert model.n_params_ <= 2 * size
    assert len(model.genotype_.branches) == 2


def test_sequences_of_any_length_have_a_mean():
    X, y = sequences()
    X[::3, -2:] = np.nan
    model = regressor(**GRU, n_models=2, max_epochs=6).fit(X, y)
    assert "averaged" in stages(model).index
    assert np.isfinite(model.predict(X)).all()


def test_embedded_codes_are_refused():
    X = np.random.default_rng(0).integers(0, 5, size=(60, 4, 1))
    model = regressor(genotype="gru", n_models=2, embedding_size=3)
    with pytest.raises(ValueError, match=r"n_models must be 1 .* got 2"):
        model.fit(X, X[:, -1, 0].astype(float))


def test_the_fit_goes_on_from_a_mean():
    X, y = noisy()
    model = trained(**LONG, n_models=2).fit(X, y)
    assert len(model.genotype_.branches) == 2
    before = float(np.mean((model.predict(X) - 2.0 * y) ** 2))
    model.partial_fit(X, 2.0 * y)
    assert float(np.mean((model.predict(X) - 2.0 * y) ** 2)) < before


def test_refit_full_trains_the_mean_on():
    X, y = noisy()
    kept, refitted = (
        trained(**LONG, n_models=2, refit_full=full).fit(X, y) for full in (False, True)
    )
    assert kept.search_report_.chosen == refitted.search_report_.chosen == "averaged"
    history = refitted.search_history_
    best = [
        history.loc[rows, "val_loss"].reset_index(drop=True).idxmin() + 1
        for rows in (history["phase"] == "train", history["phase"] == "retrain")
    ]
    # A result that is a mean over epochs lies behind the best of them.
    n_epochs = [(history["phase"] == phase).sum() for phase in ("train", "retrain")]
    n_refit = (history["phase"] == "refit").sum()
    assert round(np.mean(best)) <= n_refit <= np.mean(n_epochs)
    assert np.abs(kept.predict(X) - refitted.predict(X)).max() > 1e-6


def test_an_interrupt_keeps_what_was_trained_until_then(monkeypatch):
    X, y = product()
    raise_in_training_at(monkeypatch, 30 * N_EPOCH_STEPS + 30)
    model = trained(**LONG, early_stopping=False, n_models=3)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.search_report_.stopped_by == "interrupt"
    assert "trained" in stages(model).index
    assert "retrained 3" not in stages(model).index
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("n_models", [0, 1.5, None, "2"])
def test_the_number_is_checked(n_models):
    X, y = product()
    with pytest.raises(ValueError, match="n_models"):
        regressor(n_models=n_models).fit(X, y)


def test_no_warning_where_all_fit():
    X, y = product()
    with warnings.catch_warnings():
        warnings.simplefilter("error", SearchWarning)
        trained(**LONG, n_models=2, max_params=100_000).fit(X, y)


def test_with_a_price_on_weights_the_mean_must_be_worth_its_own():
    X, y = noisy()
    model = trained(**LONG, n_models=3, size_penalty=0.5).fit(X, y)
    table = stages(model)
    assert table.val_loss["averaged"] < table.val_loss["seed"]
    assert table.n_params["averaged"] > table.n_params[model.search_report_.chosen]
