"""Mixed nodes and two-input cells against an oracle that follows the formulas term by term."""

import itertools
import math

import pytest
import torch

from sknas.edits import AddHadamard, AddNode, AddOp, DropEdge, DropOp
from sknas.genotype import Cell, Node
from sknas.ops import registered_ops
from sknas.supernet import (
    ClampRelaxation,
    GumbelRelaxation,
    MixedNode,
    Mixing,
    NodePlace,
    ScaledSigmoidRelaxation,
    SigmoidRelaxation,
    SoftmaxRelaxation,
    TwoInputCell,
)
from sknas.supernet.sampling import sampling
from tests.oracles.mixed_node import cell_states, node_value
from tests.small import flushes_denormals
from tests.tiny import (
    CELLS,
    OPERATIONS,
    branch,
    choices,
    generator,
    normal,
    perturb,
    set_progress,
    supernet,
    two_input,
    windows,
)

RELAXATIONS = [
    SoftmaxRelaxation(temperature=2.0, final_temperature=0.2),
    SigmoidRelaxation(),
    ScaledSigmoidRelaxation(final_scale=20.0),
    ClampRelaxation(),
    GumbelRelaxation(),
]
N_INPUTS, N_HIDDEN, BATCH = 3, 4, 5


def build_node(operations, sources, relaxation=RELAXATIONS[0], progress=0.4):
    node = MixedNode(
        7,
        operations,
        sources,
        N_INPUTS,
        N_HIDDEN,
        mixing=Mixing(relaxation),
        generator=generator(),
        dtype=torch.float64,
    )
    perturb(node)
    node.progress = progress
    return node


def build_cell(genotype, relaxation=RELAXATIONS[0]):
    cell = TwoInputCell(
        genotype,
        N_INPUTS,
        N_HIDDEN,
        mixing=Mixing(relaxation),
        generator=generator(),
        dtype=torch.float64,
    )
    perturb(cell, scale=0.5)
    return cell


def fast_value(node, values, x):
    plan = node.plan()
    return plan.value(values, x @ plan.input_weight + plan.input_bias)


def source_values():
    return {name: normal(BATCH, N_HIDDEN, seed=i) for i, name in enumerate(["h", "c", "s0", "s1"])}


def assert_same_value_and_gradients(fast, slow, module, inputs=()):
    """Compare two tensors, and the gradients of a weighted sum of each."""
    torch.testing.assert_close(fast, slow, rtol=1e-10, atol=1e-10)
    weight = normal(*fast.shape, seed=99)
    wanted = [*module.parameters(), *inputs]
    gradients = [
        torch.autograd.grad(
            (value * weight).sum(), wanted, allow_unused=True, materialize_grads=True
        )
        for value in (fast, slow)
    ]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def check_node(node):
    values = {name: value.requires_grad_() for name, value in source_values().items()}
    x = normal(BATCH, N_INPUTS, seed=11).requires_grad_()
    fast, slow = fast_value(node, values, x), node_value(node, values, x)
    assert_same_value_and_gradients(fast, slow, node, [x, *values.values()])


EVERYTHING = ("s1", "x", "h", "c", "s0")
SOURCES = [
    (EVERYTHING, EVERYTHING),
    (("x",), EVERYTHING),
    (("s0",), ("x", "h")),
    (("x",), ("x",)),
    (("h",), ("c",)),
    (("h", "x"), ()),
    (("x",), ()),
]


@pytest.mark.parametrize("sources", SOURCES, ids=str)
@pytest.mark.parametrize("relaxation", RELAXATIONS, ids=lambda r: type(r).__name__)
def test_a_node_of_all_operations_equals_the_formulas(relaxation, sources):
    for progress in (0.0, 0.7):
        check_node(build_node(registered_ops(), sources, relaxation, progress))


@pytest.mark.parametrize("sources", SOURCES, ids=str)
@pytest.mark.parametrize("operation", registered_ops())
def test_a_settled_node_equals_its_one_operation(operation, sources):
    node = build_node([operation], sources)
    check_node(node)
    assert node.mixing_weights().tolist() == [1.0]


@pytest.mark.parametrize("pair", list(itertools.combinations(registered_ops(), 2)), ids=str)
def test_the_order_of_the_candidates_does_not_mix_up_their_weights(pair):
    check_node(build_node(pair, (EVERYTHING, ("x", "s0"))))
    check_node(build_node(pair[::-1], (EVERYTHING, ("x", "s0"))))


