"""Affine operations phi(a W_a + b W_b + bias), one class an activation phi."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from sknas.ops.activations import IDENTITY, RELU, SIGMOID, TANH
from sknas.ops.base import OpGradients, UnitwiseOp, register_op

__all__ = ["LinIdentity", "LinRelu", "LinSigmoid", "LinTanh", "Linear"]


class Linear(UnitwiseOp):
    """Interface: an activation of the projection, and nothing else."""

    projects_left = projects_right = True

    def mix(
        self, left: Tensor, right: Tensor, pieces: Sequence[Tensor], out: Tensor | None = None
    ) -> Tensor:
        """Return the activated projection."""
        del left, right, out
        return pieces[0]

    def backward(
        self, grad: Tensor, left: Tensor, right: Tensor, pieces: Sequence[Tensor], value: Tensor
    ) -> OpGradients:
        """Return the gradient; see `UnitwiseOp`."""
        del left, right, pieces, value
        return OpGradients(pieces=(grad,))


@register_op("lin_tanh")
class LinTanh(Linear):
    """The recurrent network's own update, tanh(a W_a + b W_b + bias)."""

    activations = (TANH,)

    def add_slopes(
        self,
        left: Tensor,
        right: Tensor,
        projected: Tensor,
        value: Tensor,
        factor: float,
        totals: tuple[Tensor, Tensor, Tensor],
    ) -> None:
        """Add ``1 - v^2``."""
        del left, right, projected
        totals[2].add_(factor).addcmul_(value, value, value=-factor)


@register_op("lin_sigmoid")
class LinSigmoid(Linear):
    """A gate's value, sigmoid(a W_a + b W_b + bias)."""

    activations = (SIGMOID,)

    def add_slopes(
        self,
        left: Tensor,
        right: Tensor,
        projected: Tensor,
        value: Tensor,
        factor: float,
        totals: tuple[Tensor, Tensor, Tensor],
    ) -> None:
        """Add ``v (1 - v)``."""
        del left, right, projected
        totals[2].add_(value, alpha=factor).addcmul_(value, value, value=-factor)


@register_op("lin_relu")
class LinRelu(Linear):
    """The rectified update, max(0, a W_a + b W_b + bias)."""

    activations = (RELU,)

    def add_slopes(
        self,
        left: Tensor,
        right: Tensor,
        projected: Tensor,
        value: Tensor,
        factor: float,
        totals: tuple[Tensor, Tensor, Tensor],
    ) -> None:
        """Add one where the value is positive."""
        del left, right, projected
        totals[2].add_(value.sign(), alpha=factor)


@register_op("lin_identity")
class LinIdentity(Linear):
    """The plain affine map a W_a + b W_b + bias."""

    activations = (IDENTITY,)

    def add_slopes(
        self,
        left: Tensor,
        right: Tensor,
        projected: Tensor,
        value: Tensor,
        factor: float,
        totals: tuple[Tensor, Tensor, Tensor],
    ) -> None:
        """Add one."""
        del left, right, projected, value
        totals[2].add_(factor)
