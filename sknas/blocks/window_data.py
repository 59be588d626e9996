"""Windows, targets and weights as tensors, gathered a batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from sknas.blocks.objective import Objective

__all__ = [
    "Batch",
    "EpochBatches",
    "WindowData",
    "losses",
    "n_samples",
    "outputs",
    "square_counts",
]

_N_BATCH = 512
Batch = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class WindowData:
    """All samples of a fit. `past` may be a view of overlapping windows: memory stays O(rows).

    Parameters
    ----------
    past : Tensor of shape (n_samples, channels, lookback)
        Standardised windows.
    target : Tensor of shape (n_samples, targets, horizon), or (n_samples,) of class indices
        Standardised targets.
    weight : Tensor of shape (n_samples,)
        Sample weights.
    """

    past: Tensor
    target: Tensor
    weight: Tensor

    def take(self, index: Tensor) -> Batch:
        """Gather a batch.

        Parameters
        ----------
        index : Tensor of shape (batch,), int64
            Samples.

        Returns
        -------
        tuple of Tensor
            past, target and weight of those samples.
        """
        return self.past[index], self.target[index], self.weight[index]


def n_samples(weight: Tensor) -> float:
    """Return how many samples of equal weight some weights amount to.

    Parameters
    ----------
    weight : Tensor of shape (n,)
        Sample weights, not all zero.

    Returns
    -------
    float
        Their sum where they are whole numbers, a sample of weight k being k of them; otherwise the
        square of the sum over the sum of squares (Kish 1965), which has no unit.
    """
    return float(weight.sum().square() / square_counts(weight).sum())


def square_counts(weight: Tensor) -> Tensor:
    """Return what each sample counts in a sum of squares.

    Parameters
    ----------
    weight : Tensor of shape (n,)
        Sample weights.

    Returns
    -------
    Tensor of shape (n,)
        The weights where they are whole numbers, a sample of weight k being k of them; otherwise
        their squares, each sample being one.
    """
    return weight if (weight == weight.round()).all() else weight.square()


class EpochBatches:
    """Iterates over shuffled batches of samples, for a number of gradient steps.

    Data that fit one batch are never reordered, so that sums over them never change either.

    Parameters
    ----------
    index : Tensor of shape (n_samples,), int64
        Samples to visit.
    batch_size : int
        Samples a batch.
    n_steps : int
        Batches to yield, going over the samples as often as needed.
    generator : torch.Generator
        Source of the order; drawn from when an order is needed, not before.
    """

    def __init__(self, index: Tensor, batch_size: int, n_steps: int, generator: Generator) -> None:
        self.index = index
        self.batch_size = batch_size
        self.n_steps_left = n_steps
        self.generator = generator
        self.waiting: list[Tensor] = []  # of the present order, the next one last

    def __iter__(self) -> EpochBatches:
        return self

    def __next__(self) -> Tensor:
        """Return the next batch's samples, of shape (batch,), int64."""
        if not self.n_steps_left:
            raise StopIteration
        self.n_steps_left -= 1
        if len(self.index) <= self.batch_size:
            return self.index
        if not self.waiting:
            order = self.index[torch.randperm(len(self.index), generator=self.generator)]
            batches = order.split(self.batch_size)
            # A last batch of a handful of samples is noise with a full step's weight.
            self.waiting = [b for b in reversed(batches) if 2 * len(b) >= self.batch_size]
        return self.waiting.pop()


@torch.no_grad()
def outputs(
    network: nn.Module,
    past: Tensor,
    index: Tensor,
    batch_size: int = _N_BATCH,
    *,
    reduce: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Return the network's outputs, computed a batch at a time.

    Parameters
    ----------
    network : nn.Module
        What predicts.
    past : Tensor of shape (n_samples, channels, lookback)
        Windows, perhaps a view.
    index : Tensor of shape (n,), int64
        Samples.
    batch_size : int, default=512
        Samples a batch.
    reduce : callable or None, default=None
        What to keep of each batch of outputs; None keeps all of it.

    Returns
    -------
    Tensor of shape (n, targets, horizon), or of what `reduce` returns
        Outputs.
    """

    def made(part: Tensor) -> Tensor:
        batch: Tensor = network(past[part])
        return batch if reduce is None else reduce(batch)

    return _gathered(made, index, batch_size)


@torch.no_grad()
def losses(
    network: nn.Module,
    data: WindowData,
    index: Tensor,
    objective: Objective,
    batch_size: int = _N_BATCH,
    *,
    by_target: bool = False,
) -> Tensor:
    """Return each sample's loss, unweighted.

    Parameters
    ----------
    network : nn.Module
        What predicts.
    data : WindowData
        Samples.
    index : Tensor of shape (n,), int64
        Which of them.
    objective : Objective
        The loss.
    batch_size : int, default=512
        Samples a batch.
    by_target : bool, default=False
        Whether to keep the losses of a sample's targets apart.

    Returns
    -------
    Tensor of shape (n,), or (n, targets)
        Losses.
    """
    loss = objective.per_target if by_target else objective.per_sample

    def made(part: Tensor) -> Tensor:
        # A classifier's outputs are as wide as there are classes, so never of all samples at once.
        return loss(network(data.past[part]), data.target[part])

    return _gathered(made, index, batch_size)


def _gathered(made: Callable[[Tensor], Tensor], index: Tensor, batch_size: int) -> Tensor:
    """Return what a function makes of samples, a batch at a time, in one tensor.

    Results are written to their place at once. A list of them would lie scattered among the memory
    that batches leave behind, which then no batch fits into again.
    """
    parts = index.split(batch_size)
    first = made(parts[0])
    result = first.new_empty((len(index), *first.shape[1:]))
    result[: len(first)] = first
    done = len(first)
    for part in parts[1:]:
        result[done : done + len(part)] = made(part)
        done += len(part)
    return result
