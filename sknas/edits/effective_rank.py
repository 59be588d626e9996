"""How many directions the states of a cell really use (Maile et al. 2022)."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["RANK_TOLERANCE", "effective_rank", "used_directions"]

RANK_TOLERANCE = 0.01  # the authors' value


def effective_rank(states: Tensor) -> int:
    """Return how many singular values of ``H / sqrt(n)`` are above 0.01 (NORTH's phi).

    Parameters
    ----------
    states : Tensor of shape (n, n_hidden)
        The states H, a row a sample.

    Returns
    -------
    int
        At most `n_hidden`; 0 where a state is not finite.
    """
    scaled = states.double() / max(len(states), 1) ** 0.5
    if not bool(scaled.isfinite().all()):
        return 0
    return int((torch.linalg.svdvals(scaled) > RANK_TOLERANCE).sum())


def used_directions(states: Tensor) -> Tensor:
    """Return an orthonormal basis of what `effective_rank` counts, in the space of samples.

    Parameters
    ----------
    states : Tensor of shape (n, n_hidden)
        The states, finite.

    Returns
    -------
    Tensor of shape (n, rank)
        The left singular vectors.
    """
    scaled = states.double() / max(len(states), 1) ** 0.5
    left, values, _ = torch.linalg.svd(scaled, full_matrices=False)
    return left[:, values > RANK_TOLERANCE]
