"""Which frequency the dates of a time axis have, told from most of their steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries import offsets
from pandas.tseries.frequencies import to_offset

from sknas.forecasting._axes import Axis, DateAxis, PeriodAxis, Times, units_per_day
from sknas.forecasting._marks import Scale, most_frequent, scale_of
from sknas.forecasting._rulers import Steps
from sknas.forecasting._wording import rows_text

__all__ = ["Frequency", "month_advice", "read_frequency"]

Offset: TypeAlias = offsets.BaseOffset
Frequency: TypeAlias = Offset | str | int | None

_N_LABELS = 3  # fewer labels have fewer than two steps, which cannot agree

_BEGIN_OR_END: tuple[tuple[type[Any], type[Any], type[Any]], ...] = (
    (offsets.MonthBegin, offsets.QuarterBegin, offsets.YearBegin),
    (offsets.MonthEnd, offsets.QuarterEnd, offsets.YearEnd),
    (offsets.BusinessMonthBegin, offsets.BQuarterBegin, offsets.BYearBegin),
    (offsets.BusinessMonthEnd, offsets.BQuarterEnd, offsets.BYearEnd),
)
_PERIODS = (("Y", 12), ("Q", 3), ("M", 1))  # names of periods, and their months
_DAYS_A_MONTH, _DAYS_OFF = 365.25 / 12, 2.0  # of some months, the shortest and the longest time
_MONDAY = 4  # 1970-01-05, the first Monday, counted from 1970-01-01


def read_frequency(
    axis: Axis,
    index: pd.Index,
    freq: Frequency,
    is_next: NDArray[np.bool_],
    rows: NDArray[np.integer],
    name: str,
) -> tuple[Axis, Offset | int, Scale]:
    """Return the frequency that a user gave, that an index has, or that its labels tell.

    Parameters
    ----------
    axis : DateAxis, PeriodAxis or IntegerAxis
        The kind of labels.
    index : pd.Index
        Labels, increasing within a series.
    freq : str, pd.offsets.BaseOffset, int or None
        The user's parameter.
    is_next : ndarray of shape (n - 1,), dtype=bool
        Whether a label follows one of the same series.
    rows : ndarray of shape (n,)
        Row numbers of the labels, for messages.
    name : str
        What the labels are called in messages.

    Returns
    -------
    axis : DateAxis, PeriodAxis or IntegerAxis
        The kind of labels, with times as the frequency needs them.
    freq : pd.offsets.BaseOffset or int
        The frequency.
    scale : Scale
        Its marks.

    Raises
    ------
    ValueError
        If `freq` does not fit the kind, or is needed and not given.
    """
    if isinstance(axis, DateAxis):
        return _date_frequency(axis, index, freq, is_next, rows, name)
    if isinstance(axis, PeriodAxis):
        if freq is not None and _read_period(freq) != axis.freq:
            raise ValueError(
                f"freq must be that of {name}, {index.freqstr!r}, or None; got {freq!r}."
            )
        return axis, axis.freq, Scale(Steps(), int(axis.freq.n), is_wall=False)
    if freq is None and isinstance(index, pd.RangeIndex):
        freq = index.step
    elif freq is None:
        times = axis.times(index)
        freq = _typical_step(times, is_next)
        _check_found(freq, name)
        _check_common(freq, np.diff(times) == freq, is_next, index, rows, name)
    if not isinstance(freq, (int, np.integer)) or isinstance(freq, bool) or freq < 1:
        raise ValueError(
            f"freq must be a positive integer, or None, where {name} holds integers; got {freq!r}."
        )
    return axis, int(freq), Scale(Steps(), int(freq), is_wall=False)


def _date_frequency(
    axis: DateAxis,
    index: pd.DatetimeIndex,
    freq: Frequency,
    is_next: NDArray[np.bool_],
    rows: NDArray[np.integer],
    name: str,
) -> tuple[DateAxis, Offset, Scale]:
    wall = DateAxis(None, axis.tz, axis.unit, is_wall=True).times(index)
    if freq is not None or index.freq is not None:
        offset = index.freq if freq is None else _read_offset(freq)
        scale = scale_of(offset, wall, axis.unit)
        return replace(axis, is_wall=scale.is_wall), offset, scale
    offset = _infer_offset(axis, index, is_next)
    _check_found(offset, name)
    scale = scale_of(offset, wall, axis.unit)
    axis = replace(axis, is_wall=scale.is_wall)
    is_step = np.diff(scale.ruler.count(axis.times(index))) == scale.step
    _check_common(offset, is_step, is_next, index, rows, name)
    return axis, offset, scale


def _check_found(freq: Frequency, name: str) -> None:
    """Raise unless there were labels enough to find a frequency."""
    if freq is None:
        raise ValueError(
            f"freq must be given where {name} has fewer than {_N_LABELS} labels to infer it from; "
            "got None."
        )


def _check_common(
    freq: Frequency,
    is_step: NDArray[np.bool_],
    is_next: NDArray[np.bool_],
    index: pd.Index,
    rows: NDArray[np.integer],
    name: str,
) -> None:
    """Raise unless most steps within a series have a frequency."""
    n_steps, others = int(is_next.sum()), np.flatnonzero(is_next & ~is_step) + 1
    if 2 * len(others) < n_steps:
        return
    text = getattr(freq, "freqstr", freq)
    advice = month_advice(freq)
    if isinstance(index, pd.DatetimeIndex) and not advice:
        advice = " Rows at irregular times need a grid, by resample or asfreq."
    raise ValueError(
        f"freq must be given where most steps of {name} have no common one; got None, and "
        f"{text!r}, the likeliest, fits {n_steps - len(others)} of {n_steps} steps, not those to "
        f"{rows_text(rows[others], index[others])}.{advice}"
    )


def month_advice(freq: Frequency) -> str:
    """Advise to use periods where a frequency of days or weeks is likely one of months.

    Parameters
    ----------
    freq : pd.offsets.BaseOffset, str, int or None
        The frequency.

    Returns
    -------
    str
        A sentence, or nothing.
    """
    if not isinstance(freq, (offsets.Day, offsets.Week)):
        return ""
    n_days = freq.n * (7 if isinstance(freq, offsets.Week) else 1)
    n_months = round(n_days / _DAYS_A_MONTH)
    if not n_months or abs(n_days - n_months * _DAYS_A_MONTH) > _DAYS_OFF:
        return ""
    unit, each = next((unit, each) for unit, each in _PERIODS if n_months % each == 0)
    period = f"{n_months // each}{unit}" if n_months > each else unit
    return f" Dates on another day than a month's first or last need index.to_period({period!r})."


def _read_period(freq: Frequency) -> Offset:
    """Return a frequency by the name that periods have for it, such as "M", or dates."""
    try:
        offset: Offset = pd.PeriodIndex([], freq=freq).freq
    except (TypeError, ValueError, AttributeError):
        return _read_offset(freq)
    return offset


def _read_offset(freq: Frequency) -> Offset:
    """Return a frequency that a user gave, or raise if pandas does not know it."""
    try:
        offset = to_offset(freq)
    except (TypeError, ValueError):
        offset = None
    if offset is None:
        raise ValueError(
            f"freq must be a frequency of pandas, such as 'h', 'D', 'B' or 'MS'; got {freq!r}."
        )
    return offset


def _typical_step(times: Times, is_next: NDArray[np.bool_]) -> int | None:
    """Return the middle one of all steps, or None where there are too few.

    A step that most have is the middle one.
    """
    steps = np.diff(times)[is_next]
    if len(steps) < _N_LABELS - 1:
        return None
    middle = (len(steps) - 1) // 2
    return int(np.partition(steps, middle)[middle])


def _infer_offset(
    axis: DateAxis, index: pd.DatetimeIndex, is_next: NDArray[np.bool_]
) -> Offset | None:
    """Return the frequency that fits the labels best, or None where there are too few."""
    day = units_per_day(axis.unit)
    utc = DateAxis(None, axis.tz, axis.unit).times(index)
    step = _typical_step(utc, is_next)
    if step is None:
        return None
    # Whole hours stay hours: of 24, pandas may make a day, which follows the clock on the wall.
    hour = day // 24
    tick = to_offset(pd.Timedelta(step, unit=axis.unit))
    tick = tick if step % hour else offsets.Hour(step // hour)
    wall = DateAxis(None, axis.tz, axis.unit, is_wall=True).times(index)
    _, n_at_that_time = most_frequent(wall % day)
    # Daylight saving makes a day an hour longer or shorter.
    is_whole = step > day // 2 and abs((step + day // 2) % day - day // 2) <= day // 24
    if not is_whole or 2 * n_at_that_time <= len(wall):
        return tick
    best, fewest = tick, len(wall) - _n_fitting(scale_of(tick, utc, axis.unit), utc)
    for offset in _candidates(wall // day, is_next):
        n_off = len(wall) - _n_fitting(scale_of(offset, wall, axis.unit), wall)
        if n_off < fewest or (n_off == fewest and best is tick):
            best, fewest = offset, n_off
    return best


def _n_fitting(scale: Scale, wall: Times) -> int:
    """Count the labels on marks of a frequency, of which the likeliest ones count."""
    counts = scale.ruler.count(wall)
    phases = counts[scale.ruler.times(counts) == wall] % scale.step
    return most_frequent(phases)[1] if len(phases) else 0


def _candidates(days: Times, is_next: NDArray[np.bool_]) -> Iterator[Offset]:
    """Yield frequencies of a day and longer that have the typical step, likelier ones first."""
    step = _typical_step(days, is_next) or 1
    if step >= 28:
        months = days.view("M8[D]").astype("M8[M]").view(np.int64)
        n_months = _typical_step(months, is_next) or 1
        january_based, _ = most_frequent(months % 12)
        yield from _month_offsets(max(n_months, 1), january_based + 1)
    weekday, _ = most_frequent((days - _MONDAY) % 7)
    is_business = _skips_weekends(days, is_next)
    if step == 1 and is_business:
        yield offsets.BusinessDay()
    yield offsets.Day(step) if step % 7 else offsets.Week(step // 7, weekday=weekday)
    if is_business:
        open_days = np.busday_count(np.datetime64(0, "D"), days.view("M8[D]"))
        yield offsets.BusinessDay(_typical_step(open_days, is_next) or 1)


def _month_offsets(n_months: int, month: int) -> Iterator[Offset]:
    for monthly, quarterly, yearly in _BEGIN_OR_END:
        if n_months % 12 == 0:
            yield yearly(n_months // 12, month=month)
        elif n_months % 3 == 0:
            yield quarterly(n_months // 3, startingMonth=(month - 1) % 3 + 1)
        else:
            yield monthly(n_months)


def _skips_weekends(days: Times, is_next: NDArray[np.bool_]) -> bool:
    """Say whether weekends pass by, and none has a label."""
    weeks, weekdays = np.divmod(days - _MONDAY, 7)
    return bool((weekdays < 5).all() and (np.diff(weeks)[is_next] > 0).any())
