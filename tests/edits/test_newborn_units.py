"""However the units of a wider branch begin: the function stays, and each rule has its effect."""

import copy
import pickle

import numpy as np
import pytest
import torch

import sknas.edits
from sknas.edits import (
    AddBranch,
    AddHadamard,
    AddLayer,
    AddNode,
    AddOp,
    GradMaxUnits,
    NewbornUnits,
    RandomUnits,
    SelectUnits,
    Widen,
    effective_rank,
    newborn_gradient,
)
from sknas.edits.base import ParameterChange
from sknas.edits.effective_rank import RANK_TOLERANCE
from sknas.edits.geometry import projections
from sknas.edits.units import Units, widen_branch
from sknas.genotype import Branch, Cell, Node
from sknas.supernet import Mixing, NodePlace, SoftmaxRelaxation, Supernet
from tests.tiny import (
    CELLS,
    OPERATIONS,
    PADDED,
    SHAPE,
    branch,
    evidence,
    generator,
    members,
    normal,
    perturb,
    supernet,
    windows,
)

NEWBORN = members(NewbornUnits, sknas.edits)
SILENT = ("rnn", "dense", "highway", "gru", "lstm")  # a unit without a fan-in keeps to zero
LINEAR = Cell((Node("lin_identity", "x", None),), outputs=(0,), carry=False)


def widened(net, newborn, n_units=3, *, samples=None, seed=7):
    """Return a wider copy and what changed."""
    net = copy.deepcopy(net)
    edit = Widen(0, n_units, newborn).informed_by(samples or evidence())
    return net, edit.apply(net, generator(seed))


def linear_net():
    """Return a network that is linear: one step, one layer, y = seed(x) + h V, h = x W + b."""
    net = Supernet(SHAPE, Mixing(SoftmaxRelaxation()), dtype=torch.float64)
    AddBranch(Branch((LINEAR,), 5, SHAPE.lookback, "mixed", 3)).apply(net, generator())
    perturb(net)
    ((_, node),) = net.nodes()
    with torch.no_grad():
        node.births.fill_(1.0)
        node.output_weight.fill_(1.0)
    return net


# -- any of them -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("operations", [(), OPERATIONS], ids=["settled", "mixed"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("newborn", NEWBORN)
def test_the_function_stays_and_every_newborn_unit_can_learn(newborn, cell, operations, dtype):
    for channel_mode, n_layers in (("mixed", 2), ("independent", 1)):
        spec = branch(cell, n_layers=n_layers, channel_mode=channel_mode)
        net = supernet(spec, dtype=dtype, operations=operations)
        after, change = widened(net, newborn())
        past = windows(dtype=dtype)
        before = net(past).detach()
        error = float(
            (after(past).detach() - before).abs().max() / before.abs().max().clamp_min(1.0)
        )
        assert error <= (1e-12 if dtype is torch.float64 else 1e-6)
        gradients = unit_gradients(after, change)
        assert bool(gradients.isfinite().all())
        assert bool((gradients > 0).all())


def unit_gradients(net, change):
    """Return the norm of the gradient of each newborn unit of the first layer."""
    loss = evidence().loss(net)
    parameters = list(net.parameters())
    found = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
    of = {id(p): g for p, g in zip(parameters, found, strict=True)}
    units = Units(net.trunk.branches[0], 0, 4)
    both = [fan(lambda p: of[id(p)])[4:] for fan in (units.fan_in, units.fan_out)]
    return torch.cat(both, dim=1).norm(dim=1)


@pytest.mark.parametrize("newborn", NEWBORN)
def test_old_units_are_left_as_they_are(newborn):
    net = supernet(branch("lstm", n_layers=2), shape=PADDED)
    values = [p.detach().clone() for p in net.parameters()]
    after, _ = widened(net, newborn(), samples=evidence(PADDED))
    assert all(map(torch.equal, net.parameters(), values))
    for old, new in zip(values, after.parameters(), strict=True):
        assert torch.equal(new[tuple(slice(0, size) for size in old.shape)], old)
    past = windows(PADDED)
    torch.testing.assert_close(after(past), net(past), rtol=0, atol=1e-12)


@pytest.mark.parametrize("newborn", NEWBORN)
def test_the_same_samples_and_seed_give_the_same_units(newborn):
    net = supernet(branch("gru"))
    nets = [widened(net, newborn())[0] for _ in range(2)]
    assert all(map(torch.equal, nets[0].parameters(), nets[1].parameters()))


@pytest.mark.parametrize("newborn", [cls for cls in NEWBORN if cls is not RandomUnits])
def test_units_chosen_by_samples_need_some_and_do_not_keep_them(newborn):
    edit = Widen(0, 2, newborn())
    with pytest.raises(ValueError, match="evidence must be given before units are chosen"):
        edit.apply(supernet(branch("gru")))
    informed = edit.informed_by(evidence())
    assert informed == edit
    assert str(informed) == str(edit) != str(Widen(0, 2))
    assert repr(informed) == repr(edit)
    assert pickle.loads(pickle.dumps(edit)) == edit


