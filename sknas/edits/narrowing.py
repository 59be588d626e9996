"""The edit that takes units out of the states of a branch: the way back from `Widen`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator

from sknas.blocks import BranchStack
from sknas.edits.base import Edit, ParameterChange
from sknas.edits.geometry import projections, reads_units, set_width
from sknas.supernet import Supernet

__all__ = ["Narrow", "narrow_branch"]


@dataclass(frozen=True)
class Narrow(Edit):
    """Keep some units of a branch, and remove the others from every layer.

    A unit meets other units only where a matrix reads it: in the cells' weights on states and
    nodes, in the next layer's weights on its input, and in the heads. Where the removed units'
    rows of these are zero, the output is what it was.

    Parameters
    ----------
    branch : int
        The branch; all its layers share one width, and unit i is removed from each of them.
    keep : tuple of int
        Units that stay, at least one, in increasing order.
    """

    branch: int
    keep: tuple[int, ...]
    preserves_function = False

    def apply(self, supernet: Supernet, generator: Generator | None = None) -> ParameterChange:
        """Narrow every layer of the branch."""
        del generator
        return narrow_branch(supernet.trunk.branches[self.branch], self.keep)

    def __str__(self) -> str:
        return f"Narrow(branch {self.branch} to {len(self.keep)})"


def narrow_branch(branch: BranchStack[Any], keep: tuple[int, ...]) -> ParameterChange:
    """Remove units from a branch, of a supernet or of a derived network, in place.

    Parameters
    ----------
    branch : BranchStack
        The branch.
    keep : tuple of int
        Units that stay, at least one, in increasing order.

    Returns
    -------
    ParameterChange
        The parameters that changed their shape.

    Raises
    ------
    ValueError
        If `keep` is empty, not increasing or names a unit that is not there.
    """
    if not keep or sorted(set(keep)) != list(keep) or keep[0] < 0 or keep[-1] >= branch.hidden_size:
        raise ValueError(
            f"keep must name at least one of the units 0 to {branch.hidden_size - 1}, in "
            f"increasing order; got {keep!r}."
        )
    change = ParameterChange()
    units = torch.tensor(keep, device=branch.heads[0].device)
    set_width(branch, len(keep))
    for depth, cell in enumerate(branch.layers):
        for projection in projections(cell):
            n_pieces = projection.n_pieces
            # The pieces of one unit are neighbours.
            pieces = torch.arange(n_pieces, device=units.device)
            columns = (units[:, None] * n_pieces + pieces).flatten()
            for term, old in list(projection.weights.items()):
                rows = units if reads_units(term, depth) else None
                projection.weights[term] = change.cut(old, (rows, columns))
            projection.bias = change.cut(projection.bias, (columns,))
        branch.heads[depth] = change.cut(branch.heads[depth], (units, None))
    for gains in branch.gains:
        gains.weight = change.cut(gains.weight, (None, units))
    return change
