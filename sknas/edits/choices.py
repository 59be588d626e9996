"""The choices that a node leaves open, each with the removals that it is made by."""

from __future__ import annotations

from sknas.edits.base import Edit
from sknas.edits.dag import DropEdgeOp
from sknas.edits.removals import DropEdge, DropOp
from sknas.supernet import DagNode, MixedNode, NodePlace, SearchNode

__all__ = ["closed_candidates", "removals_by_choice"]


def removals_by_choice(place: NodePlace, node: SearchNode) -> dict[str, list[tuple[Edit, float]]]:
    """Return the removals of a node, by the open choice that they make.

    Parameters
    ----------
    place : NodePlace
        Where the node stands.
    node : SearchNode
        The node.

    Returns
    -------
    dict of str to list of (Edit, float)
        For each choice of more than one candidate, the removal and the strength of each: its mixing
        weight times the size of its birth scalar.
    """
    choices: dict[str, list[tuple[Edit, float]]] = {}
    if isinstance(node, DagNode):
        drops = [DropEdgeOp(place, source, name) for source, name in node.pairs()]
        choices["pair"] = list(zip(drops, node.strengths().tolist(), strict=True))
    elif isinstance(node, MixedNode):
        strengths = (node.mixing_weights() * node.births).abs().tolist()
        choices["operation"] = [
            (DropOp(place, name), strength)
            for name, strength in zip(node.operations, strengths, strict=True)
        ]
        edges = node.edge_mixing_weights().tolist()
        for slot, side in enumerate(("left", "right")):
            choices[side] = [
                (DropEdge(place, side, name), edges[slot][node.sources.index(name)])
                for name in node.open_sources(slot)
            ]
    return {name: choice for name, choice in choices.items() if len(choice) > 1}


def closed_candidates(place: NodePlace, node: SearchNode) -> list[Edit]:
    """Bring a node's alphas back into their range, and say which candidates that closes for good.

    Parameters
    ----------
    place : NodePlace
        Where the node stands.
    node : SearchNode
        The node, after an architecture step.

    Returns
    -------
    list of Edit
        The removals of what is closed; never of all candidates.
    """
    if node.n_candidates == 1:
        return []
    edits: list[Edit] = []
    if isinstance(node, DagNode):
        # The pairs of one node compete for its one place, so that one of them lives on.
        alphas = node.alphas.detach()[:-1]
        own = alphas[node.is_open]
        is_alive = node.relaxation.restrict(own)
        alphas[node.is_open] = own
        edits += [DropEdgeOp(place, source, name) for source, name in node.pairs()]
    elif isinstance(node, MixedNode):
        is_alive = node.relaxation.restrict(node.alphas.detach())
        edits += [DropOp(place, name) for name in node.operations]
    return [edit for edit, lives in zip(edits, is_alive.tolist(), strict=True) if not lives]
