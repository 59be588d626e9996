"""The best settled supernet of a search, and how it came about."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sknas.supernet import Supernet

__all__ = ["Incumbent", "Lineage"]


@dataclass(frozen=True)
class Lineage:
    """A supernet over the epochs in which it became what it is; what was undone is not of them.

    Attributes
    ----------
    loss : float
        Least validation loss, mixed or not.
    n_params : int
        Most weights.
    """

    loss: float = math.inf
    n_params: int = 0

    def followed_by(self, loss: float, n_params: int) -> Lineage:
        """Return the lineage one epoch later.

        Parameters
        ----------
        loss : float
            Validation loss of the epoch.
        n_params : int
            Weights of the supernet.

        Returns
        -------
        Lineage
            Of both.
        """
        return Lineage(min(self.loss, loss), max(self.n_params, n_params))


@dataclass(frozen=True)
class Incumbent:
    """The best settled supernet so far, with averaged weights.

    Attributes
    ----------
    supernet : Supernet
        The network.
    loss : float
        Its validation loss.
    lineage : Lineage or None
        How it came about; None for what the search started from.
    """

    supernet: Supernet
    loss: float
    lineage: Lineage | None = None
