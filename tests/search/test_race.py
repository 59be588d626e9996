"""The race keeps the better half, round after round, and tells the winner's place."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sknas.edits import AddBranch
from sknas.search.race import Race, n_contenders
from sknas.supernet import Supernet
from tests.tiny import branch, generator, learner, supernet, windows

WIDTHS = (2, 3, 4, 5, 6, 7)  # what tells one contender from another
SEED = learner(supernet())


def start(n_cells=4, n_epochs=60, **options):
    edits = [AddBranch(branch("rnn", hidden_size=width)) for width in WIDTHS[:n_cells]]
    past = windows()

    def probe(net: Supernet):
        return net(past).detach()

    return Race.start(SEED, edits, n_epochs, generator(), probe, 9.0, **options), edits


def place_of(race):
    """Return which contender trains now, by the width of its branch."""
    return WIDTHS.index(race.current.supernet.trunk.branches[0].hidden_size)


def run(race, loss_of, limit=500):
    """Feed the race; return the places in the order in which they trained."""
    order = []
    while not race.is_over:
        order.append(place_of(race))
        race.end_epoch(loss_of(order))
        assert len(order) < limit
    return order


@given(worths=st.permutations(range(6)), n_cells=st.integers(1, 6))
@settings(max_examples=25)
def test_the_best_contender_wins_whatever_its_place(worths, n_cells):
    race, _ = start(n_cells, 100)
    run(race, lambda order: 1.0 + worths[order[-1]])
    best = min(range(n_cells), key=lambda place: worths[place])
    assert race.winner == best
    assert place_of(race) == best
    assert set(race.winner_losses) == {1.0 + worths[best]}


@given(worths=st.permutations(range(6)))
@settings(max_examples=25)
def test_in_a_round_each_has_one_turn_and_the_worse_half_leaves(worths):
    race, _ = start(6, 100)
    n_turn = race.n_epochs_a_turn
    order = run(race, lambda order: 1.0 + worths[order[-1]])
    first, second = order[: 6 * n_turn], order[6 * n_turn :]
    assert first == [place for place in range(6) for _ in range(n_turn)]
    n_second = len(second) // 3  # three go on, and then the winner is known
    ranked = sorted(range(6), key=lambda place: worths[place])
    assert second == [place for place in ranked[:3] for _ in range(n_second)]
    assert n_second >= n_turn


def test_of_cells_that_are_as_good_as_each_other_the_first_wins():
    for losses, winner in [((1.0, 1.002, 1.1), 0), ((1.002, 1.0, 1.1), 0), ((1.1, 1.0, 1.0), 1)]:
        race, _ = start(3, 20)
        run(race, lambda order, losses=losses: losses[order[-1]])
        assert race.winner == winner


def test_those_that_were_as_good_as_the_winner_are_the_runners_up_the_best_first():
    for losses, places in [
        ((1.0, 1.015, 1.01), [2, 1]),
        ((1.01, 1.0, 1.1), [1]),
        ((1.1, 1.0, 1.05), []),
    ]:
        race, _ = start(3, 20)
        run(race, lambda order, losses=losses: losses[order[-1]])
        assert race.runners_up == places


def test_where_the_least_loss_decides_nobody_is_as_good():
    race, _ = start(3, 20, is_whole_search=True)
    run(race, lambda order: 1.0)
    assert race.runners_up == []


def test_in_every_round_ties_go_to_the_first():
    losses = (1.01, 1.012, 1.008, 1.0, 1.5, 1.005)
    race, _ = start(6, 60)
    order = run(race, lambda order: losses[order[-1]])
    assert set(order[6 * order.count(4) :]) == {0, 1, 2}
    assert race.winner == 0


def test_by_how_much_cells_are_behind_the_seed_says_nothing_yet():
    # The seed's loss is nine.
    for losses, winner in [
        ((9.6, 9.005, 9.3), 0),
        ((9.6, 8.985, 9.3), 0),
        ((9.6, 8.97, 9.3), 1),
        ((9.6, 9.3, 8.9), 2),
    ]:
        race, _ = start(3, 20)
        run(race, lambda order, losses=losses: losses[order[-1]])
        assert race.winner == winner


def test_two_hundredths_of_a_nat_tell_cells_apart_however_great_the_entropy():
    for losses, winner in [((5.53, 5.5, 6.0), 1), ((5.515, 5.5, 6.0), 0)]:
        race, _ = start(3, 20)
        run(race, lambda order, losses=losses: losses[order[-1]])
        assert race.winner == winner


def test_a_contender_is_judged_by_its_best_epoch():
    race, _ = start(2, 20)
    assert race.n_epochs_a_turn > 1
    # The larger cell is the better one in its first epoch alone.
    run(race, lambda order: 0.1 if order.count(1) == 1 and order[-1] == 1 else 1.0)
    assert race.winner == 1


def test_a_contender_that_diverges_loses():
    race, _ = start(3)
    run(race, lambda order: 7.0 if order[-1] == 2 else math.inf)
    assert race.winner == 2


def test_all_start_from_the_seeds_function_each_on_a_copy_of_its_own():
    race, _ = start()
    past = windows()
    expected = SEED.supernet(past)
    learners = [contender.learner for contender in race.contenders]
    for one in learners:
        torch.testing.assert_close(one.supernet(past), expected, rtol=0, atol=1e-12)
    identities = [id(p) for one in learners for p in one.supernet.parameters()]
    assert len(set(identities)) == len(identities)
    assert len(SEED.supernet.trunk.branches) == 0


def test_the_moves_are_the_contenders_and_only_the_winners_stayed():
    race, edits = start()
    run(race, lambda order: [3.0, 1.0, 2.0, 4.0][order[-1]])
    assert [move.edit for move in race.moves] == edits
    assert [move.is_accepted for move in race.moves] == [False, True, False, False]
    assert [move.loss_after for move in race.moves] == [3.0, 1.0, 2.0, 4.0]
    for move, contender in zip(race.moves, race.contenders, strict=True):
        assert (move.epoch, move.loss_before) == (0, 9.0)
        assert move.n_params == contender.learner.supernet.n_params
        assert move.output_change <= 1e-12
        assert move.gain == pytest.approx((9.0 - move.loss_after) / 9.0)


@given(n_cells=st.integers(1, 6), n_epochs=st.integers(1, 90))
@settings(max_examples=40)
def test_a_race_takes_at_most_half_of_the_search_where_there_is_a_choice(n_cells, n_epochs):
    race, _ = start(n_cells, n_epochs)
    order = run(race, lambda order: 1.0 + order[-1])
    assert len(race.contenders) == n_contenders(n_cells, n_epochs)
    assert len(order) <= max(1, n_epochs // 2)


@given(n_cells=st.integers(1, 12), n_epochs=st.integers(1, 200))
def test_a_longer_search_never_has_fewer_contenders(n_cells, n_epochs):
    n = n_contenders(n_cells, n_epochs)
    assert 1 <= n <= n_contenders(n_cells, n_epochs + 1) <= n_cells
    assert n_contenders(n_cells, 1000) == n_cells


def test_half_of_five_rounded_up_reach_the_final():
    race, _ = start(5, 100)
    n_turn = race.n_epochs_a_turn
    order = run(race, lambda order: 1.0 + order[-1])
    assert set(order[: 5 * n_turn]) == set(range(5))
    assert set(order[5 * n_turn :]) == {0, 1, 2}


@given(n_cells=st.integers(1, 6), n_epochs=st.integers(1, 90))
@settings(max_examples=40)
def test_a_race_that_is_the_whole_search_takes_more_than_half_of_it(n_cells, n_epochs):
    race, _ = start(n_cells, n_epochs, is_whole_search=True)
    order = run(race, lambda order: 1.0 + order[-1])
    assert len(race.contenders) == n_contenders(n_cells, n_epochs, is_whole_search=True)
    assert n_epochs / 2 <= len(order) <= n_epochs
    assert len(race.contenders) >= n_contenders(n_cells, n_epochs)


def test_in_a_race_that_is_the_whole_search_the_least_loss_decides_whatever_the_size():
    race, _ = start(3, 20, is_whole_search=True)
    run(race, lambda order: (1.002, 1.001, 1.0)[order[-1]])
    assert race.winner == 2
