"""What a two-input node computes at one time step, with all that does not change over the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sknas.genotype import STATE
from sknas.ops import get_op

__all__ = ["SLOTS", "NodePlan"]

SLOTS = ("left", "right")


@dataclass(frozen=True)
class NodePlan:
    """What a node computes once a forward pass, before the loop over time, and then at each step.

    Attributes
    ----------
    operations : tuple of str
        The candidates.
    gates : Tensor of shape (n_candidates,)
        Mixing weight times birth scalar.
    edges : Tensor of shape (2, n_hidden_sources)
        Weights of the sources that change with time, for the left and the right operand.
    hidden_weight : Tensor of shape (n_sides * hidden, n_pieces * hidden) or None
        All candidates' weights on the operands side by side; None where nothing is projected.
    n_projected : int
        Columns of all candidates' projections, which come first in what enters from x.
    n_hidden : int
        Width of the state.
    entry_sides : tuple of {"left", "right"}
        The operands that x enters by weights of its own.
    sides : tuple of int
        The operands (0 left, 1 right) that have a hidden source at all.
    sources : tuple of str
        Names of the hidden sources, in the order of `edges`.
    direct : tuple of (str or None, str or None), or None
        The operands themselves where each comes from at most one source, so that nothing mixes.
    skip : float
        Weight of the auxiliary skip.
    """

    operations: tuple[str, ...]
    gates: Tensor
    edges: Tensor
    hidden_weight: Tensor | None
    n_projected: int
    n_hidden: int
    entry_sides: tuple[str, ...]
    sides: tuple[int, ...]
    sources: tuple[str, ...]
    direct: tuple[str | None, str | None] | None
    skip: float

    def value(self, values: Mapping[str, Tensor], entering: Tensor | None) -> Tensor:
        """Return the node's value at one time step.

        Parameters
        ----------
        values : mapping of str to Tensor of shape (batch, hidden)
            The sources' values.
        entering : Tensor of shape (batch, n_pieces * hidden) or None
            The part that comes from x, for every projection and entry.

        Returns
        -------
        Tensor of shape (batch, hidden)
            The gated sum of the candidates, and the skip.
        """
        operands = self._operands(values)
        value = self._mixture(operands, entering)
        return torch.add(value, operands[0], alpha=self.skip) if self.skip else value

    def _operands(self, values: Mapping[str, Tensor]) -> list[Tensor]:
        if self.direct is not None:
            zero = torch.zeros_like(values[STATE])
            return [zero if name is None else values[name] for name in self.direct]
        stacked = torch.stack([values[name] for name in self.sources])  # (sources, batch, hidden)
        mixed = torch.tensordot(self.edges, stacked, dims=1)  # (2, batch, hidden)
        return [mixed[0], mixed[1]]

    def _mixture(self, operands: list[Tensor], entering: Tensor | None) -> Tensor:
        """Return the gated sum of the candidates; what enters is added to the operands."""
        if entering is None:
            return self._combine(operands, operands[0])
        projected = entering[:, : self.n_projected]
        if self.hidden_weight is not None:
            hidden = torch.cat([operands[slot] for slot in self.sides], dim=1)
            projected = torch.addmm(projected, hidden, self.hidden_weight)
        pieces = entering[:, self.n_projected :].split(self.n_hidden, dim=1)
        for side, piece in zip(self.entry_sides, pieces, strict=False):
            operands[SLOTS.index(side)] = operands[SLOTS.index(side)] + piece
        return self._combine(operands, projected)

    def _combine(self, operands: Sequence[Tensor], projected: Tensor) -> Tensor:
        left, right = operands
        outputs, column = [], 0
        for name in self.operations:
            op = get_op(name)
            own = projected
            if op.has_projection:
                width = op.n_projections * self.n_hidden
                own = projected[:, column : column + width]
                column += width
            outputs.append(op.combine(left, right, own))
        if len(outputs) == 1:
            return self.gates * outputs[0]
        return torch.tensordot(self.gates, torch.stack(outputs), dims=1)  # (batch, hidden)
