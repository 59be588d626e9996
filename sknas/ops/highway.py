"""Highway operations a + sigmoid(c) * (phi(e) - a): the candidates of DARTS's recurrent cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from sknas.ops.activations import IDENTITY, RELU, SIGMOID, TANH
from sknas.ops.base import OpGradients, UnitwiseOp, register_op

__all__ = [
    "Highway",
    "HighwayIdentity",
    "HighwayRelu",
    "HighwaySigmoid",
    "HighwayTanh",
]


class Highway(UnitwiseOp):
    """Interface: a convex step from the left operand towards an activation phi of a projection.

    ``a + sigmoid(c) * (phi(e) - a)`` with ``[c, e] = a W_a + b W_b + bias``, the update of DARTS's
    recurrent cell (Liu et al. 2019, arXiv:1806.09055, and the authors' code). DARTS has no bias,
    and a right operand b at its first node only; elsewhere the right operand is left out.
    """

    projects_left = projects_right = True
    reads_left = True
    n_projections: ClassVar[int] = 2

    def activate(self, projected: Tensor) -> Tensor:
        """Return phi of the projection's second piece.

        Parameters
        ----------
        projected : Tensor of any shape
            The piece e.

        Returns
        -------
        Tensor
            The activation, of the same shape.
        """
        return self.activations[1](projected)

    def mix(
        self, left: Tensor, right: Tensor, pieces: Sequence[Tensor], out: Tensor | None = None
    ) -> Tensor:
        """Return the gated step from the left operand towards the activation."""
        del right
        gate, proposal = pieces
        return torch.lerp(left, proposal, gate, out=out)

    def backward(
        self, grad: Tensor, left: Tensor, right: Tensor, pieces: Sequence[Tensor], value: Tensor
    ) -> OpGradients:
        """Return the gradient; see `UnitwiseOp`."""
        del right, value
        gate, proposal = pieces
        to_proposal = grad * gate
        to_gate = grad * (proposal - left)
        return OpGradients(left=grad - to_proposal, pieces=(to_gate, to_proposal))


@register_op("highway_tanh")
class HighwayTanh(Highway):
    """The highway step towards tanh(e)."""

    activations = (SIGMOID, TANH)


@register_op("highway_relu")
class HighwayRelu(Highway):
    """The highway step towards max(0, e)."""

    activations = (SIGMOID, RELU)


@register_op("highway_sigmoid")
class HighwaySigmoid(Highway):
    """The highway step towards sigmoid(e)."""

    activations = (SIGMOID, SIGMOID)


@register_op("highway_identity")
class HighwayIdentity(Highway):
    """The highway step towards e itself."""

    activations = (SIGMOID, IDENTITY)
