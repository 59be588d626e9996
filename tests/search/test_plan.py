"""A plan says beforehand for how many epochs a search leaves things mixed."""

import pytest
import torch

from sknas.blocks import REGRESSION_LOSSES, WindowData
from sknas.search import GrowthRule, MagnitudePruning
from sknas.search.controller import Controller
from sknas.search.plan import Plan
from sknas.search.probe import Probe
from sknas.search.proposal import Proposal
from sknas.search.space import SearchSpace
from tests.tiny import OPERATIONS, batch, branch, evidence, generator, learner, supernet

every_length = pytest.mark.parametrize("n_epochs", [3, 6, 11, 12, 13, 18, 30, 70])
PROBE = Probe(WindowData(*batch()), torch.arange(12), REGRESSION_LOSSES["mse"]())


class Once(GrowthRule):
    """Proposes a node after the first epoch, and nothing else."""

    patience, min_gain, max_refusals = 2, -1e9, 3

    def propose(self, state):
        return list(state.possible_edits[:1]) if state.epoch == 1 else []


def mixed_net():
    return supernet(branch("highway"), operations=OPERATIONS)


def n_open(net_of, end_epoch):
    """Return how many epochs pass with as much mixed as at first, until less is."""
    while net_of().is_settled:
        end_epoch()
    n_candidates, n_epochs = net_of().n_candidates, 0
    while net_of().n_candidates == n_candidates:
        end_epoch()
        n_epochs += 1
    return n_epochs


def n_open_in_search(mode, n_epochs, net):
    plan = Plan(mode, n_epochs, Once(), MagnitudePruning())
    space = SearchSpace(OPERATIONS, 6, None, 4, 1, (3,), "mixed", is_sequence=True)
    controller = Controller(learner(net), plan, space, PROBE, evidence(), generator(), ())
    return n_open(lambda: controller.learner.supernet, lambda: controller.end_epoch(0.0, 0, 0.0))


@every_length
def test_a_move_of_an_interleaved_search_is_open_for_as_long_as_the_plan_says(n_epochs):
    plan = Plan("interleaved", n_epochs, Once(), MagnitudePruning())
    found = n_open_in_search("interleaved", n_epochs, supernet(branch("highway")))
    assert found == plan.n_open_epochs


@every_length
def test_what_a_search_without_moves_begins_with_is_open_for_as_long_as_the_plan_says(n_epochs):
    plan = Plan("fixed", n_epochs, Once(), MagnitudePruning())
    assert n_open_in_search("fixed", n_epochs, mixed_net()) == plan.n_open_epochs


@every_length
def test_a_mixed_start_is_open_for_as_long_as_the_plan_says(n_epochs):
    plan = Plan("interleaved", n_epochs, Once(), MagnitudePruning())
    expected = plan.n_open_opening_epochs(has_contenders=False)
    assert n_open_in_search("interleaved", n_epochs, mixed_net()) == expected


@every_length
def test_a_proposal_is_open_for_as_long_as_the_plan_says_if_there_is_one(n_epochs):
    plan = Plan("interleaved", n_epochs, Once(), MagnitudePruning())
    expected = plan.n_open_opening_epochs(has_contenders=True)
    assert (expected == 0) == (plan.n_proposal_epochs == 0)
    if expected:
        one = learner(mixed_net())
        found = Proposal(
            one, plan, plan.n_proposal_epochs, PROBE, generator(), 1.0, may_give_up=False
        )
        assert n_open(lambda: one.supernet, lambda: found.end_epoch(1.0)) == expected
