"""A moved seed is the ridge solution around the old one, for what the branches leave."""

import dataclasses

import numpy as np
import pytest
import torch

from sknas.blocks import CrossEntropy, NetworkShape, WindowData
from sknas.derived import DerivedNetwork, NetworkSpec
from sknas.genotype import Genotype
from sknas.training import mean_loss, move_seed, validation_losses
from tests.tiny import generator, normal, perturb
from tests.training.test_phases import SHAPE, problem

CLASSES = NetworkShape(n_channels=2, lookback=4, n_targets=3, horizon=1)


def network(name="gru", shape=SHAPE, window_norm="last"):
    genotype = Genotype.named(name, hidden_size=3)
    net = DerivedNetwork(
        NetworkSpec(genotype, shape, window_norm, "mixed"),
        generator=generator(),
        dtype=torch.float64,
    )
    perturb(net)
    return net


def loss(net, task):
    return mean_loss(validation_losses(net, task), task)


def law_of(net, task):
    """Return a task whose targets another seed, beside the same branches, predicts exactly."""
    with torch.no_grad():
        return dataclasses.replace(
            task, data=dataclasses.replace(task.data, target=net(task.data.past))
        )


@pytest.mark.parametrize("name", ["linear", "gru", "lstm"])
def test_a_seed_that_explains_what_the_branches_leave_is_found(name):
    net, other = network(name), network(name)
    with torch.no_grad():
        other.trunk.seed.weight.add_(normal(*other.trunk.seed.weight.shape, seed=5))
        other.trunk.seed.bias.sub_(1.0)
    task = law_of(other, problem())
    before = loss(net, task)
    branches = [p.clone() for p in net.trunk.branches.parameters()]
    move_seed(task, net.trunk)
    assert loss(net, task) < 1e-8 * before
    for old, new in zip(branches, net.trunk.branches.parameters(), strict=True):
        assert torch.equal(old, new)


def test_a_seed_that_is_right_already_does_not_move():
    net = network()
    task = law_of(net, problem())
    before = net.trunk.seed.weight.clone()
    move_seed(task, net.trunk)
    torch.testing.assert_close(net.trunk.seed.weight, before, rtol=0, atol=1e-6)


def classes(n=60):
    past = normal(n, 2, 4, seed=0)
    target = torch.from_numpy(np.digitize(past[:, 0, -1].numpy(), [-0.4, 0.4]))
    return dataclasses.replace(
        problem(n),
        data=WindowData(past, target, torch.ones(n, dtype=torch.float64)),
        shape=CLASSES,
        objective=CrossEntropy(),
        n_classes=3,
        window_norm="none",
    )


@pytest.mark.parametrize("name", ["linear", "gru"])
def test_the_logits_move_to_the_new_classes(name):
    net, task = network(name, CLASSES, "none"), classes()
    before = loss(net, task)
    move_seed(task, net.trunk)
    assert loss(net, task) < 0.5 * before


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("make", [problem, classes])
def test_a_move_never_validates_worse(make, seed):
    task = make()
    net = network("gru", task.shape, task.window_norm)
    perturb(net, seed=seed)
    noise = dataclasses.replace(task, data=_shuffled(task.data, seed))
    before = loss(net, noise)
    move_seed(noise, net.trunk)
    assert loss(net, noise) <= before * (1 + 1e-12)


def _shuffled(data, seed):
    order = torch.randperm(len(data.target), generator=generator(seed))
    return dataclasses.replace(data, target=data.target[order])
