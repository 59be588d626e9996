"""Each level moves its own parameters, downhill, and never on a batch that is not finite."""

import math

import pytest
import torch

from sknas.blocks import REGRESSION_LOSSES, WindowData
from sknas.edits import AddNode
from sknas.search.bilevel import arch_step, weight_step
from sknas.supernet import ClampRelaxation
from tests.tiny import OPERATIONS, PADDED, SHAPE, batch, branch, generator, learner, supernet

OBJECTIVE = REGRESSION_LOSSES["mse"]()


def values(parameters):
    return [p.detach().clone() for p in parameters]


def changed(parameters, before):
    return [not torch.equal(p, value) for p, value in zip(parameters, before, strict=True)]


def loss_of(one, data):
    past, target, weight = data
    return float(OBJECTIVE.mean(one.supernet(past), target, weight).detach())


def everything(one):
    """Return, as one list of tensors, all that a step may change."""
    tensors = values(one.supernet.parameters())
    for optimizer in (one.weight_optimizer, one.arch_optimizer):
        for state in optimizer.state.values():
            tensors += [value.clone() for value in state.values()]
    tensors += [value.clone() for value in one.average.averages.values()]
    return [*tensors, torch.tensor(one.average.n_steps)]


def same(first, second):
    return len(first) == len(second) and all(map(torch.equal, first, second))


def test_a_weight_step_moves_every_weight_in_use_and_no_architecture_parameter():
    one = learner()
    # A node that is no output of its cell keeps its output weight, for the day it becomes one.
    silent = {id(n.output_weight) for _, n in one.supernet.nodes() if not n.is_output}
    weights = [p for p in one.supernet.weight_parameters() if id(p) not in silent]
    arch = one.supernet.arch_parameters()
    weights_before, arch_before = values(weights), values(arch)
    weight_step(one, batch(), OBJECTIVE, 1.0)
    assert all(changed(weights, weights_before))
    assert not any(changed(arch, arch_before))


def test_an_architecture_step_moves_every_free_architecture_parameter_and_nothing_else():
    one = learner()
    free = one.supernet.free_arch_parameters()
    rest = [p for p in one.supernet.parameters() if id(p) not in set(map(id, free))]
    free_before, rest_before = values(free), values(rest)
    average_before = values(one.average.averages.values())
    arch_step(one, batch(), OBJECTIVE)
    assert all(changed(free, free_before))
    assert not any(changed(rest, rest_before))
    assert not any(changed(one.average.averages.values(), average_before))


def test_while_the_newborn_learn_alone_the_others_rest():
    one = learner()
    weight_step(one, batch(), OBJECTIVE, 1.0)
    change = one.apply(AddNode(0, 0, OPERATIONS), generator())
    one.newborn = [p for p in change.added if p in set(one.supernet.weight_parameters())]
    rest = [p for p in one.supernet.parameters() if id(p) not in set(map(id, one.newborn))]
    newborn_before, rest_before = values(one.newborn), values(rest)
    for _ in range(2):  # the first step moves the way out alone
        weight_step(one, batch(), OBJECTIVE, 1.0)
    assert all(changed(one.newborn, newborn_before))
    assert not any(changed(rest, rest_before))
    one.newborn = None
    weight_step(one, batch(), OBJECTIVE, 1.0)
    assert any(changed(rest, rest_before))


def test_a_batch_without_weight_changes_nothing():
    one = learner(weight_decay=0.5)
    weight_step(one, batch(), OBJECTIVE, 1.0)  # moments that would carry on by themselves
    before = everything(one)
    past, target, weight = batch()
    assert weight_step(one, (past, target, torch.zeros_like(weight)), OBJECTIVE, 1.0).loss == 0.0
    assert same(everything(one), before)


def test_no_step_leaves_a_gradient_behind():
    one = learner()
    weight_step(one, batch(), OBJECTIVE, 1.0)
    arch_step(one, batch(), OBJECTIVE)
    assert all(p.grad is None for p in one.supernet.parameters())


