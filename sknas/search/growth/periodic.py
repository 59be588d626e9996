"""Grow every few epochs, by the first possible move."""

from __future__ import annotations

from sknas.edits import Edit
from sknas.search.growth.base import GrowthRule, scaled
from sknas.search.state import SearchState

__all__ = ["PeriodicGrowth"]


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
