"""Rulers: the marks of a frequency among int64 times, numbered by integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries import offsets

from sknas.forecasting._axes import Times

__all__ = ["BusinessDays", "Months", "Ruler", "Steps", "Walk", "date_at"]

Days = NDArray[np.datetime64]


class Ruler(Protocol):
    """Numbers the marks of a frequency."""

    def count(self, times: Times) -> Times:
        """Return the number of the mark at each time.

        Parameters
        ----------
        times : ndarray of shape (n,), dtype=int64
            Times; between two marks, the number is that of one of them.

        Returns
        -------
        ndarray of shape (n,), dtype=int64
            Numbers.
        """
        ...

    def times(self, counts: Times) -> Times:
        """Return the times of marks.

        Parameters
        ----------
        counts : ndarray of shape (n,), dtype=int64
            Numbers.

        Returns
        -------
        ndarray of shape (n,), dtype=int64
            Times.
        """
        ...


@dataclass(frozen=True)
class Steps:
    """Marks of a fixed distance: seconds, hours, days, weeks, integers, periods.

    Parameters
    ----------
    length : int, default=1
        The distance, in units of time.
    offset : int, default=0
        Time of mark 0.
    """

    length: int = 1
    offset: int = 0

    def count(self, times: Times) -> Times:
        """Return the number of the mark at each time."""
        return (times - self.offset) // self.length

    def times(self, counts: Times) -> Times:
        """Return the times of marks."""
        return self.offset + self.length * counts


@dataclass(frozen=True)
class BusinessDays:
    """Days on which business is open, at one time of day.

    Parameters
    ----------
    day_length : int
        Units of time in a day.
    time_of_day : int
        Units since midnight.
    weekmask : str, default="1111100"
        Open days of a week, from Monday.
    holidays : tuple of int, default=()
        Closed days, counted from 1970-01-01.
    """

    day_length: int
    time_of_day: int
    weekmask: str = "1111100"
    holidays: tuple[int, ...] = ()

    def count(self, times: Times) -> Times:
        """Return the number of the mark at each time."""
        days = (times // self.day_length).view("M8[D]")
        calendar = self._calendar()
        return np.busday_count(self._origin(calendar), days, busdaycal=calendar)

    def times(self, counts: Times) -> Times:
        """Return the times of marks."""
        calendar = self._calendar()
        days = np.busday_offset(self._origin(calendar), counts, busdaycal=calendar)
        return days.view(np.int64) * self.day_length + self.time_of_day

    def _calendar(self) -> np.busdaycalendar:
        holidays = np.array(self.holidays, dtype=np.int64).view("M8[D]")
        return np.busdaycalendar(self.weekmask, holidays)

    def _origin(self, calendar: np.busdaycalendar) -> np.datetime64:
        # From an open day, numpy counts backwards as it counts forwards.
        first: np.datetime64 = np.busday_offset(
            np.datetime64(0, "D"), 0, roll="forward", busdaycal=calendar
        )
        return first


@dataclass(frozen=True)
class Months:
    """One day of every month, quarter or year, at one time of day.

    Parameters
    ----------
    day_length : int
        Units of time in a day.
    time_of_day : int
        Units since midnight.
    anchor : {"first", "last", "first business", "last business"}
        Which day of the month.
    length : int, default=1
        Months from one mark to the next.
    month : int, default=0
        A month that has a mark, from 0 for January.
    """

    day_length: int
    time_of_day: int
    anchor: str
    length: int = 1
    month: int = 0

    def count(self, times: Times) -> Times:
        """Return the number of the mark at each time."""
        days = (times // self.day_length).view("M8[D]")
        return (days.astype("M8[M]").view(np.int64) - self.month) // self.length

    def times(self, counts: Times) -> Times:
        """Return the times of marks."""
        months = (self.month + self.length * counts).view("M8[M]")
        return self._days(months).view(np.int64) * self.day_length + self.time_of_day

    def _days(self, months: Days) -> Days:
        if self.anchor.startswith("first"):
            days, roll = months.astype("M8[D]"), "forward"
        else:
            days, roll = (months + 1).astype("M8[D]") - 1, "backward"
        if self.anchor.endswith("business"):
            return np.busday_offset(days, 0, roll=roll)  # type: ignore[call-overload]
        return days


@dataclass(frozen=True)
class Walk:
    """Any other offset of pandas, whose marks only walking from one to the next can tell.

    Parameters
    ----------
    unit : {"s", "ms", "us", "ns"}
        Resolution of times.
    offset : pd.offsets.BaseOffset
        An offset with one step.
    origin : int
        Time of mark 0.
    """

    unit: str
    offset: offsets.BaseOffset
    origin: int

    def count(self, times: Times) -> Times:
        """Return the number of the mark at each time."""
        if not len(times):
            return times
        origin = self._date(self.origin)
        first, last = self._date(times.min()), self._date(times.max())
        before = self._marks(start=min(first, origin), end=origin)
        after = self._marks(start=origin, end=max(last, origin))
        marks = np.concatenate([before[:-1], after])
        return np.searchsorted(marks, times, side="right") - len(before)

    def times(self, counts: Times) -> Times:
        """Return the times of marks."""
        if not len(counts):
            return counts
        origin = self._date(self.origin)
        first, last = min(0, int(counts.min())), max(0, int(counts.max()))
        before = self._marks_until(origin, 1 - first)
        after = self._marks(start=origin, periods=1 + last)
        return np.concatenate([before[:-1], after])[counts - first]

    def _marks_until(self, origin: pd.Timestamp, n: int) -> Times:
        """Return the last `n` marks until mark 0.

        It walks forwards: going back, pandas meets other marks of some offsets.
        """
        marks, days = self._marks(start=origin, end=origin), 1
        while len(marks) < n:
            start = origin - n * self.offset - pd.Timedelta(days, unit="D")
            marks, days = self._marks(start=start, end=origin), 2 * days
        return marks[-n:]

    def _date(self, time: int | np.int64) -> pd.Timestamp:
        return date_at(time, self.unit)

    def _marks(self, **bounds: pd.Timestamp | int) -> Times:
        marks = pd.date_range(**bounds, freq=self.offset, unit=self.unit)
        return np.asarray(marks.asi8)


def date_at(time: int | np.int64, unit: str) -> pd.Timestamp:
    """Return the date at a time.

    Parameters
    ----------
    time : int
        Units since 1970.
    unit : {"s", "ms", "us", "ns"}
        Resolution.

    Returns
    -------
    pd.Timestamp
        The date, by a clock on the wall.
    """
    return pd.Timestamp(np.array(time, dtype=f"M8[{unit}]")[()])
