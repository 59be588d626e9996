"""Fixed cells of every kind: named ones, corner cases, and random ones of all operations."""

import numpy as np

from sknas.genotype import Cell, Genotype, Node
from sknas.ops import registered_ops
from tests.tiny import CELLS

CORNERS = {
    # Nothing depends on s0 and s2.
    "dead": Cell(
        (Node("lin_tanh", "x", "h"), Node("add", "x", "h"), Node("gate", "s0", "h")), (1,)
    ),
    "no weights": Cell((Node("add", "h", "h"),), (0,), carry=False),
    "no input": Cell((Node("lin_sigmoid", "h", "h"),), (0,), carry=False),
    "bias alone": Cell((Node("modulate", "h", None), Node("add", "s0", "x")), (1,), carry=False),
    "memory projected": Cell(
        (Node("highway_relu", "c", "h"), Node("lin_identity", "c", None), Node("add", "s0", "x")),
        outputs=(2, 1),
        memory=2,
        carry=False,
    ),
    "memory carried": Cell((Node("first", "c", None), Node("add", "s0", "x")), (1,), memory=1),
    "squares": Cell((Node("hadamard", "h", "x"), Node("hadamard", "s0", "s0")), (0, 1)),
    "chain": Cell(
        (Node("first", "x", None), Node("second", "h", "s0"), Node("first", "s1", None)), (2,)
    ),
}


def random_cell(seed):
    """Draw a cell of all operations: any operands and outputs, with or without memory and carry."""
    rng = np.random.default_rng(seed)
    names, has_memory = registered_ops(), bool(rng.integers(2))
    nodes = []
    for index in range(rng.integers(1, 8)):
        sources = ["x", "h", *(["c"] if has_memory else []), *(f"s{i}" for i in range(index))]
        left, right = (sources[i] for i in rng.integers(len(sources), size=2))
        right = None if rng.random() < 0.2 else right
        nodes.append(Node(names[rng.integers(len(names))], left, right))
    n = len(nodes)
    outputs = tuple(int(i) for i in rng.permutation(n)[: rng.integers(1, n + 1)])
    memory = int(rng.integers(n)) if has_memory else None
    return Cell(tuple(nodes), outputs, memory=memory, carry=bool(rng.integers(2)))


RANDOM = {f"random {seed}": random_cell(seed) for seed in range(40)}
DRAWN = {
    f"drawn {seed}": Genotype.random(seed, operations=registered_ops()).branches[0].layers[0]
    for seed in range(5)
}
FIXED = {**CELLS, **CORNERS, **RANDOM, **DRAWN}
