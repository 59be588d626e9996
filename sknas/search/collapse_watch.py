"""Watch a mixed phase for the collapse of DARTS, and say which earlier state to go back to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from sknas._validation import Interval
from sknas.blocks import Batch, Objective
from sknas.search.learner import Learner
from sknas.supernet import Supernet

__all__ = ["Collapse", "CollapseWatch", "EigenvalueWatch", "Watcher", "arch_hessian"]


class CollapseWatch(BaseEstimator, ABC):
    """Interface: what to measure of a supernet, and what its course says.

    A watch remembers nothing, so that one object may serve several fits. It draws nothing either:
    a search that it lets go on is the same without it, to the last bit.

    Attributes
    ----------
    lag : int
        Checks that it may go back, at most.
    """

    _parameter_constraints: ClassVar[Mapping[str, list[Any]]] = {}
    lag: int

    @abstractmethod
    def is_due(self, n_epochs: int) -> bool:
        """Say whether to check after an epoch.

        Parameters
        ----------
        n_epochs : int
            Epochs of the mixed phase so far, at least 1.

        Returns
        -------
        bool
            Whether to measure now.
        """

    def can_judge(self, n_epochs: int) -> bool:
        """Say whether a mixed phase is long enough for a collapse to be seen in it.

        Parameters
        ----------
        n_epochs : int
            Epochs of the mixed phase.

        Returns
        -------
        bool
            By default, whether it has more than `lag` checks.
        """
        return sum(self.is_due(n) for n in range(1, n_epochs + 1)) > self.lag

    @abstractmethod
    def measure(self, supernet: Supernet, batch: Batch, objective: Objective) -> float:
        """Measure a supernet, and leave it as it is.

        Parameters
        ----------
        supernet : Supernet
            A network in which something is undecided.
        batch : tuple of Tensor
            past, target, weight of samples of the architecture split, the same in each check.
        objective : Objective
            The loss.

        Returns
        -------
        float
            The measure.
        """

    @abstractmethod
    def rise(self, measures: Sequence[float], n_epochs: int) -> float | None:
        """Say whether the phase has collapsed since `lag` checks ago.

        Parameters
        ----------
        measures : sequence of float
            Measures of the mixed phase, oldest first, the present one included.
        n_epochs : int
            Epochs of the mixed phase so far.

        Returns
        -------
        float or None
            By which factor the measure has risen where that is a collapse; None to go on.
        """


class EigenvalueWatch(CollapseWatch):
    """Stop where the architecture loss becomes sharp in the architecture (DARTS-ES).

    Zela et al. (2020), "Understanding and Robustifying Differentiable Architecture Search",
    arXiv:1909.09656: networks that DARTS finds are poor where the dominant eigenvalue of the
    Hessian of the validation loss with respect to the architecture parameters has grown fast. The
    exact Hessian is computed every few epochs; where the moving average of that eigenvalue exceeds
    that of `lag` checks before by more than the factor `ratio`, the search stops, and the
    architecture of that earlier check is the result. The defaults are those of the authors' code.

    Ours: the Hessian is that of one batch of the architecture split, the same in each check, with
    the weights as they are, without draws or regularizer. Architecture parameters are counted in
    units of their temperature, since a softmax that cools, or a gate that hardens, would be sharper
    in them by that alone; the authors' relaxation does neither. The eigenvalue is the largest,
    sign included, and an average that is not positive has no ratio. Epochs count from where the
    phase began or last grew. A check costs a backward pass through the gradient for each
    architecture parameter.

    Parameters
    ----------
    every : int, default=2
        Epochs from one check to the next.
    window : int, default=5
        Checks that an average is taken over; fewer at first.
    ratio : float, default=1.3
        Factor above which a rise of the average is a collapse.
    lag : int, default=4
        Checks between the two averages, and those that a collapse takes back.
    warmup : int, default=10
        Epochs of a mixed phase in which a rise means nothing.

    Examples
    --------
    >>> from sknas.search import EigenvalueWatch
    >>> EigenvalueWatch(warmup=0).rise([1.0, 1.0, 1.0, 1.0, 3.0], n_epochs=10)
    1.4
    """

    _parameter_constraints: ClassVar[Mapping[str, list[Any]]] = {
        "every": [Interval(Integral, 1, None, closed="left")],
        "window": [Interval(Integral, 1, None, closed="left")],
        "ratio": [Interval(Real, 0, None, closed="neither")],
        "lag": [Interval(Integral, 1, None, closed="left")],
        "warmup": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        every: int = 2,
        window: int = 5,
        ratio: float = 1.3,
        lag: int = 4,
        warmup: int = 10,
    ) -> None:
        self.every = every
        self.window = window
        self.ratio = ratio
        self.lag = lag
        self.warmup = warmup

    def is_due(self, n_epochs: int) -> bool:
        """Return whether the epoch is one of every few."""
        return n_epochs % self.every == 0

    def can_judge(self, n_epochs: int) -> bool:
        """Return whether there are more than `lag` checks, the last one after the warmup."""
        n_checks = n_epochs // self.every
        return n_checks > self.lag and n_checks * self.every >= self.warmup

    def measure(self, supernet: Supernet, batch: Batch, objective: Objective) -> float:
        """Return the largest eigenvalue of the architecture's Hessian; NaN where it is not finite.

        See `CollapseWatch`.
        """
        units = _units(supernet, like=batch[2])
        hessian = arch_hessian(supernet, batch, objective) * torch.outer(units, units)
        if not bool(hessian.isfinite().all()):
            return float("nan")
        return float(torch.linalg.eigvalsh(hessian)[-1])

    def rise(self, measures: Sequence[float], n_epochs: int) -> float | None:
        """Compare the average of the last checks with that of `lag` checks before."""
        if n_epochs < self.warmup or len(measures) <= self.lag:
            return None
        before, now = self._average(measures[: -self.lag]), self._average(measures)
        return now / before if before > 0.0 and now > self.ratio * before else None

    def _average(self, measures: Sequence[float]) -> float:
        last = measures[-self.window :]
        return sum(last) / len(last)


def arch_hessian(supernet: Supernet, batch: Batch, objective: Objective) -> Tensor:
    """Return the Hessian of the loss with respect to the free architecture parameters.

    Parameters
    ----------
    supernet : Supernet
        A network in which something is undecided.
    batch : tuple of Tensor
        past, target, weight.
    objective : Objective
        The loss.

    Returns
    -------
    Tensor of shape (n, n)
        Symmetric; n entries of all free parameters, flattened one after another.
    """
    past, target, weight = batch
    free = supernet.free_arch_parameters()
    loss = objective.mean(supernet(past), target, weight)
    gradients = torch.autograd.grad(loss, free, create_graph=True, materialize_grads=True)
    rows = []
    for entry in torch.cat([gradient.flatten() for gradient in gradients]):
        if entry.requires_grad:
            seconds = torch.autograd.grad(entry, free, retain_graph=True, materialize_grads=True)
        else:  # the loss is linear in it
            seconds = tuple(torch.zeros_like(p) for p in free)
        rows.append(torch.cat([second.flatten() for second in seconds]))
    hessian = torch.stack(rows)
    return 0.5 * (hessian + hessian.T)  # symmetric but for rounding


def _units(supernet: Supernet, *, like: Tensor) -> Tensor:
    """Return the unit of each entry of the free architecture parameters."""
    return torch.cat(
        [
            like.new_full((parameter.numel(),), unit)
            for _, node in supernet.nodes()
            for parameter, unit in zip(
                node.free_arch_parameters(), node.free_arch_units(), strict=True
            )
        ]
    )


@dataclass(frozen=True)
class Collapse:
    """A collapse that a search went back from.

    Attributes
    ----------
    epoch : int
        Epoch after which it was seen.
    back_to : int
        Epoch whose state was taken up again, to be decided at once.
    rise : float
        Factor by which the measure had risen.
    """

    epoch: int
    back_to: int
    rise: float

    def after(self, n_epochs: int) -> Collapse:
        """Return the same collapse in a history in which so many epochs came before.

        Parameters
        ----------
        n_epochs : int
            Epochs before the search.

        Returns
        -------
        Collapse
            With later epochs.
        """
        return Collapse(n_epochs + self.epoch, n_epochs + self.back_to, self.rise)

    def __str__(self) -> str:
        return (
            f"epoch {self.epoch}: the architecture loss became {self.rise:.3g} times as sharp; "
            f"went back to epoch {self.back_to} and decided there"
        )


class Watcher:
    """A watch at work in one search: keeps the states that it may go back to.

    Parameters
    ----------
    watch : CollapseWatch
        What measures and decides; it is not changed.
    batch : tuple of Tensor
        past, target, weight of samples of the architecture split.
    objective : Objective
        The loss.

    Attributes
    ----------
    measure : float
        What the last look measured; NaN where none was due.
    collapses : list of Collapse
        What it saw.
    """

    def __init__(self, watch: CollapseWatch, batch: Batch, objective: Objective) -> None:
        self.watch = watch
        self.batch = batch
        self.objective = objective
        self.collapses: list[Collapse] = []
        self.measure = float("nan")
        self.restart()

    def restart(self) -> None:
        """Begin anew, as where the network has grown or a move was undone."""
        self._n_epochs = 0
        self._measures: list[float] = []
        self._states: deque[tuple[int, Learner]] = deque(maxlen=self.watch.lag + 1)

    def rest(self) -> None:
        """Note that nothing is to be watched in an epoch."""
        self.measure = float("nan")

    def look(self, learner: Learner, epoch: int) -> Learner | None:
        """Check where it is due, after an epoch.

        Parameters
        ----------
        learner : Learner
            What learns; it is left as it is.
        epoch : int
            Number of the epoch.

        Returns
        -------
        Learner or None
            The state to go on from and to decide where the phase has collapsed; None elsewhere.
        """
        self._n_epochs += 1
        self.rest()
        if not self.watch.is_due(self._n_epochs):
            return None
        self.measure = self.watch.measure(learner.supernet, self.batch, self.objective)
        self._measures.append(self.measure)
        self._states.append((epoch, learner.snapshot()))
        rise = self.watch.rise(self._measures, self._n_epochs)
        if rise is None:
            return None
        back_to, state = self._states[0]
        self.collapses.append(Collapse(epoch, back_to, rise))
        self.restart()
        return state
