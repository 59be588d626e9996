"""Features of the calendar: hours, weekdays and seasons as points on a circle."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sknas.forecasting._calendar import Calendar, Positions

__all__ = ["calendar_features"]

Shares = NDArray[np.float64]

_WEEKS_A_YEAR = 365.2425 / 7


def _day_of_month(dates: pd.DatetimeIndex) -> Shares:
    return (dates.day - 1) / dates.days_in_month


def _day_of_year(dates: pd.DatetimeIndex) -> Shares:
    return (dates.day_of_year - 1) / (365 + dates.is_leap_year)


# What share of its round a date has gone.
_ROUNDS: dict[str, Callable[[pd.DatetimeIndex], Shares]] = {
    "minute": lambda dates: dates.minute / 60,
    "hour": lambda dates: dates.hour / 24,
    "day_of_week": lambda dates: dates.day_of_week / 7,
    "day_of_month": _day_of_month,
    "day_of_year": _day_of_year,
    "week": lambda dates: (dates.isocalendar().week.to_numpy(np.float64) - 1) / _WEEKS_A_YEAR,
    "month": lambda dates: (dates.month - 1) / 12,
    "quarter": lambda dates: (dates.quarter - 1) / 4,
}
_WEEKEND = "is_weekend"
_HOUR = 3_600_000_000  # in microseconds
_DAY = 24 * _HOUR
_N_LABELS = 8  # of which daylight saving moves one step, or two
_HOURS_A_MONTH = 365.2425 * 24 / 12


def calendar_features(
    calendar: Calendar, positions: Positions, names: str | Sequence[str] = "auto"
) -> tuple[Shares, list[str]]:
    """Return what the calendar says of some positions.

    Parameters
    ----------
    calendar : Calendar
        A grid of dates or periods; of a period its begin counts. Hours are those of its time
        zone.
    positions : ndarray of shape (n,), dtype=int64
        Positions.
    names : str or sequence of str, default="auto"
        Any of "minute", "hour", "day_of_week", "day_of_month", "day_of_year", "week", "month" and
        "quarter", each a sine and a cosine, and "is_weekend", a 0 or 1. "auto" takes what
        varies at this frequency: "day_of_week" and "day_of_year" for days, before them "minute"
        and "hour" for shorter steps that are not whole hours or days; "week" for weeks, "month"
        for months, "quarter" for quarters, and nothing for years.

    Returns
    -------
    values : ndarray of shape (n, n_features), dtype=float64
        Numbers from -1 to 1.
    columns : list of str
        Such as ``["hour_sin", "hour_cos", "is_weekend"]``.

    Raises
    ------
    ValueError
        If the calendar has no dates, or a name is not known.
    """
    if calendar.kind not in ("datetime", "period"):
        raise ValueError(
            f"calendar_features need an index of dates or periods; got {calendar.axis}."
        )
    if isinstance(names, str):
        chosen = _varying(calendar) if names == "auto" else [names]
    else:
        chosen = list(names)
    unknown = [name for name in chosen if name not in _ROUNDS and name != _WEEKEND]
    if unknown:
        raise ValueError(
            f"calendar_features must be 'auto' or among {[*_ROUNDS, _WEEKEND]}; got {unknown}."
        )
    dates = _dates(calendar, positions)
    values: list[Shares] = []
    columns: list[str] = []
    for name in chosen:
        if name == _WEEKEND:
            values.append(np.asarray(dates.day_of_week >= 5, dtype=np.float64))
            columns.append(name)
            continue
        angles = 2 * np.pi * np.asarray(_ROUNDS[name](dates), dtype=np.float64)
        values += [np.sin(angles), np.cos(angles)]
        columns += [f"{name}_sin", f"{name}_cos"]
    return np.stack(values, axis=1) if values else np.empty((len(dates), 0)), columns


def _dates(calendar: Calendar, positions: Positions) -> pd.DatetimeIndex:
    labels = calendar.labels(positions)
    return labels.to_timestamp() if isinstance(labels, pd.PeriodIndex) else labels


def _varying(calendar: Calendar) -> list[str]:
    """Return the names of what changes from one position to the next, without repeating itself."""
    step = _typical_hours(_dates(calendar, np.arange(_N_LABELS)))
    if step >= 28 * 24:
        n_months = round(step / _HOURS_A_MONTH)
        return [] if n_months % 12 == 0 else ["month" if n_months % 3 else "quarter"]
    if step % (7 * 24) == 0:
        return ["week"]
    parts = ["minute"] * (step % 1 != 0) + ["hour"] * (step % 24 != 0)
    return [*parts, "day_of_week", "day_of_year"]


def _typical_hours(dates: pd.DatetimeIndex) -> float:
    """Return the middle step, in hours that passed; whole days are those of the clock."""
    passed, shown = (
        np.sort(np.diff(times.as_unit("us").asi8)) for times in (dates, dates.tz_localize(None))
    )
    middle = len(passed) // 2
    step = shown if shown[middle] % _DAY == 0 else passed
    return float(step[middle]) / _HOUR
