"""The fast loops of a fixed cell are the formulas of its genotype, in value and gradient."""

import copy
import pickle

import pytest
import torch

from sknas.derived import DerivedCell
from sknas.genotype import Cell, Node
from sknas.loops import recorded
from sknas.ops import Op, registered_ops
from sknas.ops.base import _REGISTRY
from tests.cells import FIXED, RANDOM
from tests.oracles.fixed_cell import FORMULAS, fixed_states
from tests.tiny import generator, normal, perturb

N_STEPS, N_INPUTS, N_HIDDEN = 5, 3, 4
FEW, MANY = 5, 17  # sequences, on both sides of where the input is projected at once
every_cell = pytest.mark.parametrize("name", FIXED)


def build(name, *, scale=0.4, dtype=torch.float64):
    cell = DerivedCell(FIXED[name], N_INPUTS, N_HIDDEN, generator=generator(), dtype=dtype)
    perturb(cell, scale=scale)
    return cell


def sequence(n_sequences=FEW, n_steps=N_STEPS, dtype=torch.float64):
    return normal(n_steps, n_sequences, N_INPUTS, seed=9, dtype=dtype)


def presence(n_sequences=FEW):
    """Let sequence i begin at step i, at most at the last one; the second one has a gap as well."""
    steps = torch.arange(N_STEPS)[:, None]
    present = steps >= torch.arange(n_sequences).clamp(max=N_STEPS - 1)
    present[3, 1] = False
    return present[:, :, None]


def gradients(states, wanted):
    loss = (states * normal(*states.shape, seed=3, dtype=states.dtype)).sum()
    found = torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True)
    return [states, *found]


def assert_same(ours, theirs, tolerance):
    for mine, other in zip(ours, theirs, strict=True):
        scale = max(1.0, float(other.detach().abs().max()))
        torch.testing.assert_close(mine, other, rtol=0, atol=tolerance * scale)


def test_every_operation_is_in_the_oracle_and_in_a_random_cell():
    assert set(FORMULAS) == set(registered_ops())
    assert {node.operation for cell in RANDOM.values() for node in cell.nodes} == set(FORMULAS)


@every_cell
@pytest.mark.parametrize("n_sequences", [FEW, MANY])
@pytest.mark.parametrize("is_padded", [False, True])
def test_value_and_gradients_are_those_of_the_formulas(name, n_sequences, is_padded):
    cell, inputs = build(name), sequence(n_sequences).requires_grad_()
    present = presence(n_sequences) if is_padded else None
    wanted = [inputs, *cell.parameters()]
    ours = gradients(cell(inputs, present), wanted)
    assert_same(ours, gradients(fixed_states(cell, inputs, present), wanted), 1e-10)


@every_cell
def test_states_beyond_the_bounds_have_the_gradient_of_the_formulas(name, monkeypatch):
    monkeypatch.setattr("sknas.blocks.recurrence.STATE_BOUND", 0.3)
    monkeypatch.setattr("sknas.blocks.recurrence.MEMORY_BOUND", 0.2)
    cell, inputs = build(name), sequence().requires_grad_()
    wanted = [inputs, *cell.parameters()]
    theirs = gradients(fixed_states(cell, inputs, None, 0.3, 0.2), wanted)
    assert_same(gradients(cell(inputs), wanted), theirs, 1e-10)


@every_cell
def test_single_precision_is_as_close_as_it_can_be(name):
    cell, inputs = build(name, dtype=torch.float32), sequence(dtype=torch.float32)
    exact = copy.deepcopy(cell).double()
    ours = gradients(cell(inputs), list(cell.parameters()))
    assert all(value.dtype == torch.float32 for value in ours)
    theirs = gradients(fixed_states(exact, inputs.double()), list(exact.parameters()))
    assert_same([value.double() for value in ours], theirs, 1e-4)


@every_cell
@pytest.mark.parametrize("n_sequences", [1, FEW, MANY])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients_the_states_are_the_same(name, n_sequences, mode):
    cell, inputs = build(name), sequence(n_sequences)
    for present in (None, torch.ones(N_STEPS, n_sequences, 1, dtype=torch.bool)):
        expected = cell(inputs, present).detach()
        with mode():
            found = cell(inputs, present)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    present = presence(max(n_sequences, 2))[:, :n_sequences]
    expected = cell(inputs, present).detach()
    with mode():
        torch.testing.assert_close(cell(inputs, present), expected, rtol=0, atol=1e-12)


