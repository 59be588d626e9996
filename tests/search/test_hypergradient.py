"""The second-order step has the hypergradient for its direction, and leaves the weights alone."""

import copy
import math

import pytest
import torch
from torch import nn

from sknas.blocks import REGRESSION_LOSSES
from sknas.search import ProximityRegularizer
from sknas.search.arch_regularizers import ArchPenalty
from sknas.search.bilevel import VirtualStep, arch_step, weight_step
from sknas.search.hypergradient import hypergradient
from sknas.search.look_ahead import adamw
from sknas.supernet import GumbelRelaxation
from sknas.supernet.sampling import sampling
from tests.oracles.hypergradient import differences
from tests.tiny import (
    OPERATIONS,
    RELAXATIONS,
    batch,
    branch,
    generator,
    learner,
    normal,
    set_progress,
    supernet,
)

OBJECTIVE = REGRESSION_LOSSES["mse"]()
TRAIN, ARCH = batch(seed=1), batch(seed=2)


def gradient_descent(rate):
    """Return the step of plain gradient descent, to look ahead by."""

    def look(weights, gradients):
        return [-rate * g for g in gradients], [torch.full_like(g, rate) for g in gradients]

    return look


def loss_on(net, data):
    past, target, weight = data
    return OBJECTIVE.mean(net(past), target, weight)


def found_in(net, look_ahead, max_norm=math.inf, radius=1e-4):
    return hypergradient(
        lambda: loss_on(net, TRAIN),
        lambda: loss_on(net, ARCH),
        net.weight_parameters(),
        net.free_arch_parameters(),
        look_ahead,
        max_norm,
        radius,
    )


def norm_of(gradients):
    return float(torch.cat([g.flatten() for g in gradients if g is not None]).norm())


# -- against the truth ----------------------------------------------------------------------------


class Quadratic:
    """``L_train = w'Hw / 2 - w'Ma`` and ``L_arch = |w - c|^2 / 2 + w'Na + |a|^2 / 2``."""

    def __init__(self, n=5, m=3):
        root = normal(n, n, seed=1)
        self.H, self.M, self.N = root @ root.T, normal(n, m, seed=2), normal(n, m, seed=3)
        self.c = normal(n, seed=4)
        # Weights in two pieces, and one that no loss depends on.
        self.weights = [nn.Parameter(normal(2, seed=5)), nn.Parameter(normal(n - 2, seed=6))]
        self.unused = nn.Parameter(normal(2, seed=8))
        self.a = nn.Parameter(normal(m, seed=7))

    @property
    def w(self):
        return torch.cat(self.weights)

    def train_loss(self):
        return 0.5 * self.w @ self.H @ self.w - self.w @ self.M @ self.a

    def arch_loss(self):
        distance = (self.w - self.c).square().sum()
        return 0.5 * distance + self.w @ self.N @ self.a + 0.5 * self.a @ self.a

    @torch.no_grad()
    def truth(self, rate, max_norm):
        """Return the gradient, with the clipping factor held fixed."""
        inner = self.H @ self.w - self.M @ self.a
        step = rate * min(1.0, max_norm / (float(inner.norm()) + 1e-6))
        w = self.w - step * inner
        outward = w - self.c + self.N @ self.a
        return self.a + self.N.T @ w + step * self.M.T @ outward


@pytest.mark.parametrize("max_norm", [math.inf, 0.5, 1e-3], ids=["free", "clipped", "short"])
@pytest.mark.parametrize("rate", [0.0, 1e-3, 0.1, 2.0])
@pytest.mark.parametrize("radius", [0.01, 1.0])
def test_on_a_quadratic_problem_it_is_the_analytic_hypergradient(rate, max_norm, radius):
    one = Quadratic()
    assert max_norm == math.inf or norm_of(torch.autograd.grad(one.train_loss(), one.weights)) > 0.5
    weights = [*one.weights, one.unused]
    (gradient,) = hypergradient(
        one.train_loss,
        one.arch_loss,
        weights,
        [one.a],
        gradient_descent(rate),
        max_norm,
        radius,
    )
    expected = one.truth(rate, max_norm)
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-9)


def descended(step):
    """Return what takes a step of gradient descent on a copy of a network."""

    def ahead(net):
        net = copy.deepcopy(net)
        loss_on(net, TRAIN).backward()
        with torch.no_grad():
            for p in net.weight_parameters():
                if p.grad is not None:
                    p -= step * p.grad
        return net

    return ahead


def loss_ahead(net):
    return float(loss_on(net, ARCH).detach())


