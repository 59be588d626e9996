"""Which samples an epoch visits, and what training drops of a network."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from sknas.blocks import Batch, WindowData
from sknas.blocks.dropout import dropping
from sknas.blocks.window_data import EpochBatches
from sknas.search.controller import Controller

__all__ = ["Dropout", "EndlessBatches", "Feed", "SearchFeed"]


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
        return map(self.take, self.orders())

    def orders(self) -> EpochBatches:
        """Return which samples the batches of an epoch hold."""
        return EpochBatches(self.index, self.batch_size, self.n_steps, self.generator)

    def take(self, index: Tensor) -> Batch:
        """Gather a batch.

        Parameters
        ----------
        index : Tensor of shape (batch,), int64
            Its samples.

        Returns
        -------
        tuple of Tensor
            past, target and weight.
        """
        past, target, weight = self.data.take(index)
        return past, target, weight / self._unit

    @functools.cached_property
    def _unit(self) -> Tensor:
        weights = self.data.weight[self.index]
        return weights.mean().clamp_min(torch.finfo(weights.dtype).tiny)


class EndlessBatches:
    """Iterates over a feed, epoch after epoch.

    Parameters
    ----------
    feed : Feed
        The feed.
    """

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.orders = feed.orders()

    def __iter__(self) -> EndlessBatches:
        return self

    def __next__(self) -> Batch:
        """Return the next batch."""
        index = next(self.orders, None)
        if index is None:
            self.orders = self.feed.orders()
            index = next(self.orders)
        return self.feed.take(index)


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
