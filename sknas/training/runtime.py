"""Borrow torch's process-wide settings for the time of a fit, and give them back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["PhaseOverError", "TimeIsUpError", "torch_runtime"]


class PhaseOverError(Exception):
    """A phase of training has come to its end."""


class TimeIsUpError(Exception):
    """The time budget is spent."""


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


@contextmanager
def torch_runtime() -> Iterator[None]:
    """Run with one thread and without denormal numbers.

    One thread is faster at the sizes met here, and arithmetic must not depend on how many there
    happen to be. Gradients that vanish over time turn denormal, which halves the speed of a step.

    Yields
    ------
    None
        For as long as the settings are borrowed.
    """
    flushes_already = float(torch.tensor(1e-40, dtype=torch.float32) * 0.5) == 0.0
    _THREADS.borrow()
    torch.set_flush_denormal(True)
    try:
        with torch.inference_mode(mode=False), torch.enable_grad():
            yield
    finally:
        torch.set_flush_denormal(flushes_already)
        _THREADS.give_back()
