"""A collapse is seen in the Hessian, and the search goes on from before it."""

import copy
import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

import sknas.search
from sknas.blocks import REGRESSION_LOSSES, WindowData
from sknas.search import CollapseWatch, EigenvalueWatch, GrowthRule, MagnitudePruning, PlateauGrowth
from sknas.search.bilevel import arch_step, weight_step
from sknas.search.collapse_watch import Collapse, Watcher
from sknas.search.controller import Controller
from sknas.search.plan import Plan
from sknas.search.probe import Probe
from sknas.search.pruning_round import prune_round
from sknas.search.space import SearchSpace
from sknas.search.state import SearchState
from sknas.search.trial import Baseline
from sknas.supernet import LinearSkip
from tests.tiny import (
    OPERATIONS,
    batch,
    branch,
    every_backbone,
    evidence,
    generator,
    learner,
    members,
    perturb,
    supernet,
    two_input,
)

OBJECTIVE = REGRESSION_LOSSES["mse"]()
EVERY = [cls() for cls in members(CollapseWatch, sknas.search)]
every_watch = pytest.mark.parametrize("watch", EVERY, ids=str)
# Powers of two, so that sums and ratios of them are exact enough to compare.
MEASURES = st.lists(st.sampled_from([2.0**i for i in range(-3, 4)]), min_size=1, max_size=14)


def state(net):
    return {name: value.clone() for name, value in net.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


# -- the decision ---------------------------------------------------------------------------------


@given(
    measures=MEASURES,
    window=st.integers(1, 6),
    lag=st.integers(1, 5),
    ratio=st.floats(0.5, 3),
    n_epochs=st.integers(1, 40),
)
def test_a_collapse_is_a_rise_of_the_moving_average(measures, window, lag, ratio, n_epochs):
    watch = EigenvalueWatch(window=window, lag=lag, ratio=ratio, warmup=10)
    averages = []
    for i in range(len(measures)):
        last = [measures[j] for j in range(max(0, i - window + 1), i + 1)]
        averages.append(sum(last) / len(last))
    expected = None
    if n_epochs >= 10 and len(measures) > lag:
        rise = averages[-1] / averages[-1 - lag]
        if math.isclose(rise, ratio, rel_tol=1e-9):
            return
        expected = rise if rise > ratio else None
    found = watch.rise(measures, n_epochs)
    assert (found is None) == (expected is None)
    assert found is None or found == pytest.approx(expected)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan])
def test_a_rise_from_what_is_not_positive_or_to_what_is_no_number_is_none(bad):
    watch = EigenvalueWatch(window=1, lag=1, warmup=0)
    assert watch.rise([bad, 5.0], 9) is None
    assert watch.rise([1.0, bad], 9) is None
    assert watch.rise([1.0, math.inf], 9) == math.inf


@every_watch
def test_a_watch_is_described_by_its_parameters(watch):
    changed = {name: value + 1 for name, value in watch.get_params().items()}
    assert clone(watch).set_params(**changed).get_params() == changed
    assert watch.lag >= 1


@given(every=st.integers(1, 5))
def test_checks_come_every_few_epochs(every):
    watch = EigenvalueWatch(every=every)
    due = [n for n in range(1, 21) if watch.is_due(n)]
    assert due == list(range(every, 21, every))


@given(
    n_epochs=st.integers(1, 30),
    every=st.integers(1, 4),
    lag=st.integers(1, 5),
    warmup=st.integers(0, 20),
)
def test_a_phase_is_long_enough_to_judge_where_a_steep_rise_is_seen_in_it(
    n_epochs, every, lag, warmup
):
    watch = EigenvalueWatch(every=every, lag=lag, warmup=warmup)
    measures, is_seen = [], False
    for epoch in range(1, n_epochs + 1):
        if watch.is_due(epoch):
            measures.append(10.0 ** len(measures))
            is_seen = is_seen or watch.rise(measures, epoch) is not None
    assert watch.can_judge(n_epochs) == is_seen


# -- a watch at work ------------------------------------------------------------------------------


class Planned(CollapseWatch):
    """Measures what it is told to, and sees a collapse in a measure above one."""

    def __init__(self, *, measures=(), lag=2, every=1):
        self.measures, self.lag, self.every = measures, lag, every

    def is_due(self, n_epochs):
        return n_epochs % self.every == 0

    def measure(self, supernet, batch, objective):
        return self.measures[min(self.n_measured(supernet), len(self.measures) - 1)]

    def n_measured(self, supernet):
        # The weights count the epochs: see `move`.
        return round(float(supernet.trunk.seed.bias.detach().flatten()[0])) - 1

    def rise(self, measures, n_epochs):
        return measures[-1] if measures[-1] > 1 and len(measures) > self.lag else None


