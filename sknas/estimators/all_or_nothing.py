"""A method that learns leaves all of its result on its estimator, or nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from sknas.estimators._callbacks import FitTasks, tear_down

__all__ = ["all_or_nothing"]

P = ParamSpec("P")
T = TypeVar("T")


def all_or_nothing(task: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let a method that does not get to its end leave its estimator as it was.

    Parameters
    ----------
    task : str
        The public method that it is, or is a part of, which callbacks are told.

    Returns
    -------
    callable
        Takes a method that learns, and returns it. An interrupt by the user that left something to
        keep is raised again when all of it is kept.
    """

    def guarding(fit: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(fit)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            estimator: Any = args[0]
            state = vars(estimator)
            before = state.copy()
            try:
                if "_skl_callbacks" in state:
                    estimator._tasks = FitTasks(estimator, task, fit, args, kwargs)
                fitted = fit(*args, **kwargs)
            except BaseException:
                try:
                    tear_down(estimator)
                finally:
                    state.clear()
                    state.update(before)
                raise
            # From here on there is something to keep, whatever a callback does.
            interrupt = state.pop("_interrupt", None)
            tasks = state.pop("_tasks", None)
            try:
                if tasks is not None:
                    tasks.end()
            finally:
                try:
                    tear_down(estimator)
                finally:
                    if interrupt is not None:
                        raise interrupt
            return fitted

        return guarded

    return guarding
