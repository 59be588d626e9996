"""The weight average is the recursion it says, and stands in for the weights only for a while."""

import pytest
import torch
from torch import nn

from sknas.search.averaging import WeightAverage
from tests.tiny import normal


def parameters():
    return [nn.Parameter(normal(3, 2, seed=0)), nn.Parameter(normal(4, seed=1))]


@torch.no_grad()
def walk(weights, average, n_steps):
    """Move the weights at random and average them; return the weights at each step."""
    path = []
    for step in range(n_steps):
        for p in weights:
            p += normal(*p.shape, seed=10 + step)
        average.update()
        path.append([p.detach().clone() for p in weights])
    return path


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
def test_the_average_is_the_recursion_written_out(decay):
    weights = parameters()
    average = WeightAverage(weights, decay=decay)
    expected = None
    for t, values in enumerate(walk(weights, average, 30)):
        share = min(decay, t / (t + 9))
        if expected is None:
            expected = values
        expected = [
            share * old + (1 - share) * new for old, new in zip(expected, values, strict=True)
        ]
    for p, value in zip(weights, expected, strict=True):
        torch.testing.assert_close(average.averages[p], value, rtol=0, atol=1e-13)


def test_the_start_is_forgotten_with_the_first_step():
    weights = parameters()
    average = WeightAverage(weights)
    (values,) = walk(weights, average, 1)
    for p, value in zip(weights, values, strict=True):
        assert torch.equal(average.averages[p], value)


def test_weights_that_do_not_move_are_their_own_average():
    weights = parameters()
    average = WeightAverage(weights)
    for _ in range(50):
        average.update()
    for p in weights:
        torch.testing.assert_close(average.averages[p], p.detach(), rtol=0, atol=1e-14)


def test_about_the_last_tenth_of_the_steps_counts():
    n_steps = 400
    (p,) = weights = [nn.Parameter(torch.zeros(n_steps, dtype=torch.float64))]
    average = WeightAverage(weights)
    for step in range(n_steps):
        with torch.no_grad():
            p.zero_()[step] = 1.0
        average.update()
    share = average.averages[p]  # of each step in the average
    assert float(share.sum()) == pytest.approx(1.0)
    assert bool((share.diff() >= 0).all())
    mean_age = float((share * torch.arange(n_steps - 1, -1, -1)).sum())
    assert mean_age == pytest.approx(n_steps / 10, rel=0.2)


def test_averages_stand_in_only_inside_the_context():
    weights = parameters()
    average = WeightAverage(weights)
    walk(weights, average, 5)
    before = [p.detach().clone() for p in weights]
    identities = [id(p) for p in weights]
    with average.swapped_in():
        for p in weights:
            assert torch.equal(p, average.averages[p])
            assert not any(torch.equal(p, value) for value in before)
    assert [id(p) for p in weights] == identities
    assert all(torch.equal(p, value) for p, value in zip(weights, before, strict=True))


def test_the_weights_come_back_after_an_error_too():
    weights = parameters()
    average = WeightAverage(weights)
    walk(weights, average, 5)
    before = [p.detach().clone() for p in weights]
    with pytest.raises(KeyError), average.swapped_in():
        raise KeyError
    assert all(torch.equal(p, value) for p, value in zip(weights, before, strict=True))


def test_an_average_of_nothing_is_nothing():
    average = WeightAverage([])
    average.update()
    with average.swapped_in():
        assert average.averages == {}
