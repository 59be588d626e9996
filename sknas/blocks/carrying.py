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
    newest = torch.where(is_known, steps, -1).cummax(dim=-1).values
    first = is_known.to(torch.int8).argmax(dim=-1, keepdim=True)
    source = torch.where(newest < 0, first, newest)
    return values.gather(-1, source).nan_to_num(0.0)