@pytest.mark.parametrize("step", [lambda o, b: weight_step(o, b, OBJECTIVE, 1.0).loss, None])
def test_steps_on_one_batch_go_downhill_and_return_the_loss_before(step):
    one = learner(weight_decay=0.0)
    step = step or (lambda o, b: arch_step(o, b, OBJECTIVE).loss)
    losses = [loss_of(one, batch())]
    for _ in range(15):
        returned = step(one, batch())
        assert returned == pytest.approx(losses[-1], rel=1e-12)
        losses.append(loss_of(one, batch()))
    assert losses[-1] < losses[0]


def test_where_nothing_is_to_decide_no_architecture_step_is_taken():
    one = learner(supernet(branch()))
    before = everything(one)
    assert arch_step(one, batch(), OBJECTIVE) is None
    assert same(everything(one), before)


def broken_batch(kind):
    past, target, weight = batch()
    if kind == "window":
        past[3, 1, 2] = math.nan
    elif kind == "target":
        target[3, 1, 0] = math.inf
    elif kind == "loss":  # a finite target whose square is not
        target[3, 1, 0] = 1e200
    else:
        weight[3] = math.nan
    return past, target, weight


@pytest.mark.parametrize("kind", ["window", "target", "loss", "weight"])
def test_a_batch_that_is_not_finite_leaves_everything_as_it_was(kind):
    one = learner()
    weight_step(one, batch(), OBJECTIVE, 1.0)
    arch_step(one, batch(), OBJECTIVE)
    before = everything(one)
    assert not math.isfinite(weight_step(one, broken_batch(kind), OBJECTIVE, 1.0).loss)
    assert not math.isfinite(arch_step(one, broken_batch(kind), OBJECTIVE).loss)
    assert same(everything(one), before)
    weight_step(one, batch(), OBJECTIVE, 1.0)
    assert not same(everything(one), before)


def test_adam_never_remembers_a_square_that_overflows():
    one = learner()
    arch_step(one, batch(), OBJECTIVE)
    before = everything(one)

    class Steep(type(OBJECTIVE)):
        def per_sample(self, output, target):
            return 1e200 * super().per_sample(output, target)

    assert math.isfinite(arch_step(one, batch(), Steep()).loss)
    assert same(everything(one), before)


def test_samples_without_weight_have_no_say():
    past, target, weight = batch()
    weight[::2] = 0.0
    target_elsewhere = target.clone()
    target_elsewhere[::2] += 100.0
    twins = [learner(), learner()]
    for one, y in zip(twins, (target, target_elsewhere), strict=True):
        weight_step(one, (past, y, weight), OBJECTIVE, 1.0)
        arch_step(one, (past, y, weight), OBJECTIVE)
    assert same(everything(twins[0]), everything(twins[1]))


@pytest.mark.parametrize("max_norm", [1e-3, 1.0, math.inf])
def test_a_weight_step_tells_the_squared_norm_of_the_gradient_before_clipping(max_norm):
    one, (past, target, weight) = learner(), batch()
    OBJECTIVE.mean(one.supernet(past), target, weight).backward()
    gradients = [p.grad for p in one.supernet.weight_parameters() if p.grad is not None]
    expected = sum(float(gradient.square().sum()) for gradient in gradients)
    twin = learner()
    assert weight_step(twin, batch(), OBJECTIVE, max_norm).information == pytest.approx(expected)


@pytest.mark.parametrize("max_norm", [1e-3, 0.1])
def test_a_long_gradient_is_clipped_to_the_largest_norm(max_norm):
    one = learner(weight_decay=0.0)
    weight_step(one, batch(), OBJECTIVE, max_norm)
    beta, _ = one.weight_optimizer.param_groups[0]["betas"]
    # After one step from nothing, Adam's first moment is the gradient times 1 - beta.
    moments = [state["exp_avg"] / (1 - beta) for state in one.weight_optimizer.state.values()]
    norm = torch.cat([moment.flatten() for moment in moments]).norm()
    assert float(norm) == pytest.approx(max_norm, rel=1e-4)


