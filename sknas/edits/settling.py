"""Close the edges of a graph's node; with one pair left, a two-input node takes its place."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator

from sknas.edits.base import ParameterChange
from sknas.supernet import DagNode, MixedNode, TwoInputCell

__all__ = ["close_pairs", "close_source", "forget_source"]


def close_pairs(
    cell: TwoInputCell,
    node: DagNode,
    source: str,
    operations: Sequence[str],
    change: ParameterChange,
) -> None:
    """Close operations on the edge from a source; not the last pair of the node.

    A node is a mean over its n open edges. Where one closes, the birth scalars of the others are
    multiplied by ``(n - 1) / n``, so that an edge of no weight closes without effect. With one pair
    left its gate is folded into its birth scalar, and a two-input node takes the node's place.

    Parameters
    ----------
    cell : TwoInputCell
        The cell.
    node : DagNode
        Its node.
    source : str
        The source.
    operations : sequence of str
        The operations to close on its edge.
    change : ParameterChange
        Where the change of parameters is noted.
    """
    n_before = len(node.open_sources(0))
    rows = [node.operations.index(name) for name in operations]
    node.is_open[rows, node.sources.index(source)] = False
    n_after = len(node.open_sources(0))
    if n_after < n_before:
        births = node.births
        node.births = change.cut(births, (None,))
        change.rescale(births, torch.full_like(births.detach(), n_after / n_before))
    if node.n_candidates == 1:
        _settle(cell, node, change)


def _settle(cell: TwoInputCell, node: DagNode, change: ParameterChange) -> None:
    """Put a settled two-input node in the place of a node with one pair left."""
    ((source, operation),) = node.pairs()
    settled = MixedNode(
        node.index,
        [operation],
        ((source,), ()),
        node.n_inputs,
        node.n_hidden,
        mixing=node.mixing,
        generator=Generator(),  # what it draws is replaced at once
        dtype=node.births.dtype,
    )
    settled.progress = node.progress
    settled.is_output = node.is_output
    settled.projections = node.projections
    settled.output_weight = node.output_weight
    settled.births = change.select(node.births, torch.tensor([node.sources.index(source)]))
    change.rescale(node.births, node.gates().detach())
    change.remove([node.alphas])
    change.add([settled.alphas, settled.edge_logits])
    cell.nodes[[other.index for other in cell.nodes].index(node.index)] = settled


def close_source(cell: TwoInputCell, node: DagNode, name: str, change: ParameterChange) -> None:
    """Close every operation on the edge from a source, which is not the only open one.

    Parameters
    ----------
    cell : TwoInputCell
        The cell.
    node : DagNode
        Its node.
    name : str
        The source.
    change : ParameterChange
        Where the change of parameters is noted.
    """
    if name in node.sources:
        close_pairs(cell, node, name, node.operations, change)


def forget_source(node: DagNode, name: str, change: ParameterChange) -> None:
    """Take a closed edge out of a node.

    Parameters
    ----------
    node : DagNode
        The node.
    name : str
        The edge's source.
    change : ParameterChange
        Where the change of parameters is noted.
    """
    index = torch.tensor([i for i, source in enumerate(node.sources) if source != name])
    node.alphas = change.select(node.alphas, index)
    node.births = change.select(node.births, index)
    node.is_open = node.is_open[:, index]
    node.sources = [node.sources[i] for i in index.tolist()]
