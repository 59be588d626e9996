"""Noise of gates, for the duration of a training pass and no longer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Generator, nn

from sknas.supernet.search_node import SearchNode

__all__ = ["sampling"]


@contextmanager
def sampling(network: nn.Module, generator: Generator) -> Iterator[None]:
    """Let the mixed nodes of a network draw their gates, for the duration of the context.

    Outside of it every gate is free of noise.

    Parameters
    ----------
    network : nn.Module
        The network in training.
    generator : torch.Generator
        Source of the draws; untouched by relaxations without noise.
    """
    nodes = [module for module in network.modules() if isinstance(module, SearchNode)]
    for node in nodes:
        node.sampler = generator
    try:
        yield
    finally:
        for node in nodes:
            node.sampler = None
