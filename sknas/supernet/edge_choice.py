"""The choice of an operand's source: a softmax over edge logits, and how it cools."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar

import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from sknas._validation import Interval
from sknas.schedules import ExponentialSchedule

__all__ = ["AnnealedEdges", "EdgeChoice", "SoftmaxEdges", "edge_weights"]

_POSITIVE = Interval(Real, 0, None, closed="neither")


class EdgeChoice(BaseEstimator, ABC):
    """Interface: how sharply a two-input node chooses the sources of its operands.

    Edge logits are separate from operation logits, as in TopoNAS (Huang et al. 2020,
    arXiv:2011.09300) and DOTS (Gu et al. 2021). Ours: one source an operand, in place of pairs of
    edges; both kinds of logits learn together from the start. The nodes of DARTS's graph choose a
    pair of edge and operation at once, and have no logits of edges alone.
    """

    _parameter_constraints: ClassVar[Mapping[str, list[Any]]] = {}

    @abstractmethod
    def temperature(self, progress: float) -> float:
        """Return the temperature of the softmax over sources.

        Parameters
        ----------
        progress : float
            Share of the node's time that is over, in [0, 1].

        Returns
        -------
        float
            Positive.
        """


class AnnealedEdges(EdgeChoice):
    """A temperature that falls exponentially, so that operands come to read one source (DOTS).

    Parameters
    ----------
    start : float, default=1.0
        Temperature at the birth of a node. DOTS starts at 10, where sources are weighed alike.
    stop : float, default=0.1
        Temperature in the last epoch before candidates are removed. DOTS ends at 0.02.

    Examples
    --------
    >>> from sknas.supernet import AnnealedEdges
    >>> round(AnnealedEdges().temperature(0.5), 3)
    0.316
    """

    _parameter_constraints: ClassVar[Mapping[str, list[Any]]] = {
        "start": [_POSITIVE],
        "stop": [_POSITIVE],
    }

    def __init__(self, *, start: float = 1.0, stop: float = 0.1) -> None:
        self.start = start
        self.stop = stop

    def temperature(self, progress: float) -> float:
        """Return the temperature between start and stop."""
        return ExponentialSchedule(self.start, self.stop)(progress)


class SoftmaxEdges(EdgeChoice):
    """A temperature that stays, so that pruning alone decides.

    Parameters
    ----------
    value : float, default=1.0
        The temperature.

    Examples
    --------
    >>> from sknas.supernet import SoftmaxEdges
    >>> SoftmaxEdges().temperature(0.5)
    1.0
    """

    _parameter_constraints: ClassVar[Mapping[str, list[Any]]] = {"value": [_POSITIVE]}

    def __init__(self, *, value: float = 1.0) -> None:
        self.value = value

    def temperature(self, progress: float) -> float:
        """Return the temperature, the same at any time."""
        del progress
        return float(self.value)


def edge_weights(logits: Tensor, is_open: Tensor, temperature: float) -> Tensor:
    """Return each operand's mixing weights over the sources that are open to it.

    Parameters
    ----------
    logits : Tensor of shape (2, n_sources)
        Edge logits of the left and the right operand.
    is_open : Tensor of shape (2, n_sources), bool
        Sources still in the choice; an operand without any gets weights of zero.
    temperature : float
        Temperature of the softmax.

    Returns
    -------
    Tensor of shape (2, n_sources)
        Weights; each row sums to one, or is zero.
    """
    masked = (logits / temperature).masked_fill(~is_open, -torch.inf)
    peak = masked.amax(dim=1, keepdim=True).clamp_min(-1e30)
    powers = torch.exp(masked - peak.detach())
    return powers / powers.sum(dim=1, keepdim=True).clamp_min(torch.finfo(logits.dtype).tiny)
