"""Operations that weigh one operand by a learned function of them: highway gate and modulation."""

from __future__ import annotations

import torch
from torch import Tensor

from sknas.ops.base import Op, register_op

__all__ = ["Gate", "Modulate"]


@register_op("gate")
class Gate(Op):
    """The highway gate a + sigmoid(a U_a + b U_b + u) * (b - a) (Srivastava et al. 2015)."""

    projects_left = projects_right = True
    reads_left = reads_right = True
    activation = "lin_sigmoid"

    def combine(self, left: Tensor, right: Tensor, projected: Tensor) -> Tensor:
        """Return the gated step from the left operand towards the right one."""
        return self.blend(left, right, torch.sigmoid(projected))

    def blend(self, left: Tensor, right: Tensor, activated: Tensor) -> Tensor:
        """Return the step of that size."""
        return torch.lerp(left, right, activated)

    def add_slopes(
        self,
        left: Tensor,
        right: Tensor,
        projected: Tensor,
        value: Tensor,
        factor: float,
        totals: tuple[Tensor, Tensor, Tensor],
    ) -> None:
        """Add ``1 - s``, ``s`` and ``s (1 - s) (b - a) = (v - a) (1 - s)`` with the sigmoid s."""
        del right
        step, way = projected, value - left
        totals[0].add_(factor).sub_(step, alpha=factor)
        totals[1].add_(step, alpha=factor)
        totals[2].add_(way, alpha=factor).addcmul_(way, step, value=-factor)


@register_op("modulate")
class Modulate(Op):
    """The Hadamard branch a * 2 sigmoid(b V + v): factor 1 where V and v are zero.

    Born with a zero projection it returns its left operand exactly, and the gradient with respect
    to V is a * b / 2, not zero (our reconstruction; see the user guide on growth).
    """

    projects_right = True
    reads_left = needs_left = True
    is_modulation = True

    def combine(self, left: Tensor, right: Tensor, projected: Tensor) -> Tensor:
        """Return the left operand times a factor between 0 and 2."""
        del right
        return left * (2.0 * torch.sigmoid(projected))
