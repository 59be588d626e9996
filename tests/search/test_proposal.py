"""A mixed branch becomes one cell by the end of its epochs, or gives up half-way."""

import pytest
import torch

from sknas.blocks import REGRESSION_LOSSES, WindowData
from sknas.edits import AddMixedBranch
from sknas.search import EffectPruning, MagnitudePruning, PlateauGrowth
from sknas.search.plan import Plan
from sknas.search.probe import Probe
from sknas.search.proposal import Proposal
from tests.tiny import OPERATIONS, batch, branch, generator, learner, perturb, supernet

OBJECTIVE = REGRESSION_LOSSES["mse"]()
SEED_LOSS = 1.0


def start(pruning, *, n_epochs=9, may_give_up=True):
    one = learner(supernet())
    one.apply(AddMixedBranch(branch("highway"), 3, OPERATIONS), generator())
    perturb(one.supernet)
    probe = Probe(WindowData(*batch()), torch.arange(12), OBJECTIVE)
    plan = Plan("interleaved", 60, PlateauGrowth(), pruning)
    return Proposal(one, plan, n_epochs, probe, generator(), SEED_LOSS, may_give_up)


@pytest.mark.parametrize("pruning", [EffectPruning(), MagnitudePruning()], ids=repr)
@pytest.mark.parametrize("n_epochs", [3, 9, 20])
def test_it_shrinks_over_the_last_epochs_to_one_cell_of_three_nodes(pruning, n_epochs):
    proposal = start(pruning, n_epochs=n_epochs)
    n_kept = n_epochs - max(3, n_epochs // 3) + 1  # epochs before the first round
    sizes = []
    while not proposal.is_over:
        sizes.append(proposal.learner.supernet.n_candidates)
        proposal.end_epoch(0.5)
    assert sizes[:n_kept] == [3 * len(OPERATIONS)] * n_kept
    assert n_kept < len(sizes) <= n_epochs
    assert sizes == sorted(sizes, reverse=True)
    assert proposal.losses == [0.5] * len(sizes)
    cell = proposal.cell
    assert cell is not None
    assert 1 <= len(cell.nodes) <= 3
    assert {node.operation for node in cell.nodes} <= set(OPERATIONS)


def test_a_branch_that_is_no_better_than_the_seed_half_way_gives_up():
    proposal = start(MagnitudePruning(), n_epochs=8)
    for _ in range(3):
        proposal.end_epoch(SEED_LOSS * 0.999)
        assert not proposal.is_over
    proposal.end_epoch(SEED_LOSS * 0.999)
    assert proposal.is_over
    assert proposal.cell is None


@pytest.mark.parametrize("loss", [SEED_LOSS * 0.9, SEED_LOSS * 1.5])
def test_who_may_not_give_up_goes_on_whatever_the_loss(loss):
    proposal = start(MagnitudePruning(), n_epochs=8, may_give_up=False)
    for _ in range(8):
        assert not proposal.is_over
        proposal.end_epoch(loss)
    assert proposal.is_over
    assert proposal.cell is not None