@pytest.mark.parametrize("relaxation", RELAXATIONS, ids=str)
@pytest.mark.parametrize("max_norm", [math.inf, 0.05], ids=["free", "clipped"])
def test_in_a_supernet_it_is_the_gradient_through_the_step(relaxation, max_norm):
    net, rate = supernet(branch(), relaxation=relaxation, operations=OPERATIONS), 0.5
    weights = net.weight_parameters()
    inner = norm_of(torch.autograd.grad(loss_on(net, TRAIN), weights, allow_unused=True))
    factor = min(1.0, max_norm / (inner + 1e-6))
    assert (factor < 1.0) == (max_norm < math.inf)
    expected = differences(net, descended(rate * factor), loss_ahead)
    found = found_in(net, gradient_descent(rate), max_norm)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-7)
    # What looks no step ahead, or half of it only, is far from that.
    first_order = torch.autograd.grad(loss_on(net, ARCH), net.free_arch_parameters())
    rests = [one - other for one, other in zip(first_order, expected, strict=True)]
    assert norm_of(rests) > 20 * norm_of([a - b for a, b in zip(found, expected, strict=True)])


def test_the_default_radius_is_near_enough():
    net = supernet(branch(), operations=OPERATIONS)
    fine = found_in(net, gradient_descent(0.1))
    usual = found_in(net, gradient_descent(0.1), radius=0.01)
    assert norm_of([a - b for a, b in zip(fine, usual, strict=True)]) < 1e-3 * norm_of(fine)


def test_with_a_rate_of_zero_it_is_the_first_order_gradient():
    net = supernet(branch(), operations=OPERATIONS)
    found = found_in(net, gradient_descent(0.0))
    expected = torch.autograd.grad(loss_on(net, ARCH), net.free_arch_parameters())
    assert all(map(torch.equal, found, expected))


def test_weights_that_the_architecture_loss_ignores_leave_its_plain_gradient():
    w, a = nn.Parameter(normal(3, seed=0)), nn.Parameter(normal(3, seed=1))
    (gradient,) = hypergradient(
        lambda: (w * a).square().sum(),
        lambda: a.square().sum(),
        [w],
        [a],
        gradient_descent(0.1),
        1.0,
    )
    assert torch.equal(gradient, 2 * a.detach())


# -- the step -------------------------------------------------------------------------------------


def all_but_the_architecture(one):
    """Return copies of weights, their optimizer's state, and the averages with their count."""
    free = {id(p) for p in one.supernet.free_arch_parameters()}
    tensors = [p.detach().clone() for p in one.supernet.parameters() if id(p) not in free]
    for state in one.weight_optimizer.state.values():
        tensors += [value.clone() for value in state.values()]
    tensors += [value.clone() for value in one.average.averages.values()]
    return [*tensors, torch.tensor(one.average.n_steps)]


def same(first, second):
    return len(first) == len(second) and all(map(torch.equal, first, second))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_all_but_the_architecture_is_left_as_it_was_bit_by_bit(dtype):
    one = learner(supernet(branch(), operations=OPERATIONS, dtype=dtype))
    train, arch = (tuple(part.to(dtype) for part in data) for data in (TRAIN, ARCH))
    for _ in range(3):
        weight_step(one, train, OBJECTIVE, 1.0)
    before = all_but_the_architecture(one)
    free = [p.detach().clone() for p in one.supernet.free_arch_parameters()]
    assert math.isfinite(arch_step(one, arch, OBJECTIVE, VirtualStep(train, 1.0)).loss)
    assert same(all_but_the_architecture(one), before)
    assert not any(map(torch.equal, one.supernet.free_arch_parameters(), free))
    assert all(p.grad is None for p in one.supernet.parameters())


def test_weights_come_back_where_the_loss_raises():
    one = learner()
    before, calls = all_but_the_architecture(one), []

    class Interrupted(type(OBJECTIVE)):
        def per_sample(self, output, target):
            calls.append(0)
            if len(calls) == 3:  # with the weights moved aside
                raise KeyboardInterrupt
            return super().per_sample(output, target)

    with pytest.raises(KeyboardInterrupt):
        arch_step(one, ARCH, Interrupted(), VirtualStep(TRAIN, 1.0))
    assert same(all_but_the_architecture(one), before)


@pytest.mark.parametrize("which", ["train", "arch"])
def test_a_batch_that_is_not_finite_changes_nothing(which):
    one = learner()
    arch_step(one, ARCH, OBJECTIVE, VirtualStep(TRAIN, 1.0))
    before = [p.detach().clone() for p in one.supernet.parameters()]
    past, target, weight = batch(seed=3)
    target[2, 0, 0] = math.inf
    broken = (past, target, weight)
    train, arch = (broken, ARCH) if which == "train" else (TRAIN, broken)
    loss = arch_step(one, arch, OBJECTIVE, VirtualStep(train, 1.0)).loss
    assert not math.isfinite(loss)
    assert same([p.detach().clone() for p in one.supernet.parameters()], before)


