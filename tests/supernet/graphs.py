"""Graphs of DARTS, and the slow formula that their cells are compared with."""

import torch

from sknas.edits import AddDagBranch
from sknas.genotype import Branch
from sknas.ops import DAG_OPERATIONS
from sknas.search.backbone import DagBackbone
from sknas.supernet import DagNode, ScaledSigmoidRelaxation, SigmoidRelaxation, SoftmaxRelaxation
from tests.oracles.highway_dag import highway, node_value, side_by_side
from tests.tiny import choices, generator, normal, perturb, supernet

RELAXATIONS = [
    SoftmaxRelaxation(temperature=2.0, final_temperature=0.2),
    SigmoidRelaxation(),
    ScaledSigmoidRelaxation(final_scale=20.0),
]

BATCH = 5


def graph(n_nodes=3, relaxation=RELAXATIONS[0], operations=DAG_OPERATIONS, *, is_perturbed=True):
    """Return a supernet with one branch of DARTS's graph behind its first node."""
    net = supernet(relaxation=relaxation)
    frame = Branch((DagBackbone().frame_cell(is_sequence=True),), 4, 3, "mixed", 3)
    AddDagBranch(frame, n_nodes, operations).apply(net, generator())
    if is_perturbed:
        perturb(net)
    return net


def mixed(net):
    """Return the places and nodes of the graph that are not settled."""
    return [(place, node) for place, node in net.nodes() if isinstance(node, DagNode)]


def drop_at_random(net, n_drops, seed=0):
    source = generator(seed)
    for _ in range(n_drops):
        edits = [edit for choice in choices(net) for edit in choice]
        edits[int(torch.randint(len(edits), (), generator=source))].apply(net)


def settle(net, seed):
    while not net.is_settled:
        drop_at_random(net, 1, seed)


def slow_states(cell, inputs, state_bound=4.0):
    """Return the state after each step: s0, the nodes of the graph, and their weighted sum."""
    h = torch.zeros(inputs.shape[1], cell.n_hidden, dtype=inputs.dtype)
    states = []
    for x in inputs:
        h = h.clamp(-state_bound, state_bound)
        first = cell.nodes[0]
        projected = h @ side_by_side(first, "left") + x @ side_by_side(first, "input_right")
        projected = projected + side_by_side(first, "bias")
        values = {"s0": first.births * highway(h, projected, "tanh")}
        h = 0.0
        for node in list(cell.nodes)[1:]:
            if isinstance(node, DagNode):
                values[node.name] = node_value(node, values)
            else:
                (name,), (source,) = node.operations, node.open_sources(0)
                s = values[source]
                projected = s @ side_by_side(node, "left") + side_by_side(node, "bias")
                value = highway(s, projected, name.removeprefix("highway_"))
                values[node.name] = node.births * value
            h = h + node.output_weight * values[node.name]
        states.append(h)
    return torch.stack(states)


def assert_cell_equals_the_oracle(net):
    cell = net.cell(0, 0)
    inputs = normal(4, BATCH, cell.n_inputs, seed=3).requires_grad_()
    fast, slow = cell(inputs), slow_states(cell, inputs)
    torch.testing.assert_close(fast, slow, rtol=1e-11, atol=1e-11)
    weight, wanted = normal(*fast.shape, seed=9), [inputs, *cell.parameters()]
    gradients = [
        torch.autograd.grad(
            (value * weight).sum(), wanted, allow_unused=True, materialize_grads=True
        )
        for value in (fast, slow)
    ]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)
