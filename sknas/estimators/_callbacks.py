"""A fit as a tree of tasks, for the callbacks that scikit-learn has from version 1.9 on."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from sknas.estimators._progress import Spectator
from sknas.training import Phase
from sknas.training.runtime import CallbackStopError

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands where scikit-learn has no callbacks."""

    def with_callbacks(method: Callable[..., None]) -> Callable[..., None]:
        """Return the method as it is."""
        return method


__all__ = ["PASSING", "CallbackSupportMixin", "FitTasks", "tear_down"]

# What is an estimator's only while it is fitted.
PASSING = ("_tasks", "_callback_fit_ctx", "_skl_callbacks_to_teardown", "_parent_callback_ctx")


@with_callbacks
def tear_down(estimator: Any) -> None:
    """Tell callbacks that a fit is over, or has failed, if it had any.

    Parameters
    ----------
    estimator : estimator
        What was fitted.
    """
    # A decorated fit would do the same, with a frame more for warnings to name.


class FitTasks(Spectator):
    """Tells an estimator's callbacks of its fit: of the root task, of phases and of epochs.

    Parameters
    ----------
    estimator : estimator
        Has callbacks.
    name : str
        Name of the root task: the public method that was called.
    method : callable
        What fits the estimator.
    args, kwargs : tuple, dict
        What that is called with, the estimator first.

    Attributes
    ----------
    goes_on : bool
        Whether the fit goes on from one before.
    """

    def __init__(
        self,
        estimator: Any,
        name: str,
        method: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> None:
        self.estimator = estimator
        self.name = name
        given = dict(inspect.signature(method).bind(*args, **kwargs).arguments)
        given.pop("self", None)
        # The X of a forecaster holds covariates, and is not what its targets are told from.
        X = given.pop("X") if "y" in given else None
        y = [given.pop(name) for name in ("y", "Y", "Y_new") if name in given]
        metadata = {name: value for name, value in given.items() if value is not None}
        self.data = {"X": X, "y": next(iter(y), None), "metadata": metadata or None}
        self.goes_on = False
        self.rows: list[dict[str, Any]] = []
        self.root: Any = None
        self.phase: Any = None
        self.epoch: Any = None

    def expect(self, phases: Sequence[tuple[str, int]], deadline: float) -> None:
        """Begin the root task."""
        del deadline
        self.root = self.estimator._init_callback_context(
            task_name=self.name, max_subtasks=len(phases)
        )
        self._begin(self.root)

    def begin_phase(self, name: str, n_epochs: int, n_nodes: int | None) -> None:
        """Begin a task below the root."""
        del n_nodes
        self.phase = self.root.subcontext(task_name=name, max_subtasks=n_epochs)
        self._begin(self.phase)

    def begin_epoch(self) -> None:
        """Begin a task below the phase."""
        self.epoch = self.phase.subcontext(task_name="epoch")
        self._begin(self.epoch)

    def end_epoch(self, name: str, row: dict[str, Any], network: Callable[[], nn.Module]) -> None:
        """End the epoch's task; a callback that asks to stop ends the fit."""
        self.rows.append({"phase": name, **row})
        epoch, self.epoch = self.epoch, None
        if self._end(epoch, network):
            raise CallbackStopError

    def end_phase(self, name: str, phase: Phase) -> None:
        """End the phase's task; a callback that asks to stop ends the fit."""
        del name
        if self.epoch is not None:  # was cut short
            self._end(self.epoch, lambda: phase.network)
            self.epoch = None
        if self._end(self.phase, lambda: phase.network) and phase.interruption is None:
            phase.interruption = CallbackStopError()

    def end(self) -> None:
        """End the root task, of a fit that has come to its end."""
        if self.root is not None:
            self.root.call_on_fit_task_end(
                estimator=self.estimator, reconstruction_attributes=dict, **self.data
            )

    def _begin(self, task: Any) -> None:
        task.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def _end(self, task: Any, network: Callable[[], nn.Module]) -> bool:
        stops: bool = task.call_on_fit_task_end(
            estimator=self.estimator,
            reconstruction_attributes=lambda: self.estimator._as_if_ended(
                network(), self.rows, goes_on=self.goes_on
            ),
            **self.data,
        )
        return stops