def test_the_architecture_gradient_is_that_of_finite_differences():
    one, data = learner(), batch()
    alphas = one.supernet.free_arch_parameters()[0]
    beta, _ = one.arch_optimizer.param_groups[0]["betas"]
    before = alphas.detach().clone()
    arch_step(one, data, OBJECTIVE)
    found = one.arch_optimizer.state[alphas]["exp_avg"] / (1 - beta)
    fresh, differences = learner(), []
    twin = fresh.supernet.free_arch_parameters()[0]
    for i in range(len(before)):
        shifted = []
        for sign in (1, -1):
            with torch.no_grad():
                twin.copy_(before)[i] += sign * 1e-5
            shifted.append(loss_of(fresh, data))
        differences.append((shifted[0] - shifted[1]) / 2e-5)
    expected = torch.tensor(differences, dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


def test_padded_windows_give_finite_steps_too():
    one = learner(supernet(branch("lstm"), shape=PADDED, operations=OPERATIONS))
    before = everything(one)
    assert math.isfinite(weight_step(one, batch(PADDED), OBJECTIVE, 1.0).loss)
    assert math.isfinite(arch_step(one, batch(PADDED), OBJECTIVE).loss)
    assert not same(everything(one)[: len(before)], before)
    assert all(bool(p.isfinite().all()) for p in one.supernet.parameters())


def test_windows_that_are_a_view_of_the_series_train_like_copies_of_them():
    series = torch.linspace(0, 6, 40, dtype=torch.float64).sin().repeat(SHAPE.n_channels, 1)
    view = series.unfold(1, SHAPE.lookback, 1).swapaxes(0, 1)  # (windows, channels, lookback)
    target = torch.ones(len(view), SHAPE.n_targets, SHAPE.horizon, dtype=torch.float64)
    index = torch.arange(0, len(view), 2)
    twins = [learner(), learner()]
    for one, past in zip(twins, (view, view.contiguous()), strict=True):
        data = WindowData(past, target, target[:, 0, 0])
        weight_step(one, data.take(index), OBJECTIVE, 1.0)
    assert same(everything(twins[0]), everything(twins[1]))


def clamped(alphas):
    """Return a learner whose one mixed node has those clamped alphas, and Adam's memory of them."""
    one = learner(supernet(branch(), relaxation=ClampRelaxation(), operations=OPERATIONS))
    node = list(one.supernet.nodes())[-1][1]
    with torch.no_grad():
        node.alphas.fill_(0.5)
    arch_step(one, batch(), OBJECTIVE)
    with torch.no_grad():
        node.alphas.copy_(torch.tensor(alphas, dtype=torch.float64))
    return one, node


def test_a_clamped_alpha_that_a_step_takes_to_zero_never_returns():
    one, node = clamped([0.5] * 4)
    # A step of Adam is at most a few times the rate, which is far less than 0.4.
    with torch.no_grad():
        node.alphas[1] = -0.4
    past = batch()[0]
    arch_step(one, batch(seed=1), OBJECTIVE)
    assert node.operations == [OPERATIONS[0], *OPERATIONS[2:]]
    assert one.supernet.n_candidates == one.supernet.n_nodes + 2
    held = {id(p) for group in one.arch_optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in one.supernet.arch_parameters()}
    for seed in range(5):
        arch_step(one, batch(seed=seed), OBJECTIVE)
        weight_step(one, batch(seed=seed), OBJECTIVE, 1.0)
    assert OPERATIONS[1] not in node.operations
    assert one.supernet(past).isfinite().all()


@pytest.mark.parametrize("last", [0.3, -0.3])
def test_the_death_of_clamped_candidates_leaves_the_function_and_one_of_them(last):
    one, node = clamped([-0.5, last, -0.5, -0.5])
    past = batch()[0]
    before = one.supernet(past)
    one.arch_optimizer.zero_grad()
    one.step_arch()  # without gradients Adam moves nothing
    assert node.operations == [OPERATIONS[1]]
    torch.testing.assert_close(one.supernet(past), before, rtol=0, atol=1e-12)


def test_a_clamped_alpha_above_one_comes_back_to_where_it_has_a_gradient():
    one, node = clamped([1.7, 0.5, 0.5, 0.5])
    arch_step(one, batch(), OBJECTIVE)
    assert 0.9 < float(node.alphas[0].detach()) <= 1.0
    loss = OBJECTIVE.mean(one.supernet(batch()[0]), *batch()[1:])
    (gradient,) = torch.autograd.grad(loss, node.alphas)
    assert gradient.all()
