"""Borrow torch's process-wide settings for the time of a fit, and give them back."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import torch

__all__ = [
    "CallbackStopError",
    "CutShortError",
    "PhaseOverError",
    "TimeIsUpError",
    "prediction_runtime",
    "torch_runtime",
]


class PhaseOverError(Exception):
    """A phase of training has come to its end."""


class CutShortError(Exception):
    """A fit is to end with the best that it has.

    Attributes
    ----------
    stopped_by : str
        The report's word for the reason.
    """

    stopped_by: ClassVar[str]


class TimeIsUpError(CutShortError):
    """The time budget is spent."""

    stopped_by = "time_budget"


class CallbackStopError(CutShortError):
    """A callback asks to stop."""

    stopped_by = "callback"


class _Threads:
    """Gives every Python thread one thread of torch, and its own number back.

    The number is the thread's own, but a thread that meets torch for the first time takes that
    which was set last, by whichever thread: where that was another fit's one, the first fit's
    caller tells what it would have been.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.n_users = 0
        self.callers = 1
        self.own = threading.local()

    def borrow(self) -> None:
        depth = getattr(self.own, "depth", 0)
        self.own.depth = depth + 1
        if depth:
            return
        with self.lock:
            found = torch.get_num_threads()
            if self.n_users == 0:
                self.callers = found
            is_new = not hasattr(self.own, "found")
            self.own.found = self.callers if is_new and found == 1 else found
            self.n_users += 1
            torch.set_num_threads(1)

    def give_back(self) -> None:
        self.own.depth -= 1
        if self.own.depth:
            return
        with self.lock:
            self.n_users -= 1
            torch.set_num_threads(self.own.found)


_THREADS = _Threads()


# The least number that is not denormal; a half of it is zero where denormals are flushed.
_LEAST_NORMAL = sys.float_info.min


class _SteadyArithmetic:
    """Context of one thread and no denormal numbers; the caller's settings come back at its end."""

    def __enter__(self) -> None:
        self.flushes_already = _LEAST_NORMAL * 0.5 == 0.0
        _THREADS.borrow()
        torch.set_flush_denormal(True)

    def __exit__(self, *error: object) -> None:
        torch.set_flush_denormal(self.flushes_already)
        _THREADS.give_back()


class prediction_runtime(_SteadyArithmetic):  # noqa: N801 (a context manager)
    """Predict as `torch_runtime` trains, but record nothing that a gradient would need."""

    def __enter__(self) -> None:
        super().__enter__()
        try:
            self.inference = torch.inference_mode()
            self.inference.__enter__()
        except BaseException:
            super().__exit__()
            raise

    def __exit__(self, *error: object) -> None:
        self.inference.__exit__(*error)
        super().__exit__(*error)


@contextmanager
def torch_runtime() -> Iterator[None]:
    """Train with one thread and without denormal numbers.

    One thread is faster at the sizes met here, and arithmetic must not depend on how many there
    happen to be. Gradients that vanish over time turn denormal, which halves the speed of a step.

    Yields
    ------
    None
        For as long as the settings are borrowed.
    """
    with _SteadyArithmetic(), torch.inference_mode(mode=False), torch.enable_grad():
        yield
