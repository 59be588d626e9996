"""Torch's optimizers without its compiler, whose import would be most of a small first fit.

Torch wraps methods of optimizers so that its compiler passes over them, and the wrappers import the
compiler when they are first called. What they wrap does the whole work without it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

import torch
from torch.optim import Optimizer

__all__ = ["LBFGS", "Adam", "AdamW"]

Closure = Callable[[], float] | None

_adam_step: Callable[..., float | None] = inspect.unwrap(torch.optim.Adam.step)
_adamw_step: Callable[..., float | None] = inspect.unwrap(torch.optim.AdamW.step)


class _Eager(Optimizer):
    """The methods that all optimizers share, as torch has written them."""

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)


class LBFGS(_Eager, torch.optim.LBFGS):
    """`torch.optim.LBFGS`; its step is not wrapped."""


class Adam(_Eager, torch.optim.Adam):
    """`torch.optim.Adam`."""

    @torch.no_grad()
    def step(self, closure: Closure = None) -> float | None:  # type: ignore[override]
        """Take a step, as torch's Adam does."""
        return _adam_step(self, closure)


class AdamW(_Eager, torch.optim.AdamW):
    """`torch.optim.AdamW`."""

    @torch.no_grad()
    def step(self, closure: Closure = None) -> float | None:  # type: ignore[override]
        """Take a step, as torch's AdamW does."""
        return _adamw_step(self, closure)
