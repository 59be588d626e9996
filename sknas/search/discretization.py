"""A settled supernet -> the genotype it has become."""

from __future__ import annotations

from sknas.genotype import Branch, Genotype
from sknas.supernet import Supernet

__all__ = ["discretize"]


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
                tuple(cell.genotype() for cell in branch.layers),
                branch.hidden_size,
                branch.segment_length,
                branch.channel_mode,
                branch.segments.n_embedded,
                branch.segments.reach,
            )
            for branch in supernet.trunk.branches
        )
    )
