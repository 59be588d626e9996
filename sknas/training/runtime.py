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


class _Borrowed:
    """Counts the fits that run, so that the last one out restores what the first one found."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.n_users = 0
        self.n_threads = 1

    def enter(self) -> None:
        with self.lock:
            if self.n_users == 0:
                self.n_threads = torch.get_num_threads()
            self.n_users += 1
            torch.set_num_threads(1)

    def leave(self) -> None:
        with self.lock:
            self.n_users -= 1
            if self.n_users == 0:
                torch.set_num_threads(self.n_threads)


_BORROWED = _Borrowed()


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
    _BORROWED.enter()
    torch.set_flush_denormal(True)
    try:
        with torch.inference_mode(mode=False), torch.enable_grad():
            yield
    finally:
        torch.set_flush_denormal(flushes_already)
        _BORROWED.leave()