@every_cell
@pytest.mark.parametrize("n_sequences", [FEW, 64])
def test_a_single_step_is_one_of_the_formulas(name, n_sequences):
    cell, inputs = build(name), sequence(n_sequences, 1).requires_grad_()
    wanted = [inputs, *cell.parameters()]
    theirs = gradients(fixed_states(cell, inputs), wanted)
    assert_same(gradients(cell(inputs), wanted), theirs, 1e-10)
    with torch.no_grad():
        assert_same([cell(inputs)], theirs[:1], 1e-12)


@every_cell
def test_the_plain_loop_computes_the_same(name):
    cell, inputs = build(name), sequence()
    plain = recorded(cell.plan, cell.packed(), inputs, N_HIDDEN, presence())
    torch.testing.assert_close(cell(inputs, presence()), plain, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["gru", "lstm", "darts", "mixture", "memory projected"])
def test_the_gradient_is_the_one_of_finite_differences(name):
    cell, inputs = build(name), sequence(2, 3).requires_grad_()
    names, parameters = zip(*cell.named_parameters(), strict=True)

    def run(x, *values):
        return torch.func.functional_call(cell, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(
        run, (inputs, *(p.detach().requires_grad_() for p in parameters))
    )


@pytest.mark.parametrize("name", ["gru", "lstm", "mixture"])
def test_scales_of_zero_have_a_gradient(name):
    cell, inputs = build(name), sequence()
    with torch.no_grad():
        for node in cell.nodes:
            node.scale.zero_()
    wanted = list(cell.parameters())
    theirs = gradients(fixed_states(cell, inputs), wanted)
    assert_same(gradients(cell(inputs), wanted), theirs, 1e-10)


@pytest.mark.parametrize("name", ["gru", "lstm", "darts"])
def test_stacked_cells_pass_the_gradient_down(name):
    lower, inputs = build(name), sequence()
    upper = DerivedCell(
        FIXED[name], N_HIDDEN, N_HIDDEN, generator=generator(1), dtype=torch.float64
    )
    wanted = [*lower.parameters(), *upper.parameters()]
    theirs = gradients(fixed_states(upper, fixed_states(lower, inputs)), wanted)
    assert_same(gradients(upper(lower(inputs)), wanted), theirs, 1e-10)


def test_frozen_weights_leave_the_gradient_by_the_input():
    cell, inputs = build("lstm").requires_grad_(False), sequence().requires_grad_()
    theirs = gradients(fixed_states(cell, inputs), [inputs])
    assert_same(gradients(cell(inputs), [inputs]), theirs, 1e-10)


def test_a_graph_can_be_walked_again():
    cell = build("lstm")
    loss, wanted = cell(sequence()).square().sum(), list(cell.parameters())
    first = torch.autograd.grad(loss, wanted, retain_graph=True)
    assert_same(torch.autograd.grad(loss, wanted), first, 0.0)


@every_cell
def test_a_second_derivative_is_that_of_the_formulas(name):
    cell, inputs = build(name), sequence(n_steps=3).requires_grad_()
    wanted = [inputs, *cell.parameters()]
    seconds = []
    for states in (cell(inputs), fixed_states(cell, inputs)):
        slopes = torch.autograd.grad(
            (states * normal(*states.shape, seed=3)).sum(),
            wanted,
            create_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        total = sum((g.reshape(-1) * normal(g.numel(), seed=i)).sum() for i, g in enumerate(slopes))
        seconds.append(
            torch.autograd.grad(total, wanted, allow_unused=True, materialize_grads=True)
        )
    assert_same(*seconds, 1e-9)


class Wave(Op):
    """An operation that does not say its derivative."""

    projects_left = reads_right = True

    def combine(self, left, right, projected):
        return torch.sin(projected) * right


def test_an_operation_that_does_not_say_its_derivative_works(monkeypatch):
    monkeypatch.setitem(_REGISTRY, "wave", Wave())
    monkeypatch.setitem(FORMULAS, "wave", lambda a, b, z: torch.sin(z) * b)
    genotype = Cell((Node("wave", "h", "x"), Node("lin_tanh", "s0", "x")), (0, 1))
    cell = DerivedCell(genotype, N_INPUTS, N_HIDDEN, generator=generator(), dtype=torch.float64)
    perturb(cell)
    inputs = sequence().requires_grad_()
    wanted = [inputs, *cell.parameters()]
    theirs = gradients(fixed_states(cell, inputs, presence()), wanted)
    assert_same(gradients(cell(inputs, presence()), wanted), theirs, 1e-10)


@every_cell
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda cell: pickle.loads(pickle.dumps(cell))])
def test_a_copy_computes_the_same(name, clone):
    cell, inputs = build(name), sequence()
    assert torch.equal(clone(cell)(inputs), cell(inputs))
