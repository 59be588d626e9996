"""What every growth and pruning rule owes to the controller: judged on states made by hand."""

import dataclasses
import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

import sknas.search
from sknas.edits import AddNode, GradMaxUnits, SelectUnits, Widen
from sknas.search import (
    CellRank,
    GradMaxGrowth,
    GrowthRule,
    NorthGrowth,
    PeriodicGrowth,
    PlateauGrowth,
    PruningRule,
    SearchState,
)
from sknas.search.growth import scaled
from tests.tiny import members

GROWTH = members(GrowthRule, sknas.search)
IN_ORDER = [PeriodicGrowth, PlateauGrowth]  # these take the first possible edit
PRUNING = members(PruningRule, sknas.search)
EDITS = (AddNode(0, 0), Widen(0, 2))
LOSSES = st.lists(st.floats(0.01, 10), max_size=12).map(tuple)

SCORES = {AddNode(0, 0): 1.0, Widen(0, 2, GradMaxUnits()): 2.0}
RANKS = st.lists(
    st.builds(
        CellRank,
        branch=st.integers(0, 1),
        layer=st.integers(0, 1),
        rank=st.integers(0, 30),
        width=st.integers(1, 30),
        share_at_birth=st.floats(0, 1),
    ),
    max_size=4,
).map(tuple)


def growth_state(losses, *, edits=EDITS, n_epochs=100, is_last_chance=False, ranks=()):
    return SearchState(
        len(losses),
        n_epochs,
        tuple(losses),
        possible_edits=edits,
        is_last_chance=is_last_chance,
        ranks=ranks,
        score=lambda edit: SCORES.get(edit, 0.0),
    )


# -- any rule ------------------------------------------------------------------------------------


def other_value(value):
    return {"choice": "cell"}[value] if isinstance(value, str) else value + 1


@pytest.mark.parametrize("rule", GROWTH + PRUNING)
def test_a_rule_is_described_by_its_parameters(rule):
    parameters = {name: other_value(value) for name, value in rule().get_params().items()}
    changed = clone(rule().set_params(**parameters))
    assert changed.get_params() == parameters
    assert rule(**parameters).get_params() == parameters
    assert repr(changed) == repr(rule(**parameters))
    assert pickle.loads(pickle.dumps(changed)).get_params() == parameters


@pytest.mark.parametrize("rule", GROWTH + PRUNING)
def test_a_rule_has_no_parameter_that_must_be_given(rule):
    assert rule().get_params()


# -- growth --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", GROWTH)
@given(losses=LOSSES, is_last_chance=st.booleans(), n_epochs=st.integers(1, 200), ranks=RANKS)
def test_a_growth_rule_proposes_at_most_one_version_of_a_possible_edit(
    rule, losses, is_last_chance, n_epochs, ranks
):
    state = growth_state(losses, n_epochs=n_epochs, is_last_chance=is_last_chance, ranks=ranks)
    proposed = rule().propose(state)
    assert len(proposed) <= 1
    assert all(any(edit.is_version_of(possible) for possible in EDITS) for edit in proposed)
    assert rule().propose(state) == proposed


@pytest.mark.parametrize("rule", IN_ORDER)
@given(losses=LOSSES, is_last_chance=st.booleans(), n_epochs=st.integers(1, 200))
def test_a_rule_that_measures_nothing_takes_the_first_possible_edit(
    rule, losses, is_last_chance, n_epochs
):
    state = growth_state(losses, n_epochs=n_epochs, is_last_chance=is_last_chance)
    assert rule().propose(state) in ([], [EDITS[0]])


@pytest.mark.parametrize("rule", GROWTH)
@given(losses=LOSSES, is_last_chance=st.booleans())
def test_nothing_is_proposed_when_nothing_is_possible(rule, losses, is_last_chance):
    state = growth_state(losses, edits=(), is_last_chance=is_last_chance)
    assert rule().propose(state) == []


@pytest.mark.parametrize("rule", GROWTH)
@pytest.mark.parametrize("losses", [(), (1.0,), (3.0, 2.0, 1.0)])
def test_the_last_chance_is_taken(rule, losses):
    assert len(rule().propose(growth_state(losses, is_last_chance=True))) == 1


@pytest.mark.parametrize("rule", GROWTH)
def test_a_growth_rule_waits_at_the_start(rule):
    assert rule().propose(growth_state(())) == []


@pytest.mark.parametrize("rule", GROWTH)
def test_a_growth_rule_says_what_the_controller_reads(rule):
    assert rule().patience >= 1
    assert 0 <= rule().min_gain < 1


@given(n_flat=st.integers(0, 8), patience=st.integers(1, 5))
def test_a_plateau_is_patience_epochs_without_progress(n_flat, patience):
    falling = (4.0, 2.0, 1.0)
    state = growth_state(falling + (1.0,) * n_flat)
    proposes = bool(PlateauGrowth(patience=patience).propose(state))
    assert proposes == (n_flat >= patience)


@given(n_losses=st.integers(1, 20), share=st.floats(0.01, 0.5))
def test_a_loss_that_keeps_falling_is_no_plateau(n_losses, share):
    losses = [(1 - share) ** epoch for epoch in range(n_losses)]
    assert PlateauGrowth(patience=3, min_gain=0.005).propose(growth_state(losses)) == []


@given(share=st.floats(1e-4, 0.3), min_gain=st.floats(1e-4, 0.3))
def test_a_fall_counts_as_progress_from_min_gain_on(share, min_gain):
    if math.isclose(share, min_gain, rel_tol=1e-6):
        return
    rule = PlateauGrowth(patience=2, min_gain=min_gain)
    proposes = bool(rule.propose(growth_state([1.0, 1.0, 1.0 - share])))
    assert proposes == (share < min_gain)


