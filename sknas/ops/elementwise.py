"""Operations without weights: the operands themselves, their sum, their Hadamard product."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sknas.ops.activations import TANH
from sknas.ops.base import OpGradients, UnitwiseOp, register_op

__all__ = ["Add", "AddTanh", "First", "Hadamard", "Second"]


@register_op("first")
class First(UnitwiseOp):
    """The identity mapping, a: what keeps a chain of nodes open."""

    reads_left = needs_left = is_linear_left = True

    def mix(
        self, left: Tensor, right: Tensor, pieces: Sequence[Tensor], out: Tensor | None = None
    ) -> Tensor:
        """Return the left operand."""
        del right, pieces, out
        return left

    def backward(
        self, grad: Tensor, left: Tensor, right: Tensor, pieces: Sequence[Tensor], value: Tensor
    ) -> OpGradients:
        """Return the gradient; see `UnitwiseOp`."""
        del left, right, pieces, value
        return OpGradients(left=grad)


@register_op("second")
class Second(UnitwiseOp):
    """The right operand, b."""

    reads_right = needs_right = is_linear_right = True

    def mix(
        self, left: Tensor, right: Tensor, pieces: Sequence[Tensor], out: Tensor | None = None
    ) -> Tensor:
        """Return the right operand."""
        del left, pieces, out
        return right

    def backward(
        self, grad: Tensor, left: Tensor, right: Tensor, pieces: Sequence[Tensor], value: Tensor
    ) -> OpGradients:
        """Return the gradient; see `UnitwiseOp`."""
        del left, right, pieces, value
        return OpGradients(right=grad)


@register_op("add")
class Add(UnitwiseOp):
    """The sum a + b."""

    reads_left = reads_right = is_sum = True
    alone = First()

    def mix(
        self, left: Tensor, right: Tensor, pieces: Sequence[Tensor], out: Tensor | None = None
    ) -> Tensor:
        """Return the sum of the operands."""
        del pieces
        return torch.add(left, right, out=out)

    def backward(
        self, grad: Tensor, left: Tensor, right: Tensor, pieces: Sequence[Tensor], value: Tensor
    ) -> OpGradients:
        """Return the gradient; see `UnitwiseOp`."""
        del left, right, pieces, value
        return OpGradients(grad, grad)


class _Tanh(UnitwiseOp):
    """The squashed left operand, tanh(a)."""

    reads_left = needs_left = True

    def mix(
        self, left: Tensor, right: Tensor, pieces: Sequence[Tensor], out: Tensor | None = None
    ) -> Tensor:
        del right, pieces
        return torch.tanh(left, out=out)

    def backward(
        self, grad: Tensor, left: Tensor, right: Tensor, pieces: Sequence[Tensor], value: Tensor
    ) -> OpGradients:
        del left, right, pieces
        own = torch.empty_like(value)
        TANH.backward(grad, value, own)
        return OpGradients(own)


@register_op("add_tanh")
class AddTanh(UnitwiseOp):
    """The squashed sum tanh(a + b): the GRU's candidate, and the LSTM's tanh(c)."""

    reads_left = reads_right = True
    alone = _Tanh()

    def mix(
        self, left: Tensor, right: Tensor, pieces: Sequence[Tensor], out: Tensor | None = None
    ) -> Tensor:
        """Return tanh of the sum of the operands."""
        del pieces
        return torch.tanh(torch.add(left, right, out=out), out=out)

    def backward(
        self, grad: Tensor, left: Tensor, right: Tensor, pieces: Sequence[Tensor], value: Tensor
    ) -> OpGradients:
        """Return the gradient; see `UnitwiseOp`."""
        (own, *_) = self.alone.backward(grad, left, right, pieces, value)
        return OpGradients(own, own)


@register_op("hadamard")
class Hadamard(UnitwiseOp):
    """The elementwise product of a and b, which DARTS's space lacks and LSTM and GRU need."""

    reads_left = reads_right = True
    needs_left = needs_right = True
    is_linear_left = is_linear_right = True

    def mix(
        self, left: Tensor, right: Tensor, pieces: Sequence[Tensor], out: Tensor | None = None
    ) -> Tensor:
        """Return the elementwise product of the operands."""
        del pieces
        return torch.mul(left, right, out=out)

    def backward(
        self, grad: Tensor, left: Tensor, right: Tensor, pieces: Sequence[Tensor], value: Tensor
    ) -> OpGradients:
        """Return the gradient; see `UnitwiseOp`."""
        del pieces, value
        return OpGradients(grad * right, grad * left)
