"""The values of a node's candidates and their slopes, what they share computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from sknas.ops import Activation, UnitwiseOp
from sknas.supernet.node_plan import NodePlan

__all__ = ["Candidates"]


class _Mixed(NamedTuple):
    """An operation, the rows of its activated pieces, and its own."""

    op: UnitwiseOp
    pieces: tuple[int, ...]
    row: int


class Candidates:
    """Rows that a node's value is a weighted sum of: what it is given, and what that is made into.

    The pieces of all projections and the two operands are given. Each activation of a piece is
    computed once, for all operations that read it. A candidate has a row of its own unless its
    value is another row, as that of an activation is, or the sum of the operands.

    Parameters
    ----------
    plan : NodePlan
        The node.

    Attributes
    ----------
    n_given, n_rows : int
        Number of rows that are given, and of all.
    mixture : Tensor of shape (n_rows,)
        What the rows are multiplied by in the node's value, the skip included.
    """

    def __init__(self, plan: NodePlan) -> None:
        self._left, self._right = plan.n_pieces, plan.n_pieces + 1
        self.n_given = self.n_rows = plan.n_pieces + 2
        # The calls tell where activations and operations leave their values.
        self._samples = list(plan.gates.new_zeros(self.n_given, 1, 1).unbind(0))
        self._activated: dict[tuple[Activation, int], int] = {}  # of a row, and its own
        self._mixed: list[_Mixed] = []
        rows = [self._rows_of(*each) for each in zip(plan.operations, plan.pieces, strict=True)]
        self._parts = plan.gates.new_tensor(
            [[float(row in own) for row in range(self.n_rows)] for own in rows]
        )  # (n_candidates, n_rows)
        self.mixture = plan.gates @ self._parts
        self.mixture[self._left] += plan.skip

    def calls(self, rows: Sequence[Tensor]) -> list[Callable[[], Tensor]]:
        """Return what to call, in order, for the rows behind those that are given.

        Parameters
        ----------
        rows : sequence of Tensor of shape (..., hidden, batch)
            The pieces, the left and the right operand, and where the others are put.

        Returns
        -------
        list of callable
            One a row.
        """
        left, right = rows[self._left], rows[self._right]
        return [
            *(
                partial(activation, rows[source], out=rows[row])
                for (activation, source), row in self._activated.items()
            ),
            *(
                partial(op.mix, left, right, [rows[piece] for piece in pieces], out=rows[row])
                for op, pieces, row in self._mixed
            ),
        ]

    def slopes(self, rows: Sequence[Tensor], out: Sequence[Tensor]) -> None:
        """Compute the derivatives of the node's value by the rows that are given.

        A number of the value depends on those at its own place alone, so that the derivatives are
        as many as these.

        Parameters
        ----------
        rows : sequence of Tensor of shape (..., hidden, batch)
            All rows.
        out : sequence of Tensor of shape (..., hidden, batch)
            Where the derivatives are put, for each row that is given.
        """
        found = [[weight] for weight in self.mixture.unbind(0)]
        left, right = rows[self._left], rows[self._right]
        for op, pieces, row in self._mixed:
            activated = [rows[piece] for piece in pieces]
            own = op.backward(found[row][0], left, right, activated, rows[row])
            places = (self._left, self._right, *pieces)
            for place, slope in zip(places, (own.left, own.right, *own.pieces), strict=True):
                if slope is not None:
                    found[place].append(slope)
        for (activation, source), row in self._activated.items():
            slope = torch.empty_like(rows[row])
            activation.backward(_total(found[row]), rows[row], slope)
            found[source].append(slope)
        for terms, total in zip(found, out, strict=False):  # the rows that are given come first
            _total(terms, out=total)

    def to_gates(self, to_mixture: Tensor) -> Tensor:
        """Return the gradient of the gates.

        Parameters
        ----------
        to_mixture : Tensor of shape (n_rows,)
            The gradient of `mixture`.

        Returns
        -------
        Tensor of shape (n_candidates,)
            The gradient.
        """
        return self._parts @ to_mixture

    def _rows_of(self, op: UnitwiseOp, places: Sequence[int]) -> list[int]:
        """Return the rows whose sum is the operation's value."""
        read = tuple(map(self._activated_row, op.activations, places))
        left, right = self._samples[self._left], self._samples[self._right]
        pieces = [self._samples[row] for row in read]
        value = op.mix(left, right, pieces, out := torch.empty_like(left))
        if not pieces and _is_sum(op, left, right, value):
            return [self._left, self._right]
        row = self._row(value, out, f"mix of {type(op).__name__}")
        if row == self.n_rows:
            self._mixed.append(_Mixed(op, read, row))
            self.n_rows += 1
        return [row]

    def _activated_row(self, activation: Activation, place: int) -> int:
        if (activation, place) in self._activated:
            return self._activated[activation, place]
        piece = self._samples[place]
        value = activation(piece, out := torch.empty_like(piece))
        row = self._row(value, out, type(activation).__name__)
        if row == self.n_rows:
            self._activated[activation, place] = row
            self.n_rows += 1
        return row

    def _row(self, value: Tensor, out: Tensor, name: str) -> int:
        """Return the row of a value, the one behind all for what is in `out`."""
        if value is out:
            self._samples.append(out)
            return self.n_rows
        for row, sample in enumerate(self._samples):
            if value is sample:
                return row
        raise TypeError(f"{name} must return out or an argument; got a tensor of its own.")


def _is_sum(op: UnitwiseOp, left: Tensor, right: Tensor, value: Tensor) -> bool:
    """Return whether an operation only adds its operands, whose value is given where they are 0."""
    own = op.backward(value, left, right, (), value)
    return own.left is own.right is value and not value.any()


def _total(terms: list[Tensor], out: Tensor | None = None) -> Tensor:
    """Return a sum of numbers and tensors; a number if all are and it is not told where."""
    total, *others = sorted(terms, key=Tensor.dim)
    for term in others:
        total = torch.add(term, total, out=out if term.dim() else None)
    return total if out is None or total is out else out.copy_(total)
