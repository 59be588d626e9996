"""Growth by gradients and by ranks decides otherwise than growth on a plateau, and shows it."""

import dataclasses
import pickle

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from sknas.edits import GradMaxUnits, SelectUnits, Widen
from sknas.search import GradMaxGrowth, GrowthRule, NorthGrowth, PlateauGrowth
from tests.small import classifier, data_for, product, regressor, search_rows, sequences

pytestmark = pytest.mark.usefixtures("short_epochs")
X, Y = product()
COMMON = {"initial_genotype": "highway", "max_nodes": 4, "search_epochs": 12, "max_epochs": 1}
EAGER = {"patience": 1, "min_gain": -1e9}  # any move is good enough to stay


def moves(model):
    return [event for event in model.growth_events_ if event.epoch > 0]


def fit(growth, make=regressor, data=(X, Y), **parameters):
    return make(**{**COMMON, "growth": growth, **parameters}).fit(*data)


def is_flat_at_once(rule):
    """Return the rule with a min_gain that no epoch reaches: every loss is a plateau to it."""
    return rule(patience=1, min_gain=1.0)


# -- by gradients ----------------------------------------------------------------------------------


def test_gradmax_makes_another_move_than_plateau_and_tells_by_what_score():
    by_order = moves(fit(is_flat_at_once(PlateauGrowth)))
    by_score = moves(fit(is_flat_at_once(GradMaxGrowth)))
    assert by_order[0].epoch == by_score[0].epoch
    # A new node has the gradient of one scalar, its output weight.
    assert type(by_order[0].edit).__name__ == "AddNode"
    assert type(by_score[0].edit).__name__ != "AddNode"
    assert all(event.score is None for event in by_order)
    assert all(event.score > 0 for event in by_score)
    assert max(event.output_change for event in by_score) <= 1e-6


@pytest.mark.parametrize("max_nodes", [1, 3])
def test_gradmax_scores_moves_from_one_state_in_falling_order(max_nodes):
    # Every move is refused, so that all are tried from the same state, the next best in turn.
    model = fit(is_flat_at_once(GradMaxGrowth), max_nodes=max_nodes, search_epochs=20)
    scores = [event.score for event in moves(model)]
    assert len(scores) > 1
    assert scores == sorted(scores, reverse=True)


def test_where_only_width_can_grow_its_units_begin_by_gradmax():
    model = fit("gradmax", max_nodes=1)
    edits = [event.edit for event in moves(model)]
    assert edits
    for edit in edits:
        assert edit == Widen(0, edit.n_units, GradMaxUnits())
        assert "gradmax" in str(edit)
        assert edit.newborn.evidence is None  # no training data are kept
    assert "gradmax" in str(model.search_report_)


# -- by ranks --------------------------------------------------------------------------------------


def test_north_widens_a_full_branch_while_the_loss_still_falls():
    rule = NorthGrowth(**EAGER)
    by_rank = fit(rule)
    never_flat = fit(PlateauGrowth(**EAGER))
    edits = [event.edit for event in moves(by_rank)]
    assert edits
    assert all(edit == Widen(0, edit.n_units, SelectUnits()) for edit in edits)
    assert moves(by_rank)[0].epoch < min(
        (event.epoch for event in moves(never_flat)), default=COMMON["search_epochs"]
    )
    assert max(event.output_change for event in moves(by_rank)) <= 1e-6


def test_north_leaves_a_branch_alone_that_is_not_full_though_the_loss_is_flat():
    # No rank exceeds one and a half times the width, so that it is only asked at the last chance.
    unneeded = moves(fit(NorthGrowth(share=1.5, patience=1, min_gain=1.0)))
    flat = moves(fit(is_flat_at_once(PlateauGrowth)))
    assert [event.edit for event in unneeded] == [Widen(0, 1, SelectUnits())]
    assert unneeded[0].epoch > flat[0].epoch + 1


