"""Pruning rules: which candidates to remove in a round."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from sknas._validation import Interval, StrOptions
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
        Epochs during which a newborn node is not pruned. Candidates whose clamped gate closes die
        in spite of it: see `ClampRelaxation`.
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
        Epochs during which a newborn node is not pruned; fewer where the search has few. The death
        of clamped candidates does not wait for it.
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

    With ``scope="cell"`` strengths compare over nodes and edges, as in the first version of
    DARTS-PRIME (Maile et al. 2021). There gates are clamped (`ClampRelaxation`): no sum ties them
    together, so that a weak candidate is weak whatever stands beside it.

    Parameters
    ----------
    n_rounds : int, default=3
        Rounds in which a choice shrinks to one candidate.
    protection : int, default=2
        Epochs during which a newborn node is not pruned; fewer where the search has few. The death
        of clamped candidates does not wait for it.
    scope : {"choice", "cell"}, default="choice"
        What is ranked in one list. ``"choice"``: the candidates of each choice. ``"cell"``: the
        operations of all nodes of a cell, or the pairs of edge and operation of all nodes of
        DARTS's graph; a round removes as many in all, and a choice keeps its strongest candidate.
        The sources of an operand have weights that sum to one, and stay by themselves.
    """

    needs_costs = False
    _parameter_constraints: ClassVar[Mapping[str, list[Any]]] = {
        **PruningRule._parameter_constraints,
        "scope": [StrOptions({"choice", "cell"})],
    }

    def __init__(self, *, n_rounds: int = 3, protection: int = 2, scope: str = "choice") -> None:
        self.n_rounds = n_rounds
        self.protection = protection
        self.scope = scope

    def propose(self, state: SearchState) -> list[Edit]:
        """Return the removals of the smallest weight, of each choice or of each cell."""
        if self.scope == "choice":
            return _weakest(state, _strength)
        return _weakest(state, _strength, lambda removal: removal.peers or removal.group)


def _strength(removal: Removal) -> float:
    return removal.strength


def _weakest(
    state: SearchState,
    worth: Callable[[Removal], float],
    pool: Callable[[Removal], tuple[object, ...]] = lambda removal: removal.group,
) -> list[Edit]:
    """Return those worth least of each pool of choices; each choice keeps what is worth most."""
    pools: dict[tuple[object, ...], dict[tuple[object, ...], list[Removal]]]
    pools = defaultdict(lambda: defaultdict(list))
    for removal in state.removals:
        pools[pool(removal)][removal.group].append(removal)
    chosen: list[Edit] = []
    for groups in pools.values():
        n_to_drop = sum(_n_to_drop(group, state.n_rounds_left) for group in groups.values())
        removable = [one for group in groups.values() for one in sorted(group, key=worth)[:-1]]
        chosen += [removal.edit for removal in sorted(removable, key=worth)[:n_to_drop]]
    return chosen


def _n_to_drop(group: Sequence[Removal], n_rounds_left: int) -> int:
    """Shrink a choice by the same factor each round, to exactly one in the last."""
    n_kept = 1 if n_rounds_left <= 1 else round(len(group) ** (1.0 - 1.0 / n_rounds_left))
    return len(group) - max(1, n_kept)
