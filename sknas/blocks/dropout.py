"""Dropout of last states that draws from the fit's own generator, and only while it trains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Generator, Tensor, nn

__all__ = ["HeadDropout", "dropping"]


class HeadDropout(nn.Module):
    """Zero entries at random and scale up the others; the identity outside of `dropping`."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = 0.0
        self.generator: Generator | None = None

    def forward(self, states: Tensor) -> Tensor:
        """Drop entries of the states.

        Parameters
        ----------
        states : Tensor of any shape
            What the heads read.

        Returns
        -------
        Tensor
            The same shape; the same tensor where nothing is dropped.
        """
        if self.generator is None or self.rate == 0.0:
            return states
        draw = torch.rand(states.shape, generator=self.generator, dtype=states.dtype)
        return states * (draw >= self.rate) / (1.0 - self.rate)


@contextmanager
def dropping(network: nn.Module, rate: float, generator: Generator) -> Iterator[None]:
    """Let every head dropout of a network drop, for the duration of the context.

    Parameters
    ----------
    network : nn.Module
        The network in training.
    rate : float
        Share of the entries to drop, in [0, 1).
    generator : torch.Generator
        Source of the draws.
    """
    modules = network.modules() if rate > 0.0 else ()  # to walk them takes a while
    layers = [module for module in modules if isinstance(module, HeadDropout)]
    for layer in layers:
        layer.rate, layer.generator = rate, generator
    try:
        yield
    finally:
        for layer in layers:
            layer.rate, layer.generator = 0.0, None
