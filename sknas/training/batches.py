"""How many samples a gradient step takes, and the precision that goes with it."""

from __future__ import annotations

import torch

__all__ = ["float_type", "samples_per_step"]

_FULL_BATCH = 1024  # samples
_FULL_SEQUENCES = 8192
_BATCH = 64  # samples
_LEAST_BATCH = 8
_SEQUENCES = 256


def samples_per_step(batch_size: int | str, n_samples: int, n_sequences: int) -> int:
    """Return how many samples a gradient step takes.

    Parameters
    ----------
    batch_size : int or "auto"
        Parameter of the estimator.
    n_samples : int
        Samples there are.
    n_sequences : int
        Sequences that the network makes of a sample: one, or one a channel.

    Returns
    -------
    int
        The number asked for. ``"auto"`` takes all samples, where they are few; else 64, or so many
        that they make 256 sequences, where that is less, but at least 8.
    """
    if batch_size != "auto":
        return int(batch_size)
    if n_samples <= _FULL_BATCH and n_samples * n_sequences <= _FULL_SEQUENCES:
        return max(1, n_samples)
    return max(_LEAST_BATCH, min(_BATCH, _SEQUENCES // n_sequences))


def float_type(n_samples: int, batch_size: int) -> torch.dtype:
    """Return the floating type to train in: double where all samples make one batch.

    Parameters
    ----------
    n_samples : int
        Samples there are.
    batch_size : int
        Samples a batch.

    Returns
    -------
    torch.dtype
        Double costs nothing on small data, and makes a sample of weight k equal to k samples.
    """
    return torch.float64 if n_samples <= batch_size else torch.float32