@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_a_newborn_node_favours_the_first_of_its_sources(progress):
    node = MixedNode(
        0,
        ["add"],
        (("s0", "x", "h"), ("h", "s0")),
        N_INPUTS,
        N_HIDDEN,
        mixing=Mixing(RELAXATIONS[0]),
        generator=generator(),
        dtype=torch.float64,
    )
    node.progress = progress
    left, right = node.edge_mixing_weights().detach()
    assert node.sources == ["s0", "x", "h"]
    assert left[0] > left[1] == left[2]
    assert right[2] > right[0]
    assert right[1] == 0  # x is not open to the right operand


def test_a_birth_scalar_of_zero_silences_a_candidate_but_has_a_gradient():
    node = build_node(("add", "lin_tanh"), (EVERYTHING, EVERYTHING))
    with torch.no_grad():
        node.births[1] = 0.0
    values, x = source_values(), normal(BATCH, N_INPUTS, seed=11)
    before = fast_value(node, values, x)
    with torch.no_grad():
        node.projections["both_0"].bias += 1.0
    after = fast_value(node, values, x)
    assert torch.equal(after, before)
    (gradient,) = torch.autograd.grad(after.sum(), node.births)
    assert gradient[1] != 0


@pytest.mark.parametrize("name", CELLS)
def test_a_named_cell_equals_the_formulas_step_by_step(name):
    cell = build_cell(CELLS[name])
    inputs = normal(6, BATCH, N_INPUTS, seed=3).requires_grad_()
    assert_same_value_and_gradients(cell(inputs), cell_states(cell, inputs)[0], cell, [inputs])


@pytest.mark.parametrize("name", ["gru", "lstm", "mixture"])
@pytest.mark.parametrize("relaxation", RELAXATIONS, ids=lambda r: type(r).__name__)
def test_an_edited_cell_equals_the_formulas_step_by_step(relaxation, name):
    operations = ("second", "lin_tanh", "gate", "modulate")
    net = supernet(branch(name), relaxation=relaxation, operations=operations)
    place = list(net.nodes())[-1][0]
    edits = [
        AddNode(0, 0, ("add", "gate", "lin_relu")),
        AddHadamard(place),
        DropOp(place, "lin_tanh"),
        DropEdge(place, "left", "x"),
        DropEdge(place, "right", "h"),
        AddOp(place, "lin_tanh"),
    ]
    for step, edit in enumerate(edits):
        edit.apply(net, generator(step))
        perturb(net, seed=step, scale=0.1)
        set_progress(net, step / 6)
        cell = net.cell(0, 0)
        inputs = normal(2, BATCH, cell.n_inputs, seed=step).requires_grad_()
        assert_same_value_and_gradients(cell(inputs), cell_states(cell, inputs)[0], cell, [inputs])


def test_the_state_passes_unchanged_over_steps_that_are_not_there():
    cell = build_cell(CELLS["lstm"])
    inputs = normal(6, BATCH, N_INPUTS, seed=3)
    present = torch.ones(6, BATCH, 1, dtype=torch.bool)
    present[:2] = present[4, 1:] = False
    states = cell(inputs, present)
    assert not states[:2].any()
    assert torch.equal(states[4, 1:], states[3, 1:])
    kept = torch.stack([step for t, step in enumerate(inputs) if present[t, 1]])
    torch.testing.assert_close(states[-1, 1:], cell(kept)[-1, 1:], rtol=0, atol=1e-13)


def test_no_state_depends_on_the_future():
    cell = build_cell(CELLS["lstm"])
    inputs = normal(6, BATCH, N_INPUTS, seed=3)
    before = cell(inputs)
    inputs[4:] += 1.0
    after = cell(inputs)
    assert torch.equal(after[:4], before[:4])
    assert not torch.equal(after[4], before[4])


@pytest.mark.parametrize("n_epochs", [2, 5, 12])
def test_each_mixed_node_has_its_own_time_and_all_end_together(n_epochs):
    net = supernet(branch("gru"))
    assert net.progress == 1.0
    AddNode(0, 0).apply(net)
    first, seen = list(net.nodes())[-1][1], []
    for epoch in range(1, n_epochs + 1):
        seen.append(first.progress)
        if epoch == n_epochs // 2:
            AddNode(0, 0).apply(net)
            newest = list(net.nodes())[-1][1]
            assert newest.progress == 0.0
            assert net.progress == pytest.approx(first.progress / 2)
        net.advance(n_epochs - epoch)
    assert seen == pytest.approx([i / (n_epochs - 1) for i in range(n_epochs)])
    assert first.progress == newest.progress == net.progress == 1.0
    settled = [node for _, node in net.nodes() if node.is_settled]
    assert {node.progress for node in settled} == {0.0}


