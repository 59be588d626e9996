"""Cells drawn at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sknas.genotype.parts import INPUT, STATE, Cell, Node

__all__ = ["draw_cell"]


def draw_cell(rng: np.random.RandomState, operations: Sequence[str], n_nodes: int) -> Cell:
    """Draw each node's operation and operands uniformly.

    Parameters
    ----------
    rng : RandomState
        Source of the draw.
    operations : sequence of str
        Operations to draw from.
    n_nodes : int
        Nodes of the cell.

    Returns
    -------
    Cell
        Its outputs are the nodes that no other names as an operand.
    """
    nodes: list[Node] = []
    for index in range(n_nodes):
        sources = [INPUT, STATE, *(f"s{i}" for i in range(index))]
        left, right = (sources[i] for i in rng.randint(len(sources), size=2))
        nodes.append(Node(operations[rng.randint(len(operations))], left, right))
    read = {name for node in nodes for name in node.operands}
    return Cell(tuple(nodes), outputs=tuple(i for i in range(n_nodes) if f"s{i}" not in read))
