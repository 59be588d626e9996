"""DARTS's recurrent cell (arXiv:1806.09055, mechanisms.md 4.1), edge by edge and unit by unit."""

import math

import torch

PHI = {
    "tanh": torch.tanh,
    "relu": lambda z: torch.where(z > 0, z, 0 * z),
    "sigmoid": lambda z: 1 / (1 + torch.exp(-z)),
    "identity": lambda z: z,
}
# The published cell of DARTS's second version: (activation, predecessor) of s1 to s8 [R].
PUBLISHED = [
    ("sigmoid", 0),
    ("relu", 1),
    ("relu", 1),
    ("identity", 1),
    ("tanh", 2),
    ("sigmoid", 5),
    ("tanh", 3),
    ("relu", 5),
]


def highway(s, projected, phi):
    """Return ``s + sigmoid(c) * (phi(e) - s)``; c and e of a unit stand side by side."""
    c, e = projected[:, 0::2], projected[:, 1::2]
    return s + (PHI[phi](e) - s) / (1 + torch.exp(-c))


def published_states(inputs, first, others, state_bound=4.0):
    """Return the state after each step.

    `first` is (weights on x, weights on h, bias) of s0; `others` are (weights, bias) of s1 to s8.
    The mean of s1 to s8 is the next state.
    """
    h = torch.zeros(inputs.shape[1], len(first[1]), dtype=inputs.dtype)
    states = []
    for x in inputs:
        h = h.clamp(-state_bound, state_bound)
        s = [highway(h, x @ first[0] + h @ first[1] + first[2], "tanh")]
        for (phi, j), (weight, bias) in zip(PUBLISHED, others, strict=True):
            s.append(highway(s[j], s[j] @ weight + bias, phi))
        h = sum(s[1:]) / 8
        states.append(h)
    return torch.stack(states)


def mixing_weights(node, edge):
    """Return the weights of an edge's open operations, by name; none takes its share of a softmax.

    The alphas of an edge are a column, one row an operation and the last one for none.
    """
    open_ = [name for i, name in enumerate(node.operations) if node.is_open[i, edge]]
    alphas = [node.alphas[node.operations.index(name), edge] for name in open_]
    alphas.append(node.alphas[-1, edge])
    relaxation = node.relaxation
    kind = type(relaxation).__name__
    if kind == "SoftmaxRelaxation":
        ratio = relaxation.final_temperature / relaxation.temperature
        temperature = relaxation.temperature * ratio**node.progress
        powers = [math.e ** (alpha / temperature) for alpha in alphas]
        weights = [power / sum(powers) for power in powers]
    else:
        delta = 1.0
        if kind == "ScaledSigmoidRelaxation":
            delta = relaxation.scale * (relaxation.final_scale / relaxation.scale) ** node.progress
        weights = [1 / (1 + math.e ** (-delta * alpha)) for alpha in alphas]
    return dict(zip(open_, weights, strict=False))


def side_by_side(node, term):
    """Return the weights, or the bias, of both pieces, c and e of a unit as neighbours."""
    pieces = [node.projections[f"both_{i}"] for i in (0, 1)]
    parts = [piece.bias if term == "bias" else piece.weights[term] for piece in pieces]
    return torch.stack(parts, dim=-1).flatten(-2)


def node_value(node, values):
    """Return the mean over the open edges of their mixed operations, times birth scalars.

    An auxiliary skip adds its weight times each edge's source.
    """
    edges = [edge for edge in range(len(node.sources)) if node.is_open[:, edge].any()]
    total, matrix, bias = 0.0, side_by_side(node, "left"), side_by_side(node, "bias")
    for edge in edges:
        s = values[node.sources[edge]]
        for name, weight in mixing_weights(node, edge).items():
            value = highway(s, s @ matrix + bias, name.removeprefix("highway_"))
            total = total + weight * node.births[edge] * value / len(edges)
        total = total + node.skip_weight * s / len(edges)
    return total
