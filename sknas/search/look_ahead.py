"""Where a step of the weights' optimizer would lead, and how far that depends on the gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

__all__ = ["LookAhead", "adamw"]

LookAhead = Callable[[Sequence[nn.Parameter], Sequence[Tensor]], tuple[list[Tensor], list[Tensor]]]


def adamw(optimizer: Optimizer) -> LookAhead:
    """Return the step that AdamW would take next, moments and decay included.

    The authors of DARTS look ahead by the momentum of their optimizer, SGD; this is the same for
    the optimizer that weights have here (Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm
    2). Where no gradient has ever been, a weight is taken to stay.

    Parameters
    ----------
    optimizer : Optimizer
        AdamW, of the weights; it is only read.

    Returns
    -------
    callable
        Takes weights and gradients; returns the way that each weight goes, and how much further
        back it goes for a gradient that is greater by one.
    """

    @torch.no_grad()
    def look(
        weights: Sequence[nn.Parameter], gradients: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
        ways, slopes = [], []
        for weight, gradient in zip(weights, gradients, strict=True):
            group, state = groups[id(weight)], optimizer.state.get(weight, {})
            (beta1, beta2), rate = group["betas"], group["lr"]
            n_steps = float(state.get("step", 0.0)) + 1.0
            first = beta1 * state.get("exp_avg", 0.0) + (1.0 - beta1) * gradient
            second = beta2 * state.get("exp_avg_sq", 0.0) + (1.0 - beta2) * gradient.square()
            first = first / (1.0 - beta1**n_steps)
            root = (second / (1.0 - beta2**n_steps)).sqrt()
            size = root + group["eps"]
            by_first = (1.0 - beta1) / (1.0 - beta1**n_steps) / size
            by_second = (1.0 - beta2) / (1.0 - beta2**n_steps) * gradient * first
            slope = by_first - by_second / (root * size.square())
            ways.append(-rate * (first / size + group["weight_decay"] * weight))
            slopes.append(torch.where(root > 0.0, rate * slope, 0.0))
        return ways, slopes

    return look
