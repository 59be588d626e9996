"""The two kinds of cell that a search builds: two-input nodes, or DARTS's graph."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from sknas.edits import (
    AddDagBranch,
    AddDagNode,
    AddHadamard,
    AddMixedBranch,
    AddNode,
    AddOp,
    Edit,
)
from sknas.genotype import INPUT, NAMED_CELLS, STATE, Branch, Cell, Node
from sknas.genotype.drawing import draw_cell, draw_graph_cell
from sknas.ops import DAG_OPERATIONS, DEFAULT_OPERATIONS, Highway, get_op
from sknas.supernet import MixedNode, Supernet

__all__ = ["Backbone", "DagBackbone", "TwoInputBackbone"]


class Backbone(ABC):
    """Interface: what a search starts from, and the moves that are of one kind of cell alone.

    Attributes
    ----------
    operations : tuple of str
        Candidates where the user names none.
    n_frame_nodes : int
        Nodes of the genotype that `frame_cell` brings along.
    """

    operations: ClassVar[tuple[str, ...]]
    n_frame_nodes: ClassVar[int]

    def check_operation(self, name: str) -> None:
        """Check that nodes of this kind can have an operation.

        Parameters
        ----------
        name : str
            Name of the operation.

        Raises
        ------
        ValueError
            If there is no such operation, or not for this kind of cell.
        """
        get_op(name)

    @abstractmethod
    def contenders(self, *, is_sequence: bool) -> list[Cell]:
        """Return the hand-made cells that race for the first branch.

        Parameters
        ----------
        is_sequence : bool
            Whether there is time to recur over.

        Returns
        -------
        list of Cell
            The cells, those to be dropped first where time is short last.
        """

    @abstractmethod
    def plain_cell(self, *, is_sequence: bool) -> Cell:
        """Return the smallest cell that a branch may start from.

        Parameters
        ----------
        is_sequence : bool
            Whether there is time to recur over.

        Returns
        -------
        Cell
            The cell.
        """

    @abstractmethod
    def random_cell(
        self,
        rng: np.random.RandomState,
        operations: tuple[str, ...],
        max_nodes: int,
        *,
        is_sequence: bool,
    ) -> Cell:
        """Draw a cell, first its number of nodes, uniformly.

        Parameters
        ----------
        rng : RandomState
            Source of the draw.
        operations : tuple of str
            Operations to draw from.
        max_nodes : int
            Most nodes of the cell.
        is_sequence : bool
            Whether there is time to recur over.

        Returns
        -------
        Cell
            The cell.
        """

    @abstractmethod
    def frame_cell(self, *, is_sequence: bool) -> Cell:
        """Return the cell that stands for a branch of mixed nodes until they are there.

        Parameters
        ----------
        is_sequence : bool
            Whether there is time to recur over.

        Returns
        -------
        Cell
            The cell.
        """

    @abstractmethod
    def mixed_branch(self, frame: Branch, n_nodes: int, operations: tuple[str, ...]) -> Edit:
        """Return the move that adds a branch of mixed nodes.

        Parameters
        ----------
        frame : Branch
            Sizes, and `frame_cell`.
        n_nodes : int
            Mixed nodes.
        operations : tuple of str
            Candidates.

        Returns
        -------
        Edit
            The move.
        """

    @abstractmethod
    def node(self, branch: int, layer: int, operations: tuple[str, ...]) -> Edit:
        """Return the move that adds a mixed node to a cell.

        Parameters
        ----------
        branch, layer : int
            The cell.
        operations : tuple of str
            Candidates.

        Returns
        -------
        Edit
            The move.
        """

    def modulations(self, supernet: Supernet) -> list[Edit]:
        """Return the moves that multiply an output.

        Parameters
        ----------
        supernet : Supernet
            The network as it is.

        Returns
        -------
        list of Edit
            None, unless the kind of cell has such.
        """
        del supernet
        return []

    def further_candidates(self, supernet: Supernet, operations: tuple[str, ...]) -> list[Edit]:
        """Return the moves that give a settled node a further candidate.

        Parameters
        ----------
        supernet : Supernet
            The network as it is.
        operations : tuple of str
            Candidates of the space.

        Returns
        -------
        list of Edit
            None, unless the kind of cell has such.
        """
        del supernet, operations
        return []


class TwoInputBackbone(Backbone):
    """Nodes of two operands each (Jie and Gao 2021; the details are our reconstruction)."""

    operations = DEFAULT_OPERATIONS
    n_frame_nodes = 0

    def contenders(self, *, is_sequence: bool) -> list[Cell]:
        """Return named cells; without time there is no state to carry."""
        if is_sequence:
            names = ("pooling", "gru", "lstm", "highway", "product")
            return [NAMED_CELLS[name] for name in names]
        cells = [NAMED_CELLS[name] for name in ("dense", "product")]
        return [dataclasses.replace(cell, carry=False) for cell in cells]

    def plain_cell(self, *, is_sequence: bool) -> Cell:
        """Return a single update, carried where there is a state."""
        return NAMED_CELLS["highway" if is_sequence else "dense"]

    def random_cell(
        self,
        rng: np.random.RandomState,
        operations: tuple[str, ...],
        max_nodes: int,
        *,
        is_sequence: bool,
    ) -> Cell:
        """Draw a cell of two-input nodes; without time none of them reads a state."""
        n_nodes = int(rng.randint(max_nodes)) + 1
        return draw_cell(rng, operations, n_nodes, has_state=is_sequence)

    def frame_cell(self, *, is_sequence: bool) -> Cell:
        """Return an identity that the mixed nodes replace, and a carry."""
        return Cell((Node("first", INPUT, None),), outputs=(0,), carry=is_sequence)

    def mixed_branch(self, frame: Branch, n_nodes: int, operations: tuple[str, ...]) -> Edit:
        """Return the move that adds a branch of two-input nodes."""
        return AddMixedBranch(frame, n_nodes, operations)

    def node(self, branch: int, layer: int, operations: tuple[str, ...]) -> Edit:
        """Return the move that adds a two-input node."""
        return AddNode(branch, layer, operations)

    def modulations(self, supernet: Supernet) -> list[Edit]:
        """Return a Hadamard branch behind each output."""
        return [AddHadamard(place) for place, node in supernet.nodes() if node.is_output]

    def further_candidates(self, supernet: Supernet, operations: tuple[str, ...]) -> list[Edit]:
        """Return products for the settled outputs that have two sources."""
        return [
            AddOp(place, operation)
            for place, node in supernet.nodes()
            if isinstance(node, MixedNode)
            if node.is_output and node.is_settled and node.sources[1:]
            for operation in ("hadamard", "gate")
            if operation in operations and operation not in node.operations
        ]


class DagBackbone(Backbone):
    """DARTS's recurrent cell (Liu et al. 2019): each node has an edge from every earlier one.

    The first node s0 alone reads input and state. How the graph grows is ours.
    """

    operations = DAG_OPERATIONS
    n_frame_nodes = 1

    def check_operation(self, name: str) -> None:
        """Check that the operation is a highway operation."""
        if not isinstance(get_op(name), Highway):
            raise ValueError(
                "operations must be highway operations, such as "
                f"{list(DAG_OPERATIONS)}, with backbone='dag'; got {name!r}."
            )

    def contenders(self, *, is_sequence: bool) -> list[Cell]:
        """Return s0 alone, and for sequences the cell that DARTS published."""
        plain = self.plain_cell(is_sequence=is_sequence)
        return [plain, NAMED_CELLS["darts"]] if is_sequence else [plain]

    def plain_cell(self, *, is_sequence: bool) -> Cell:
        """Return s0 alone: DARTS's first node, without the state where it is always zero."""
        left, right = (STATE, INPUT) if is_sequence else (INPUT, None)
        return Cell((Node("highway_tanh", left, right),), outputs=(0,), carry=False)

    def random_cell(
        self,
        rng: np.random.RandomState,
        operations: tuple[str, ...],
        max_nodes: int,
        *,
        is_sequence: bool,
    ) -> Cell:
        """Draw what a search of the graph may end in: behind s0, one edge a node."""
        first = self.plain_cell(is_sequence=is_sequence).nodes[0]
        n_nodes = int(rng.randint(max_nodes - 1)) + 2
        return draw_graph_cell(rng, operations, n_nodes, first)

    def frame_cell(self, *, is_sequence: bool) -> Cell:
        """Return s0, which every node of the graph may read."""
        return self.plain_cell(is_sequence=is_sequence)

    def mixed_branch(self, frame: Branch, n_nodes: int, operations: tuple[str, ...]) -> Edit:
        """Return the move that adds a branch of the graph's nodes."""
        return AddDagBranch(frame, n_nodes, operations)

    def node(self, branch: int, layer: int, operations: tuple[str, ...]) -> Edit:
        """Return the move that adds a node with an edge from every earlier one."""
        return AddDagNode(branch, layer, operations)
