"""The values of a node's candidates and their slopes, what they share computed once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sknas.ops import Op, get_op
from sknas.supernet.node_plan import Columns, NodePlan

__all__ = ["Candidates"]


@dataclass
class _Term:
    """An operation to evaluate, and what it is multiplied by in the node's value."""

    op: Op
    columns: Columns
    activation: int | None
    gate: float = 0.0


class Candidates:
    """Two operands and a projection in, as few values out as the gated sum can be made of.

    Those that only add the operands need none of their own, and those that read the same activation
    of the projection share it.

    Parameters
    ----------
    plan : NodePlan
        The node.

    Attributes
    ----------
    mixture : Tensor of shape (2 + n_values,)
        What operands and values are multiplied by in the node's value, the skip included.
    """

    def __init__(self, plan: NodePlan) -> None:
        self._terms: list[_Term] = []
        self._places: dict[int, int] = {}  # of each candidate that is no sum
        for k, (op, columns) in enumerate(zip(plan.operations, plan.columns, strict=True)):
            if op.coefficients is None:
                self._places[k] = self._place(op, columns)
        gates: list[float] = plan.gates.tolist()
        for k, place in self._places.items():
            self._terms[place].gate = gates[k]
        self._sums = plan.gates.new_tensor(
            [op.coefficients or (0.0, 0.0) for op in plan.operations]
        )
        factors = plan.gates @ self._sums
        factors[0] += plan.skip
        terms = plan.gates.new_tensor([term.gate for term in self._terms])
        self.mixture = torch.cat([factors, terms])
        # Whether there is one projection, of one piece, so that all operations read just that.
        self._is_single = plan.n_projected <= plan.n_hidden

    @property
    def n_values(self) -> int:
        """Number of values."""
        return len(self._terms)

    def values(self, left: Tensor, right: Tensor, projected: Tensor) -> list[Tensor]:
        """Return the values.

        Parameters
        ----------
        left, right : Tensor of shape (hidden, batch)
            The operands.
        projected : Tensor of shape (n_projected, batch)
            All projections.

        Returns
        -------
        list of Tensor of shape (hidden, batch)
            In the order of `mixture`.
        """
        found: list[Tensor] = []
        for term in self._terms:
            if term.activation is not None:
                found.append(term.op.blend(left, right, found[term.activation]))
            elif term.columns.n_own > 1:
                found.append(term.op.combine(*_turned(term, left, right, projected)).mT)
            else:
                found.append(term.op.combine(left, right, self._own(term, projected)))
        return found

    def add_slopes(
        self,
        operands: tuple[Tensor, Tensor, Tensor],
        values: list[Tensor],
        totals: tuple[Tensor, Tensor, Tensor],
    ) -> None:
        """Add the derivatives of the gated sum of the values.

        Parameters
        ----------
        operands : tuple of Tensor of shape (n_steps, hidden or n_projected, batch)
            Left operand, right operand, projections.
        values : list of Tensor of shape (n_steps, hidden, batch)
            The values.
        totals : tuple of Tensor
            What the derivatives by the operands are added to, shaped like them.
        """
        for term, value in zip(self._terms, values, strict=True):
            if term.columns.n_own > 1:
                turned = _turned(term, *operands), value.mT, _turned(term, *totals)
                term.op.add_slopes(*turned[0], turned[1], term.gate, turned[2])
            elif term.gate:
                third = (
                    self._own(term, operands[2])
                    if term.activation is None
                    else values[term.activation]
                )
                targets = (*totals[:2], self._own(term, totals[2]))
                term.op.add_slopes(*operands[:2], third, value, term.gate, targets)

    def to_gates(self, to_mixture: Tensor) -> Tensor:
        """Return the gradient of the gates.

        Parameters
        ----------
        to_mixture : Tensor of shape (2 + n_values,)
            The gradient of `mixture`.

        Returns
        -------
        Tensor of shape (n_candidates,)
            The gradient.
        """
        found = self._sums @ to_mixture[:2]
        found[list(self._places)] += to_mixture[[2 + place for place in self._places.values()]]
        return found

    def _place(self, op: Op, columns: Columns) -> int:
        for place, term in enumerate(self._terms):
            if term.op is op:
                return place
        activation = None if op.activation is None else self._place(get_op(op.activation), columns)
        self._terms.append(_Term(op, columns, activation))
        return len(self._terms) - 1

    def _own(self, term: _Term, projected: Tensor) -> Tensor:
        return projected if self._is_single else term.columns.of(projected.mT).mT


def _turned(
    term: _Term, left: Tensor, right: Tensor, projected: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what an operation reads with a column a unit, by which it tells its pieces."""
    return left.mT, right.mT, term.columns.of(projected.mT)
