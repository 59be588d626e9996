"""Edits that take something away; they change the function, and validation measures by how much."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Generator

from sknas.edits.base import Edit, ParameterChange, two_input_node
from sknas.edits.settling import close_source, forget_source
from sknas.genotype import INPUT
from sknas.ops import get_op
from sknas.supernet import DagNode, MixedNode, NodePlace, SearchNode, Supernet, TwoInputCell

__all__ = ["DropEdge", "DropNode", "DropOp", "DropOutput", "drop_unread_nodes", "undecided"]

SIDES = ("left", "right")


@dataclass(frozen=True)
class DropOp(Edit):
    """Take a candidate operation from a node.

    When one candidate is left its gate is folded into its birth scalar: the node no longer mixes.

    Parameters
    ----------
    place : NodePlace
        The node.
    operation : str
        The candidate to drop; not the last one.
    """

    place: NodePlace
    operation: str
    preserves_function = False

    def apply(self, supernet: Supernet, generator: Generator | None = None) -> ParameterChange:
        """Drop the candidate, and every settled node that nothing reads any more."""
        del generator
        cell = supernet.cell(self.place.branch, self.place.layer)
        node = two_input_node(supernet, self.place)
        if self.operation not in node.operations or len(node.operations) == 1:
            raise ValueError(
                f"operation must be one of several candidates {node.operations}; "
                f"got {self.operation!r}."
            )
        change = ParameterChange()
        kept = [i for i, name in enumerate(node.operations) if name != self.operation]
        index = torch.tensor(kept)
        node.alphas = change.select(node.alphas, index)
        births = node.births
        node.births = change.select(births, index)
        node.operations = [node.operations[i] for i in kept]
        if len(kept) == 1:
            node.skip = None
            change.rescale(births, node.relaxation.weights(node.alphas, node.progress).detach())
        _drop_unread_projections(node, change)
        _drop_unread_entries(node, change)
        drop_unread_nodes(cell, change, spared=undecided(cell))
        return change

    def __str__(self) -> str:
        return f"DropOp({self.operation} at s{self.place.node})"


@dataclass(frozen=True)
class DropEdge(Edit):
    """Close a source to one operand of a node.

    Parameters
    ----------
    place : NodePlace
        The node.
    side : {"left", "right"}
        The operand.
    source : str
        The source to close; not the last open one.
    """

    place: NodePlace
    side: str
    source: str
    preserves_function = False

    def apply(self, supernet: Supernet, generator: Generator | None = None) -> ParameterChange:
        """Close the source, and drop every settled node that nothing reads any more."""
        del generator
        cell = supernet.cell(self.place.branch, self.place.layer)
        node = two_input_node(supernet, self.place)
        slot = SIDES.index(self.side)
        open_sources = node.open_sources(slot)
        if self.source not in open_sources or len(open_sources) == 1:
            raise ValueError(
                f"source must be one of several open ones {open_sources}; got {self.source!r}."
            )
        node.is_open[slot, node.sources.index(self.source)] = False
        change = ParameterChange()
        _drop_unread_weights(node, change)
        _drop_unread_entries(node, change)
        drop_unread_nodes(cell, change, spared=undecided(cell))
        return change

    def __str__(self) -> str:
        return f"DropEdge({self.source} -> s{self.place.node} {self.side})"


@dataclass(frozen=True)
class DropOutput(Edit):
    """Take a node out of the sum that its cell proposes.

    Parameters
    ----------
    place : NodePlace
        The node; not the last output.
    """

    place: NodePlace
    preserves_function = False

    def apply(self, supernet: Supernet, generator: Generator | None = None) -> ParameterChange:
        """Drop the output, and every node that nothing reads any more."""
        del generator
        cell = supernet.cell(self.place.branch, self.place.layer)
        node = cell.node(self.place.node)
        if not node.is_output or sum(other.is_output for other in cell.nodes) == 1:
            raise ValueError(f"place must be one of several outputs; got node {self.place.node}.")
        node.is_output = False
        change = ParameterChange()
        drop_unread_nodes(cell, change)
        return change

    def __str__(self) -> str:
        return f"DropOutput(s{self.place.node})"


@dataclass(frozen=True)
class DropNode(Edit):
    """Take a node that no settled choice reads out of its cell.

    Parameters
    ----------
    place : NodePlace
        The node.
    """

    place: NodePlace
    preserves_function = False

    def apply(self, supernet: Supernet, generator: Generator | None = None) -> ParameterChange:
        """Drop the node, closing it to the others."""
        del generator
        cell = supernet.cell(self.place.branch, self.place.layer)
        node = cell.node(self.place.node)
        if cell.memory_node == node.index or (
            node.is_output and sum(other.is_output for other in cell.nodes) == 1
        ):
            raise ValueError(f"place must not be the cell's only way out; got node {node.index}.")
        if any(n.open_sources(slot) == [node.name] for n in cell.nodes for slot in (0, 1)):
            raise ValueError(f"place must be read by no settled operand; got {node.name}.")
        change = ParameterChange()
        for other in list(cell.nodes):
            if isinstance(other, DagNode):
                close_source(cell, other, node.name, change)
            elif isinstance(other, MixedNode):
                _close_source(other, node.name, change)
        _remove(cell, node, change)
        drop_unread_nodes(cell, change)
        return change

    def __str__(self) -> str:
        return f"DropNode(s{self.place.node})"


def drop_unread_nodes(
    cell: TwoInputCell, change: ParameterChange, spared: Collection[SearchNode] = ()
) -> None:
    """Remove, last first, the nodes that neither state nor memory depends on.

    Parameters
    ----------
    cell : TwoInputCell
        The cell.
    change : ParameterChange
        Where the removed parameters are noted.
    spared : collection of SearchNode, default=()
        Nodes that stay, read or not.
    """
    wanted = {node.name for node in cell.nodes if node.is_output} | {n.name for n in spared}
    if cell.memory_node is not None:
        wanted.add(f"s{cell.memory_node}")
    for node in list(reversed(cell.nodes)):
        if node.name in wanted:
            wanted.update(name for slot in (0, 1) for name in _read_sources(node, slot))
        else:
            _remove(cell, node, change)


def undecided(cell: TwoInputCell) -> list[SearchNode]:
    """Return the nodes about which a round of pruning may have more to say.

    Parameters
    ----------
    cell : TwoInputCell
        The cell.

    Returns
    -------
    list of SearchNode
        Those that are not settled.
    """
    return [node for node in cell.nodes if not node.is_settled]


def _remove(cell: TwoInputCell, node: SearchNode, change: ParameterChange) -> None:
    change.remove(node.parameters())
    del cell.nodes[[n.index for n in cell.nodes].index(node.index)]
    for other in cell.nodes:
        if isinstance(other, DagNode) and node.name in other.sources:
            forget_source(other, node.name, change)
        elif isinstance(other, MixedNode) and node.name in other.sources:
            _forget_source(other, node.name, change)


def _close_source(node: MixedNode, name: str, change: ParameterChange) -> None:
    for slot in (0, 1):
        if name in node.open_sources(slot):
            node.is_open[slot, node.sources.index(name)] = False
    _drop_unread_weights(node, change)


def _forget_source(node: MixedNode, name: str, change: ParameterChange) -> None:
    kept = [i for i, source in enumerate(node.sources) if source != name]
    index = torch.tensor(kept, dtype=torch.int64)
    had_source = node.is_open.any(dim=1).tolist()
    node.edge_logits = change.select(node.edge_logits, index)
    node.is_open = node.is_open[:, index]
    node.sources = [node.sources[i] for i in kept]
    for slot in (0, 1):
        if had_source[slot] and not node.open_sources(slot):
            # Only an operand that the operation ignores can lose its last source. It gets the
            # other operand's, so that a further candidate has both.
            node.is_open[slot] = node.is_open[1 - slot]


def _read_sources(node: SearchNode, slot: int) -> list[str]:
    """Return the sources of an operand; none where a settled node ignores it for the other one."""
    op = get_op(node.operations[0])
    reads = (op.projects_left or op.reads_left, op.projects_right or op.reads_right)[slot]
    is_ignored = node.is_settled and not reads and node.open_sources(1 - slot)
    return [] if is_ignored else node.open_sources(slot)


def _drop_unread_projections(node: MixedNode, change: ParameterChange) -> None:
    read = {piece for name in node.operations for piece in get_op(name).projection_names}
    for piece in [name for name in node.projections if name not in read]:
        change.remove(node.projections[piece].parameters())
        del node.projections[piece]


def _drop_unread_weights(node: MixedNode, change: ParameterChange) -> None:
    for slot, side in enumerate(SIDES):
        names = node.open_sources(slot)
        unread = [] if INPUT in names else [f"input_{side}"]
        unread += [] if set(names) - {INPUT} else [side]
        for projection in node.projections.values():
            for term in unread:
                if term in projection.weights:
                    change.remove([projection.weights[term]])
                    del projection.weights[term]


def _drop_unread_entries(node: MixedNode, change: ParameterChange) -> None:
    ops = [get_op(name) for name in node.operations]
    for slot, side in enumerate(SIDES):
        is_read = any(op.reads_left if slot == 0 else op.reads_right for op in ops)
        if side in node.entries and not (is_read and INPUT in node.open_sources(slot)):
            change.remove(node.entries[side].parameters())
            del node.entries[side]
