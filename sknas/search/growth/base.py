"""What a growth rule is. Which edits there are to choose from, the search space says."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from sknas._validation import Interval
from sknas.edits import Edit
from sknas.search.state import SearchState

__all__ = ["GrowthRule", "is_flat", "scaled"]


class GrowthRule(BaseEstimator, ABC):
    """Interface: a search state in, edits to apply out.

    A rule is asked after every epoch in which no move is on trial. Its parameters are
    scikit-learn's, so a grid can name them (``growth__patience``).

    Attributes
    ----------
    needs_ranks : bool
        Whether the rule wants the effective ranks of the states measured after every epoch.
    patience : int
        Epochs a move gets until it is judged, and, for `PlateauGrowth`, until the next is tried.
    min_gain : float
        Share of the validation loss that a move must take off to stay.
    max_refusals : int
        Moves in a row that did not pay, after which growth is over.
    """

    needs_ranks: ClassVar[bool] = False
    _parameter_constraints: ClassVar[Mapping[str, list[Any]]] = {
        "patience": [Interval(Integral, 1, None, closed="left")],
        "period": [Interval(Integral, 1, None, closed="left")],
        "min_gain": [Interval(Real, None, 1, closed="right")],
        "max_refusals": [Interval(Integral, 1, None, closed="left")],
        "share": [Interval(Real, 0, None, closed="neither")],
    }
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
            At most one edit, a version of a possible one; empty to wait.
        """


_SHORTEST_FLAT = 2  # epochs; a single one is flat by chance too often


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


def is_flat(state: SearchState, patience: int, min_gain: float) -> bool:
    """Say whether the validation loss has stopped falling (AutoGrow's trigger, Wen et al. 2020).

    Parameters
    ----------
    state : SearchState
        What is known.
    patience : int
        Epochs without progress; where the search has few epochs fewer, but two at least.
    min_gain : float
        Share of the loss that counts as progress.

    Returns
    -------
    bool
        Whether the best loss of the last epochs is hardly below the best one before.
    """
    patience = max(min(patience, _SHORTEST_FLAT), scaled(patience, state.n_epochs))
    if len(state.losses) <= patience:
        return False
    before, since = min(state.losses[:-patience]), min(state.losses[-patience:])
    # Infinity is a share of itself: a loss that stays there has not fallen.
    return math.isinf(since) or since > before * (1.0 - min_gain)
