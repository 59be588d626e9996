"""A settled supernet -> the genotype it has become."""

from __future__ import annotations

from sknas.genotype import Branch, Cell, Genotype, Node
from sknas.ops import get_op
from sknas.supernet import MixedNode, Supernet, TwoInputCell

__all__ = ["discretize", "live_nodes"]


def live_nodes(cell: TwoInputCell) -> list[MixedNode]:
    """Return, in order, the nodes that the cell's state or memory depends on.

    Parameters
    ----------
    cell : TwoInputCell
        A cell whose nodes are settled.

    Returns
    -------
    list of MixedNode
        The nodes that a genotype keeps.
    """
    nodes = [node for node in cell.nodes if isinstance(node, MixedNode)]
    wanted = {node.name for node in nodes if node.is_output}
    if cell.memory_node is not None:
        wanted.add(f"s{cell.memory_node}")
    for node in reversed(nodes):
        if node.name in wanted:
            wanted.update(source for source in read_sources(node) if source is not None)
    return [node for node in nodes if node.name in wanted]


def read_sources(node: MixedNode) -> tuple[str | None, str | None]:
    """Return the sources that a settled node really reads.

    Parameters
    ----------
    node : MixedNode
        A settled node.

    Returns
    -------
    tuple of (str or None)
        Sources of the left and the right operand; None where the operation ignores the operand.
    """
    op = get_op(node.operations[0])
    left, right = (next(iter(node.open_sources(slot)), None) for slot in (0, 1))
    return (
        left if op.reads_left or op.projects_left else None,
        right if op.reads_right or op.projects_right else None,
    )


def discretize(supernet: Supernet) -> Genotype:
    """Return the genotype of a settled supernet.

    Parameters
    ----------
    supernet : Supernet
        Every node has one operation and at most one source an operand.

    Returns
    -------
    Genotype
        The architecture, nodes renumbered and unread nodes left out.

    Raises
    ------
    ValueError
        If something is left to decide.
    """
    if not supernet.is_settled:
        raise ValueError("supernet must be settled before it is discretized; got mixed nodes.")
    return Genotype(
        tuple(
            Branch(
                tuple(_discretize_cell(cell) for cell in branch.layers),
                branch.hidden_size,
                branch.segment_length,
                branch.channel_mode,
                branch.segments.n_embedded,
            )
            for branch in supernet.trunk.branches
        )
    )


def _discretize_cell(cell: TwoInputCell) -> Cell:
    nodes = live_nodes(cell)
    names = {node.name: f"s{i}" for i, node in enumerate(nodes)}
    discrete = []
    for node in nodes:
        left, right = read_sources(node)
        # Only `second` ignores its left operand; what it reads stands in both places.
        left = right if left is None else left
        if left is None:
            raise ValueError(f"node {node.name} must read something; got no open source.")
        right_name = None if right is None else names.get(right, right)
        discrete.append(Node(node.operations[0], names.get(left, left), right_name))
    return Cell(
        tuple(discrete),
        outputs=tuple(i for i, node in enumerate(nodes) if node.is_output),
        memory=None if cell.memory_node is None else int(names[f"s{cell.memory_node}"][1:]),
        carry=cell.carry is not None,
    )
