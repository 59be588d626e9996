"""What a search may grow: bounds, and the moves that they leave open."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from sknas.edits import (
    AddBranch,
    AddHadamard,
    AddLayer,
    AddMixedBranch,
    AddNode,
    AddOp,
    Edit,
    Widen,
)
from sknas.genotype import INPUT, NAMED_CELLS, Branch, Cell, Node
from sknas.supernet import Supernet

__all__ = ["SearchSpace"]

# The mixed branch that finds a cell: more nodes, and wider ones, cost more and find no better.
_N_MIXED, _N_MIXED_HIDDEN = 3, 32


@dataclass(frozen=True)
class SearchSpace:
    """Bounds of growth.

    Parameters
    ----------
    operations : tuple of str
        Candidates of a new node.
    max_nodes : int
        Largest number of nodes over all cells.
    max_params : int or None
        Largest number of weights, at any moment of the search.
    hidden_size : int
        Width of a new branch.
    n_layers : int
        Largest number of layers of a branch.
    segment_lengths : tuple of int
        Segment lengths that branches may have, the preferred one first.
    channel_mode : {"independent", "mixed"}
        How a new branch reads channels.
    is_sequence : bool
        Whether there is time to recur over.
    """

    operations: tuple[str, ...]
    max_nodes: int
    max_params: int | None
    hidden_size: int
    n_layers: int
    segment_lengths: tuple[int, ...]
    channel_mode: str
    is_sequence: bool

    def branch(self, cell: Cell, segment_length: int | None = None) -> Branch:
        """Return the branch that a cell would make.

        Parameters
        ----------
        cell : Cell
            The cell of its one layer.
        segment_length : int or None, default=None
            Time steps a recurrent step; None means the preferred length.

        Returns
        -------
        Branch
            The branch.
        """
        length = self.segment_lengths[0] if segment_length is None else segment_length
        return Branch((cell,), self.hidden_size, length, self.channel_mode, self.hidden_size)

    @property
    def plain_cell(self) -> Cell:
        """The smallest cell that a further branch may start from."""
        return NAMED_CELLS["highway" if self.is_sequence else "dense"]

    def fits(self, n_params: int) -> bool:
        """Say whether a network of that many weights is within bounds.

        Parameters
        ----------
        n_params : int
            Weights.

        Returns
        -------
        bool
            Whether `max_params` allows it.
        """
        return self.max_params is None or n_params <= self.max_params

    def mixed_branch(self) -> Branch:
        """Return the frame of a branch that begins with mixed nodes: an identity, and a carry."""
        return self.branch(
            Cell((Node("first", INPUT, None),), outputs=(0,), carry=self.is_sequence)
        )

    def mixed_start(self) -> AddMixedBranch:
        """Return the move that adds a narrow branch of a few mixed nodes, to find a cell by."""
        n_hidden = min(_N_MIXED_HIDDEN, self.hidden_size)
        frame = dataclasses.replace(self.mixed_branch(), hidden_size=n_hidden, n_embedded=n_hidden)
        return AddMixedBranch(frame, min(_N_MIXED, self.max_nodes), self.operations)

    def possible_edits(self, supernet: Supernet, cell: Cell) -> list[Edit]:
        """Return the moves that the bounds leave open, in order of preference.

        Parameters
        ----------
        supernet : Supernet
            The network as it is.
        cell : Cell
            The cell that a further branch or layer starts from.

        Returns
        -------
        list of Edit
            The moves. Whether `max_params` allows one is only known once it is made.
        """
        edits: list[Edit] = []
        n_free = self.max_nodes - supernet.n_nodes
        places = [place for place, node in supernet.nodes() if node.is_output]
        if n_free >= 1:
            edits += [AddNode(b, depth, self.operations) for b, depth, _ in supernet.cells()]
        if n_free >= len(cell.nodes):
            used = {branch.segment_length for branch in supernet.trunk.branches}
            lengths = [n for n in self.segment_lengths if n not in used]
            edits += [AddBranch(self.branch(cell, n)) for n in lengths[:1]]
        if n_free >= 1:
            edits += [AddHadamard(place) for place in places]
        if n_free >= len(cell.nodes) and self.is_sequence:
            edits += [
                AddLayer(b, cell)
                for b, branch in enumerate(supernet.trunk.branches)
                if len(branch.layers) < self.n_layers
            ]
        edits += [
            Widen(b, max(1, branch.hidden_size // 2))
            for b, branch in enumerate(supernet.trunk.branches)
            if branch.hidden_size < 2 * self.hidden_size
        ]
        edits += [
            AddOp(place, operation)
            for place, node in supernet.nodes()
            if node.is_output and node.is_settled and node.sources[1:]
            for operation in ("hadamard", "gate")
            if operation in self.operations and operation not in node.operations
        ]
        return edits
