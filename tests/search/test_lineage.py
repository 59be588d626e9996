"""What the supernet's stage tells is of the supernet that the result came from, and no other."""

import math

import pytest
import torch

from sknas.blocks import REGRESSION_LOSSES, WindowData
from sknas.edits import AddNode
from sknas.search import EffectPruning, Move, PlateauGrowth
from sknas.search.controller import Controller
from sknas.search.plan import Plan
from sknas.search.probe import Probe
from sknas.search.space import SearchSpace
from tests.tiny import CELLS, OPERATIONS, batch, evidence, generator, learner, supernet

SEED, PROPOSAL, GRU, OTHER_CELL, TRIAL = 1.0, 0.125, 0.5, 0.75, 0.1875
WORSE, BETTER = 0.875, 0.25  # what a node that was added is after its pruning
N_GRU = len(CELLS["gru"].nodes)


class Scripted(Probe):
    """A judge to whom a network's loss is what its nodes say, whatever the weights are."""

    def __init__(self, after_move):
        super().__init__(WindowData(*batch()), torch.arange(12), REGRESSION_LOSSES["mse"]())
        object.__setattr__(self, "after_move", after_move)

    def script(self, net):
        n_settled = sum(node.is_settled for _, node in net.nodes())
        if not net.trunk.branches:
            return SEED
        if not net.is_settled:
            return TRIAL if n_settled >= N_GRU else PROPOSAL
        if n_settled < N_GRU:
            return OTHER_CELL
        return GRU if n_settled == N_GRU else self.after_move

    def each(self, network):
        return torch.full((12,), self.script(network), dtype=torch.float64)

    def loss(self, network, n_samples=None):
        return self.script(network)


def searched(after_move, mode="interleaved"):
    """Let a search run in which a GRU wins the race, and a node is then tried on it."""
    controller = Controller(
        learner(supernet()),
        Plan(mode, 60, PlateauGrowth(patience=1), EffectPruning(n_rounds=1, protection=1)),
        SearchSpace(OPERATIONS, N_GRU + 1, None, 4, 1, (3,), "mixed", is_sequence=True),
        Scripted(after_move),
        evidence(),
        generator(),
        [CELLS["highway"], CELLS["gru"]],
    )
    while not controller.end_epoch(1.0, 0, 0.0):
        assert controller.epoch < 100
    return controller


def row_where(controller, loss):
    return [row["n_params"] for row in controller.rows if row["val_loss"] == loss]


def test_a_proposal_that_only_found_a_cell_is_not_told_of():
    controller = searched(after_move=WORSE)
    assert min(row["val_loss"] for row in controller.rows) == PROPOSAL
    assert controller.incumbent.loss == GRU == controller.lineage.loss
    assert {controller.lineage.n_params} == set(row_where(controller, GRU)[:1])


def test_neither_is_a_move_that_was_undone():
    controller = searched(after_move=WORSE)
    tried = [move for move in controller.moves if isinstance(move.edit, AddNode)]
    assert tried
    assert not any(move.is_accepted for move in tried)
    assert TRIAL in [row["val_loss"] for row in controller.rows]
    assert controller.lineage.loss == GRU
    assert controller.lineage.n_params < tried[0].n_params


def test_a_move_that_stayed_is_part_of_it_from_before_it_was_pruned():
    controller = searched(after_move=BETTER)
    (kept,) = (move for move in controller.moves if isinstance(move.edit, AddNode))
    assert kept.is_accepted
    assert controller.incumbent.loss == BETTER
    assert controller.lineage.loss == TRIAL
    assert controller.lineage.n_params == kept.n_params


@pytest.mark.parametrize(
    ("before", "after", "gain"),
    [
        (2.0, 1.0, 0.5),
        (2.0, 3.0, -0.5),
        (2.0, math.inf, -math.inf),
        (math.inf, 2.0, 1.0),
        (math.inf, math.inf, 0.0),
        (0.0, 1.0, 0.0),
    ],
)
def test_the_gain_of_a_move_is_a_number_whatever_the_losses(before, after, gain):
    move = Move(1, AddNode(0, 0), 10, 0.0, before, after, is_accepted=False)
    assert move.gain == gain
