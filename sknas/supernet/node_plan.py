"""What a two-input node computes at one time step, with all that does not change over the steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sknas.genotype import STATE
from sknas.ops import Op

__all__ = ["SLOTS", "Columns", "NodePlan", "Plan", "columns_of"]

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
class Columns:
    """Where an operation's projection stands among those that the node makes at once.

    Operations that project the same operands share it. The pieces of one unit are neighbours, and
    an operation that wants fewer of them than others reads the first ones.

    Attributes
    ----------
    start, stop : int
        Columns of the shared projection; none for an operation that wants none.
    n_pieces : int
        Its pieces.
    n_own : int
        Those that the operation wants.
    """

    start: int
    stop: int
    n_pieces: int
    n_own: int

    def shared(self, projected: Tensor) -> Tensor:
        """Return the projection that the operation shares, a view.

        Parameters
        ----------
        projected : Tensor of shape (..., n_columns)
            All projections, or what belongs to them.

        Returns
        -------
        Tensor of shape (..., hidden * n_pieces)
            The columns of one.
        """
        return projected[..., self.start : self.stop]

    def by_unit(self, projected: Tensor) -> Tensor:
        """Return the shared projection with an axis for its pieces.

        Parameters
        ----------
        projected : Tensor of shape (..., n_columns)
            All projections, or what belongs to them.

        Returns
        -------
        Tensor of shape (..., hidden, n_pieces)
            A view.
        """
        return self.shared(projected).unflatten(-1, (-1, self.n_pieces))

    def of(self, projected: Tensor) -> Tensor:
        """Return the operation's part of all projections, a view.

        Parameters
        ----------
        projected : Tensor of shape (..., n_columns)
            All projections.

        Returns
        -------
        Tensor of shape (..., hidden * n_own)
            What `Op.combine` reads.
        """
        if self.n_own == self.n_pieces:
            return self.shared(projected)
        return projected[..., self.start : self.stop : self.n_pieces]


@dataclass(frozen=True)
class NodePlan(Plan):
    """The gated sum of a node's candidates; see `MixedNode`.

    Attributes
    ----------
    operations : tuple of Op
        The candidates.
    columns : tuple of Columns
        Where each finds its projection.
    gates : Tensor of shape (n_candidates,)
        Mixing weight times birth scalar.
    edges : Tensor of shape (2, n_sources)
        Weights of the sources, for the left and the right operand.
    places : list of int
        The columns of the sources that change with time.
    left_weight, right_weight : Tensor of shape (hidden, n_projected) or None
        The projections' weights on each operand; None where it has no hidden source, or nothing
        projects it.
    n_projected : int
        Columns of all projections, which come first in what enters from x.
    has_entries : bool
        Whether operands that are read as they are have parts that come from x, for the left and
        the right one, behind those of the projections.
    n_hidden : int
        Width of the state.
    sources : tuple of str
        Names of these sources, in the order of `places`.
    direct : tuple of (str or None, str or None), or None
        The operands themselves where each comes from at most one source, so that nothing mixes.
    skip : float
        Weight of the auxiliary skip.
    """

    operations: tuple[Op, ...]
    columns: tuple[Columns, ...]
    gates: Tensor
    edges: Tensor
    places: list[int]
    left_weight: Tensor | None
    right_weight: Tensor | None
    n_projected: int
    has_entries: bool
    n_hidden: int
    sources: tuple[str, ...]
    direct: tuple[str | None, str | None] | None
    skip: float

    @property
    def is_mixed(self) -> bool:
        """Whether there are several candidates, or several sources of an operand."""
        return len(self.operations) > 1 or self.direct is None

    @property
    def shared(self) -> list[Columns]:
        """For each shared projection the columns of one operation that reads it."""
        return list({columns.start: columns for columns in self.columns if columns.stop}.values())

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
        outputs = [
            op.combine(left, right, columns.of(projected))
            for op, columns in zip(self.operations, self.columns, strict=True)
        ]
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


def columns_of(
    operations: Sequence[Op], groups: Sequence[Sequence[str]], n_hidden: int
) -> tuple[Columns, ...]:
    """Return where each operation finds its projection.

    Parameters
    ----------
    operations : sequence of Op
        The operations.
    groups : sequence of sequence of str
        Names of the pieces of each shared projection, in the order of its columns.
    n_hidden : int
        Columns of a piece.

    Returns
    -------
    tuple of Columns
        For each operation.

    Raises
    ------
    ValueError
        If an operation wants several pieces, but not all, of what it shares.
    """
    places, start = {}, 0
    for names in groups:
        stop = start + len(names) * n_hidden
        places[names[0]] = (start, stop, len(names))
        start = stop
    for op in operations:
        n_pieces = places[op.projection_names[0]][2] if op.has_projection else 1
        if op.n_projections not in (1, n_pieces):
            raise ValueError(
                "operations that share a projection must read one of its pieces or all "
                f"{n_pieces}; got {type(op).__name__}, which reads {op.n_projections}."
            )
    return tuple(
        Columns(*places[op.projection_names[0]], op.n_projections)
        if op.has_projection
        else Columns(0, 0, 1, 1)
        for op in operations
    )
