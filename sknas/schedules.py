"""Values that change with the progress of a search, from its start (0) to its end (1)."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise

__all__ = [
    "ConstantSchedule",
    "CosineSchedule",
    "ExponentialSchedule",
    "LinearSchedule",
    "Schedule",
    "StepSchedule",
]


class Schedule(ABC):
    """Give a value for each progress.

    To write one, subclass this as a frozen dataclass and define `__call__`.
    """

    @abstractmethod
    def __call__(self, progress: float) -> float:
        """Evaluate the schedule.

        Parameters
        ----------
        progress : float
            Share of the epoch budget spent, in [0, 1].

        Returns
        -------
        float
            The value at that moment, finite.

        Raises
        ------
        ValueError
            If `progress` is outside [0, 1].
        """


@dataclass(frozen=True)
class ConstantSchedule(Schedule):
    """Keep one value.

    Parameters
    ----------
    value : float
        The value.

    Examples
    --------
    >>> ConstantSchedule(0.5)(0.3)
    0.5
    """

    value: float

    def __post_init__(self) -> None:
        """Check the value."""
        _check_finite("value", self.value)

    def __call__(self, progress: float) -> float:
        """Evaluate the schedule; see `Schedule`."""
        _check_progress(progress)
        return float(self.value)


@dataclass(frozen=True)
class LinearSchedule(Schedule):
    """Go from `start` to `stop` in a straight line.

    Parameters
    ----------
    start : float
        Value at progress 0.
    stop : float
        Value at progress 1.

    Examples
    --------
    >>> LinearSchedule(1.0, 0.0)(0.25)
    0.75
    """

    start: float
    stop: float

    def __post_init__(self) -> None:
        """Check both ends."""
        _check_finite("start", self.start)
        _check_finite("stop", self.stop)

    def __call__(self, progress: float) -> float:
        """Evaluate the schedule; see `Schedule`."""
        _check_progress(progress)
        return _between(self.start, self.stop, progress)


@dataclass(frozen=True)
class CosineSchedule(Schedule):
    """Go from `start` to `stop` along half a cosine, flat at both ends.

    This is `stop + (start - stop) * (1 + cos(pi * progress)) / 2`, equation 5 of
    Loshchilov and Hutter (2017, SGDR) without restarts.

    Parameters
    ----------
    start : float
        Value at progress 0.
    stop : float
        Value at progress 1.

    Examples
    --------
    >>> round(CosineSchedule(1.0, 0.0)(0.25), 3)
    0.854
    """

    start: float
    stop: float

    def __post_init__(self) -> None:
        """Check both ends."""
        _check_finite("start", self.start)
        _check_finite("stop", self.stop)

    def __call__(self, progress: float) -> float:
        """Evaluate the schedule; see `Schedule`."""
        _check_progress(progress)
        share = (1 - math.cos(math.pi * progress)) / 2
        return _between(self.start, self.stop, share)


@dataclass(frozen=True)
class ExponentialSchedule(Schedule):
    """Go from `start` to `stop` by a constant factor in equal times.

    Parameters
    ----------
    start : float
        Positive value at progress 0.
    stop : float
        Positive value at progress 1.

    Examples
    --------
    >>> round(ExponentialSchedule(1.0, 0.01)(0.5), 3)
    0.1
    """

    start: float
    stop: float

    def __post_init__(self) -> None:
        """Check both ends."""
        _check_positive("start", self.start)
        _check_positive("stop", self.stop)

    def __call__(self, progress: float) -> float:
        """Evaluate the schedule; see `Schedule`."""
        _check_progress(progress)
        return float(self.start ** (1 - progress) * self.stop**progress)


@dataclass(frozen=True)
class StepSchedule(Schedule):
    """Hold one value after another.

    Parameters
    ----------
    values : tuple of float
        The values, one more than there are boundaries.
    boundaries : tuple of float
        The progresses, increasing and in (0, 1), at which the next value sets in.

    Examples
    --------
    >>> schedule = StepSchedule(values=(1.0, 0.1), boundaries=(0.5,))
    >>> schedule(0.49), schedule(0.5)
    (1.0, 0.1)
    """

    values: tuple[float, ...]
    boundaries: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check that values and boundaries fit."""
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                "values must have one entry more than boundaries; "
                f"got {len(self.values)} and {len(self.boundaries)}."
            )
        for value in self.values:
            _check_finite("values", value)
        ends = (0.0, *self.boundaries, 1.0)
        if not all(earlier < later for earlier, later in pairwise(ends)):
            raise ValueError(
                f"boundaries must increase and lie between 0 and 1; got {self.boundaries!r}."
            )

    def __call__(self, progress: float) -> float:
        """Evaluate the schedule; see `Schedule`."""
        _check_progress(progress)
        n_passed = sum(progress >= boundary for boundary in self.boundaries)
        return float(self.values[n_passed])


def _between(start: float, stop: float, share: float) -> float:
    """Mix the ends so that a share of 0 or 1 gives them exactly."""
    return float(start * (1 - share) + stop * share)


def _check_finite(name: str, value: float) -> None:
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite; got {value!r}.")


def _check_positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite; got {value!r}.")


def _check_progress(progress: float) -> None:
    if not 0 <= progress <= 1:
        raise ValueError(f"progress must be in [0, 1]; got {progress!r}.")
