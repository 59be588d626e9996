"""Growth rules: when to grow. Which edits there are to choose from, the search space says."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

from sklearn.base import BaseEstimator

from sknas.edits import Edit
from sknas.search.state import SearchState

__all__ = ["GrowthRule", "PeriodicGrowth", "PlateauGrowth", "scaled"]


class GrowthRule(BaseEstimator, ABC):
    """Interface: a search state in, edits to apply out.

    A rule is asked after every epoch in which no move is on trial. Its parameters are
    scikit-learn's, so a grid can name them (``growth__patience``).

    Attributes
    ----------
    patience : int
        Epochs a move gets until it is judged, and, for `PlateauGrowth`, until the next is tried.
    min_gain : float
        Share of the validation loss that a move must take off to stay.
    max_refusals : int
        Moves in a row that did not pay, after which growth is over.
    """

    patience: int
    min_gain: float
    max_refusals: int

    @abstractmethod
    def propose(self, state: SearchState) -> list[Edit]:
        """Return edits to apply now.

        Parameters
        ----------
        state : SearchState
            What is known.

        Returns
        -------
        list of Edit
            At most one edit; empty to wait.
        """


def scaled(n: int, n_epochs: int) -> int:
    """Return a number of epochs that leaves room for several such spans in a search.

    Parameters
    ----------
    n : int
        Epochs asked for.
    n_epochs : int
        Epochs of the search.

    Returns
    -------
    int
        At least 1, at most a sixth of the search.
    """
    return max(1, min(n, n_epochs // 6))


class PlateauGrowth(GrowthRule):
    """Grow when the validation loss has stopped falling (AutoGrow's trigger, Wen et al. 2020).

    Parameters
    ----------
    patience : int, default=3
        Epochs without progress before the next move, and epochs a move gets. Shorter where the
        search has few epochs, so that at least one move is tried.
    min_gain : float, default=0.005
        Share of the validation loss that counts as progress, and that a move must take off.
    max_refusals : int, default=3
        Moves in a row that did not pay, after which growth is over.

    Examples
    --------
    >>> from sknas.search import PlateauGrowth
    >>> PlateauGrowth(patience=2)
    PlateauGrowth(patience=2)
    """

    def __init__(
        self, *, patience: int = 3, min_gain: float = 0.005, max_refusals: int = 3
    ) -> None:
        self.patience = patience
        self.min_gain = min_gain
        self.max_refusals = max_refusals

    def propose(self, state: SearchState) -> list[Edit]:
        """Return the first possible edit once the losses are flat."""
        if not state.possible_edits:
            return []
        if state.is_last_chance:
            return [state.possible_edits[0]]
        patience = scaled(self.patience, state.n_epochs)
        if len(state.losses) <= patience:
            return []
        before, since = min(state.losses[:-patience]), min(state.losses[-patience:])
        # Infinity is a share of itself: a loss that stays there has not fallen.
        is_flat = math.isinf(since) or since > before * (1.0 - self.min_gain)
        return [state.possible_edits[0]] if is_flat else []


class PeriodicGrowth(GrowthRule):
    """Grow every few epochs, whatever the loss does.

    Parameters
    ----------
    period : int, default=5
        Epochs from one move to the next; fewer where the search has few epochs.
    min_gain : float, default=0.005
        Share of the validation loss that a move must take off. Since the loss may be falling when
        the move is made, its gain includes what training alone would have brought.
    max_refusals : int, default=3
        Moves in a row that did not pay, after which growth is over.

    Examples
    --------
    >>> from sknas.search import PeriodicGrowth
    >>> PeriodicGrowth(period=4)
    PeriodicGrowth(period=4)
    """

    def __init__(self, *, period: int = 5, min_gain: float = 0.005, max_refusals: int = 3) -> None:
        self.period = period
        self.min_gain = min_gain
        self.max_refusals = max_refusals

    @property
    def patience(self) -> int:  # type: ignore[override]
        """Epochs a move gets: the period."""
        return self.period

    def propose(self, state: SearchState) -> list[Edit]:
        """Return the first possible edit once the period is over."""
        is_due = state.is_last_chance or len(state.losses) >= scaled(self.period, state.n_epochs)
        return [state.possible_edits[0]] if state.possible_edits and is_due else []
