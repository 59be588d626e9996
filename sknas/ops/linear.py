"""Affine operations phi(a W_a + b W_b + bias), one class an activation phi."""

from __future__ import annotations

import torch
from torch import Tensor

from sknas.ops.base import Op, register_op

__all__ = ["LinIdentity", "LinRelu", "LinSigmoid", "LinTanh"]


@register_op("lin_tanh")
class LinTanh(Op):
    """The recurrent network's own update, tanh(a W_a + b W_b + bias)."""

    projects_left = projects_right = True

    def combine(self, left: Tensor, right: Tensor, projected: Tensor) -> Tensor:
        """Return tanh of the projection."""
        del left, right
        return torch.tanh(projected)

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
class LinSigmoid(Op):
    """A gate's value, sigmoid(a W_a + b W_b + bias)."""

    projects_left = projects_right = True

    def combine(self, left: Tensor, right: Tensor, projected: Tensor) -> Tensor:
        """Return the sigmoid of the projection."""
        del left, right
        return torch.sigmoid(projected)

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
class LinRelu(Op):
    """The rectified update, max(0, a W_a + b W_b + bias)."""

    projects_left = projects_right = True

    def combine(self, left: Tensor, right: Tensor, projected: Tensor) -> Tensor:
        """Return the rectified projection."""
        del left, right
        return torch.relu(projected)

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
class LinIdentity(Op):
    """The plain affine map a W_a + b W_b + bias."""

    projects_left = projects_right = True

    def combine(self, left: Tensor, right: Tensor, projected: Tensor) -> Tensor:
        """Return the projection."""
        del left, right
        return projected

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
