"""Missing steps of a window: each holds the newest value known before it."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["carried_forward"]


def carried_forward(values: Tensor) -> Tensor:
    """Fill NaN by the newest known value of the same row, never by a later one but at the front.

    Parameters
    ----------
    values : Tensor of shape (..., n_steps)
        Rows in time order; NaN is missing.

    Returns
    -------
    Tensor of the same shape
        Without NaN: steps before the first known one hold that, and a row without any is zero,
        which in standardised units is the mean.
    """
    is_known = ~values.isnan()
    steps = torch.arange(values.shape[-1], device=values.device).expand(values.shape)
    newest = _running_maximum(torch.where(is_known, steps, -1))
    first = is_known.to(torch.int8).argmax(dim=-1, keepdim=True)
    source = torch.where(newest < 0, first, newest)
    return values.gather(-1, source).nan_to_num(0.0)


def _running_maximum(steps: Tensor) -> Tensor:
    if not torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return steps.cummax(dim=-1).values
    # ONNX has no cumulative maximum. Each round looks back twice as far as the one before.
    distance, n_steps = 1, int(steps.shape[-1])
    while distance < n_steps:
        earlier = steps[..., :-distance]
        later = torch.maximum(steps[..., distance:], earlier)
        steps = torch.cat([steps[..., :distance], later], dim=-1)
        distance *= 2
    return steps