@pytest.mark.parametrize("n_steps", [0, 1, 5])
@pytest.mark.parametrize("weight_decay", [0.0, 0.5])
def test_looking_ahead_by_adamw_is_the_gradient_through_its_step(n_steps, weight_decay):
    one = learner(supernet(branch(), operations=OPERATIONS), weight_decay=weight_decay)
    one.weight_optimizer.param_groups[0]["lr"] = 0.1
    for seed in range(n_steps):
        weight_step(one, batch(seed=5 + seed), OBJECTIVE, math.inf)

    def stepped(net):
        """Return the network after the real step of a learner that has come to it."""
        other = copy.deepcopy(one)
        for own, given in zip(other.supernet.parameters(), net.parameters(), strict=True):
            own.data.copy_(given.detach())
        weight_step(other, TRAIN, OBJECTIVE, math.inf)
        return other.supernet

    expected = differences(one.supernet, stepped, loss_ahead, shift=1e-6)
    found = found_in(one.supernet, adamw(one.weight_optimizer), radius=1e-5)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-7)


def test_the_step_is_that_of_the_weights_optimizer_and_clips_as_it_does():
    one, twin = learner(), learner()
    free = one.supernet.free_arch_parameters()
    beta, _ = one.arch_optimizer.param_groups[0]["betas"]
    for each in (one, twin):
        weight_step(each, batch(seed=3), OBJECTIVE, 1.0)
    look = adamw(twin.weight_optimizer)
    expected = found_in(twin.supernet, look, max_norm=0.3, radius=0.01)
    arch_step(one, ARCH, OBJECTIVE, VirtualStep(TRAIN, 0.3))
    for p, gradient in zip(free, expected, strict=True):
        moment = one.arch_optimizer.state[p]["exp_avg"] / (1 - beta)
        torch.testing.assert_close(moment, gradient, rtol=1e-12, atol=1e-15)


def test_a_penalty_is_part_of_what_it_lowers():
    gradients = []
    for rule in (None, ProximityRegularizer(strength=3.0)):
        one = learner()
        set_progress(one.supernet, 0.8)
        one.penalty = None if rule is None else ArchPenalty(rule)
        alphas = one.supernet.free_arch_parameters()[0]
        arch_step(one, ARCH, OBJECTIVE, VirtualStep(TRAIN, 1.0))
        beta, _ = one.arch_optimizer.param_groups[0]["betas"]
        gradients.append(one.arch_optimizer.state[alphas]["exp_avg"] / (1 - beta))
    twin = learner()
    set_progress(twin.supernet, 0.8)
    penalty = ArchPenalty(ProximityRegularizer(strength=3.0)).value(twin.supernet)
    (expected,) = torch.autograd.grad(penalty, twin.supernet.free_arch_parameters()[:1])
    torch.testing.assert_close(gradients[1] - gradients[0], expected, rtol=1e-9, atol=1e-12)


def test_newborn_weights_that_learn_alone_move_alone_in_the_virtual_step():
    one, twin = learner(), learner()
    for each in (one, twin):
        weight_step(each, batch(seed=3), OBJECTIVE, 1.0)
    one.newborn = one.supernet.weight_parameters()[-3:]
    net = twin.supernet
    expected = hypergradient(
        lambda: loss_on(net, TRAIN),
        lambda: loss_on(net, ARCH),
        twin.supernet.weight_parameters()[-3:],
        net.free_arch_parameters(),
        adamw(twin.weight_optimizer),
        1.0,
    )
    alphas = one.supernet.free_arch_parameters()[0]
    arch_step(one, ARCH, OBJECTIVE, VirtualStep(TRAIN, 1.0))
    beta, _ = one.arch_optimizer.param_groups[0]["betas"]
    moment = one.arch_optimizer.state[alphas]["exp_avg"] / (1 - beta)
    torch.testing.assert_close(moment, expected[0], rtol=1e-12, atol=1e-15)


def test_where_gates_are_drawn_all_passes_see_the_same_draws():
    def gradient(source, state=None):
        one = learner(supernet(branch(), relaxation=GumbelRelaxation(), operations=OPERATIONS))
        if state is not None:
            source.set_state(state)
        with sampling(one.supernet, source):
            arch_step(one, ARCH, OBJECTIVE, VirtualStep(TRAIN, 1.0, source))
        (alphas, *_) = one.supernet.free_arch_parameters()
        return one.arch_optimizer.state[alphas]["exp_avg"]

    drawn, passes = [], []
    source = generator(3)

    class Counted(type(OBJECTIVE)):
        def per_sample(self, output, target):
            passes.append(output.detach().clone())
            drawn.append(source.get_state())
            return super().per_sample(output, target)

    one = learner(supernet(branch(), relaxation=GumbelRelaxation(), operations=OPERATIONS))
    with sampling(one.supernet, source):
        arch_step(one, ARCH, Counted(), VirtualStep(TRAIN, 1.0, source))
    assert len(passes) == 4
    assert all(torch.equal(state, drawn[0]) for state in drawn)  # one draw a pass, the same one
    assert not torch.equal(drawn[0], generator(3).get_state())
    # Another draw makes another gradient.
    state = generator(3).get_state()
    first, again = gradient(generator(3)), gradient(generator(4), state)
    assert torch.equal(first, again)
    assert not torch.equal(first, gradient(generator(4)))
