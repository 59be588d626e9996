"""A cell as a graph in rows: what it reads, nodes below what they read, its next state last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from sknas.genotype import INPUT, MEMORY, STATE, Cell

__all__ = ["NEXT_MEMORY", "NEXT_STATE", "CellGraph", "GraphEdge"]

NEXT_STATE, NEXT_MEMORY = "h'", "c'"
_MOST_IN_A_ROW = 4  # nodes that share a row; a wider one would not fit a page


@dataclass(frozen=True)
class GraphEdge:
    """What reads what.

    Attributes
    ----------
    source, target : str
        Names of boxes.
    kind : {"left", "right", "output", "memory", "carry"}
        As which operand a node reads it, or what the next state or memory takes it for.
    """

    source: str
    target: str
    kind: str


@dataclass(frozen=True)
class CellGraph:
    """Boxes in rows, and the edges between them, all of which lead downwards.

    Attributes
    ----------
    rows : tuple of tuple of str
        Names of the boxes of each row, from the top.
    edges : tuple of GraphEdge
        In the order of the nodes that read.
    """

    rows: tuple[tuple[str, ...], ...]
    edges: tuple[GraphEdge, ...]

    @classmethod
    def of(cls, cell: Cell) -> CellGraph:
        """Lay a cell out in rows.

        Parameters
        ----------
        cell : Cell
            The cell.

        Returns
        -------
        CellGraph
            Its graph. A node stands as high as what it reads and a row's length allow.
        """
        edges = tuple(_edges(cell))
        read = {edge.source for edge in edges}
        row_of = {name: 0 for name in (INPUT, STATE, MEMORY) if name in read}
        n_in_row: Counter[int] = Counter()
        for index, node in enumerate(cell.nodes):
            row = 1 + max(row_of[name] for name in node.operands)
            while n_in_row[row] == _MOST_IN_A_ROW:
                row += 1
            row_of[f"s{index}"] = row
            n_in_row[row] += 1
        last = 1 + max(row_of.values())
        row_of[NEXT_STATE] = last
        if cell.memory is not None:
            row_of[NEXT_MEMORY] = last
        rows = tuple(
            tuple(name for name, at in row_of.items() if at == row) for row in range(last + 1)
        )
        return cls(rows, edges)

    @property
    def row_of(self) -> dict[str, int]:
        """The row of every box."""
        return {name: place for place, row in enumerate(self.rows) for name in row}


def _edges(cell: Cell) -> Iterator[GraphEdge]:
    for index, node in enumerate(cell.nodes):
        for side, name in zip(("left", "right"), (node.left, node.right), strict=True):
            if name is not None:
                yield GraphEdge(name, f"s{index}", side)
    for index in cell.outputs:
        yield GraphEdge(f"s{index}", NEXT_STATE, "output")
    if cell.carry:
        yield GraphEdge(STATE, NEXT_STATE, "carry")
    if cell.memory is not None:
        yield GraphEdge(f"s{cell.memory}", NEXT_MEMORY, "memory")
