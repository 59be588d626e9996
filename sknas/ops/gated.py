"""Operations that weigh one operand by a learned function of them: highway gate and modulation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sknas.ops.activations import SIGMOID
from sknas.ops.base import OpGradients, UnitwiseOp, register_op

__all__ = ["Gate", "Modulate"]


@register_op("gate")
class Gate(UnitwiseOp):
    """The highway gate a + sigmoid(a U_a + b U_b + u) * (b - a) (Srivastava et al. 2015)."""

    projects_left = projects_right = True
    reads_left = reads_right = True
    activations = (SIGMOID,)

    def mix(
        self, left: Tensor, right: Tensor, pieces: Sequence[Tensor], out: Tensor | None = None
    ) -> Tensor:
        """Return the gated step from the left operand towards the right one."""
        return torch.lerp(left, right, pieces[0], out=out)

    def backward(
        self, grad: Tensor, left: Tensor, right: Tensor, pieces: Sequence[Tensor], value: Tensor
    ) -> OpGradients:
        """Return the gradient; see `UnitwiseOp`."""
        del value
        to_right = grad * pieces[0]
        return OpGradients(grad - to_right, to_right, (grad * (right - left),))


@register_op("modulate")
class Modulate(UnitwiseOp):
    """The Hadamard branch a * 2 sigmoid(b V + v): factor 1 where V and v are zero.

    Born with a zero projection it returns its left operand exactly, and the gradient with respect
    to V is a * b / 2, not zero (our reconstruction; see the user guide on growth).
    """

    projects_right = True
    reads_left = needs_left = is_linear_left = True
    is_modulation = True
    activations = (SIGMOID,)

    def mix(
        self, left: Tensor, right: Tensor, pieces: Sequence[Tensor], out: Tensor | None = None
    ) -> Tensor:
        """Return the left operand times a factor between 0 and 2."""
        del right
        return torch.mul(left, 2.0 * pieces[0], out=out)

    def backward(
        self, grad: Tensor, left: Tensor, right: Tensor, pieces: Sequence[Tensor], value: Tensor
    ) -> OpGradients:
        """Return the gradient; see `UnitwiseOp`."""
        del right, value
        twice = grad + grad
        return OpGradients(left=twice * pieces[0], pieces=(twice * left,))
