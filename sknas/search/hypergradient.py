"""The architecture gradient that looks one weight step ahead (second-order DARTS)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from sknas.search.look_ahead import LookAhead

__all__ = ["hypergradient"]

_RADIUS = 0.01  # how far the weights are moved, in all, to measure the mixed derivative
_TINY = 1e-6  # torch's own, in the clipping of gradients


def hypergradient(
    train_loss: Callable[[], Tensor],
    arch_loss: Callable[[], Tensor],
    weights: Sequence[nn.Parameter],
    arch: Sequence[nn.Parameter],
    look_ahead: LookAhead,
    max_norm: float,
    radius: float = _RADIUS,
) -> list[Tensor]:
    """Differentiate the architecture loss after one virtual step of the weights.

    Liu et al. (2019), DARTS, arXiv:1806.09055, eqs. 7 and 8. With the virtual step
    ``w' = w - xi c grad_w L_train(w, a)``, the gradient is ``grad_a L_arch(w', a) - c M``, where
    M is ``(grad_a L_train(w + e u, a) - grad_a L_train(w - e u, a)) / (2 e)`` with
    ``u = xi grad_w' L_arch(w', a)`` and ``e = radius / ||u||``. The factor ``c`` of gradient
    clipping counts as a constant, as in the authors' recurrent code.

    Ours: xi need not be a number. It is how each weight's step depends on its gradient, so that
    the optimizer that the weights really have, its moments and its decay can be looked ahead by.

    Parameters
    ----------
    train_loss, arch_loss : callable
        Return the loss of each level with the parameters as they are.
    weights : sequence of nn.Parameter
        What the virtual step moves; afterwards they are what they were, to the last bit.
    arch : sequence of nn.Parameter
        What to differentiate by.
    look_ahead : callable
        Tells the virtual step and xi, see `look_ahead`.
    max_norm : float
        Largest norm of the gradient in the virtual step; longer ones are clipped.
    radius : float, default=0.01
        Distance of the weights from w at which the mixed derivative is measured.

    Returns
    -------
    list of Tensor
        A gradient for each of `arch`.
    """
    inner = _gradients(train_loss(), weights)
    clipping = min(1.0, max_norm / (_length(inner) + _TINY))
    ways, slopes = look_ahead(weights, [clipping * gradient for gradient in inner])
    start = [weight.detach().clone() for weight in weights]
    try:
        _place(weights, start, ways, 1.0)
        gradients = _gradients(arch_loss(), [*arch, *weights])
        direct, outward = gradients[: len(arch)], gradients[len(arch) :]
        outward = [slope * gradient for slope, gradient in zip(slopes, outward, strict=True)]
        length = _length(outward)
        if length == 0.0:
            return direct
        epsilon = radius / length
        sides = []
        for shift in (epsilon, -epsilon):
            _place(weights, start, outward, shift)
            sides.append(_gradients(train_loss(), arch))
    finally:
        _place(weights, start, start, 0.0)
    mixed = [(plus - minus) / (2.0 * epsilon) for plus, minus in zip(*sides, strict=True)]
    return [d - clipping * m for d, m in zip(direct, mixed, strict=True)]


def _gradients(loss: Tensor, parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    """Return gradients, zero for what the loss does not depend on."""
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    pairs = zip(found, parameters, strict=True)
    return [torch.zeros_like(p) if gradient is None else gradient for gradient, p in pairs]


def _length(tensors: Sequence[Tensor]) -> float:
    return float(torch.stack([torch.linalg.vector_norm(t) for t in tensors]).norm())


@torch.no_grad()
def _place(
    weights: Sequence[nn.Parameter],
    start: Sequence[Tensor],
    directions: Sequence[Tensor],
    factor: float,
) -> None:
    """Put each weight at its start plus that much of a direction; exactly at it for none."""
    for weight, origin, direction in zip(weights, start, directions, strict=True):
        weight.copy_(origin if factor == 0.0 else origin + factor * direction)
