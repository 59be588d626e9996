"""What gradient steps change, and a copy of it to go back to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sknas.search.arch_regularizers import ArchPenalty
from sknas.search.averaging import WeightAverage

__all__ = ["LastGood", "Learning"]

Entries = dict[Any, dict[str, Any]]


@dataclass(frozen=True)
class Learning:
    """What gradient steps change: parameters, moments, averages, and a regularizer's memory.

    Attributes
    ----------
    optimizers : tuple of Optimizer
        They hold the parameters.
    average : WeightAverage or None, default=None
        Average of weights.
    penalty : ArchPenalty or None, default=None
        What remembers architecture parameters.
    """

    optimizers: tuple[Optimizer, ...]
    average: WeightAverage | None = None
    penalty: ArchPenalty | None = None

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All parameters that an optimizer steps."""
        return [parameter for group in self._groups for parameter in group["params"]]

    @property
    def rates(self) -> list[float]:
        """Learning rate of each group of parameters."""
        return [float(group["lr"]) for group in self._groups]

    def set_rates(self, rates: Sequence[float]) -> None:
        """Give each group of parameters a learning rate.

        Parameters
        ----------
        rates : sequence of float
            In the order of `rates`.
        """
        for group, rate in zip(self._groups, rates, strict=True):
            group["lr"] = rate

    @property
    def _groups(self) -> list[dict[str, Any]]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    @torch.no_grad()
    def is_finite(self) -> bool:
        """Return whether all parameters, moments and averages are finite."""
        parts = [tensor.flatten() for tensor in self._tensors()]
        return not parts or bool(torch.cat(parts).isfinite().all())

    def _tensors(self) -> Iterator[Tensor]:
        yield from self.parameters
        if self.average is not None:
            yield from self.average.averages.values()
        for optimizer in self.optimizers:
            for entries in optimizer.state.values():
                yield from (value for value in entries.values() if isinstance(value, Tensor))


class LastGood:
    """A copy of all that steps change; learning rates are not part of it.

    Parameters
    ----------
    learning : Learning
        What to copy.
    """

    def __init__(self, learning: Learning) -> None:
        self._parameters = learning.parameters
        self._values = [parameter.detach().clone() for parameter in self._parameters]
        self._states = [_copied(optimizer.state) for optimizer in learning.optimizers]
        average, penalty = learning.average, learning.penalty
        self._averages: dict[nn.Parameter, Tensor] = {}
        self._n_averaged = self._n_penalised = 0
        if average is not None:
            self._averages = {p: value.clone() for p, value in average.averages.items()}
            self._n_averaged = average.n_steps
        self._memory: Entries = {}
        if penalty is not None:
            self._memory, self._n_penalised = _copied(penalty.memory), penalty.n_steps

    def fits(self, learning: Learning) -> bool:
        """Return whether what learns still has the parameters that were copied.

        Parameters
        ----------
        learning : Learning
            What learns now; an edit may have changed it.

        Returns
        -------
        bool
            Whether it can go back.
        """
        present = learning.parameters
        return [*map(id, present)] == [*map(id, self._parameters)]

    @torch.no_grad()
    def restore(self, learning: Learning) -> None:
        """Give everything the values that were copied.

        Parameters
        ----------
        learning : Learning
            What fits.
        """
        for parameter, value in zip(self._parameters, self._values, strict=True):
            parameter.copy_(value)
        for optimizer, state in zip(learning.optimizers, self._states, strict=True):
            optimizer.state.clear()
            optimizer.state.update(_copied(state))
        if learning.average is not None:
            for parameter, value in self._averages.items():
                learning.average.averages[parameter].copy_(value)
            learning.average.n_steps = self._n_averaged
        if learning.penalty is not None:
            learning.penalty.memory = _copied(self._memory)
            learning.penalty.n_steps = self._n_penalised


def _copied(state: Mapping[Any, Mapping[str, Any]]) -> Entries:
    """Return a copy of what is kept of each parameter."""
    return {
        parameter: {
            key: value.detach().clone() if isinstance(value, Tensor) else value
            for key, value in entries.items()
        }
        for parameter, entries in state.items()
    }