def move(one):
    """Stand in for an epoch of training: count it in the seed, and move all parameters."""
    net = one.supernet
    with torch.no_grad():
        count = float(net.trunk.seed.bias.flatten()[0])
        perturb(net, seed=round(count), scale=0.05)
        net.trunk.seed.bias.view(-1)[0] = round(count) + 1.0
    one.average = type(one.average)(net.weight_parameters())


def test_a_watch_of_ones_own_can_judge_where_it_has_more_checks_than_it_goes_back():
    watch = Planned(lag=2, every=3)
    assert [watch.can_judge(n) for n in (1, 6, 8, 9, 20)] == [False, False, False, True, True]


def start_counting(net):
    with torch.no_grad():
        net.trunk.seed.bias.view(-1)[0] = 0.0
    return net


def test_the_state_it_returns_is_that_of_the_earlier_check_to_the_last_bit():
    one = learner(start_counting(two_input()))
    watcher = Watcher(Planned(measures=[1.0] * 5 + [4.0], lag=2), batch(), OBJECTIVE)
    states = []
    for epoch in range(1, 7):
        move(one)
        states.append(state(one.supernet))
        found = watcher.look(one, epoch)
        assert (found is not None) == (epoch == 6)
        assert watcher.measure == (4.0 if epoch == 6 else 1.0)
    assert same(state(found.supernet), states[3])
    assert found.supernet is not one.supernet
    assert watcher.collapses == [Collapse(6, 4, 4.0)]
    assert "went back to epoch 4" in str(watcher.collapses[0])


def test_after_a_restart_it_knows_nothing_of_before():
    one = learner(start_counting(two_input()))
    watcher = Watcher(Planned(measures=[9.0], lag=2), batch(), OBJECTIVE)
    for epoch in range(1, 9):
        move(one)
        if epoch % 2:
            watcher.restart()
        assert watcher.look(one, epoch) is None
    assert watcher.collapses == []


def test_between_checks_there_is_no_measure():
    one = learner(start_counting(two_input()))
    watcher = Watcher(Planned(measures=[1.0], every=3), batch(), OBJECTIVE)
    seen = []
    for epoch in range(1, 7):
        move(one)
        watcher.look(one, epoch)
        seen.append(watcher.measure)
    assert [not math.isnan(measure) for measure in seen] == [False, False, True] * 2
    watcher.rest()
    assert math.isnan(watcher.measure)


# -- in a search ----------------------------------------------------------------------------------


def controller(net, watch, *, mode="fixed", n_epochs=30):
    space = SearchSpace(OPERATIONS, 6, None, 4, 1, (3,), "mixed", is_sequence=True)
    plan = Plan(mode, n_epochs, PlateauGrowth(), MagnitudePruning())
    probe = Probe(WindowData(*batch()), torch.arange(12), OBJECTIVE)
    watcher = None if watch is None else Watcher(watch, batch(seed=5), OBJECTIVE)
    return Controller(
        learner(net), plan, space, probe, evidence(), generator(), (), watcher=watcher
    )


@every_backbone
@pytest.mark.parametrize("mode", ["fixed", "interleaved"])
def test_a_collapse_ends_the_mixed_phase_with_the_decision_of_the_earlier_state(build, mode):
    one = controller(
        start_counting(build(skip=LinearSkip())), Planned(measures=[1.0] * 4 + [7.0]), mode=mode
    )
    states = []
    for _ in range(5):
        move(one.learner)
        states.append(one.learner.snapshot())
        assert not one.learner.supernet.is_settled
        assert not one.end_epoch(0.0, 0, 0.0)
    assert one.watcher.collapses == [Collapse(5, 3, 7.0)]
    expected = states[2]
    probe = Probe(WindowData(*batch()), torch.arange(12), OBJECTIVE)
    last_round = SearchState(5, 30, (), n_rounds_left=1)
    prune_round(expected, probe, MagnitudePruning(), last_round, generator())
    assert one.learner.supernet.is_settled
    assert same(state(one.learner.supernet), state(expected.supernet))
    assert [row["arch_curvature"] for row in one.rows] == [1.0] * 4 + [7.0]
    # What was decided trains for an epoch, is judged, and is what the search has found.
    one.end_epoch(0.0, 0, 0.0)
    assert math.isnan(one.rows[-1]["arch_curvature"])
    assert one.rows[-1]["n_candidates"] == one.rows[-1]["n_nodes"]
    if mode == "fixed":
        assert one.incumbent.loss <= one.rows[-1]["val_loss"]


class Falling(Probe):
    """A judge to whom every epoch is better than the one before."""

    def each(self, supernet):
        count = supernet.trunk.seed.bias.detach().flatten()[0]
        return torch.full((12,), 1.0 / (1.0 + float(count)), dtype=torch.float64)