def test_a_plain_widening_is_what_it_was():
    assert str(Widen(1, 2)) == "Widen(branch 1 by 2)"
    nets = [supernet(branch("gru", n_layers=2)) for _ in range(2)]
    Widen(0, 3).apply(nets[0], generator(5))
    widen_branch(nets[1], 0, 3, ParameterChange(), generator(5))
    assert all(map(torch.equal, nets[0].parameters(), nets[1].parameters()))


def test_a_smaller_widening_is_a_version_of_a_larger_one_of_the_same_branch():
    assert Widen(0, 2, SelectUnits()).is_version_of(Widen(0, 5))
    assert Widen(0, 5, GradMaxUnits()).is_version_of(Widen(0, 5))
    assert not Widen(0, 6).is_version_of(Widen(0, 5))
    assert not Widen(1, 2).is_version_of(Widen(0, 5))
    assert not Widen(0, 2).is_version_of(AddBranch(branch("gru")))


def test_moves_of_one_kind_in_two_branches_are_two_moves():
    places = [NodePlace(number, 0, 0) for number in (0, 1)]
    for one, other in (
        [AddOp(place, "gate") for place in places],
        [AddHadamard(place) for place in places],
        [AddLayer(place.branch, CELLS["gru"]) for place in places],
        [AddNode(place.branch, 0, OPERATIONS) for place in places],
    ):
        assert one.is_version_of(one)
        assert not one.is_version_of(other)
        assert str(one) != str(other)


@pytest.mark.parametrize("n_samples", [1, 5, 11, 12, 99])
def test_thinned_samples_are_an_even_selection_of_at_most_that_many(n_samples):
    samples = evidence(n=12)
    past, target, weight = samples.thinned(n_samples).batch
    assert len(past) == len(target) == len(weight) <= n_samples
    places = [int((samples.batch[0] == row).flatten(1).all(dim=1).nonzero()) for row in past]
    assert len(set(np.diff(places))) <= 1
    assert torch.equal(target, samples.batch[1][places])
    assert len(past) == 12 or n_samples < 12


def test_states_are_those_that_the_heads_read_after_all_steps_before():
    net, samples = supernet(branch("gru", n_layers=2), window_norm="none"), evidence()
    states = samples.states(net)
    assert set(states) == {(0, 0), (0, 1)}
    n_samples = len(samples.batch[0])
    heads = net.trunk.branches[0].heads
    last = sum(states[0, layer][-n_samples:] @ heads[layer] for layer in (0, 1)).detach()
    correction = net(samples.batch[0]) - net.trunk.seed(samples.batch[0])
    torch.testing.assert_close(last, correction.flatten(1).detach(), rtol=0, atol=1e-12)
    assert not any(cell._forward_hooks for _, _, cell in net.cells())


# -- GradMax ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_gradmax_has_a_larger_newborn_gradient_than_random_units(cell, n_layers):
    net = supernet(branch(cell, n_layers=n_layers, hidden_size=6))
    samples = evidence()
    after, change = widened(net, GradMaxUnits())
    norm = newborn_gradient(after, change, samples)
    random = [
        newborn_gradient(*widened(net, RandomUnits(), seed=seed), samples) for seed in range(5)
    ]
    if cell in SILENT:
        assert norm > max(random)
    elif cell != "product":  # of second order in the fan-in, so that M vanishes
        assert norm > sum(random) / len(random)


@pytest.mark.parametrize("cell", SILENT)
def test_gradmax_units_have_a_fan_in_of_zero_where_that_keeps_them_silent(cell):
    net, _ = widened(supernet(branch(cell)), GradMaxUnits(), 1)
    units = Units(net.trunk.branches[0], 0, 4)
    assert not units.fan_in(torch.Tensor.detach)[4:].any()
    fan_out = units.fan_out(torch.Tensor.detach)
    length = fan_out[:4].norm(dim=1).mean()
    if cell != "gru":  # whose reset gates are not read by a matrix anyhow
        assert float(fan_out[4].norm() / length) == pytest.approx(0.5)
    assert net(windows()).isfinite().all()


def test_where_the_state_is_not_silent_gradmax_takes_the_mirror_image():
    net, _ = widened(supernet(branch("darts")), GradMaxUnits(), 1)
    units = Units(net.trunk.branches[0], 0, 4)
    fan_in = units.fan_in(torch.Tensor.detach)
    assert not units.fan_out(torch.Tensor.detach)[4:].any()
    assert float(fan_in[4].norm() / fan_in[:4].norm(dim=1).mean()) == pytest.approx(1.0)


def matrix_of_the_paper(net, samples):
    """Return sum (dL/dy) [x, 1]^T of a linear branch, from its definition."""
    past, target, weight = samples.batch
    stack = net.trunk.branches[0]
    x = stack.segments(past)[0].detach()  # the only step
    output = net(past).detach().requires_grad_()
    loss = samples.objective.mean(output, target, weight)
    delta = torch.autograd.grad(loss, output)[0].flatten(1)
    ones = torch.ones(len(x), 1, dtype=x.dtype)
    return delta.T @ torch.cat([x, ones], dim=1)


