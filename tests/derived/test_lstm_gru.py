"""The named cells with torch's weights are torch's own LSTM, GRU and RNN, at every step."""

from functools import partial

import pytest
import torch
from torch import nn

from sknas.derived import DerivedCell
from sknas.genotype import MEMORY, NAMED_CELLS, STATE
from sknas.loops.recorded import RecordedStep
from sknas.supernet import Mixing, SoftmaxRelaxation, TwoInputCell
from tests.tiny import generator, normal

N_HIDDEN, N_STEPS, BATCH = 5, 12, 4
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12}
REFERENCES = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
# Of torch's stacked gates (LSTM i f g o; GRU r z n), the one that each node, or the carry, is.
LSTM_GATES = {0: 0, 1: 1, 2: 3, 3: 2}


def derived(name, n_inputs, dtype):
    return DerivedCell(NAMED_CELLS[name], n_inputs, N_HIDDEN, generator=generator(), dtype=dtype)


def relaxed(name, n_inputs, dtype):
    return TwoInputCell(
        NAMED_CELLS[name],
        n_inputs,
        N_HIDDEN,
        mixing=Mixing(SoftmaxRelaxation()),
        generator=generator(),
        dtype=dtype,
    )


def projection_of(cell, place):
    node = cell.nodes[place]
    return (
        node.projection if isinstance(cell, DerivedCell) else next(iter(node.projections.values()))
    )


def reference(name, n_inputs, dtype):
    net = REFERENCES[name](n_inputs, N_HIDDEN, dtype=dtype)
    with torch.no_grad():
        for seed, p in enumerate(net.parameters()):
            p.copy_(0.7 * normal(*p.shape, seed=seed))
    return net


def gate_weights(net, gate):
    """Return torch's weights on input and state, and both biases, of one gate."""
    rows = slice(gate * N_HIDDEN, (gate + 1) * N_HIDDEN)
    on_input, on_state = net.weight_ih_l0[rows].T, net.weight_hh_l0[rows].T
    return on_input, on_state, net.bias_ih_l0[rows], net.bias_hh_l0[rows]


def fill(projection, on_input, on_state, bias):
    terms = dict(projection.weights)
    if "input_left" in terms:
        terms["input_left"].copy_(on_input)
    if "left" in terms:
        terms["left"].copy_(on_state)
    if "right" in terms:
        terms["right"].copy_(on_state)
    projection.bias.copy_(bias)


@torch.no_grad()
def copy_weights(name, net, cell):
    if name == "gru":
        reset, update, candidate = (gate_weights(net, gate) for gate in range(3))
        fill(projection_of(cell, 0), reset[0], reset[1], reset[2] + reset[3])
        # The carry is 1 - z, so its weights are those of z with the other sign.
        fill(cell.carry, -update[0], -update[1], -update[2] - update[3])
        fill(projection_of(cell, 1), None, candidate[1], candidate[3])
        fill(cell.nodes[3].entries["left"], candidate[0], None, candidate[2])
        return
    for place, gate in (LSTM_GATES if name == "lstm" else {0: 0}).items():
        on_input, on_state, bias_input, bias_state = gate_weights(net, gate)
        fill(projection_of(cell, place), on_input, on_state, bias_input + bias_state)


def updates(cell, inputs):
    """Return what makes the next state and memory, for each step."""
    if isinstance(cell, TwoInputCell):
        return [step.update for step in cell.plan(inputs).steps()]
    step = RecordedStep(cell.plan, cell.packed(), N_HIDDEN)
    return [partial(step.update, entering=entering) for entering in step.entering(inputs)]


def memories(cell, inputs):
    """Run a cell step by step; return the memory after each step."""
    values = {name: inputs.new_zeros(inputs.shape[1], N_HIDDEN) for name in (STATE, MEMORY)}
    found = []
    for update in updates(cell, inputs):
        state, memory = update(dict(values))
        values = {STATE: state, MEMORY: memory}
        found.append(memory)
    return torch.stack(found)


def lstm_memories(net, inputs):
    """Return torch's cell state after each step, by running it a step at a time."""
    state, found = None, []
    for x in inputs:
        _, state = net(x[None], state)
        found.append(state[1][0])
    return torch.stack(found)


every_case = pytest.mark.parametrize(
    ("name", "build", "n_inputs", "dtype"),
    [
        (name, build, n_inputs, dtype)
        for name in REFERENCES
        for build in (derived, relaxed)
        for n_inputs in (2, N_HIDDEN, 9)
        for dtype in TOLERANCE
    ],
)


@every_case
def test_with_torchs_weights_the_states_are_torchs(name, build, n_inputs, dtype):
    net, cell = reference(name, n_inputs, dtype), build(name, n_inputs, dtype)
    copy_weights(name, net, cell)
    inputs = normal(N_STEPS, BATCH, n_inputs, seed=9, dtype=dtype)
    tolerance = TOLERANCE[dtype]
    torch.testing.assert_close(cell(inputs), net(inputs)[0], rtol=tolerance, atol=tolerance)


@every_case
def test_with_torchs_weights_the_gradient_is_torchs(name, build, n_inputs, dtype):
    net, cell = reference(name, n_inputs, dtype), build(name, n_inputs, dtype)
    copy_weights(name, net, cell)
    gradients = []
    for run in (cell, lambda x: net(x)[0]):
        inputs = normal(N_STEPS, BATCH, n_inputs, seed=9, dtype=dtype).requires_grad_()
        gradients += torch.autograd.grad(run(inputs).square().sum(), inputs)
    tolerance = 100 * TOLERANCE[dtype]  # sums over steps
    torch.testing.assert_close(*gradients, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("n_inputs", [2, N_HIDDEN, 9])
@pytest.mark.parametrize("build", [derived, relaxed])
def test_with_torchs_weights_the_memory_is_the_lstms_cell_state(build, n_inputs, dtype):
    net, cell = reference("lstm", n_inputs, dtype), build("lstm", n_inputs, dtype)
    copy_weights("lstm", net, cell)
    inputs = normal(N_STEPS, BATCH, n_inputs, seed=9, dtype=dtype)
    tolerance = TOLERANCE[dtype]
    torch.testing.assert_close(
        memories(cell, inputs), lstm_memories(net, inputs), rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("n_inputs", [1, N_HIDDEN, 9])
@pytest.mark.parametrize("name", REFERENCES)
def test_the_parameters_are_torchs_with_each_bias_once_and_a_scalar_a_node_and_output(
    name, n_inputs
):
    without_bias = REFERENCES[name](n_inputs, N_HIDDEN, bias=False)
    n_weights = sum(p.numel() for p in without_bias.parameters())
    # The GRU's candidate keeps its two biases apart, since the reset gate multiplies one of them.
    n_biases = {"rnn": 1, "gru": 4, "lstm": 4}[name] * N_HIDDEN
    n_scalars = len(NAMED_CELLS[name].nodes) + len(NAMED_CELLS[name].outputs)
    cell = derived(name, n_inputs, torch.float32)
    assert sum(p.numel() for p in cell.parameters()) == n_weights + n_biases + n_scalars
