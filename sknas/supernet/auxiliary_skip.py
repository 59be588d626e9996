"""The auxiliary skip of DARTS-: a path beside a mixed node that carries it at first, and fades."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from sknas._validation import Interval
from sknas.schedules import CosineSchedule, LinearSchedule

__all__ = ["AuxiliarySkip", "CosineSkip", "LinearSkip"]


class AuxiliarySkip(BaseEstimator, ABC):
    """Interface: how the weight of the skip falls while a node is mixed.

    Chu et al. (2021), DARTS-, arXiv:2009.01027, eq. 4: beside the mixture of an edge with input x
    stands ``beta x``, without parameters and without an alpha, and beta falls to zero. A skip among
    the candidates helps the weights to learn whatever it is worth to the cell; with that help given
    from outside, its alpha has only its worth to show.

    Ours: a two-input node gets ``beta a`` with its first operand a, and a node of DARTS's graph
    beta times the mean of its open edges' sources; beta falls once an epoch and is zero from the
    last epoch on before candidates are removed; and each node has a beta of its own, which starts
    when the node is born. What the input has in an operand takes part where some candidate reads
    the operand itself, since the input needs weights to enter. A settled node that gets a further
    candidate has no such skip: it would change what the network computes.

    Parameters
    ----------
    start : float, default=1.0
        Weight of the skip at a node's birth.
    """

    _parameter_constraints: ClassVar[Mapping[str, list[Any]]] = {
        "start": [Interval(Real, 0, None, closed="left")]
    }

    def __init__(self, *, start: float = 1.0) -> None:
        self.start = start

    @abstractmethod
    def weight(self, progress: float) -> float:
        """Return the weight of the skip.

        Parameters
        ----------
        progress : float
            Share of the time for which the node is mixed that is over, in [0, 1].

        Returns
        -------
        float
            `start` at 0, zero at 1, and never more than before.
        """


class LinearSkip(AuxiliarySkip):
    """A skip whose weight falls in a straight line, the default of DARTS-.

    Parameters
    ----------
    start : float, default=1.0
        Weight at a node's birth.

    Examples
    --------
    >>> from sknas.supernet import LinearSkip
    >>> LinearSkip().weight(0.25)
    0.75
    """

    def weight(self, progress: float) -> float:
        """Return the weight on the line."""
        return LinearSchedule(self.start, 0.0)(progress)


class CosineSkip(AuxiliarySkip):
    """A skip whose weight falls along half a cosine: slowly, fast, and slowly again.

    Parameters
    ----------
    start : float, default=1.0
        Weight at a node's birth.

    Examples
    --------
    >>> from sknas.supernet import CosineSkip
    >>> round(CosineSkip().weight(0.25), 3)
    0.854
    """

    def weight(self, progress: float) -> float:
        """Return the weight on the cosine."""
        return CosineSchedule(self.start, 0.0)(progress)