def test_epochs_that_were_taken_back_are_not_part_of_how_the_supernet_came_about():
    one = controller(start_counting(two_input()), Planned(measures=[1.0] * 4 + [7.0]))
    one.probe = Falling(WindowData(*batch()), torch.arange(12), OBJECTIVE)
    for _ in range(5):
        move(one.learner)
        one.end_epoch(0.0, 0, 0.0)
    losses = [row["val_loss"] for row in one.rows]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < one.lineage.loss == losses[2]


class Once(GrowthRule):
    """Proposes a move after the second epoch, and no other; whatever it brings, it stays."""

    min_gain, max_refusals = -1e9, 3

    def __init__(self, *, patience=2):
        self.patience = patience

    def propose(self, state):
        return list(state.possible_edits[:1]) if state.epoch == 2 else []


def test_weights_that_learned_alone_do_not_go_on_so_when_their_move_is_accepted(monkeypatch):
    one = controller(
        start_counting(supernet(branch())), Planned(measures=[1.0] * 4 + [7.0]), mode="sequential"
    )
    one.plan = dataclasses.replace(one.plan, growth=Once())
    one.probe = Falling(WindowData(*batch()), torch.arange(12), OBJECTIVE)
    # Every epoch gains, so that no move would beat the trend.
    monkeypatch.setattr(Baseline, "recent_gain", lambda baseline, n_epochs: 0.0)
    alone = []
    for _ in range(7):
        move(one.learner)
        alone.append(one.learner.newborn is not None)
        one.end_epoch(0.0, 0, 0.0)
    assert [event.is_accepted for event in one.moves] == [True]
    assert one.watcher.collapses == [Collapse(5, 3, 7.0)]
    assert alone == [False, False, True, False, False, False, False]
    assert one.learner.supernet.is_settled


def test_a_move_that_gains_what_every_epoch_gains_is_undone():
    one = controller(supernet(branch()), None, mode="sequential")
    start_counting(one.learner.supernet)
    one.plan = dataclasses.replace(one.plan, growth=Once())
    one.probe = Falling(WindowData(*batch()), torch.arange(12), OBJECTIVE)
    for _ in range(9):
        move(one.learner)
        one.end_epoch(0.0, 0, 0.0)
    assert [event.is_accepted for event in one.moves] == [False]
    assert one.moves[0].loss_after < one.moves[0].loss_before


def sharpen(net, factor):
    """Scale what the branch predicts, and with it what the loss owes to the architecture."""
    with torch.no_grad():
        for head in net.trunk.branches[0].heads:
            head.mul_(factor)


@every_backbone
@pytest.mark.parametrize("factor", [1.0, 1.4])
def test_a_planted_collapse_is_seen_by_its_eigenvalue_and_only_then(build, factor):
    watch = EigenvalueWatch(every=1, window=3, lag=3, ratio=1.5, warmup=4)
    one = controller(build(), watch)
    for _ in range(12):
        if factor > 1.0 and one.learner.supernet.is_settled:
            break
        sharpen(one.learner.supernet, factor)
        one.learner.average = type(one.learner.average)(one.learner.supernet.weight_parameters())
        one.end_epoch(0.0, 0, 0.0)
    measures = [row["arch_curvature"] for row in one.rows]
    if factor == 1.0:
        # Edge logits cool meanwhile: that alone is no collapse.
        assert one.watcher.collapses == []
        assert not one.learner.supernet.is_settled
    else:
        (collapse,) = one.watcher.collapses
        assert collapse.epoch - collapse.back_to == 3
        assert collapse.rise > 1.5
        assert one.learner.supernet.is_settled
        assert measures == sorted(measures)


@every_watch
def test_without_a_collapse_the_search_is_the_same_to_the_last_bit(watch):
    runs = []
    for given_watch in (None, clone(watch).set_params(every=1, ratio=1e12)):
        one = controller(two_input(), given_watch)
        for epoch in range(8):
            arch_step(one.learner, batch(seed=epoch), OBJECTIVE)
            weight_step(one.learner, batch(seed=epoch + 50), OBJECTIVE, 1.0)
            one.end_epoch(0.0, 1, 0.0)
        runs.append(one)
    plain, watched = runs
    assert same(state(plain.learner.supernet), state(watched.learner.supernet))
    for theirs, ours in zip(plain.rows, watched.rows, strict=True):
        assert math.isnan(theirs.pop("arch_curvature"))
        assert math.isfinite(ours.pop("arch_curvature"))
        assert theirs == ours
    copied = copy.deepcopy(watched.watcher)
    assert copied.watch.get_params() == watched.watcher.watch.get_params()
