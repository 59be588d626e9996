"""Grow where the states of a branch use all of its width (NORTH*)."""

from __future__ import annotations

import math

from sknas.edits import Edit, SelectUnits, Widen
from sknas.search.growth.base import GrowthRule
from sknas.search.state import CellRank, SearchState

__all__ = ["NorthGrowth"]


class NorthGrowth(GrowthRule):
    """Widen a branch by what the effective rank of its states exceeds a threshold by.

    The trigger is that of NORTH* (Maile et al. 2022, arXiv:2202.08539): the effective rank is the
    number of singular values of ``H / sqrt(n)`` above 0.01, where H holds n states, and the
    threshold is ``floor(share * (rank at birth / width at birth) * width)``. Where the rank is
    above it, the branch gets as many units, which begin as the paper's "Select" has them, see
    `sknas.edits.SelectUnits`. No other move is ever proposed.

    Ours is what H is in a recurrent cell (the states after all steps of a batch of training
    samples); that the rank at birth is that of the same cell with its matrices drawn anew; that
    a branch is asked after each epoch, not after each batch, and the layer with most excess speaks
    for all; that a move adds at most as many units as the search space offers, is judged like
    every other, and that one is tried at the last chance, if only of one unit.

    Parameters
    ----------
    share : float, default=0.97
        Share of the rank to be expected at random from which on a branch is full.
    patience : int, default=3
        Epochs a move gets until it is judged; fewer where the search has few.
    min_gain : float, default=0.005
        Share of the validation loss that a move must take off. Since the loss may be falling when
        the move is made, its gain includes what training alone would have brought.
    max_refusals : int, default=3
        Moves in a row that did not pay, after which growth is over.

    Examples
    --------
    >>> from sknas.search import NorthGrowth
    >>> NorthGrowth(share=0.9)
    NorthGrowth(share=0.9)
    """

    needs_ranks = True

    def __init__(
        self,
        *,
        share: float = 0.97,
        patience: int = 3,
        min_gain: float = 0.005,
        max_refusals: int = 3,
    ) -> None:
        self.share = share
        self.patience = patience
        self.min_gain = min_gain
        self.max_refusals = max_refusals

    def excess(self, rank: CellRank) -> int:
        """Return by how much a cell's effective rank exceeds its threshold.

        Parameters
        ----------
        rank : CellRank
            What was measured.

        Returns
        -------
        int
            Units to add where above 0.
        """
        # A share of a whole number may come out a rounding error below it.
        threshold = math.floor(self.share * rank.share_at_birth * rank.width + 1e-9)
        return rank.rank - threshold

    def propose(self, state: SearchState) -> list[Edit]:
        """Return a widening of the branch that exceeds its threshold most."""
        if not (state.losses or state.is_last_chance):
            return []
        widenings = [edit for edit in state.possible_edits if isinstance(edit, Widen)]
        if not widenings:
            return []
        excesses = [
            max(
                (self.excess(rank) for rank in state.ranks if rank.branch == edit.branch), default=0
            )
            for edit in widenings
        ]
        most = max(excesses)
        if most <= 0 and not state.is_last_chance:
            return []
        edit = widenings[excesses.index(most)]
        return [Widen(edit.branch, min(edit.n_units, max(1, most)), SelectUnits())]
