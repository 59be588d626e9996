"""The running average of the weights that validation judges and prediction uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from sknas.edits import ParameterChange, carry_averages

__all__ = ["WeightAverage"]

_LAG = 9.0
_STEPS_AFTER_EDIT = 20


class WeightAverage:
    """Exponential average with decay ``min(decay, t / (t + 9))``: about the last tenth of steps.

    Parameters
    ----------
    parameters : iterable of nn.Parameter
        What to average.
    decay : float, default=0.99
        Largest decay a step.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], decay: float = 0.99) -> None:
        self.decay = decay
        self.n_steps = 0
        self.averages = {p: p.detach().clone() for p in parameters}

    @torch.no_grad()
    def update(self) -> None:
        """Take the present weights in."""
        decay = min(self.decay, self.n_steps / (self.n_steps + _LAG))
        self.n_steps += 1
        if self.averages:
            torch._foreach_lerp_(
                list(self.averages.values()), [p.detach() for p in self.averages], 1.0 - decay
            )

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Let the parameters hold their averages for the duration of the context."""
        present = [p.detach().clone() for p in self.averages]
        try:
            self.assign(list(self.averages.values()))
            yield
        finally:
            self.assign(present)

    @torch.no_grad()
    def assign(self, values: list[Tensor]) -> None:
        """Give the parameters values.

        Parameters
        ----------
        values : list of Tensor
            One for each averaged parameter, in order.
        """
        for parameter, value in zip(self.averages, values, strict=True):
            parameter.copy_(value)

    def carry(self, change: ParameterChange, trainable: Iterable[nn.Parameter]) -> None:
        """Follow an edit; the newborn are soon averaged over steps of their own.

        Parameters
        ----------
        change : ParameterChange
            What the edit returned.
        trainable : iterable of nn.Parameter
            What to average from now on.
        """
        self.averages = carry_averages(self.averages, change, trainable)
        self.n_steps = min(self.n_steps, _STEPS_AFTER_EDIT)
