"""Close the edges of a graph's node; with one pair left, a two-input node takes its place."""

from __future__ import annotations

import torch
from torch import Generator

from sknas.edits.base import ParameterChange
from sknas.supernet import DagNode, MixedNode, TwoInputCell

__all__ = ["close_source", "forget_source", "settle"]


def settle(cell: TwoInputCell, node: DagNode, change: ParameterChange) -> None:
    """Put a settled two-input node in the node's place if one pair of edge and operation is left.

    Parameters
    ----------
    cell : TwoInputCell
        The cell.
    node : DagNode
        Its node.
    change : ParameterChange
        Where the change of parameters is noted.
    """
    if node.n_candidates > 1:
        return
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
    settled.projections[operation] = node.projection
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
        node.is_open[:, node.sources.index(name)] = False
        settle(cell, node, change)


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
