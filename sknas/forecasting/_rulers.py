"""Rulers: the marks of a frequency among int64 times, numbered by integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries import offsets

from sknas.forecasting._axes import Times, units_per_day

__all__ = [
    "BusinessDays",
    "Months",
    "Ruler",
    "Scale",
    "Steps",
    "Walk",
    "most_frequent",
    "scale_of",
]

Days = NDArray[np.datetime64]

_THURSDAY = 3  # of 1970-01-01, with Monday as 0

# Offsets of months: how many months apart, and which day of the month.
_MONTHS: dict[type[offsets.BaseOffset], tuple[int, str]] = {
    offsets.MonthBegin: (1, "first"),
    offsets.MonthEnd: (1, "last"),
    offsets.BusinessMonthBegin: (1, "first business"),
    offsets.BusinessMonthEnd: (1, "last business"),
    offsets.QuarterBegin: (3, "first"),
    offsets.QuarterEnd: (3, "last"),
    offsets.BQuarterBegin: (3, "first business"),
    offsets.BQuarterEnd: (3, "last business"),
    offsets.YearBegin: (12, "first"),
    offsets.YearEnd: (12, "last"),
    offsets.BYearBegin: (12, "first business"),
    offsets.BYearEnd: (12, "last business"),
}


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
        return _date_at(time, self.unit)

    def _marks(self, **bounds: pd.Timestamp | int) -> Times:
        marks = pd.date_range(**bounds, freq=self.offset, unit=self.unit)
        return np.asarray(marks.asi8)


@dataclass(frozen=True)
class Scale:
    """A ruler, of which every `step`-th mark counts.

    Parameters
    ----------
    ruler : Ruler
        All marks.
    step : int
        How many marks make one step of the frequency.
    is_wall : bool
        Whether times are those of a clock on the wall.
    """

    ruler: Ruler
    step: int
    is_wall: bool


def most_frequent(values: NDArray[np.int64]) -> tuple[int, int]:
    """Return the most frequent of some values.

    Parameters
    ----------
    values : ndarray of shape (n,), dtype=int64
        At least one value.

    Returns
    -------
    value : int
        The first one if there are several.
    count : int
        How often it is there.
    """
    if (values == values[0]).all():
        return int(values[0]), len(values)
    found, first, counts = np.unique(values, return_index=True, return_counts=True)
    is_best = counts == counts.max()
    best = np.flatnonzero(is_best)[np.argmin(first[is_best])]
    return int(found[best]), int(counts[best])


def scale_of(offset: offsets.BaseOffset, wall: Times, unit: str) -> Scale:
    """Return the ruler of an offset of pandas.

    Parameters
    ----------
    offset : pd.offsets.BaseOffset
        A frequency.
    wall : ndarray of shape (n,), dtype=int64
        Times of labels, by a clock on the wall; at least one.
    unit : {"s", "ms", "us", "ns"}
        Their resolution.

    Returns
    -------
    Scale
        Where the frequency leaves the time of day open, it is that of most labels.

    Raises
    ------
    ValueError
        If the offset is not a frequency, or finer than the resolution.
    """
    if type(offset) is pd.DateOffset or offset.n < 1:
        raise ValueError(
            f"freq must be a frequency with fixed marks, such as 'h', 'B' or 'MS'; got {offset!r}."
        )
    day = units_per_day(unit)
    if isinstance(offset, offsets.Tick) and not isinstance(offset, offsets.Day):
        return Scale(Steps(), _in_units(offset, unit), is_wall=False)
    time_of_day, _ = most_frequent(wall % day)
    return Scale(_wall_ruler(offset, wall, unit, time_of_day), _n_marks(offset), is_wall=True)


def _n_marks(offset: offsets.BaseOffset) -> int:
    """Return how many marks one step of the offset is long."""
    is_free_week = isinstance(offset, offsets.Week) and offset.weekday is None
    return 7 * int(offset.n) if is_free_week else int(offset.n)


def _wall_ruler(offset: offsets.BaseOffset, wall: Times, unit: str, time_of_day: int) -> Ruler:
    """Return the ruler of days, business days, weeks, months, or of another offset."""
    day = units_per_day(unit)
    if isinstance(offset, offsets.Week) and offset.weekday is not None:
        monday_based = offset.weekday - _THURSDAY
        return Steps(7 * day, monday_based * day + time_of_day)
    if isinstance(offset, (offsets.Day, offsets.Week)):
        return Steps(day, time_of_day)
    if type(offset) in (offsets.BusinessDay, offsets.CustomBusinessDay) and not offset.offset:
        is_custom = type(offset) is offsets.CustomBusinessDay
        open_days = offset.calendar if is_custom else np.busdaycalendar()
        return BusinessDays(
            day,
            time_of_day,
            "".join(str(int(is_open)) for is_open in open_days.weekmask),
            tuple(open_days.holidays.view(np.int64).tolist()),
        )
    if type(offset) in _MONTHS:
        length, anchor = _MONTHS[type(offset)]
        month = getattr(offset, "startingMonth", getattr(offset, "month", 1)) - 1
        return Months(day, time_of_day, anchor, length, month % length)
    first = offset.rollback(_date_at(wall[0], unit))
    return Walk(unit, offset.base, _time_of(first, unit))


def _date_at(time: int | np.int64, unit: str) -> pd.Timestamp:
    return pd.Timestamp(np.array(time, dtype=f"M8[{unit}]")[()])


def _time_of(date: pd.Timestamp, unit: str) -> int:
    return int(date.to_datetime64().astype(f"M8[{unit}]").astype(np.int64))


def _in_units(offset: offsets.BaseOffset, unit: str) -> int:
    try:
        step = pd.Timedelta(offset).as_unit(unit, round_ok=False)
    except ValueError as error:
        raise ValueError(
            f"freq must not be finer than the resolution of the index, {unit!r}; got "
            f"{offset.freqstr!r}."
        ) from error
    return int(step.to_timedelta64().astype(np.int64))
