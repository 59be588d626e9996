"""When an architecture step is taken: before which of the weight steps."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Generic, TypeVar

from sklearn.base import BaseEstimator

from sknas._validation import Interval

__all__ = [
    "AlternateSchedule",
    "ArchClock",
    "ArchSchedule",
    "EveryKSchedule",
    "InformationSchedule",
]

State = TypeVar("State")


class ArchSchedule(BaseEstimator, ABC, Generic[State]):
    """Interface: asked before each weight step whether an architecture step comes first.

    A schedule remembers nothing: what has happened is a value that the caller keeps and hands
    over, so that one object may serve several fits. It is asked only while something is undecided.

    Attributes
    ----------
    share : float
        Share of the weight steps that an architecture step precedes, in the long run.
    """

    _parameter_constraints: ClassVar[Mapping[str, list[Any]]] = {}

    @property
    @abstractmethod
    def share(self) -> float:
        """Share of the weight steps that an architecture step precedes, in the long run."""

    @abstractmethod
    def start(self) -> State:
        """Return the state before the first step of a fit."""

    @abstractmethod
    def decide(self, state: State, information: float) -> tuple[bool, State]:
        """Say whether an architecture step is to be taken now.

        Parameters
        ----------
        state : object
            What `start` or the last decision returned.
        information : float
            Squared norm of the last weight step's gradient, before clipping; NaN before the first.

        Returns
        -------
        is_due : bool
            Whether to take one architecture step.
        state : object
            For the next decision.
        """


class AlternateSchedule(ArchSchedule[None]):
    """An architecture step before every weight step, as in DARTS (Liu et al. 2019, algorithm 1)."""

    @property
    def share(self) -> float:
        """One."""
        return 1.0

    def start(self) -> None:
        """Return None: there is nothing to remember."""

    def decide(self, state: None, information: float) -> tuple[bool, None]:
        """Return that a step is due."""
        del information
        return True, state


class EveryKSchedule(ArchSchedule[int]):
    """An architecture step before the first of every k weight steps.

    Parameters
    ----------
    k : int, default=2
        Weight steps from one architecture step to the next; 1 is `AlternateSchedule`.

    Examples
    --------
    >>> from sknas.search import EveryKSchedule
    >>> EveryKSchedule(k=4).share
    0.25
    """

    _parameter_constraints: ClassVar[Mapping[str, list[Any]]] = {
        "k": [Interval(Integral, 1, None, closed="left")]
    }

    def __init__(self, *, k: int = 2) -> None:
        self.k = k

    @property
    def share(self) -> float:
        """1 / k."""
        return 1.0 / self.k

    def start(self) -> int:
        """Return zero decisions."""
        return 0

    def decide(self, state: int, information: float) -> tuple[bool, int]:
        """Count."""
        del information
        return state == 0, (state + 1) % self.k


@dataclass(frozen=True)
class InformationState:
    """What `InformationSchedule` remembers.

    Attributes
    ----------
    average : float
        Running average of the information.
    reference : float
        The first average, in whose units the threshold is counted; 0 before there is one.
    n_rises : int
        The threshold is ``reference * rate**n_rises``.
    """

    average: float = math.nan
    reference: float = 0.0
    n_rises: int = 0


class InformationSchedule(ArchSchedule[InformationState]):
    """An architecture step when the weights have little left to learn (DARTS-PRIME).

    Maile et al. (2021), arXiv:2106.11655, section on the dynamic schedule: the squared norm of
    the weights' gradient is an empirical trace of the Fisher information. While it is small, the
    weights are near their best for this architecture, so that the architecture's gradient means
    something. A threshold moves: where ``0 < information < threshold``, one architecture step is
    taken and the threshold is multiplied by ``rate**-frequency``; elsewhere it is multiplied by
    `rate`. It therefore settles where one weight step in ``1 + frequency`` is preceded by an
    architecture step.

    Ours: the threshold starts at the first information seen, where the authors' code starts at
    one, so that no length of the gradient delays the balance; and information that is not finite
    changes nothing.

    Parameters
    ----------
    frequency : int, default=10
        Weight steps without an architecture step for each one with.
    momentum : float, default=0.8
        Share of the running average that stays when a new value comes in; 0 takes each value as
        it is.
    rate : float, default=1.05
        Factor by which the threshold rises.

    Examples
    --------
    >>> from sknas.search import InformationSchedule
    >>> InformationSchedule(frequency=4).share
    0.2
    """

    _parameter_constraints: ClassVar[Mapping[str, list[Any]]] = {
        "frequency": [Interval(Integral, 1, None, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "rate": [Interval(Real, 1, None, closed="neither")],
    }

    def __init__(self, *, frequency: int = 10, momentum: float = 0.8, rate: float = 1.05) -> None:
        self.frequency = frequency
        self.momentum = momentum
        self.rate = rate

    @property
    def share(self) -> float:
        """1 / (1 + frequency)."""
        return 1.0 / (1 + self.frequency)

    def start(self) -> InformationState:
        """Return a state without a threshold."""
        return InformationState()

    def decide(self, state: InformationState, information: float) -> tuple[bool, InformationState]:
        """Compare the averaged information with the threshold, and move the threshold."""
        if not math.isfinite(information):
            return False, state
        average = information
        if math.isfinite(state.average):
            average = self.momentum * state.average + (1.0 - self.momentum) * information
        reference = state.reference or average
        # In logarithms, for a threshold that rises while there is no gradient would overflow.
        is_due = average > 0.0 and (
            math.log(average) < math.log(reference) + state.n_rises * math.log(self.rate)
        )
        n_rises = state.n_rises + (-self.frequency if is_due else int(reference > 0.0))
        return is_due, dataclasses.replace(
            state, average=average, reference=reference, n_rises=n_rises
        )


class ArchClock:
    """A schedule at work in one search; it begins anew with every mixed phase.

    Parameters
    ----------
    schedule : ArchSchedule
        What decides; it is not changed.

    Attributes
    ----------
    information : float
        Squared norm of the last weight step's gradient, to be set after each step.
    """

    def __init__(self, schedule: ArchSchedule[Any]) -> None:
        self.schedule = schedule
        self._is_running = True
        self.state = schedule.start()
        self.information = math.nan

    def is_due(self, *, is_undecided: bool = True) -> bool:
        """Say whether an architecture step comes before the next weight step; ask once for each.

        Parameters
        ----------
        is_undecided : bool, default=True
            Whether there is anything for such a step to decide, as in a mixed phase.

        Returns
        -------
        bool
            Whether the step is due.
        """
        was_running, self._is_running = self._is_running, is_undecided
        if not is_undecided:
            return False
        if not was_running:
            self.state, self.information = self.schedule.start(), math.nan
        is_due, self.state = self.schedule.decide(self.state, self.information)
        return is_due
