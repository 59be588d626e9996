"""Operations without weights: the operands themselves, their sum, their Hadamard product."""

from __future__ import annotations

import torch
from torch import Tensor

from sknas.ops.base import Op, register_op

__all__ = ["Add", "AddTanh", "First", "Hadamard", "Second"]


@register_op("first")
class First(Op):
    """The identity mapping, a: what keeps a chain of nodes open."""

    reads_left = needs_left = True
    coefficients = (1.0, 0.0)

    def combine(self, left: Tensor, right: Tensor, projected: Tensor) -> Tensor:
        """Return the left operand."""
        del right, projected
        return left


@register_op("second")
class Second(Op):
    """The right operand, b."""

    reads_right = needs_right = True
    coefficients = (0.0, 1.0)

    def combine(self, left: Tensor, right: Tensor, projected: Tensor) -> Tensor:
        """Return the right operand."""
        del left, projected
        return right


@register_op("add")
class Add(Op):
    """The sum a + b."""

    reads_left = reads_right = True
    coefficients = (1.0, 1.0)

    def combine(self, left: Tensor, right: Tensor, projected: Tensor) -> Tensor:
        """Return the sum of the operands."""
        del projected
        return left + right


@register_op("add_tanh")
class AddTanh(Op):
    """The squashed sum tanh(a + b): the GRU's candidate, and the LSTM's tanh(c)."""

    reads_left = reads_right = True

    def combine(self, left: Tensor, right: Tensor, projected: Tensor) -> Tensor:
        """Return tanh of the sum of the operands."""
        del projected
        return torch.tanh(left + right)


@register_op("hadamard")
class Hadamard(Op):
    """The elementwise product of a and b, which DARTS's space lacks and LSTM and GRU need."""

    reads_left = reads_right = True
    needs_left = needs_right = True

    def combine(self, left: Tensor, right: Tensor, projected: Tensor) -> Tensor:
        """Return the elementwise product of the operands."""
        del projected
        return left * right

    def add_slopes(
        self,
        left: Tensor,
        right: Tensor,
        projected: Tensor,
        value: Tensor,
        factor: float,
        totals: tuple[Tensor, Tensor, Tensor],
    ) -> None:
        """Add the other operand for each."""
        del projected, value
        totals[0].add_(right, alpha=factor)
        totals[1].add_(left, alpha=factor)
