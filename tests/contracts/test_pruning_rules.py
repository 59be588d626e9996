"""What every pruning rule owes to the controller: judged on choices made by hand."""

import dataclasses
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sknas.search
from sknas.edits import DropEdge, DropOp
from sknas.search import EffectPruning, MagnitudePruning, PruningRule, Removal, SearchState
from sknas.supernet import NodePlace
from tests.tiny import members

PRUNING = members(PruningRule, sknas.search)


def group_of(worths, node, kind="operation"):
    """Return the removals of one choice, whose candidates are worth that much to both rules."""
    place = NodePlace(0, 0, node)
    make = DropOp if kind == "operation" else lambda p, name: DropEdge(p, kind, name)
    return [
        Removal(make(place, f"{i}"), (place, kind), strength=worth, cost=worth - 0.5)
        for i, worth in enumerate(worths)
    ]


def pruning_state(groups, n_rounds_left):
    removals = tuple(removal for group in groups for removal in group)
    return SearchState(0, 10, (), removals=removals, n_rounds_left=n_rounds_left)


WORTHS = st.lists(st.sampled_from([i / 16 for i in range(17)]), min_size=2, max_size=9, unique=True)

CHOICES = st.lists(WORTHS, min_size=1, max_size=4)


def prune(rule, groups, n_rounds):
    """Let a rule prune round after round, as the controller does; return what is left each time."""
    history = [groups]
    for left in range(n_rounds, 0, -1):
        open_groups = [group for group in groups if len(group) > 1]
        chosen = rule.propose(pruning_state(open_groups, left))
        groups = [[r for r in group if r.edit not in chosen] for group in groups]
        history.append(groups)
    return history


@pytest.mark.parametrize("rule", PRUNING)
@given(choices=CHOICES, n_rounds=st.integers(1, 6))
def test_after_its_rounds_exactly_the_most_useful_candidate_of_each_choice_is_left(
    rule, choices, n_rounds
):
    groups = [group_of(worths, node) for node, worths in enumerate(choices)]
    last = prune(rule(n_rounds=n_rounds), groups, n_rounds)[-1]
    assert [[removal.strength for removal in group] for group in last] == [
        [max(worths)] for worths in choices
    ]


@pytest.mark.parametrize("rule", PRUNING)
@given(choices=CHOICES, n_rounds=st.integers(1, 6))
def test_no_round_empties_a_choice_and_every_round_takes_the_least_useful(rule, choices, n_rounds):
    groups = [group_of(worths, node) for node, worths in enumerate(choices)]
    history = prune(rule(n_rounds=n_rounds), groups, n_rounds)
    for before, after in pairwise(history):
        for old, new in zip(before, after, strict=True):
            assert new
            gone = [removal.strength for removal in old if removal not in new]
            assert max(gone, default=0.0) <= min(removal.strength for removal in new)


@pytest.mark.parametrize("rule", PRUNING)
@given(n_candidates=st.integers(2, 9), n_rounds=st.integers(1, 6))
def test_a_choice_shrinks_by_about_the_same_factor_each_round(rule, n_candidates, n_rounds):
    groups = [group_of([i / 10 for i in range(n_candidates)], 0)]
    sizes = [len(h[0]) for h in prune(rule(n_rounds=n_rounds), groups, n_rounds)]
    factor = n_candidates ** (1 / n_rounds)
    for n_done, size in enumerate(sizes):
        # Rounding to whole candidates moves a size by half of one a round, and less later on.
        assert abs(size - n_candidates / factor**n_done) <= 1.0


@pytest.mark.parametrize("rule", PRUNING)
def test_what_is_worth_least_goes_first_wherever_it_stands(rule):
    for place in range(9):
        worths = [0.5 + 0.01 * i for i in range(9)]
        worths[place] = 0.0
        first = rule().propose(pruning_state([group_of(worths, 0)], 3))
        assert DropOp(NodePlace(0, 0, 0), f"{place}") in first


