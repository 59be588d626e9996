"""Grow when the validation loss is flat, by the first possible move."""

from __future__ import annotations

from sknas.edits import Edit
from sknas.search.growth.base import GrowthRule, is_flat
from sknas.search.state import SearchState

__all__ = ["PlateauGrowth"]


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
        is_due = state.is_last_chance or is_flat(state, self.patience, self.min_gain)
        return [state.possible_edits[0]] if is_due else []
