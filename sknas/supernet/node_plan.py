"""What a two-input node computes at one time step, with all that does not change over the steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sknas.genotype import STATE
from sknas.ops import UnitwiseOp

__all__ = ["SLOTS", "NodePlan", "Plan"]

SLOTS = ("left", "right")


@dataclass(frozen=True)
class Plan(ABC):
    """Interface: what a node computes once a forward pass, and from it a value at each step.

    Attributes
    ----------
    input_weight : Tensor of shape (n_inputs, n_columns)
        Weights on the cell's input x; no columns where the node reads none.
    input_bias : Tensor of shape (n_columns,)
        Biases of what comes from x.
    """

    input_weight: Tensor
    input_bias: Tensor

    @abstractmethod
    def value(self, values: Mapping[str, Tensor], entering: Tensor) -> Tensor:
        """Return the node's value at one time step.

        Parameters
        ----------
        values : mapping of str to Tensor of shape (batch, hidden)
            The sources' values.
        entering : Tensor of shape (batch, n_columns)
            What comes from x by the input weights.

        Returns
        -------
        Tensor of shape (batch, hidden)
            The value.
        """


@dataclass(frozen=True)
class NodePlan(Plan):
    """The gated sum of a node's candidates; see `MixedNode`.

    Attributes
    ----------
    operations : tuple of UnitwiseOp
        The candidates.
    pieces : tuple of tuple of int
        The pieces that each reads, of all that the node projects.
    gates : Tensor of shape (n_candidates,)
        Mixing weight times birth scalar.
    edges : Tensor of shape (2, n_sources)
        Weights of the sources, for the left and the right operand.
    places : list of int
        The columns of the sources that change with time.
    left_weight, right_weight : Tensor of shape (hidden, n_pieces * hidden) or None
        The pieces' weights on each operand, side by side; None where it has no hidden source, or
        nothing projects it.
    n_pieces : int
        Number of all pieces, which come first in what enters from x.
    has_entries : bool
        Whether operands that are read as they are have parts that come from x, for the left and
        the right one, behind the pieces.
    n_hidden : int
        Width of the state.
    sources : tuple of str
        Names of these sources, in the order of `places`.
    direct : tuple of (str or None, str or None), or None
        The operands themselves where each comes from at most one source, so that nothing mixes.
    skip : float
        Weight of the auxiliary skip.
    """

    operations: tuple[UnitwiseOp, ...]
    pieces: tuple[tuple[int, ...], ...]
    gates: Tensor
    edges: Tensor
    places: list[int]
    left_weight: Tensor | None
    right_weight: Tensor | None
    n_pieces: int
    has_entries: bool
    n_hidden: int
    sources: tuple[str, ...]
    direct: tuple[str | None, str | None] | None
    skip: float

    @property
    def n_projected(self) -> int:
        """Columns of all pieces."""
        return self.n_pieces * self.n_hidden

    def value(self, values: Mapping[str, Tensor], entering: Tensor) -> Tensor:
        """Return the gated sum of the candidates, and the skip; see `Plan`."""
        left, right = self._operands(values)
        projected = entering[:, : self.n_projected]
        if self.left_weight is not None:
            projected = torch.addmm(projected, left, self.left_weight)
        if self.right_weight is not None:
            projected = torch.addmm(projected, right, self.right_weight)
        if self.has_entries:
            from_x = entering[:, self.n_projected :].chunk(2, dim=1)
            left, right = left + from_x[0], right + from_x[1]
        pieces = projected.split(self.n_hidden, dim=1) if self.n_pieces > 1 else (projected,)
        outputs = []
        for op, places in zip(self.operations, self.pieces, strict=True):
            activated = zip(op.activations, places, strict=True)
            outputs.append(op.mix(left, right, [phi(pieces[place]) for phi, place in activated]))
        value = torch.tensordot(self.gates, torch.stack(outputs), dims=1)  # (batch, hidden)
        return torch.add(value, left, alpha=self.skip) if self.skip else value

    def _operands(self, values: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        if self.direct is not None:
            zero = torch.zeros_like(values[STATE])
            left, right = (zero if name is None else values[name] for name in self.direct)
            return left, right
        stacked = torch.stack([values[name] for name in self.sources])  # (sources, batch, hidden)
        left, right = torch.tensordot(
            self.edges[:, self.places], stacked, dims=1
        )  # (batch, hidden) each
        return left, right
