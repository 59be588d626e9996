"""What stands on a time axis - dates, periods, integers or nothing - read as int64 times."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import ClassVar, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Axis",
    "DateAxis",
    "IntegerAxis",
    "PeriodAxis",
    "RowAxis",
    "Times",
    "axis_of",
    "units_per_day",
]

Times: TypeAlias = NDArray[np.int64]

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def units_per_day(unit: str) -> int:
    """Return the length of a day.

    Parameters
    ----------
    unit : {"s", "ms", "us", "ns"}
        A resolution of pandas.

    Returns
    -------
    int
        The length in that unit.
    """
    return 86_400 * _PER_SECOND[unit]


@dataclass(frozen=True)
class DateAxis:
    """Dates, with or without a time zone.

    Parameters
    ----------
    name : hashable or None
        Name of the index.
    tz : tzinfo or None
        Time zone.
    unit : {"s", "ms", "us", "ns"}
        Resolution of the labels.
    is_wall : bool, default=False
        Whether times are those of a clock on the wall, which days and longer steps follow across
        daylight saving. Otherwise they are those of UTC.
    """

    kind: ClassVar[str] = "datetime"
    name: Hashable
    tz: tzinfo | None
    unit: str
    is_wall: bool = False

    def __str__(self) -> str:
        zone = "without a time zone" if self.tz is None else f"in the time zone {self.tz}"
        return f"dates {zone}"

    def times(self, labels: pd.DatetimeIndex) -> Times:
        """Return labels as numbers, rounded down to the resolution.

        Parameters
        ----------
        labels : pd.DatetimeIndex
            Dates of this axis, none missing.

        Returns
        -------
        ndarray of shape (n,), dtype=int64
            Units since 1970.
        """
        if self.is_wall and self.tz is not None:
            labels = labels.tz_localize(None)
        return np.asarray(labels.as_unit(self.unit).asi8)

    def labels(self, times: Times) -> pd.DatetimeIndex:
        """Return the dates at some times.

        Parameters
        ----------
        times : ndarray of shape (n,), dtype=int64
            Units since 1970. A wall time that daylight saving leaves out moves to the first
            one after it; of two equal ones the first is meant.

        Returns
        -------
        pd.DatetimeIndex
            Dates of this axis.
        """
        dates = pd.DatetimeIndex(times.view(f"M8[{self.unit}]"), name=self.name)
        if self.tz is None:
            return dates
        if not self.is_wall:
            return dates.tz_localize("UTC").tz_convert(self.tz)
        first = np.ones(len(dates), dtype=bool)
        return dates.tz_localize(self.tz, ambiguous=first, nonexistent="shift_forward")


@dataclass(frozen=True)
class PeriodAxis:
    """Periods, such as months, each with a number of its own in pandas.

    Parameters
    ----------
    name : hashable or None
        Name of the index.
    freq : pd.offsets.BaseOffset
        Frequency of the index.
    """

    kind: ClassVar[str] = "period"
    name: Hashable
    freq: pd.offsets.BaseOffset

    def __str__(self) -> str:
        return f"periods of frequency {self.freqstr!r}"

    @property
    def freqstr(self) -> str:
        """The frequency as pandas writes that of periods."""
        return str(pd.PeriodIndex([], freq=self.freq).freqstr)

    def times(self, labels: pd.PeriodIndex) -> Times:
        """Return the numbers of periods.

        Parameters
        ----------
        labels : pd.PeriodIndex
            Periods of this axis, none missing.

        Returns
        -------
        ndarray of shape (n,), dtype=int64
            Their ordinals.
        """
        return np.asarray(labels.asi8)

    def labels(self, times: Times) -> pd.PeriodIndex:
        """Return the periods of some numbers.

        Parameters
        ----------
        times : ndarray of shape (n,), dtype=int64
            Ordinals.

        Returns
        -------
        pd.PeriodIndex
            Periods of this axis.
        """
        return pd.PeriodIndex.from_ordinals(times, freq=self.freq, name=self.name)


@dataclass(frozen=True)
class IntegerAxis:
    """Integers with a constant step.

    Parameters
    ----------
    name : hashable or None
        Name of the index.
    dtype : np.dtype
        Integers of the index.
    is_range : bool
        Whether the index is a range, and shall be one again where it can.
    """

    kind: ClassVar[str] = "integer"
    name: Hashable
    dtype: np.dtype[np.integer]
    is_range: bool

    def __str__(self) -> str:
        return "integers"

    def times(self, labels: pd.Index) -> Times:
        """Return labels as they are.

        Parameters
        ----------
        labels : pd.Index
            Integers.

        Returns
        -------
        ndarray of shape (n,), dtype=int64
            The same.
        """
        return labels.to_numpy().astype(np.int64)

    def labels(self, times: Times) -> pd.Index:
        """Return integers as an index.

        Parameters
        ----------
        times : ndarray of shape (n,), dtype=int64
            Integers.

        Returns
        -------
        pd.Index
            A range if the index was one and the step is constant and positive.
        """
        steps = np.diff(times)
        if self.is_range and len(times) and (steps > 0).all() and (steps == steps[:1]).all():
            step = int(steps[0]) if len(steps) else 1
            return pd.RangeIndex(int(times[0]), int(times[-1]) + step, step, name=self.name)
        narrow = times.astype(self.dtype)
        return pd.Index(narrow if (narrow == times).all() else times, name=self.name)


@dataclass(frozen=True)
class RowAxis:
    """Rows of an array, which have numbers but no labels."""

    kind: ClassVar[str] = "none"
    name: ClassVar[None] = None

    def __str__(self) -> str:
        return "rows of an array, without an index"

    def times(self, labels: pd.Index) -> Times:
        """Return row numbers as they are.

        Parameters
        ----------
        labels : pd.Index
            Row numbers.

        Returns
        -------
        ndarray of shape (n,), dtype=int64
            The same.
        """
        return labels.to_numpy().astype(np.int64)

    def labels(self, times: Times) -> pd.Index:
        """Return row numbers as an index.

        Parameters
        ----------
        times : ndarray of shape (n,), dtype=int64
            Row numbers.

        Returns
        -------
        pd.Index
            A range where the numbers are consecutive.
        """
        return IntegerAxis(None, np.dtype(np.int64), is_range=True).labels(times)


Axis: TypeAlias = DateAxis | PeriodAxis | IntegerAxis | RowAxis


def axis_of(labels: pd.Index | ArrayLike, name: str) -> tuple[Axis, pd.Index]:
    """Tell what kind of labels there are.

    Parameters
    ----------
    labels : pd.Index or array-like of shape (n,)
        Labels of a time axis.
    name : str
        What they are called in messages.

    Returns
    -------
    axis : Axis
        The kind.
    index : pd.Index
        The labels.

    Raises
    ------
    TypeError
        If they are neither dates nor periods nor integers.
    """
    index = labels if isinstance(labels, pd.Index) else pd.Index(labels)
    if isinstance(index, pd.DatetimeIndex):
        return DateAxis(index.name, index.tz, index.unit), index
    if isinstance(index, pd.PeriodIndex):
        return PeriodAxis(index.name, index.freq), index
    if pd.api.types.is_integer_dtype(index.dtype) and not index.hasnans:
        index = index if isinstance(index.dtype, np.dtype) else index.astype(np.int64)
        return IntegerAxis(index.name, index.dtype, isinstance(index, pd.RangeIndex)), index
    raise TypeError(
        f"{name} must be a DatetimeIndex, a PeriodIndex or an index of integers; "
        f"got {_described(index)}"
    )


def _described(index: pd.Index) -> str:
    """Say what another index holds, and how to make a time axis of it where that is likely."""
    if isinstance(index, pd.MultiIndex):
        return f"a MultiIndex of {index.nlevels} levels."
    text = f"{type(index).__name__} of dtype {index.dtype}"
    first = index[0] if len(index) else None
    if index.dtype == object and isinstance(first, datetime):
        zones = {str(label.tzinfo) for label in index if isinstance(label, datetime)}
        if len(zones) > 1:
            shown = ", ".join(sorted(zones)[:5])
            return f"{text} with mixed time zones ({shown}): use pd.to_datetime(index, utc=True)."
    if index.dtype == object or isinstance(first, str):
        return f"{text}: make dates of it with pd.to_datetime."
    return f"{text}."
