"""Cells drawn at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sknas.genotype.parts import INPUT, STATE, Cell, Node

__all__ = ["draw_cell", "draw_graph_cell"]


def draw_cell(
    rng: np.random.RandomState,
    operations: Sequence[str],
    n_nodes: int,
    *,
    has_state: bool = True,
) -> Cell:
    """Draw each node's operation and operands uniformly.

    Parameters
    ----------
    rng : RandomState
        Source of the draw.
    operations : sequence of str
        Operations to draw from.
    n_nodes : int
        Nodes of the cell.
    has_state : bool, default=True
        Whether nodes may read the state, and the cell carries it.

    Returns
    -------
    Cell
        Its outputs are the nodes that no other names as an operand.
    """
    nodes: list[Node] = []
    places = (INPUT, STATE) if has_state else (INPUT,)
    for index in range(n_nodes):
        sources = [*places, *(f"s{i}" for i in range(index))]
        left, right = (sources[i] for i in rng.randint(len(sources), size=2))
        nodes.append(Node(operations[rng.randint(len(operations))], left, right))
    read = {name for node in nodes for name in node.operands}
    outputs = tuple(i for i in range(n_nodes) if f"s{i}" not in read)
    return Cell(tuple(nodes), outputs, carry=has_state)


def draw_graph_cell(
    rng: np.random.RandomState, operations: Sequence[str], n_nodes: int, first: Node
) -> Cell:
    """Draw each further node's operation, and the earlier node that it reads, uniformly.

    Parameters
    ----------
    rng : RandomState
        Source of the draw.
    operations : sequence of str
        Operations to draw from.
    n_nodes : int
        Nodes of the cell, at least 2.
    first : Node
        Its first node, which alone reads input and state.

    Returns
    -------
    Cell
        A cell of DARTS's graph with one edge a node; its outputs are all nodes but the first.
    """
    nodes = [first]
    for index in range(1, n_nodes):
        operation = operations[rng.randint(len(operations))]
        nodes.append(Node(operation, f"s{rng.randint(index)}", None))
    return Cell(tuple(nodes), outputs=tuple(range(1, n_nodes)), carry=False)
