"""Grow when the loss is flat, by the move whose newborn weights have the largest gradient."""

from __future__ import annotations

import dataclasses
import math

from sknas.edits import Edit, GradMaxUnits, Widen
from sknas.search.growth.base import is_flat
from sknas.search.growth.plateau import PlateauGrowth
from sknas.search.state import SearchState

__all__ = ["GradMaxGrowth"]


class GradMaxGrowth(PlateauGrowth):
    """Grow on a plateau, where the gradient asks for it most (after GradMax, Evci et al. 2022).

    A move's score is the norm of the loss's gradient by all weights that it would add, on a batch
    of training samples, as the weights are right after it: the quantity that GradMax makes large,
    whose square is what the loss would fall by, to first order, for each unit of step size. The
    move of the largest score comes first. New units of a branch begin as GradMax has them, see
    `sknas.edits.GradMaxUnits`.

    The initialisation of new units is the paper's, whose schedule is fixed and which grows
    everywhere in turn. Ours are the plateau, and choosing among unlike moves by that norm.

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
    >>> from sknas.search import GradMaxGrowth
    >>> GradMaxGrowth(patience=2)
    GradMaxGrowth(patience=2)
    """

    def propose(self, state: SearchState) -> list[Edit]:
        """Return the possible edit of the largest score once the losses are flat."""
        is_due = state.is_last_chance or is_flat(state, self.patience, self.min_gain)
        if not state.possible_edits or not is_due:
            return []
        edits = [
            dataclasses.replace(edit, newborn=GradMaxUnits()) if isinstance(edit, Widen) else edit
            for edit in state.possible_edits
        ]
        scores = [state.score(edit) for edit in edits]
        # A score that is not finite says nothing; the first of equals is the preferred one.
        ranked = [score if math.isfinite(score) else -1.0 for score in scores]
        return [edits[ranked.index(max(ranked))]]