def n_silent(net, samples):
    """Return how many of many units begin without a fan-in, each better than a random one."""
    after, _ = widened(net, GradMaxUnits(), 9, samples=samples)
    n_old = net.trunk.branches[0].hidden_size
    fan_in = Units(after.trunk.branches[0], 0, n_old).fan_in(torch.Tensor.detach)
    n = int((~fan_in[n_old:].any(dim=1)).sum())
    assert 1 <= n <= 4  # the head has four columns
    return n


def test_in_a_linear_network_gradmax_reaches_the_bound_of_the_paper():
    net, samples = linear_net(), evidence(n=40)
    sigma = torch.linalg.svdvals(matrix_of_the_paper(net, samples))
    length = 0.5 * net.trunk.branches[0].heads[0].detach().norm(dim=1).mean()
    for n_units in range(1, n_silent(net, samples) + 1):
        after, change = widened(net, GradMaxUnits(), n_units, samples=samples)
        bound = float(length * sigma[:n_units].norm())
        assert newborn_gradient(after, change, samples) == pytest.approx(bound, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_no_other_fan_out_of_that_length_has_a_larger_gradient(seed):
    net, samples = linear_net(), evidence(n=40)
    after, change = widened(net, GradMaxUnits(), 1, samples=samples)
    best = newborn_gradient(after, change, samples)
    head = after.trunk.branches[0].heads[0]
    with torch.no_grad():
        other = normal(head.shape[1], seed=seed)
        head[5] = other / other.norm() * head[5].norm()
    assert newborn_gradient(after, change, samples) <= best


def test_units_beyond_the_useful_directions_are_random_ones():
    net, samples = linear_net(), evidence(n=40)
    after, _ = widened(net, GradMaxUnits(), 9, samples=samples)
    units = Units(after.trunk.branches[0], 0, 5)
    has_in = units.fan_in(torch.Tensor.detach)[5:].any(dim=1)
    has_out = units.fan_out(torch.Tensor.detach)[5:].any(dim=1)
    assert torch.equal(has_in, ~has_out)
    assert int(has_out.sum()) == n_silent(net, samples)


# -- effective rank and Select ---------------------------------------------------------------------


@pytest.mark.parametrize("rank", [0, 1, 3, 6])
def test_the_effective_rank_is_the_rank_of_states_that_are_not_tiny(rank):
    states = normal(50, rank, seed=0) @ normal(rank, 6, seed=1)
    assert effective_rank(states) == rank
    # It does not depend on how often each sample is there, but on the size of the states.
    assert effective_rank(states.repeat(7, 1)) == rank
    assert effective_rank(states * 1e-5) == 0
    assert effective_rank(torch.full_like(states, torch.nan)) == 0


def test_a_direction_counts_from_the_tolerance_on():
    columns = torch.linalg.qr(normal(40, 3, seed=0))[0] * 40**0.5
    sizes = torch.tensor([1.0, 1.01 * RANK_TOLERANCE, 0.99 * RANK_TOLERANCE], dtype=torch.float64)
    assert effective_rank(columns * sizes) == 2


def rank_after(net, newborn, n_units, samples, seed):
    after, _ = widened(net, newborn, n_units, samples=samples, seed=seed)
    return effective_rank(samples.states(after)[0, 0])


@pytest.mark.parametrize("cell", ["gru", "dense", "rnn"])
def test_selected_units_add_at_least_the_rank_that_random_units_add(cell):
    samples, net = evidence(n=60), supernet(branch(cell, hidden_size=6))
    with torch.no_grad():  # the last units repeat the first ones
        for projection in projections(net.cell(0, 0)):
            for parameter in projection.parameters():
                parameter[..., 3:] = parameter[..., :3]
    before = effective_rank(samples.states(net)[0, 0])
    assert before == 3
    selected = [rank_after(net, SelectUnits(64), 3, samples, seed) for seed in range(4)]
    random = [rank_after(net, RandomUnits(), 3, samples, seed) for seed in range(4)]
    assert min(selected) == before + 3
    assert sum(selected) >= sum(random)


def smallest_direction(net, samples):
    states = samples.states(net)[0, 0]
    return float(torch.linalg.svdvals(states)[-1]) / len(states) ** 0.5


def test_selected_units_stand_farther_from_the_others_than_random_units():
    samples, net = evidence(n=60), supernet(branch("gru", hidden_size=6))
    sizes = {
        name: [
            smallest_direction(widened(net, newborn, 2, samples=samples, seed=seed)[0], samples)
            for seed in range(6)
        ]
        for name, newborn in (("select", SelectUnits()), ("random", RandomUnits()))
    }
    assert min(sizes["select"]) > sum(sizes["random"]) / 6


def test_selected_fan_ins_are_as_long_as_the_old_ones_on_average():
    net, _ = widened(supernet(branch("gru", n_layers=2)), SelectUnits(), 3)
    for depth in (0, 1):
        units = Units(net.trunk.branches[0], depth, 4)
        lengths = units.fan_in(torch.Tensor.detach).norm(dim=1)
        torch.testing.assert_close(lengths[4:], lengths[:4].mean().expand(3), rtol=1e-12, atol=0)
        assert not units.fan_out(torch.Tensor.detach)[4:].any()
