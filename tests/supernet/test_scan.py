"""The loop over time, walked back by hand, against autograd and against the formulas."""

import copy

import pytest
import torch

from sknas.genotype import Cell, Node
from sknas.ops import DAG_OPERATIONS, DEFAULT_OPERATIONS, Op, base, get_op, registered_ops
from sknas.supernet import (
    GumbelRelaxation,
    LinearSkip,
    Mixing,
    SigmoidRelaxation,
    SoftmaxRelaxation,
    TwoInputCell,
)
from sknas.supernet.sampling import sampling
from sknas.supernet.scan import recorded
from tests.cells import FIXED
from tests.oracles import mixed_node
from tests.tiny import CELLS, generator, normal, perturb

N_INPUTS, N_HIDDEN, BATCH, N_STEPS = 3, 4, 5, 6
START = {
    "carried": Cell((Node("lin_tanh", "x", "h"),), (0,)),
    "plain": Cell((Node("lin_tanh", "x", "h"),), (0,), carry=False),
    "memory": Cell((Node("lin_tanh", "x", "c"), Node("add", "s0", "c")), (0,), memory=1),
}


def mixed_cell(n_nodes, operations=DEFAULT_OPERATIONS, start="carried", mixing=None):
    """Return a cell with mixed nodes that read everything before them."""
    cell = TwoInputCell(
        {**CELLS, **START}[start],
        N_INPUTS,
        N_HIDDEN,
        mixing=Mixing(SigmoidRelaxation()) if mixing is None else mixing,
        generator=generator(),
        dtype=torch.float64,
    )
    for _ in range(n_nodes):
        sources = cell.sources()
        cell.append_node(operations, (sources, sources), generator=generator())
    perturb(cell, scale=0.4)
    return cell


def by_autograd(cell, inputs, present=None):
    """Return the states by the loop that autograd records."""
    return recorded(cell.plan(inputs), inputs.new_zeros(inputs.shape[1], N_HIDDEN), present)


def gradients(states, wanted, seed=9, **how):
    weight = normal(*states.shape, seed=seed)
    return torch.autograd.grad(
        (weight * states.sin()).sum(), wanted, allow_unused=True, materialize_grads=True, **how
    )


def assert_close(ours, theirs, tolerance=1e-10):
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


def check(cell, slow, present=None, scale=1.0):
    inputs = (scale * normal(N_STEPS, BATCH, N_INPUTS, seed=3)).requires_grad_()
    wanted = [inputs, *cell.parameters()]
    fast, slow = cell(inputs, present), slow(cell, inputs)
    torch.testing.assert_close(fast, slow, rtol=1e-11, atol=1e-11)
    assert_close(gradients(fast, wanted), gradients(slow, wanted))


def by_the_formulas(cell, inputs):
    return mixed_node.cell_states(cell, inputs)[0]


@pytest.mark.parametrize("start", START)
@pytest.mark.parametrize("n_nodes", [1, 2, 4])
def test_a_cell_of_mixed_nodes_equals_the_formulas_and_so_do_its_gradients(n_nodes, start):
    check(mixed_cell(n_nodes, start=start), by_the_formulas)


@pytest.mark.parametrize("start", START)
def test_all_operations_side_by_side_equal_the_formulas(start):
    check(mixed_cell(2, registered_ops(), start), by_the_formulas)
    check(mixed_cell(2, registered_ops()[::-1], start), by_the_formulas)


@pytest.mark.parametrize("operation", registered_ops())
def test_each_operation_beside_a_sum_equals_the_formulas(operation):
    check(mixed_cell(2, (operation, "add" if operation != "add" else "first")), by_the_formulas)


@pytest.mark.parametrize("operations", [("first", "add"), ("gate", "hadamard"), DAG_OPERATIONS])
def test_few_operations_equal_the_formulas(operations):
    check(mixed_cell(2, operations), by_the_formulas)


@pytest.mark.parametrize("operations", [("gate", "lin_tanh"), registered_ops()])
@pytest.mark.parametrize("name", ["gru", "lstm", "darts", "mixture"])
def test_settled_nodes_before_a_mixed_one_equal_the_formulas(name, operations):
    check(mixed_cell(1, operations, name), by_the_formulas)


@pytest.mark.parametrize("start", START)
def test_steps_that_are_not_there_equal_autograd(start):
    present = normal(N_STEPS, BATCH, 1, seed=5) > -0.3
    check(
        mixed_cell(2, start=start),
        lambda cell, inputs: by_autograd(cell, inputs, present),
        present,
    )


@pytest.mark.parametrize("start", ["plain", "memory"])
def test_nothing_passes_back_over_a_bound_that_a_state_has_met(start):
    cell = mixed_cell(1, ("first", "lin_identity", "add"), start)
    inputs = 1e3 * normal(N_STEPS, BATCH, N_INPUTS, seed=3)
    assert (cell(inputs).abs() > 4.0).any()
    check(cell, by_autograd, scale=1e3)


@pytest.mark.parametrize("name", FIXED)
def test_a_settled_cell_runs_in_the_loop_of_a_fixed_one(name, monkeypatch):
    cell = TwoInputCell(
        FIXED[name],
        N_INPUTS,
        N_HIDDEN,
        mixing=Mixing(SoftmaxRelaxation()),
        generator=generator(),
        dtype=torch.float64,
    )
    perturb(cell, scale=0.4)
    inputs = normal(N_STEPS, BATCH, N_INPUTS, seed=3).requires_grad_()
    wanted = [inputs, *cell.parameters()]
    expected = gradients(by_autograd(cell, inputs), wanted)
    monkeypatch.setattr("sknas.supernet.two_input_cell.scan", None)
    assert_close(gradients(cell(inputs), wanted), expected, 1e-10)


