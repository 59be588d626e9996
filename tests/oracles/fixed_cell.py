"""A fixed cell evaluated node by node and step by step, straight from its genotype's formulas."""

import torch


def sigmoid(z):
    return 1 / (1 + torch.exp(-z))


def rectified(z):
    return torch.where(z > 0, z, 0 * z)


def highway(phi):
    def step(a, b, z):
        return a + sigmoid(z[:, 0::2]) * (phi(z[:, 1::2]) - a)  # c and e of a unit side by side

    return step


def identity(z):
    return z


FORMULAS = {
    "first": lambda a, b, z: a,
    "second": lambda a, b, z: b,
    "add": lambda a, b, z: a + b,
    "add_tanh": lambda a, b, z: torch.tanh(a + b),
    "hadamard": lambda a, b, z: a * b,
    "lin_tanh": lambda a, b, z: torch.tanh(z),
    "lin_sigmoid": lambda a, b, z: sigmoid(z),
    "lin_relu": lambda a, b, z: rectified(z),
    "lin_identity": lambda a, b, z: z,
    "gate": lambda a, b, z: a + sigmoid(z) * (b - a),
    "modulate": lambda a, b, z: a * 2 * sigmoid(z),
    "highway_tanh": highway(torch.tanh),
    "highway_relu": highway(rectified),
    "highway_sigmoid": highway(sigmoid),
    "highway_identity": highway(identity),
}


def operand(node, side, values, x):
    """Return what a node reads: the input through its entry, a value, or zero."""
    name = node.operands[side]
    if name == "x" and side in node.entries:
        entry = node.entries[side]
        return x @ entry.weights[f"input_{side}"] + entry.bias
    return torch.zeros_like(values["h"]) if name in (None, "x") else values[name]


def projected(node, values, x):
    """Return the affine projection of a node's operands; None where it has none."""
    if node.projection is None:
        return None
    total = node.projection.bias
    for term, weight in node.projection.weights.items():
        source = x if term.startswith("input_") else values[node.operands[term]]
        total = total + source @ weight
    return total


def fixed_states(cell, inputs, present=None, state_bound=4.0, memory_bound=1e3):
    """Return the state of a `DerivedCell` after each step."""
    genotype = cell.genotype
    h = torch.zeros(inputs.shape[1], cell.n_hidden, dtype=inputs.dtype)
    c, states = h, []
    for t, x in enumerate(inputs):
        values = {
            "h": h.clamp(-state_bound, state_bound),
            "c": c.clamp(-memory_bound, memory_bound),
        }
        for index, node in enumerate(cell.nodes):
            a, b = (operand(node, side, values, x) for side in ("left", "right"))
            formula = FORMULAS[genotype.nodes[index].operation]
            values[f"s{index}"] = node.scale * formula(a, b, projected(node, values, x))
        new = torch.zeros_like(h)
        for weight, index in zip(cell.output_weights, genotype.outputs, strict=True):
            new = new + weight * values[f"s{index}"]
        if cell.carry is not None:
            z = x @ cell.carry.weights["input_left"] + values["h"] @ cell.carry.weights["right"]
            new = values["h"] + sigmoid(z + cell.carry.bias) * (new - values["h"])
        memory = c if genotype.memory is None else values[f"s{genotype.memory}"]
        if present is not None:
            new = torch.where(present[t], new, h)
            memory = torch.where(present[t], memory, c)
        h, c = new, memory
        states.append(h)
    return torch.stack(states)
