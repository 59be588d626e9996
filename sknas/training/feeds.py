"""What a training is fed: which samples an epoch visits, and how many states it drops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from sknas.blocks import Batch, WindowData
from sknas.blocks.dropout import dropping
from sknas.blocks.window_data import epoch_batches
from sknas.search.controller import Controller

__all__ = ["Dropout", "Feed", "SearchFeed"]


@dataclass(frozen=True)
class Feed:
    """Which samples an epoch visits, and in what order; their weights have a mean of one.

    Parameters
    ----------
    data : WindowData
        All samples.
    index : Tensor of int64
        The samples of the split.
    batch_size : int
        Samples a batch.
    n_steps : int
        Gradient steps an epoch.
    generator : torch.Generator
        Source of the order.
    """

    data: WindowData
    index: Tensor
    batch_size: int
    n_steps: int
    generator: Generator

    def __iter__(self) -> Iterator[Batch]:
        weights = self.data.weight[self.index]
        unit = weights.mean().clamp_min(torch.finfo(weights.dtype).tiny)
        for index in epoch_batches(self.index, self.batch_size, self.n_steps, self.generator):
            past, target, weight = self.data.take(index)
            yield past, target, weight / unit

    def forever(self) -> Iterator[Batch]:
        """Iterate over epoch after epoch."""
        while True:
            yield from self


@dataclass(frozen=True)
class Dropout:
    """How many of the last states training drops, drawn by the fit's generator.

    Parameters
    ----------
    rate : float
        Share of the entries, in [0, 1).
    generator : torch.Generator
        Source of the draws.
    """

    rate: float
    generator: Generator

    def applied_to(self, network: nn.Module) -> AbstractContextManager[None]:
        """Return the context in which a network drops.

        Parameters
        ----------
        network : nn.Module
            The network in training.

        Returns
        -------
        context manager
            Outside of it the network drops nothing.
        """
        return dropping(network, self.rate, self.generator)


@dataclass(frozen=True)
class SearchFeed:
    """All training samples while nothing is undecided, the weight split while something is.

    Parameters
    ----------
    everything, weight : Feed
        Batches of the training part, and of its weight split.
    controller : Controller
        Knows whether something is undecided.
    """

    everything: Feed
    weight: Feed
    controller: Controller

    @property
    def data(self) -> WindowData:
        """All samples."""
        return self.everything.data

    def __iter__(self) -> Iterator[Batch]:
        is_undecided = bool(self.controller.learner.supernet.free_arch_parameters())
        return iter(self.weight if is_undecided else self.everything)
