"""Nodes, weights, epochs, time and steps stay within what is given, and change what they should."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from sknas import Genotype
from sknas.training import train_network
from tests.small import (
    EAGER,
    GRU,
    LOOKBACK,
    N_EPOCH_STEPS,
    classifier,
    futures,
    normal,
    product,
    regressor,
    search_rows,
    sequences,
    trained,
)

pytestmark = pytest.mark.usefixtures("short_epochs")
X, Y = product()
REFITS = ("inherit", "scratch", "both")
FINDS_PRODUCT = {
    "initial_genotype": "product",
    "max_nodes": 1,
    "search_epochs": 12,
    "learning_rate": 0.02,
}


# -- bounds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_nodes", [0, 1, 2, 4])
@pytest.mark.parametrize("initial", ["auto", "linear"])
def test_nodes_never_exceed_their_bound(max_nodes, initial):
    common = {**EAGER, "initial_genotype": initial, "max_nodes": max_nodes, "search_epochs": 12}
    model = regressor(**common).fit(X, Y)
    n_nodes = search_rows(model, "n_nodes")
    assert (n_nodes <= max_nodes).all()
    assert model.genotype_.n_nodes <= max_nodes
    if max_nodes == 0:
        assert model.genotype_ == Genotype.named("linear")
        assert model.growth_events_ == []
    elif initial == "linear":
        assert n_nodes.max() >= min(2, max_nodes)


def test_the_race_admits_cells_within_the_bound_only():
    X3, y3 = sequences()
    model = regressor(max_nodes=1, search_epochs=12).fit(X3, y3)
    cells = [event.edit.branch.layers[0] for event in model.growth_events_ if event.epoch == 0]
    assert cells
    assert all(len(cell.nodes) <= 1 for cell in cells)


@pytest.mark.parametrize("initial", ["auto", "linear", "product"])
@pytest.mark.parametrize("max_params", [3, 60, 200])
@pytest.mark.filterwarnings("ignore:max_params=.* leaves no room:sknas.exceptions.SearchWarning")
def test_weights_never_exceed_their_bound(initial, max_params):
    common = {**EAGER, "initial_genotype": initial, "search_epochs": 12}
    model = regressor(**common, max_params=max_params).fit(X, Y)
    assert (model.search_history_["n_params"] <= max_params).all()
    assert model.n_params_ <= max_params


def test_a_cell_that_is_found_narrow_races_only_if_it_fits_at_full_width():
    common = {"hidden_size": 128, "search_epochs": 30, "max_epochs": 1, "learning_rate": 0.01}
    bound = 45_000  # the mixed branch fits, and its cell as wide as the others does not
    model = regressor(**common, max_params=bound).fit(X, np.tanh(2 * X[:, 0] * X[:, 1]))
    assert type(model.growth_events_[0].edit).__name__ == "AddMixedBranch"
    assert max(event.n_params for event in model.growth_events_) <= bound
    assert (model.search_history_["n_params"] <= bound).all()
    assert model.n_params_ <= bound


@pytest.mark.parametrize("genotype", ["gru", "product"])
def test_a_given_genotype_beyond_the_bound_is_refused_or_not_returned(genotype):
    model = regressor(genotype=genotype, hidden_size=32, max_params=10)
    try:
        model.fit(X, Y)
    except ValueError as error:
        assert "max_params" in str(error)  # noqa: PT017 (either a clear error or a small model)
    else:
        assert model.n_params_ <= 10


def test_a_bound_that_leaves_no_room_for_a_branch_warns():
    from sknas.exceptions import SearchWarning

    with pytest.warns(SearchWarning, match="max_params=4 leaves no room"):
        model = regressor(max_params=4).fit(X, Y)
    assert model.genotype_ == Genotype.named("linear")


def test_a_bound_below_the_linear_seed_is_an_error():
    n_seed = regressor(max_nodes=0).fit(X, Y).n_params_
    assert n_seed == X.shape[1] + 1
    regressor(max_nodes=0, max_params=n_seed).fit(X, Y)
    with pytest.raises(ValueError, match=rf"max_params.* {n_seed} weights.*got {n_seed - 1}"):
        regressor(max_params=n_seed - 1).fit(X, Y)


def test_an_open_channel_mode_takes_the_seed_that_is_within_the_bound():
    series = normal(150, 3)
    for t in range(1, len(series)):  # each channel follows another
        series[t] = 0.9 * series[t - 1, [1, 2, 0]] + 0.1 * series[t]
    settings = {"lookback": LOOKBACK, "max_nodes": 0}
    n_mixed = 3 * (3 * LOOKBACK + 1)
    for bound, n_params in ((None, n_mixed), (n_mixed, n_mixed), (n_mixed - 1, LOOKBACK + 1)):
        model = regressor(**settings, max_params=bound).fit(series[:-1], series[1:])
        assert model.n_params_ == n_params


# -- budget ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_search", "n_train"), [(1, 1), (4, 2), (2, 5)])
def test_epochs_are_bounded_phase_by_phase(n_search, n_train):
    model = regressor(
        initial_genotype="product", search_epochs=n_search, max_epochs=n_train, early_stopping=False
    ).fit(X, Y)
    assert len(search_rows(model, "epoch")) <= n_search
    assert len(search_rows(model, "epoch", "train")) == n_train
    assert model.n_iter_ == len(model.search_history_)
    assert model.search_history_["epoch"].tolist() == list(range(1, model.n_iter_ + 1))


def test_training_stops_early_only_where_it_may():
    rng = np.random.default_rng(0)
    noise, target = rng.normal(size=(60, 6)), rng.normal(size=60)
    counts = {
        early: len(
            search_rows(
                trained(
                    genotype="dense", hidden_size=32, max_epochs=60, early_stopping=early,
                    learning_rate=0.02,
                ).fit(noise, target),
                "epoch",
                "train",
            )
        )
        for early in (True, False)
    }  # fmt: skip
    assert counts[False] == 60
    assert counts[True] < 60


def test_a_time_budget_ends_the_fit_and_the_report_says_so():
    model = regressor(search_epochs=10**6, max_epochs=10**6, time_budget=0.5).fit(X, Y)
    assert model.search_report_.stopped_by == "time_budget"
    assert np.isfinite(model.predict(X)).all()
    assert model.search_history_["seconds"].sum() < 5.0
    assert regressor(time_budget=1000.0).fit(X, Y).search_report_.stopped_by == "schedule"


def test_smaller_batches_make_more_steps_an_epoch():
    steps = {}
    for batch_size in ("auto", 2):
        model = regressor(
            **{**EAGER, "search_epochs": 2, "max_nodes": 1}, mode="fixed", batch_size=batch_size
        )
        steps[batch_size] = search_rows(model.fit(X, Y), "arch_steps").max()
    assert steps[2] > steps["auto"]
    n_train = len(X) * 0.8 * 0.75
    assert steps[2] == pytest.approx(n_train / 2, rel=0.1)


def test_a_faster_rate_learns_faster_at_first():
    first = [
        search_rows(
            trained(genotype="product", learning_rate=rate, dropout=0.0).fit(X, Y),
            "train_loss",
            "train",
        )
        for rate in (1e-6, 1e-2)
    ]
    assert first[1][-1] < first[0][-1]
    assert first[0][0] == pytest.approx(first[0][-1], rel=1e-3)


def test_dropout_disturbs_training_and_not_prediction():
    loss = {}
    for dropout in (0.0, 0.5):
        model = trained(genotype="product", dropout=dropout, max_epochs=8, learning_rate=0.02)
        model.fit(X, Y)
        np.testing.assert_array_equal(model.predict(X), model.predict(X))
        loss[dropout] = search_rows(model, "train_loss", "train")[-1]
    assert loss[0.0] < loss[0.5]


def test_refit_decides_whether_the_weights_are_taken_over():
    by = {refit: regressor(**FINDS_PRODUCT, refit=refit).fit(X, Y) for refit in REFITS}
    inherited = {refit: search_rows(by[refit], "train_loss", "train") for refit in REFITS}
    fresh = {refit: search_rows(by[refit], "train_loss", "retrain") for refit in REFITS}
    assert inherited["inherit"][0] < 0.5 * fresh["scratch"][0]
    assert not len(inherited["scratch"])
    assert not len(fresh["inherit"])
    assert inherited["both"].tolist() == inherited["inherit"].tolist()
    assert inherited["both"][0] < 0.5 * fresh["both"][0]
    for refit in REFITS:
        is_told = "derived" in by[refit].search_report_.stages.index
        assert is_told == (refit != "scratch")


@pytest.mark.parametrize("refit", ["scratch", "both"])
def test_a_cell_trained_anew_starts_from_the_seed_as_it_was_planted(refit, monkeypatch):
    started = {}

    def noted(problem, schedule, network, *args, **kwargs):
        started[len(started)] = [p.detach().clone() for p in network.trunk.seed.parameters()]
        return train_network(problem, schedule, network, *args, **kwargs)

    monkeypatch.setattr("sknas.estimators._trainer.train_network", noted)
    past, future = futures()
    # One seed for all channels, which learns along.
    common = {"lookback": LOOKBACK, "channel_mode": "independent", "learning_rate": 0.02}
    short = {"search_epochs": 8, "max_epochs": 4, "hidden_size": 4, "initial_genotype": "gru"}
    regressor(**common, **short, genotype="linear").fit(past, future)
    assert not started
    regressor(**common, **short, genotype="gru").fit(past, future)
    planted = started[0]
    regressor(**common, **short, refit=refit).fit(past, future)
    assert len(started) == 1 + (1 if refit == "scratch" else 2)
    for ours, theirs in zip(started[len(started) - 1], planted, strict=True):
        assert torch.equal(ours, theirs)
    if refit == "both":
        assert not all(map(torch.equal, started[1], planted))


def test_new_weights_get_the_training_of_a_given_genotype(monkeypatch):
    monkeypatch.setattr("sknas.estimators._settings.TRAIN_STEPS", 2 * N_EPOCH_STEPS)
    monkeypatch.setattr("sknas.estimators._settings.FRESH_STEPS", 3 * N_EPOCH_STEPS)
    common = {**FINDS_PRODUCT, "max_epochs": "auto", "early_stopping": False}
    found = regressor(**common).fit(X, Y)
    given = regressor(**common, genotype="product").fit(X, Y)
    assert len(search_rows(found, "epoch", "train")) == 2
    assert len(search_rows(found, "epoch", "retrain")) == 3
    assert len(search_rows(given, "epoch", "train")) == 3


def test_of_inherited_and_fresh_weights_validation_takes_the_better():
    chosen = set()
    for rate in (1e-4, 0.02):
        given = {**FINDS_PRODUCT, "learning_rate": rate, "n_models": 1}
        report = regressor(**given).fit(X, Y).search_report_
        loss = report.stages.val_loss
        assert {"derived", "trained", "retrained"} <= set(loss.index)
        if report.chosen not in ("seed", "retrained"):
            assert loss[report.chosen] == loss[["derived", "trained"]].min()
            assert loss[report.chosen] < loss["retrained"]
        chosen.add(report.chosen)
    assert chosen - {"seed"}


def test_a_warm_start_keeps_its_weights_unless_told_otherwise():
    for refit in REFITS:
        model = regressor(**FINDS_PRODUCT, refit=refit, warm_start=True).fit(X, Y)
        assert model.genotype_.branches
        phases = set(model.fit(X, Y).search_history_["phase"])
        assert ("retrain" in phases) == (refit == "scratch")
        assert ("train" in phases) == (refit != "scratch")


def test_refitting_on_all_rows_is_a_phase_of_its_own():
    for is_full in (False, True):
        model = trained(genotype="product", refit_full=is_full, learning_rate=0.02, max_epochs=8)
        model.fit(X, Y)
        assert ("refit" in set(model.search_history_["phase"])) == is_full
    assert (model.search_history_["phase"].iloc[-1]) == "refit"


def test_a_linear_result_refitted_on_all_rows_keeps_the_penalty_that_validation_chose():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(1060, 40))
    target = features[:, 0] + 3.0 * rng.normal(size=1060)
    rows, fresh = slice(60), slice(60, None)
    scores = {}
    for is_full in (False, True):
        model = regressor(max_nodes=0, refit_full=is_full).fit(features[rows], target[rows])
        scores[is_full] = model.score(features[fresh], target[fresh])
    # Judged on rows that it is solved on, least squares would be best: an R^2 of -2 on fresh rows.
    assert scores[True] > scores[False] - 0.5
    assert scores[True] != scores[False]


def test_a_linear_classifier_refitted_on_all_rows_keeps_the_penalty_that_validation_chose():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2060, 40))
    labels = features[:, 0] + 3.0 * rng.normal(size=2060) > 0
    rows, fresh = slice(60), slice(60, None)
    scores = {}
    for is_full in (False, True):
        model = classifier(max_nodes=0, refit_full=is_full).fit(features[rows], labels[rows])
        scores[is_full] = -log_loss(labels[fresh], model.predict_proba(features[fresh]))
    assert scores[True] > scores[False] - 0.05
    assert scores[True] != scores[False]


@pytest.mark.parametrize("parameters", [{"max_nodes": 0}, {**GRU, "max_epochs": 1}])
def test_refitting_on_all_rows_reads_those_between_training_and_validation(parameters):
    frame, y = futures()
    n_before = len(y) - len(y) // 5
    changed = y.copy()
    changed[n_before - LOOKBACK : n_before] += 1.0
    for is_full in (False, True):
        model = regressor(**parameters, lookback=LOOKBACK, refit_full=is_full)
        expected = model.fit(frame, y).predict(frame)
        assert (model.fit(frame, changed).predict(frame) != expected).any() == is_full


def test_weight_decay_shrinks_the_weights():
    sizes = []
    for decay in (0.0, 1.0, 50.0):
        model = trained(
            genotype="dense", weight_decay=decay, max_epochs=12, learning_rate=0.01,
            early_stopping=False, refit_full=True,
        )  # fmt: skip
        weights = model.fit(X, Y).module_.parameters()
        sizes.append(sum(float(p.square().sum()) for p in weights))
    assert sizes[0] > sizes[1] > sizes[2]
