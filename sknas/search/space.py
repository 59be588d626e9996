"""What a search may grow: bounds, and the moves that they leave open."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass, field

from sknas.edits import AddBranch, AddLayer, Edit, Widen
from sknas.genotype import Branch, Cell
from sknas.search.backbone import Backbone, TwoInputBackbone
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
    backbone : Backbone, default=TwoInputBackbone()
        The kind of cell.
    """

    operations: tuple[str, ...]
    max_nodes: int
    max_params: int | None
    hidden_size: int
    n_layers: int
    segment_lengths: tuple[int, ...]
    channel_mode: str
    is_sequence: bool
    backbone: Backbone = field(default_factory=TwoInputBackbone)

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
        return self.backbone.plain_cell(is_sequence=self.is_sequence)

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

    def has_room(self, supernet: Supernet, cell: Cell) -> bool:
        """Say whether a branch of a cell is within bounds.

        Parameters
        ----------
        supernet : Supernet
            The seed that a branch is to be added to.
        cell : Cell
            Of the branch.

        Returns
        -------
        bool
            Whether it fits.
        """
        grown = copy.deepcopy(supernet)
        AddBranch(self.branch(cell)).apply(grown)
        return len(cell.nodes) <= self.max_nodes and self.fits(grown.n_params)

    def mixed_branch(self, n_nodes: int) -> Edit:
        """Return the move that adds a branch of mixed nodes.

        Parameters
        ----------
        n_nodes : int
            Mixed nodes; fewer where `max_nodes` does not allow them.

        Returns
        -------
        Edit
            The move.
        """
        frame = self.branch(self.backbone.frame_cell(is_sequence=self.is_sequence))
        return self._mixed(frame, n_nodes)

    def mixed_start(self) -> Edit:
        """Return the move that adds a narrow branch of a few mixed nodes, to find a cell by."""
        n_hidden = min(_N_MIXED_HIDDEN, self.hidden_size)
        frame = self.branch(self.backbone.frame_cell(is_sequence=self.is_sequence))
        frame = dataclasses.replace(frame, hidden_size=n_hidden, n_embedded=n_hidden)
        return self._mixed(frame, _N_MIXED)

    def _mixed(self, frame: Branch, n_nodes: int) -> Edit:
        n_nodes = min(n_nodes, self.max_nodes - self.backbone.n_frame_nodes)
        return self.backbone.mixed_branch(frame, n_nodes, self.operations)

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
        if n_free >= 1:
            cells = [(b, depth) for b, depth, _ in supernet.cells()]
            edits += [self.backbone.node(b, depth, self.operations) for b, depth in cells]
        if n_free >= len(cell.nodes):
            used = {branch.segment_length for branch in supernet.trunk.branches}
            lengths = [n for n in self.segment_lengths if n not in used]
            edits += [AddBranch(self.branch(cell, n)) for n in lengths[:1]]
        if n_free >= 1:
            edits += self.backbone.modulations(supernet)
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
        return edits + self.backbone.further_candidates(supernet, self.operations)