def test_a_settled_node_that_is_opened_again_begins_anew():
    net = two_input()
    place = list(net.nodes())[-1][0]
    net.advance(1)
    for drop in [d for choice in choices(net) for d in choice[1:]]:
        drop.apply(net)
    assert net.node(place).is_settled
    AddOp(place, "lin_relu").apply(net)
    assert net.node(place).progress == net.progress == 0.0


def test_parameters_are_weights_or_architecture_and_never_both():
    net = supernet(branch("lstm", n_layers=2), operations=registered_ops())
    arch = {id(p) for p in net.arch_parameters()}
    weights = {id(p) for p in net.weight_parameters()}
    assert arch | weights == {id(p) for p in net.parameters()}
    assert not arch & weights
    assert {id(p) for p in net.free_arch_parameters()} <= arch
    assert net.n_params == sum(p.numel() for p in net.weight_parameters())


def test_only_architecture_parameters_that_decide_something_are_free():
    net = supernet(branch("gru"))
    assert net.is_settled
    assert net.free_arch_parameters() == []
    AddNode(0, 0, ("add",)).apply(net)
    node = list(net.nodes())[-1][1]
    assert [id(p) for p in net.free_arch_parameters()] == [id(node.edge_logits)]
    assert not net.is_settled


@pytest.mark.parametrize("n_candidates", [2, 5, 9])
def test_the_gate_entropy_of_equal_gates_is_that_of_a_uniform_choice(n_candidates):
    for relaxation in RELAXATIONS:
        net = supernet(branch("gru"), relaxation=relaxation)
        assert net.gate_entropy() == 0.0
        AddNode(0, 0, registered_ops()[:n_candidates]).apply(net)
        assert net.gate_entropy() == pytest.approx(torch.tensor(n_candidates).log().item())


@pytest.fixture(params=[False, True], ids=["denormals", "denormals flushed"])
def flushed(request):
    """Flush denormal numbers to zero, as a fit does, or not."""
    was_flushed = flushes_denormals()
    torch.set_flush_denormal(request.param)
    yield
    torch.set_flush_denormal(was_flushed)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("relaxation", RELAXATIONS, ids=lambda r: type(r).__name__)
def test_the_gate_entropy_counts_the_open_gates_and_all_where_none_is_open(
    relaxation, dtype, flushed
):
    net = supernet(branch("gru"), relaxation=relaxation, dtype=dtype)
    AddNode(0, 0, ("add", "gate", "first")).apply(net)
    set_progress(net, 1.0)
    node = list(net.nodes())[-1][1]
    for n_open, n_counted in [(0, 3), (1, 1), (2, 2), (3, 3)]:
        with torch.no_grad():
            node.alphas[:] = -1e3  # a sigmoid of it is zero in any precision
            node.alphas[:n_open] = 1e3
        assert net.gate_entropy() == pytest.approx(math.log(n_counted), abs=1e-6)


def test_a_supernet_at_birth_is_its_linear_seed():
    net = supernet(window_norm="none")
    past = windows()
    assert torch.equal(net(past), net.trunk.seed(past))


def test_a_node_that_is_not_there_is_named_in_the_error():
    with pytest.raises(ValueError, match=r"node must be one of \[0\]; got 3"):
        supernet(branch("rnn")).node(NodePlace(0, 0, 3))


def test_two_sources_that_are_one_projected_input_can_be_told_apart():
    node = build_node(["lin_identity"], (("x",), ("x",)))
    assert set(node.projections["both_0"].weights) == {"input_left", "input_right"}
    check_node(node)


def test_a_cell_keeps_its_own_memory():
    cell = build_cell(Cell((Node("lin_tanh", "x", "c"), Node("add", "s0", "c")), (0,), memory=1))
    inputs = normal(6, BATCH, N_INPUTS, seed=3).requires_grad_()
    assert_same_value_and_gradients(cell(inputs), cell_states(cell, inputs)[0], cell, [inputs])


def test_gates_are_drawn_while_sampling_and_free_of_noise_outside_of_it():
    net, past = supernet(branch(), relaxation=GumbelRelaxation(), operations=OPERATIONS), windows()
    node, source = list(net.nodes())[-1][1], generator()
    before, calm, state = net(past), node.mixing_weights(), source.get_state()
    with sampling(net, source):
        draws = {tuple(node.mixing_weights().tolist()) for _ in range(50)}
        outputs = {float(net(past).detach().sum()) for _ in range(50)}
    assert draws == {tuple(row) for row in torch.eye(len(OPERATIONS)).tolist()}
    assert len(outputs) == len(OPERATIONS)  # one candidate of one node at a time
    state_after = source.get_state()
    assert not torch.equal(state_after, state)
    assert torch.equal(node.mixing_weights(), calm)
    assert torch.equal(net(past), before)
    assert torch.equal(source.get_state(), state_after)
