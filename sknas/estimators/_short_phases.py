"""Warn where a search is too short for something that its user has chosen to act in it."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterator

from sknas.exceptions import SearchWarning
from sknas.search.plan import Plan
from sknas.supernet import AuxiliarySkip

__all__ = ["warn_of_short_phases"]

_MOST_EPOCHS = 1000  # a longer search is no advice


def warn_of_short_phases(
    plan: Plan,
    skip: AuxiliarySkip | None,
    *,
    has_contenders: bool,
    starts_mixed: bool,
    share: int,
    stacklevel: int,
) -> None:
    """Warn of each mechanism that has too few epochs between a node's birth and its pruning.

    What ramps or fades does so once an epoch, so that in a single one it does not move.

    Parameters
    ----------
    plan : Plan
        How the search is to go.
    skip : AuxiliarySkip or None
        What fades beside mixed nodes.
    has_contenders, starts_mixed : bool
        Whether cells race for the first branch, and whether it is there already and mixed.
    share : int
        Epochs of ``search_epochs`` for one of the search.
    stacklevel : int
        As if the caller warned.
    """
    if plan.mode == "random":
        return
    has_opening = has_contenders or (starts_mixed and plan.mode == "interleaved")

    def n_watched(plan: Plan) -> int:
        opening = plan.n_open_opening_epochs(has_contenders=has_contenders) if has_opening else 0
        return max(opening, plan.n_open_epochs)

    for problem in (*_unmoved(plan, skip, share), *_unwatched(plan, n_watched, share)):
        message = f"A search of {plan.n_epochs} epochs prunes {problem}"
        warnings.warn(message, SearchWarning, stacklevel=stacklevel + 1)


def _unmoved(plan: Plan, skip: AuxiliarySkip | None, share: int) -> Iterator[str]:
    """Tell of a regularizer that stays at zero, and of a skip that stays at its full weight."""
    regularizer = plan.arch_regularizer
    otherwise = "Give growth a patience, or pruning a protection, of at least 2 epochs"
    if regularizer is not None and regularizer.is_ramped and not _has_ramp(plan):
        yield (
            f"a new node after one epoch, in which arch_regularizer={regularizer!r} is zero. "
            f"{_longer(plan, _has_ramp, share) or otherwise}."
        )
    if skip is not None and not _has_fall(plan):
        yield (
            f"a new node after one epoch, in which auxiliary_skip={skip!r} does not fall. "
            f"{_longer(plan, _has_fall, share) or otherwise}."
        )


def _unwatched(plan: Plan, n_watched: Callable[[Plan], int], share: int) -> Iterator[str]:
    """Tell of a watch that no mixed phase is long enough for."""
    watch = plan.collapse_watch
    if watch is None or watch.can_judge(n_watched(plan)):
        return
    can_judge = watch.can_judge
    longer = _longer(plan, lambda longer: can_judge(n_watched(longer)), share)
    yield (
        f"what is mixed after at most {n_watched(plan)} epoch(s), too few for collapse_watch="
        f"{watch!r} to judge. {longer + ', or g' if longer else 'G'}ive a watch that needs fewer "
        "checks."
    )


def _has_fall(plan: Plan) -> bool:
    """Say whether what fades has faded before candidates are removed."""
    return plan.n_open_epochs > 1


def _has_ramp(plan: Plan) -> bool:
    """Say whether what ramps acts in some epoch, if only between two rounds of pruning."""
    return plan.n_open_epochs + plan.n_rounds > 2


def _longer(plan: Plan, is_enough: Callable[[Plan], bool], share: int) -> str:
    """Return the advice to search longer; empty where that does not help."""
    for n_epochs in range(plan.n_epochs + 1, _MOST_EPOCHS + 1):
        if is_enough(dataclasses.replace(plan, n_epochs=n_epochs)):
            return f"Raise search_epochs to at least {share * (n_epochs - 1) + 1}"
    return ""
