"""The ruler that an offset of pandas means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries import offsets

from sknas.forecasting._axes import Times, units_per_day
from sknas.forecasting._rulers import BusinessDays, Months, Ruler, Steps, Walk, date_at

__all__ = ["Scale", "most_frequent", "scale_of"]

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
    first = offset.rollback(date_at(wall[0], unit))
    return Walk(unit, offset.base, _time_of(first, unit))


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