def test_a_settled_cell_whose_skip_has_not_faded_adds_it():
    cell = mixed_cell(0, start="memory")
    inputs = normal(N_STEPS, BATCH, N_INPUTS, seed=3)
    without = cell(inputs)
    cell.nodes[1].skip = LinearSkip()
    assert (cell(inputs) - without).abs().max() > 1e-3
    assert_close([cell(inputs)], [by_autograd(cell, inputs)], 1e-12)


def test_an_auxiliary_skip_is_walked_back_over():
    mixing = Mixing(SoftmaxRelaxation(), auxiliary_skip=LinearSkip())
    cell = mixed_cell(2, mixing=mixing)
    assert cell.nodes[-1].skip_weight == 1.0
    check(cell, by_the_formulas)


def test_drawn_gates_have_the_gradient_that_autograd_finds():
    cell = mixed_cell(2, mixing=Mixing(GumbelRelaxation()))
    inputs = normal(N_STEPS, BATCH, N_INPUTS, seed=3)
    with sampling(cell, generator(4)):
        ours = gradients(cell(inputs), list(cell.parameters()))
    with sampling(cell, generator(4)):
        theirs = gradients(by_autograd(cell, inputs), list(cell.parameters()))
    assert_close(ours, theirs)


def test_long_sequences_of_large_batches_equal_autograd():
    # Many stretches: what is computed once a stretch must not leak into the next one.
    cell = mixed_cell(2, start="memory")
    inputs = normal(5, 3000, N_INPUTS, seed=3).requires_grad_()
    wanted = [inputs, *cell.parameters()]
    assert_close(
        gradients(cell(inputs), wanted), gradients(by_autograd(cell, inputs), wanted), 1e-8
    )


@pytest.mark.parametrize("start", START)
def test_gradients_can_be_differentiated_again(start):
    cell = mixed_cell(1, start=start)
    inputs = normal(3, BATCH, N_INPUTS, seed=3).requires_grad_()
    wanted = [inputs, *cell.parameters()]
    seconds = []
    for states in (cell(inputs), by_autograd(cell, inputs)):
        first = gradients(states, wanted, create_graph=True)
        total = sum((g.reshape(-1) * normal(g.numel(), seed=i)).sum() for i, g in enumerate(first))
        seconds.append(
            torch.autograd.grad(total, wanted, allow_unused=True, materialize_grads=True)
        )
    assert any(g.abs().max() > 1e-3 for g in seconds[0])
    assert_close(*seconds)


def test_the_way_back_can_be_walked_twice():
    cell = mixed_cell(2)
    inputs = normal(N_STEPS, BATCH, N_INPUTS, seed=3).requires_grad_()
    states, wanted = cell(inputs), [inputs, *cell.parameters()]
    first = gradients(states, wanted, retain_graph=True)
    kept = copy.deepcopy(first)
    other = gradients(states, wanted, seed=2, retain_graph=True)
    assert_close(first, kept, 0.0)
    assert_close(gradients(states, wanted), first, 0.0)
    assert (other[0] - first[0]).abs().max() > 1e-3


@pytest.mark.parametrize("has_gaps", [False, True])
@pytest.mark.parametrize("start", START)
def test_states_without_gradients_are_the_same(start, has_gaps):
    cell, inputs = mixed_cell(2, start=start), normal(N_STEPS, BATCH, N_INPUTS, seed=3)
    present = normal(N_STEPS, BATCH, 1, seed=5) > -0.3 if has_gaps else None
    with torch.no_grad():
        alone = cell(inputs, present)
    assert torch.equal(alone, cell(inputs, present))
    assert not alone.is_inference()


@pytest.mark.parametrize("batch", [0, 1])
def test_batches_of_one_sequence_and_of_none_are_computed(batch):
    states = mixed_cell(2)(normal(N_STEPS, batch, N_INPUTS, seed=3))
    assert states.shape == (N_STEPS, batch, N_HIDDEN)
    states.sum().backward()


class _Three(Op):
    """An operation that only combines, of three pieces of a projection that others share."""

    projects_left = projects_right = reads_left = True
    n_projections = 3

    def combine(self, left, right, projected):
        first, second, third = projected.unflatten(-1, (-1, 3)).unbind(-1)
        return left * first.tanh() + second * third


@pytest.mark.parametrize("start", START)
@pytest.mark.parametrize("others", [(), ("lin_tanh",), ("highway_tanh", "gate"), registered_ops()])
def test_an_operation_that_only_combines_is_walked_back_over(others, start, monkeypatch):
    def apply_operation(node, name, values, x):
        if name != "three":
            return by_formula(node, name, values, x)
        a, b, c = (mixed_node.projected(node, (0, 1), values, x, piece) for piece in range(3))
        return mixed_node.operand(node, 0, values, x) * torch.tanh(a) + b * c

    by_formula = mixed_node.apply_operation
    monkeypatch.setattr(mixed_node, "apply_operation", apply_operation)
    monkeypatch.setitem(base._REGISTRY, "three", _Three())
    check(mixed_cell(2, ("three", *others), start), by_the_formulas)
    check(mixed_cell(2, (*others, "three"), start), by_the_formulas)


def test_an_operation_that_does_not_write_where_it_is_told_is_refused(monkeypatch):
    class Own(type(get_op("hadamard"))):
        def mix(self, left, right, pieces, out=None):
            return left * right

    monkeypatch.setitem(base._REGISTRY, "own", Own())
    cell = mixed_cell(1, ("own", "add"))
    with pytest.raises(TypeError, match="mix of Own must return out or an argument"):
        cell(normal(N_STEPS, BATCH, N_INPUTS, seed=3))
