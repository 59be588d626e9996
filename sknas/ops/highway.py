"""Highway operations a + sigmoid(c) * (phi(e) - a): the candidates of DARTS's recurrent cell."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from sknas.ops.base import Op, register_op

__all__ = [
    "Highway",
    "HighwayIdentity",
    "HighwayRelu",
    "HighwaySigmoid",
    "HighwayTanh",
]


class Highway(Op):
    """Interface: a convex step from the left operand towards an activation phi of a projection.

    ``a + sigmoid(c) * (phi(e) - a)`` with ``[c, e] = a W_a + b W_b + bias``, the update of DARTS's
    recurrent cell (Liu et al. 2019, arXiv:1806.09055, and the authors' code). DARTS has no bias,
    and a right operand b at its first node only; elsewhere the right operand is left out.
    """

    projects_left = projects_right = True
    reads_left = True
    n_projections: ClassVar[int] = 2

    @abstractmethod
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

    def combine(self, left: Tensor, right: Tensor, projected: Tensor) -> Tensor:
        """Return the gated step from the left operand towards the activation."""
        del right
        gate, proposal = projected.unflatten(-1, (-1, 2)).unbind(-1)
        return torch.lerp(left, self.activate(proposal), torch.sigmoid(gate))


@register_op("highway_tanh")
class HighwayTanh(Highway):
    """The highway step towards tanh(e)."""

    def activate(self, projected: Tensor) -> Tensor:
        """Return the hyperbolic tangent."""
        return torch.tanh(projected)


@register_op("highway_relu")
class HighwayRelu(Highway):
    """The highway step towards max(0, e)."""

    def activate(self, projected: Tensor) -> Tensor:
        """Return the rectified piece."""
        return torch.relu(projected)


@register_op("highway_sigmoid")
class HighwaySigmoid(Highway):
    """The highway step towards sigmoid(e)."""

    def activate(self, projected: Tensor) -> Tensor:
        """Return the logistic function."""
        return torch.sigmoid(projected)


@register_op("highway_identity")
class HighwayIdentity(Highway):
    """The highway step towards e itself."""

    def activate(self, projected: Tensor) -> Tensor:
        """Return the piece as it is."""
        return projected
