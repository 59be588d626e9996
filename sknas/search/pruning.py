"""Pruning rules: which candidates to remove in a round."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from sknas._validation import Interval
from sknas.edits import Edit
from sknas.search.state import Removal, SearchState

__all__ = ["EffectPruning", "MagnitudePruning", "PruningRule"]


class PruningRule(BaseEstimator, ABC):
    """Interface: a search state in, removals out.

    Attributes
    ----------
    needs_costs : bool
        Whether the rule wants the effect of every removal measured on validation.
    n_rounds : int
        Rounds in which a choice shrinks to one candidate.
    protection : int
        Epochs during which a newborn node is not pruned.
    """

    needs_costs: bool
    n_rounds: int
    protection: int
    _parameter_constraints: ClassVar[Mapping[str, list[Any]]] = {
        "n_rounds": [Interval(Integral, 1, None, closed="left")],
        "protection": [Interval(Integral, 0, None, closed="left")],
    }

    @abstractmethod
    def propose(self, state: SearchState) -> list[Edit]:
        """Return the removals of this round.

        Parameters
        ----------
        state : SearchState
            What is known; no removal in it may empty a choice together with the others proposed.

        Returns
        -------
        list of Edit
            Removals, at most all but one candidate of each choice.
        """


class EffectPruning(PruningRule):
    """Remove what validation misses least (the selection of DARTS-PT, Wang et al. 2021).

    The size of a mixing weight says little of a candidate's worth, so each candidate is taken out
    in turn and the validation loss measured. Ours: what the weights cost that go with it is taken
    off, where they cost anything (``size_penalty``).

    Parameters
    ----------
    n_rounds : int, default=3
        Rounds in which a choice shrinks to one candidate.
    protection : int, default=2
        Epochs during which a newborn node is not pruned; fewer where the search has few.
    """

    needs_costs = True

    def __init__(self, *, n_rounds: int = 3, protection: int = 2) -> None:
        self.n_rounds = n_rounds
        self.protection = protection

    def propose(self, state: SearchState) -> list[Edit]:
        """Return the removals that cost least, what they save taken off."""
        return _weakest(state, lambda removal: removal.cost - removal.saving)


class MagnitudePruning(PruningRule):
    """Remove what has the smallest mixing weight (DARTS's own rule).

    Parameters
    ----------
    n_rounds : int, default=3
        Rounds in which a choice shrinks to one candidate.
    protection : int, default=2
        Epochs during which a newborn node is not pruned; fewer where the search has few.
    """

    needs_costs = False

    def __init__(self, *, n_rounds: int = 3, protection: int = 2) -> None:
        self.n_rounds = n_rounds
        self.protection = protection

    def propose(self, state: SearchState) -> list[Edit]:
        """Return the removals of the smallest weight."""
        return _weakest(state, lambda removal: removal.strength)


def _weakest(state: SearchState, worth: Callable[[Removal], float]) -> list[Edit]:
    groups: dict[tuple[object, ...], list[Removal]] = defaultdict(list)
    for removal in state.removals:
        groups[removal.group].append(removal)
    chosen: list[Edit] = []
    for group in groups.values():
        ordered = sorted(group, key=worth)
        chosen += [removal.edit for removal in ordered[: _n_to_drop(group, state.n_rounds_left)]]
    return chosen


def _n_to_drop(group: Sequence[Removal], n_rounds_left: int) -> int:
    """Shrink a choice by the same factor each round, to exactly one in the last."""
    n_kept = 1 if n_rounds_left <= 1 else round(len(group) ** (1.0 - 1.0 / n_rounds_left))
    return len(group) - max(1, n_kept)
