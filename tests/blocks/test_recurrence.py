"""No cell can diverge: the state enters every step within its bounds."""

import pytest
import torch

from sknas.blocks.recurrence import MEMORY_BOUND, STATE_BOUND
from sknas.derived import DerivedCell
from sknas.genotype import NAMED_CELLS, Cell, Node
from sknas.loops.recorded import RecordedStep, recorded
from tests.tiny import generator, normal, perturb

N_STEPS = 500
EXPLOSIVE = {
    "doubling": Cell((Node("add", "h", "h"), Node("add", "s0", "x")), (1,), carry=False),
    "rectified": Cell((Node("lin_relu", "x", "h"),), (0,), carry=False),
    "squaring": Cell((Node("add", "h", "x"), Node("hadamard", "s0", "s0")), (1,), carry=False),
    "carried": Cell((Node("add", "h", "h"), Node("lin_relu", "s0", "x")), (0, 1)),
    "memory": Cell((Node("add", "c", "c"), Node("add", "s0", "x")), (1,), memory=1, carry=False),
}


def build(cell, scale=3.0):
    cell = DerivedCell(cell, 3, 4, generator=generator(), dtype=torch.float32)
    perturb(cell, scale=scale)
    return cell


@pytest.mark.parametrize("name", EXPLOSIVE)
def test_an_explosive_cell_stays_finite_over_many_steps(name):
    cell, inputs = build(EXPLOSIVE[name]), normal(N_STEPS, 5, 3, seed=0, dtype=torch.float32)
    states = cell(inputs)
    assert states.isfinite().all()
    # The bound is at work: the state would have left it.
    assert states.abs().max() > STATE_BOUND
    gradients = torch.autograd.grad(states[-1].sum(), list(cell.parameters()), allow_unused=True)
    assert all(g is None or bool(g.isfinite().all()) for g in gradients)


@pytest.mark.parametrize("name", ["gru", "lstm", "rnn"])
def test_the_bound_never_touches_a_cell_that_is_bounded_by_itself(name, monkeypatch):
    cell, inputs = build(NAMED_CELLS[name], 1.0), normal(40, 5, 3, seed=0, dtype=torch.float32)
    with torch.no_grad():  # scales of one, as in torch's cells
        for node in cell.nodes:
            node.scale.fill_(1.0)
        cell.output_weights.fill_(1.0)
    bounded = cell(inputs)
    monkeypatch.setattr("sknas.blocks.recurrence.STATE_BOUND", 1e30)
    monkeypatch.setattr("sknas.blocks.recurrence.MEMORY_BOUND", 1e30)
    assert torch.equal(cell(inputs), bounded)
    assert bounded.abs().max() <= 1.0


def test_a_state_enters_a_step_within_its_bounds(monkeypatch):
    seen = []
    cell = build(EXPLOSIVE["memory"])
    update = RecordedStep.update

    def record(step, values, entering):
        seen.append((float(values["h"].detach().abs().max()), float(values["c"].abs().max())))
        return update(step, values, entering)

    monkeypatch.setattr(RecordedStep, "update", record)
    inputs = normal(N_STEPS, 5, 3, seed=0, dtype=torch.float32)
    with torch.no_grad():
        recorded(cell.plan, cell.packed(), inputs, cell.n_hidden, None)
    assert max(h for h, _ in seen) == STATE_BOUND
    assert max(c for _, c in seen) == MEMORY_BOUND
