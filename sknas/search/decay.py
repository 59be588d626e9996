"""Which weights decay: the matrices, and not the vectors and scalars beside them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

__all__ = ["decay_groups"]


def decay_groups(parameters: Iterable[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Return an optimizer's groups: matrices, which decay, and what does not.

    Biases, birth scalars and output weights say how much of a whole there is; drawn towards zero
    they would undo what a node learns, and not how wildly. The group of newborn parameters is
    told by their number of axes, see `carry_optimizer`.

    Parameters
    ----------
    parameters : iterable of nn.Parameter
        What the optimizer is to hold.
    weight_decay : float
        Decay of the matrices.

    Returns
    -------
    list of dict
        Two groups; `least_dim` is the least number of axes of what each holds.
    """
    everything = list(parameters)
    return [
        {
            "params": [p for p in everything if p.dim() >= 2],
            "weight_decay": weight_decay,
            "least_dim": 2,
        },
        {
            "params": [p for p in everything if p.dim() < 2],
            "weight_decay": 0.0,
            "least_dim": 0,
        },
    ]
