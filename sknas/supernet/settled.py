"""Nodes that nothing is left to decide of: the fixed cell that they are, and its weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from sknas.blocks import Projection
from sknas.genotype import STATE, Cell, Node
from sknas.loops import CARRY, CellPlan, Pieces, ScanWeights, pack_weights
from sknas.ops import get_op
from sknas.supernet.mixed_op import MixedNode
from sknas.supernet.search_node import SearchNode

__all__ = ["fixed_cell", "fixed_weights", "live_nodes"]


def live_nodes(nodes: Iterable[SearchNode], memory: str | None) -> list[MixedNode]:
    """Return, in order, the nodes that state or memory depend on.

    Parameters
    ----------
    nodes : iterable of SearchNode
        Settled nodes of a cell.
    memory : str or None
        Name of the node that becomes the next memory.

    Returns
    -------
    list of MixedNode
        The nodes that a genotype keeps.
    """
    settled = [node for node in nodes if isinstance(node, MixedNode)]
    wanted = {node.name for node in settled if node.is_output} | {memory}
    for node in reversed(settled):
        if node.name in wanted:
            wanted.update(_read_sources(node))
    return [node for node in settled if node.name in wanted]


def fixed_cell(live: Sequence[MixedNode], memory: str | None, *, has_carry: bool) -> Cell:
    """Return the genotype of settled nodes, renumbered.

    Parameters
    ----------
    live : sequence of MixedNode
        What `live_nodes` returns.
    memory : str or None
        Name of the node that becomes the next memory.
    has_carry : bool
        Whether the cell carries its state.

    Returns
    -------
    Cell
        The cell.

    Raises
    ------
    ValueError
        If a node lacks an operand that it must read.
    """
    places = {node.name: place for place, node in enumerate(live)}
    names = {name: f"s{place}" for name, place in places.items()}
    nodes = []
    for node in live:
        left, right = _read_sources(node)
        if left is None:
            left = _named(node, right)
        right_name = None if right is None else names.get(right, right)
        nodes.append(Node(node.operations[0], names.get(left, left), right_name))
    return Cell(
        tuple(nodes),
        outputs=tuple(place for place, node in enumerate(live) if node.is_output),
        memory=None if memory is None else places[memory],
        carry=has_carry,
    )


def fixed_weights(
    plan: CellPlan, live: Sequence[MixedNode], carry: Projection | None
) -> ScanWeights:
    """Lay out the nodes' weights as the loops of their genotype multiply by them.

    Parameters
    ----------
    plan : CellPlan
        Of the nodes' `fixed_cell`.
    live : sequence of MixedNode
        What `live_nodes` returns.
    carry : Projection or None
        The cell's carry.

    Returns
    -------
    ScanWeights
        The weights; gradients find their way back to the nodes'.
    """
    pieces = {}
    for place, node in enumerate(live):
        op = get_op(node.operations[0])
        pieces[f"{place}"] = Pieces(tuple(node.projections[name] for name in op.projection_names))
        pieces |= {f"{place}.{side}": Pieces((own,)) for side, own in node.entries.items()}
    if carry is not None:
        pieces[CARRY] = Pieces((carry,))
    outputs = torch.stack([node.output_weight for node in live if node.is_output])
    return pack_weights(plan, pieces, [node.births[0] for node in live], outputs)


def _named(node: MixedNode, right: str | None) -> str:
    """Return what to name as an operand that the operation ignores: `second`'s left one."""
    op = get_op(node.operations[0])
    if op.reads_left or op.projects_left:
        raise ValueError(f"node {node.name} must read something on the left; got no open source.")
    return STATE if right is None else right


def _read_sources(node: MixedNode) -> tuple[str | None, str | None]:
    """Return the sources that both operands really read; None where the operation ignores one."""
    op = get_op(node.operations[0])
    left, right = (next(iter(node.open_sources(slot)), None) for slot in (0, 1))
    return (
        left if op.reads_left or op.projects_left else None,
        right if op.reads_right or op.projects_right else None,
    )
