"""Edits of DARTS's graph: nodes with an edge from every earlier one, and the choice among them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Generator, nn

from sknas.edits.base import Edit, ParameterChange, default_generator
from sknas.edits.removals import drop_unread_nodes, undecided
from sknas.edits.settling import close_pairs
from sknas.genotype import Branch
from sknas.ops import DAG_OPERATIONS
from sknas.supernet import DagNode, NodePlace, Supernet, TwoInputCell

__all__ = ["AddDagBranch", "AddDagNode", "DropEdgeOp"]


@dataclass(frozen=True)
class AddDagBranch(Edit):
    """Put a branch of DARTS's graph beside the others, with heads of zero.

    The nodes of the branch's one cell stay as they are and are no longer outputs; the mean of the
    nodes put behind them is, as in DARTS, with weights that learn.

    Parameters
    ----------
    branch : Branch
        Width, segment length, channel mode, and the cell that feeds the graph.
    n_nodes : int
        Nodes of the graph.
    operations : tuple of str
        Candidates of every edge.
    """

    branch: Branch
    n_nodes: int
    operations: tuple[str, ...] = DAG_OPERATIONS
    preserves_function = True

    def apply(self, supernet: Supernet, generator: Generator | None = None) -> ParameterChange:
        """Add the branch."""
        generator = default_generator(generator)
        branch = supernet.build_branch(self.branch, generator=generator)
        cell = branch.layers[0]
        for node in cell.nodes:
            node.is_output = False
        for _ in range(self.n_nodes):
            _append(cell, self.operations, generator, output_weight=1.0 / self.n_nodes)
        supernet.trunk.branches.append(branch)
        change = ParameterChange()
        change.add(branch.parameters())
        return change

    def __str__(self) -> str:
        return f"AddDagBranch({self.n_nodes} nodes; segments of {self.branch.segment_length})"


@dataclass(frozen=True)
class AddDagNode(Edit):
    """Append a node with an edge from every earlier node of its cell, with output weight zero.

    Parameters
    ----------
    branch, layer : int, default=0
        The cell.
    operations : tuple of str
        Candidates of every edge.
    """

    branch: int = 0
    layer: int = 0
    operations: tuple[str, ...] = DAG_OPERATIONS
    preserves_function = True

    def apply(self, supernet: Supernet, generator: Generator | None = None) -> ParameterChange:
        """Append the node."""
        cell = supernet.cell(self.branch, self.layer)
        change = ParameterChange()
        generator = default_generator(generator)
        change.add(_append(cell, self.operations, generator, output_weight=0.0))
        return change

    def __str__(self) -> str:
        return f"AddDagNode(branch {self.branch}, layer {self.layer})"


@dataclass(frozen=True)
class DropEdgeOp(Edit):
    """Take one operation from one edge of a graph's node.

    An edge without operations left is closed; the birth scalars of the others make up for the mean
    over fewer edges, so that a candidate of no weight is dropped without effect.

    A node with one pair of edge and operation left is settled: DARTS's genotype, one edge a node.
    The pair's gate is folded into its birth scalar, and a two-input node with the same weights
    takes the node's place.

    Parameters
    ----------
    place : NodePlace
        The node.
    source : str
        The earlier node that the edge comes from.
    operation : str
        The operation to drop; not the last one of the last edge.
    """

    place: NodePlace
    source: str
    operation: str
    preserves_function = False

    def apply(self, supernet: Supernet, generator: Generator | None = None) -> ParameterChange:
        """Drop the pair, and every settled node that nothing reads any more."""
        del generator
        cell = supernet.cell(self.place.branch, self.place.layer)
        node = cell.node(self.place.node)
        pairs = node.pairs() if isinstance(node, DagNode) else []
        if (
            not isinstance(node, DagNode)
            or (self.source, self.operation) not in pairs
            or len(pairs) == 1
        ):
            raise ValueError(
                f"source and operation must be one of several open pairs {pairs}; "
                f"got {(self.source, self.operation)!r}."
            )
        change = ParameterChange()
        close_pairs(cell, node, self.source, [self.operation], change)
        drop_unread_nodes(cell, change, spared=undecided(cell))
        return change

    def __str__(self) -> str:
        return f"DropEdgeOp({self.operation} of {self.source} -> s{self.place.node})"


def _append(
    cell: TwoInputCell, operations: tuple[str, ...], generator: Generator, *, output_weight: float
) -> list[nn.Parameter]:
    """Append a node and return its parameters; where nothing is to choose it is settled at once."""
    if len(operations) == len(cell.nodes) == 1:
        left = cell.nodes[0].name
        settled = cell.append_node(operations, ((left,), ()), generator=generator)
        nn.init.constant_(settled.output_weight, output_weight)
        return list(settled.parameters())
    node = cell.append_dag_node(operations, generator=generator)
    nn.init.constant_(node.output_weight, output_weight)
    return list(node.parameters())