def test_a_plateau_looks_back_at_the_best_loss_not_at_the_last():
    rule = PlateauGrowth(patience=2)
    assert rule.propose(growth_state([1.0, 5.0, 3.0, 2.0])) == [EDITS[0]]


@given(n_flat=st.integers(0, 8), patience=st.integers(1, 5), first=st.sampled_from([1.0, math.inf]))
def test_a_loss_that_stays_infinite_is_a_plateau(n_flat, patience, first):
    rule = PlateauGrowth(patience=patience)
    proposes = bool(rule.propose(growth_state((first,) + (math.inf,) * n_flat)))
    assert proposes == (n_flat >= patience)


@given(n_infinite=st.integers(1, 5), patience=st.integers(1, 5))
def test_a_loss_that_becomes_finite_is_no_plateau(n_infinite, patience):
    losses = (math.inf,) * n_infinite + (7.0,) * patience
    assert PlateauGrowth(patience=patience).propose(growth_state(losses)) == []


@given(factor=st.floats(1e-6, 1e6), losses=LOSSES)
def test_a_plateau_does_not_depend_on_the_unit_of_the_loss(factor, losses):
    rule, factor = PlateauGrowth(), 2.0 ** round(math.log2(factor))
    there = rule.propose(growth_state(losses))
    assert rule.propose(growth_state([factor * loss for loss in losses])) == there


@given(losses=LOSSES, period=st.integers(1, 10))
def test_a_period_counts_epochs_whatever_the_loss_does(losses, period):
    proposes = bool(PeriodicGrowth(period=period).propose(growth_state(losses)))
    assert proposes == (len(losses) >= period)


@given(losses=LOSSES, is_last_chance=st.booleans(), n_epochs=st.integers(1, 200))
def test_growth_by_gradients_comes_when_growth_on_a_plateau_does(losses, is_last_chance, n_epochs):
    state = growth_state(losses, n_epochs=n_epochs, is_last_chance=is_last_chance)
    assert bool(GradMaxGrowth().propose(state)) == bool(PlateauGrowth().propose(state))


@given(scores=st.lists(st.one_of(st.floats(0, 9), st.just(math.nan)), min_size=3, max_size=3))
def test_the_move_of_the_largest_gradient_is_proposed_and_units_begin_by_gradmax(scores):
    edits = (AddNode(0, 0), Widen(0, 2), Widen(1, 4))
    wanted = [edits[0], *(dataclasses.replace(e, newborn=GradMaxUnits()) for e in edits[1:])]
    by_edit = dict(zip(wanted, scores, strict=True))
    state = dataclasses.replace(
        growth_state((1.0,) * 9, edits=edits), score=lambda edit: by_edit[edit]
    )
    known = [-1.0 if math.isnan(score) else score for score in scores]
    assert GradMaxGrowth().propose(state) == [wanted[known.index(max(known))]]


def test_scores_are_measured_only_when_a_move_is_due():
    def score(edit):
        raise AssertionError(edit)

    state = dataclasses.replace(growth_state((3.0, 2.0, 1.0)), score=score)
    for rule in GROWTH:
        assert rule().propose(state) == []


@given(
    rank=st.integers(0, 40),
    width=st.integers(1, 40),
    share_at_birth=st.sampled_from([0.25, 0.5, 1.0]),
    share=st.sampled_from([0.5, 0.97, 1.0]),
)
def test_a_branch_grows_by_what_its_rank_exceeds_the_threshold_by(
    rank, width, share_at_birth, share
):
    measured = (CellRank(0, 0, rank, width, share_at_birth),)
    excess = rank - math.floor(share * share_at_birth * width + 1e-9)
    for is_last_chance in (False, True):
        state = growth_state(
            (2.0, 1.0), edits=(EDITS[0], Widen(0, 6)), ranks=measured, is_last_chance=is_last_chance
        )
        proposed = NorthGrowth(share=share).propose(state)
        n = max(excess, int(is_last_chance))
        assert proposed == ([Widen(0, min(n, 6), SelectUnits())] if n > 0 else [])


def test_of_two_branches_the_one_whose_fullest_layer_exceeds_most_grows():
    ranks = (
        CellRank(0, 0, 5, 8, 0.5),
        CellRank(1, 0, 4, 8, 0.5),
        CellRank(1, 1, 7, 8, 0.5),
    )
    edits = (Widen(0, 4), Widen(1, 4))
    state = growth_state((1.0,), edits=edits, ranks=ranks)
    assert NorthGrowth(share=1.0).propose(state) == [Widen(1, 3, SelectUnits())]
    # A branch that may not grow is passed over.
    state = growth_state((1.0,), edits=edits[:1], ranks=ranks)
    assert NorthGrowth(share=1.0).propose(state) == [Widen(0, 1, SelectUnits())]


def test_growth_by_rank_does_not_look_at_the_losses():
    full, free = ((CellRank(0, 0, rank, 8, 1.0),) for rank in (8, 4))
    for losses in [(1.0,) * 9, (3.0, 2.0, 1.0), (math.inf,)]:
        assert NorthGrowth().propose(growth_state(losses, ranks=full))
        assert NorthGrowth().propose(growth_state(losses, ranks=free)) == []


@given(n=st.integers(1, 50), n_epochs=st.integers(1, 500))
def test_a_span_is_shortened_to_leave_room_for_several_in_a_search(n, n_epochs):
    assert 1 <= scaled(n, n_epochs) <= n
    assert scaled(n, n_epochs) <= max(1, n_epochs / 6)
    assert scaled(n, 6 * n) == n