def test_the_history_tells_the_effective_rank_of_searched_epochs():
    model = fit(NorthGrowth(**EAGER))
    ranks = search_rows(model, "effective_rank")
    assert (ranks >= 0).all()
    first = moves(model)[0]
    before, after = ranks[first.epoch - 1], ranks[first.epoch]
    # Units are added because the width of four is used up, and selected for what they add to it.
    assert before == 4
    assert before < after <= 4 + first.edit.n_units
    assert np.isnan(search_rows(model, "effective_rank", phase="train")).all()
    assert fit("plateau").search_history_["effective_rank"].isna().all()


def test_a_smaller_share_asks_for_more_units():
    first = [moves(fit(NorthGrowth(share=share, **EAGER)))[0].edit for share in (0.8, 0.4)]
    assert first[0].n_units < first[1].n_units


# -- both ------------------------------------------------------------------------------------------


class Watching(GrowthRule):
    """Growth on a plateau that has everything measured, and makes nothing of it."""

    needs_ranks = True
    patience, min_gain, max_refusals = 1, 1.0, 3

    def propose(self, state):
        assert state.ranks
        assert all(np.isfinite(state.score(edit)) for edit in state.possible_edits)
        return is_flat_at_once(PlateauGrowth).propose(state)


def test_measuring_leaves_no_trace_in_the_search():
    watched, plain = fit(Watching()), fit(is_flat_at_once(PlateauGrowth))
    assert moves(plain)
    drop = ["seconds", "effective_rank"]
    histories = [model.search_history_.drop(columns=drop) for model in (watched, plain)]
    assert histories[0].equals(histories[1])
    assert np.array_equal(watched.predict(X), plain.predict(X))
    without = [
        [dataclasses.replace(event, score=None) for event in model.growth_events_]
        for model in (watched, plain)
    ]
    assert without[0] == without[1]


@pytest.mark.parametrize("growth", ["gradmax", "north"])
def test_a_fit_is_repeatable_and_survives_a_pickle(growth):
    models = [fit(growth, max_nodes=1) for _ in range(2)]
    assert moves(models[0])
    assert models[0].growth_events_ == models[1].growth_events_
    expected = models[0].predict(X)
    assert np.array_equal(models[1].predict(X), expected)
    thawed = pickle.loads(pickle.dumps(models[0]))
    assert np.array_equal(thawed.predict(X), expected)
    assert thawed.growth_events_ == models[0].growth_events_


@pytest.mark.slow
@pytest.mark.parametrize("growth", [GradMaxGrowth(**EAGER), NorthGrowth(**EAGER)], ids=repr)
@pytest.mark.parametrize("mode", ["interleaved", "sequential"])
def test_they_grow_for_classes_and_for_sequences(growth, mode):
    common = {"mode": mode, "initial_genotype": "gru"}
    for make, data in ((classifier, data_for(classifier)), (regressor, sequences())):
        model = fit(growth, make, data, **common)
        assert moves(model)
        assert max(event.output_change for event in model.growth_events_) <= 1e-6
        assert np.isfinite(search_rows(model, "val_loss")).all()


@pytest.mark.parametrize(
    "growth", [GradMaxGrowth(**EAGER), NorthGrowth(share=0.1, **EAGER)], ids=repr
)
def test_the_largest_size_is_kept_by_units_of_any_beginning(growth):
    free = fit(growth, max_nodes=1)
    bound = max(event.n_params for event in moves(free)) - 1
    bounded = fit(growth, max_nodes=1, max_params=bound)
    assert search_rows(free, "n_params").max() > bound
    assert search_rows(bounded, "n_params").max() <= bound


@pytest.mark.slow
def test_a_grid_names_the_parameters_of_these_rules():
    for rule, grid in (
        (NorthGrowth(), {"growth__share": [0.5, 1.5]}),
        (GradMaxGrowth(), {"growth__patience": [1, 2]}),
    ):
        search = GridSearchCV(
            regressor(**COMMON, growth=rule), grid, cv=TimeSeriesSplit(2), error_score="raise"
        )
        search.fit(X, Y)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        (name,) = grid
        assert search.best_estimator_.get_params()[name] == search.best_params_[name]
