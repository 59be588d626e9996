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


@register_op("lin_sigmoid")
class LinSigmoid(Linear):
    """A gate's value, sigmoid(a W_a + b W_b + bias)."""

    activations = (SIGMOID,)


@register_op("lin_relu")
class LinRelu(Linear):
    """The rectified update, max(0, a W_a + b W_b + bias)."""

    activations = (RELU,)


@register_op("lin_identity")
class LinIdentity(Linear):
    """The plain affine map a W_a + b W_b + bias."""

    activations = (IDENTITY,)
