"""The result of a training is the mean of its weights from the best epoch on, if as good."""

import math

import pytest
import torch
from torch import nn

from sknas.blocks.objective import MeanSquared
from sknas.blocks.window_data import WindowData
from sknas.search.probe import Probe
from sknas.training.best_weights import BestWeights

N_SAMPLES = 40


class Constant(nn.Module):
    """Predicts one number."""

    def __init__(self, value):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(float(value), dtype=torch.float64))

    def forward(self, past):
        return self.value.expand(len(past), 1, 1)


class Square(Constant):
    """Predicts the square of its weight, so that two weights may be right and their mean wrong."""

    def forward(self, past):
        return super().forward(past).square()


def probe(spread, level=0.0):
    """Targets around a level: the loss of a constant v is (v - level)**2 plus their variance."""
    target = torch.linspace(-spread, spread, N_SAMPLES, dtype=torch.float64).view(-1, 1, 1) + level
    weight = torch.ones(N_SAMPLES, dtype=torch.float64)
    return Probe(WindowData(target, target, weight), torch.arange(N_SAMPLES), MeanSquared())


def trained(values, make=Constant, level=0.0):
    network = make(values[0])
    best = BestWeights(network, probe(1.0, level))
    for value in values[1:]:
        with torch.no_grad():
            network.value.fill_(value)
        best.end_epoch()
    best.settle()
    return network.value.item(), best


def test_the_mean_begins_at_the_best_epoch():
    value, best = trained([3.0, 0.1, 2.9, -0.04, 0.05, 0.055])
    assert value == pytest.approx((-0.04 + 0.05 + 0.055) / 3)
    assert best.best_epoch == 4
    assert best.loss == pytest.approx(probe(1.0).loss(Constant(value)))


def test_a_mean_that_is_clearly_worse_is_not_taken():
    value, best = trained([3.0, 1.0, -1.001, -1.002], Square, level=1.0)
    assert value == pytest.approx(1.0)
    assert best.best_epoch == 1
    assert best.n_epochs_since_best == 2


def test_epochs_beyond_the_flat_part_are_not_part_of_the_mean():
    """The least loss is 0.35, so that 0.007 more is the end of the flat part."""
    value, _ = trained([3.0, 0.0, 0.05, 0.09, 0.3, -0.04])
    assert value == pytest.approx((0.0 + 0.05 - 0.04) / 3)


def test_epochs_that_are_no_better_than_the_start_leave_it():
    value, best = trained([0.01, 0.5, 0.4])
    assert value == pytest.approx(0.01)
    assert best.best_epoch == 0


def test_an_epoch_without_a_finite_loss_is_not_part_of_the_mean():
    value, _ = trained([3.0, 0.04, math.inf, 0.06])
    assert value == pytest.approx(0.05)


def test_without_a_judge_the_last_weights_are_the_result():
    network = Constant(1.0)
    best = BestWeights(network, None)
    with torch.no_grad():
        network.value.fill_(2.0)
    assert math.isnan(best.end_epoch())
    best.settle()
    assert network.value.item() == 2.0
    assert best.best_epoch == 1