@pytest.mark.parametrize("rule", PRUNING)
def test_choices_are_pruned_apart(rule):
    weak = group_of([0.01, 0.02], 0)
    strong = group_of([0.8, 0.9, 0.99], 1)
    edges = group_of([0.3, 0.1], 1, kind="left")
    together = rule().propose(pruning_state([weak, strong, edges], 1))
    apart = [e for g in (weak, strong, edges) for e in rule().propose(pruning_state([g], 1))]
    assert together == apart
    assert len(together) == 4


def compared(groups, cell=0):
    """Return choices of operations whose strengths compare: those of one cell's nodes."""
    peers = (0, cell, "operation")
    return [[dataclasses.replace(removal, peers=peers) for removal in group] for group in groups]


def strengths(edits, groups):
    found = {removal.edit: removal.strength for group in groups for removal in group}
    return sorted(found[edit] for edit in edits)


@given(choices=CHOICES, n_rounds=st.integers(1, 6))
def test_over_a_cell_the_weakest_go_first_whatever_choice_they_stand_in(choices, n_rounds):
    groups = compared([group_of(worths, node) for node, worths in enumerate(choices)])
    apart = MagnitudePruning().propose(pruning_state(groups, n_rounds))
    found = MagnitudePruning(scope="cell").propose(pruning_state(groups, n_rounds))
    assert len(set(found)) == len(found) == len(apart)
    removable = sorted(strength for worths in choices for strength in sorted(worths)[:-1])
    assert strengths(found, groups) == removable[: len(found)]


@given(choices=CHOICES, n_rounds=st.integers(1, 6))
def test_over_a_cell_each_choice_ends_with_its_strongest_candidate_too(choices, n_rounds):
    groups = compared([group_of(worths, node) for node, worths in enumerate(choices)])
    history = prune(MagnitudePruning(scope="cell"), groups, n_rounds)
    assert all(group for groups in history for group in groups)
    assert [[removal.strength for removal in group] for group in history[-1]] == [
        [max(worths)] for worths in choices
    ]


def test_over_a_cell_a_weak_choice_gives_more_than_a_strong_one():
    weak, strong = compared([group_of([0.01, 0.02, 0.03, 0.04], 0), group_of([0.7, 0.8, 0.9], 1)])
    state = pruning_state([weak, strong], 2)
    apart = MagnitudePruning().propose(state)
    assert strengths(apart, [weak, strong]) == [0.01, 0.02, 0.7]
    together = MagnitudePruning(scope="cell").propose(state)
    assert strengths(together, [weak, strong]) == [0.01, 0.02, 0.03]


def test_cells_and_the_sources_of_operands_are_ranked_apart_whatever_the_scope():
    first, second = compared([group_of([0.1, 0.2, 0.3], 0)])[0], group_of([0.7, 0.8, 0.9], 1)
    (second,) = compared([second], cell=1)
    sources = group_of([0.5, 0.4], 2, kind="left")
    state = pruning_state([first, second, sources], 1)
    proposed = [MagnitudePruning(scope=scope).propose(state) for scope in ("choice", "cell")]
    assert set(proposed[0]) == set(proposed[1])
    state = pruning_state([first, second, sources], 2)
    proposed = [MagnitudePruning(scope=scope).propose(state) for scope in ("choice", "cell")]
    assert set(proposed[0]) == set(proposed[1])


@pytest.mark.parametrize("rule", PRUNING)
def test_nothing_is_pruned_when_nothing_may_be(rule):
    assert rule().propose(pruning_state([], 1)) == []


def test_effect_pruning_looks_at_the_cost_and_magnitude_pruning_at_the_strength():
    strong_but_useless, weak_but_needed = group_of([0.9, 0.1], 0)
    strong_but_useless = dataclasses.replace(strong_but_useless, cost=-1.0)
    weak_but_needed = dataclasses.replace(weak_but_needed, cost=math.inf)
    state = pruning_state([[strong_but_useless, weak_but_needed]], 1)
    assert EffectPruning().propose(state) == [strong_but_useless.edit]
    assert MagnitudePruning().propose(state) == [weak_but_needed.edit]


def test_a_rule_that_wants_no_costs_can_do_without_them():
    for rule in PRUNING:
        if not rule.needs_costs:
            group = [dataclasses.replace(r, cost=math.nan) for r in group_of([0.3, 0.1, 0.2], 0)]
            assert len(rule().propose(pruning_state([group], 1))) == 2
