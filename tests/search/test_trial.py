"""A move stays if it gains more than training alone took off just before."""

import pytest
import torch

from sknas.blocks import REGRESSION_LOSSES, WindowData
from sknas.edits import AddNode
from sknas.search.growth import PlateauGrowth
from sknas.search.growth.base import is_flat
from sknas.search.incumbent import Incumbent, Lineage
from sknas.search.plan import Plan
from sknas.search.probe import Probe
from sknas.search.pruning import MagnitudePruning
from sknas.search.state import SearchState
from sknas.search.trial import Baseline, Trial
from tests.tiny import OPERATIONS, batch, learner, supernet

EACH = torch.ones(12, dtype=torch.float64)
PLAN = Plan("sequential", 30, PlateauGrowth(min_gain=0.01), MagnitudePruning())


def baseline(*losses):
    return Baseline(4, min(losses), EACH, Incumbent(supernet(), 1.0), Lineage(), losses)


@pytest.mark.parametrize(
    ("losses", "n_epochs", "gain"),
    [
        ((1.3, 1.2, 1.1, 1.0), 1, 0.1),
        ((1.3, 1.2, 1.1, 1.0), 2, 0.2),
        ((1.3, 1.2, 1.1, 1.0), 9, 0.3),
        ((1.3, 1.0, 1.1, 1.05), 2, 0.0),  # nothing gained since
        ((1.0,), 2, 0.0),
    ],
)
def test_the_recent_gain_is_that_of_as_many_epochs(losses, n_epochs, gain):
    assert baseline(*losses).recent_gain(n_epochs) == pytest.approx(gain)


@pytest.mark.parametrize(
    ("losses", "after", "is_accepted"),
    [
        ((1.3, 1.2, 1.1, 1.0), 0.85, False),  # two epochs more would have gained as much
        ((1.3, 1.2, 1.1, 1.0), 0.75, True),
        ((1.0, 1.0, 1.0, 1.0), 0.85, True),
        ((1.0, 1.0, 1.0, 1.0), 0.995, False),
    ],
)
def test_a_move_has_to_gain_more_than_training_alone_did(losses, after, is_accepted):
    before = learner(supernet())
    edit = AddNode(0, 0, OPERATIONS)
    incumbent = Incumbent(supernet(), 1.0)
    trial = Trial(edit, 10, 0.0, before, baseline(*losses), 0, None, incumbent)
    probe = Probe(WindowData(*batch()), torch.arange(12), REGRESSION_LOSSES["mse"]())
    size = before.supernet.n_params
    move = trial.judged([0.999, after], after * EACH, size, 2, PLAN, probe)
    assert move.is_accepted == is_accepted


def test_one_epoch_without_progress_is_not_flat_yet():
    def state(*losses):
        return SearchState(len(losses), 10, losses, (), n_rounds_left=1)

    assert not is_flat(state(1.0, 0.9, 0.9), 3, 0.01)
    assert is_flat(state(1.0, 0.9, 0.9, 0.9), 3, 0.01)
    assert is_flat(state(1.0, 0.9, 0.9), 1, 0.01)  # as was asked for
