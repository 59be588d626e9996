"""A mixed node and its cell evaluated term by term, straight from the formulas.

mechanisms.md 1.2: operands ``a = sum_i p_i u_i`` over the sources u, with edge weights p of their
own, mixed before the operation; ``s = sum_o g_o r_o o(a, b)``, plus ``beta a`` where there is an
auxiliary skip. The input x enters every consumer by that consumer's own projection.
"""

import math

import torch

PROJECTING = {
    "lin_tanh": torch.tanh,
    "lin_sigmoid": torch.sigmoid,
    "lin_relu": torch.relu,
    "lin_identity": lambda z: z,
}
HIGHWAY = {
    "highway_tanh": torch.tanh,
    "highway_sigmoid": torch.sigmoid,
    "highway_relu": torch.relu,
    "highway_identity": lambda z: z,
}


def softmax(logits, temperature):
    powers = [math.e ** ((logit - max(logits)) / temperature) for logit in logits]
    return [power / sum(powers) for power in powers]


def gates_of(node):
    """Return the mixing weights; one where a single candidate is left."""
    alphas, relaxation = list(node.alphas), node.relaxation
    if len(alphas) == 1:
        return [torch.ones_like(alphas[0])]
    name = type(relaxation).__name__
    if name in ("SoftmaxRelaxation", "GumbelRelaxation"):
        ratio = relaxation.final_temperature / relaxation.temperature
        return softmax(alphas, relaxation.temperature * ratio**node.progress)
    if name == "SigmoidRelaxation":
        return [1 / (1 + math.e ** (-alpha)) for alpha in alphas]
    if name == "ClampRelaxation":
        return [
            min(max(alpha, torch.zeros_like(alpha)), torch.ones_like(alpha)) for alpha in alphas
        ]
    delta = relaxation.scale * (relaxation.final_scale / relaxation.scale) ** node.progress
    return [1 / (1 + math.e ** (-delta * alpha)) for alpha in alphas]


def edges_of(node, slot):
    """Return the weight of every open source of an operand, by name."""
    names = [name for i, name in enumerate(node.sources) if node.is_open[slot, i]]
    logits = [node.edge_logits[slot, node.sources.index(name)] for name in names]
    choice = node.mixing.edge_choice
    temperature = getattr(choice, "value", 1.0)
    if hasattr(choice, "start"):
        temperature = choice.start * (choice.stop / choice.start) ** node.progress
    return dict(zip(names, softmax(logits, temperature), strict=True)) if names else {}


def operand(node, slot, values, x):
    """Return the mixed operand itself, with x brought to the state's width by the entry."""
    side, total = ("left", "right")[slot], torch.zeros_like(values["h"])
    for name, weight in edges_of(node, slot).items():
        if name == "x":
            entry = node.entries[side]
            total = total + weight * (x @ entry.weights[f"input_{side}"] + entry.bias)
        else:
            total = total + weight * values[name]
    return total


def projected(node, slots, values, x, piece=0):
    """Return ``a W_a + b W_b + bias``, source by source: one piece for all that read both."""
    projection = node.projections[f"{'both' if len(slots) > 1 else 'right'}_{piece}"]
    total = projection.bias.expand(len(values["h"]), -1)
    for slot in slots:
        side = ("left", "right")[slot]
        for name, weight in edges_of(node, slot).items():
            if name == "x":
                total = total + weight * (x @ projection.weights[f"input_{side}"])
            else:
                total = total + weight * (values[name] @ projection.weights[side])
    return total


def apply_operation(node, name, values, x):
    def a():
        return operand(node, 0, values, x)

    def b():
        return operand(node, 1, values, x)

    if name in PROJECTING:
        return PROJECTING[name](projected(node, (0, 1), values, x))
    if name == "gate":
        sigma = 1 / (1 + torch.exp(-projected(node, (0, 1), values, x)))
        return a() + sigma * (b() - a())
    if name == "modulate":
        return a() * 2 / (1 + torch.exp(-projected(node, (1,), values, x)))
    if name in HIGHWAY:
        c, e = (projected(node, (0, 1), values, x, piece) for piece in (0, 1))
        return a() + (HIGHWAY[name](e) - a()) / (1 + torch.exp(-c))
    return {
        "first": lambda: a(),
        "second": lambda: b(),
        "add": lambda: a() + b(),
        "add_tanh": lambda: torch.tanh(a() + b()),
        "hadamard": lambda: a() * b(),
    }[name]()


def node_value(node, values, x):
    """Return the gated sum of a node's candidates at one time step."""
    total = torch.zeros_like(values["h"])
    for gate, birth, name in zip(gates_of(node), node.births, node.operations, strict=True):
        total = total + gate * birth * apply_operation(node, name, values, x)
    return total + (node.skip_weight * operand(node, 0, values, x) if node.skip else 0.0)


def cell_states(cell, inputs, state_bound=4.0, memory_bound=1e3):
    """Return the state of a `TwoInputCell` after each step, and its memories, step by step."""
    h = torch.zeros(inputs.shape[1], cell.n_hidden, dtype=inputs.dtype)
    c, states, memories = h, [], []
    for x in inputs:
        h = torch.minimum(torch.maximum(h, -state_bound + 0 * h), state_bound + 0 * h)
        c = torch.minimum(torch.maximum(c, -memory_bound + 0 * c), memory_bound + 0 * c)
        values = {"h": h, "c": c}
        proposal = torch.zeros_like(h)
        for node in cell.nodes:
            values[f"s{node.index}"] = node_value(node, values, x)
            if node.is_output:
                proposal = proposal + node.output_weight * values[f"s{node.index}"]
        if cell.carry is None:
            h = proposal
        else:
            z = x @ cell.carry.weights["input_left"] + h @ cell.carry.weights["right"]
            z = 1 / (1 + torch.exp(-z - cell.carry.bias))
            h = h + z * (proposal - h)
        c = c if cell.memory_node is None else values[f"s{cell.memory_node}"]
        states.append(h)
        memories.append(c)
    return torch.stack(states), torch.stack(memories)
