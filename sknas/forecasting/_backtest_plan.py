"""What a backtest is asked for: its first origin, and which origins one fit serves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sknas.forecasting._panel import Panel
from sknas.forecasting._wording import label_text

__all__ = ["check_plan", "check_start", "first_origin", "groups_of"]

Array = NDArray[Any]
_DEFAULT_SHARE = 0.7


def check_plan(*, step: object, horizon: object, refit: object, coverage: object) -> None:
    """Raise unless the parameters of a backtest are what they can be.

    Parameters
    ----------
    step, horizon, refit, coverage
        As in `GrowingDARTSForecaster.backtest`, but no `horizon` of None.

    Raises
    ------
    ValueError
        If one breaks its rule.
    """
    _check_number("horizon", horizon, "row")
    _check_number("step", step, "row")
    if isinstance(refit, Integral) and not isinstance(refit, bool):
        _check_number("refit", refit, "origin")
    elif not isinstance(refit, bool) and refit != "weights":
        raise ValueError(
            f"refit must be a boolean, a number of origins or 'weights'; got {refit!r}."
        )
    is_number = isinstance(coverage, Real) and not isinstance(coverage, bool)
    if not is_number or not 0.0 < coverage < 1.0:  # type: ignore[operator]
        raise ValueError(f"coverage must be in (0, 1), one number; got {coverage!r}.")


def _check_number(name: str, value: object, unit: str) -> None:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1 {unit}; got {value!r}.")


def first_origin(panel: Panel, initial: object) -> int:
    """Return the grid position of the first row that the first fit does not see.

    Parameters
    ----------
    panel : Panel
        All rows.
    initial : int, label or None
        Rows of the first fit, or the label of its last row; None is 70 % of the rows.

    Returns
    -------
    int
        The position.

    Raises
    ------
    ValueError
        If `initial` is neither, or not within the rows.
    """
    first, stop = int(panel.first.min()), int(panel.stop.max())
    if initial is None:
        return first + max(1, int(_DEFAULT_SHARE * (stop - first)))
    if isinstance(initial, Integral) or panel.calendar.kind in ("none", "integer"):
        _check_number("initial", initial, "row")
        return first + int(initial)  # type: ignore[call-overload]
    label = _as_label(initial, panel)
    border = int(panel.calendar.position(label, name="initial")[0]) + 1
    if border <= first:
        raise ValueError(f"initial must lie within the rows of Y; got {initial!r}.")
    return border


def _as_label(initial: object, panel: Panel) -> pd.Index:
    """Return an index of the date or period that something is, or says."""
    known = panel.calendar.labels([0])
    is_text = isinstance(initial, str)
    is_day = isinstance(initial, date) and not isinstance(initial, datetime)
    try:
        if (is_text or is_day) and isinstance(known, pd.DatetimeIndex):
            return pd.DatetimeIndex([initial], tz=known.tz)
        if is_text or is_day:
            return pd.PeriodIndex([initial], freq=known.freq)
        found = pd.Index([initial])
    except (TypeError, ValueError):
        found = pd.Index([])
    if isinstance(found, (pd.DatetimeIndex, pd.PeriodIndex)):
        return found
    raise ValueError(
        "initial must be an integer of at least 1 row, or the label of one, as Y's index holds "
        f"{panel.calendar.axis}; got {initial!r}."
    )


def check_start(panel: Panel, border: int, initial: object) -> None:
    """Raise unless the first fit has a number in every column.

    Parameters
    ----------
    panel : Panel
        All rows.
    border : int
        Grid position of the first row that the first fit does not see.
    initial : int, label or None
        What the caller asked for.

    Raises
    ------
    ValueError
        If not; it names the column.
    """
    is_empty = np.isnan(panel.values[panel.row_positions < border]).all(axis=0)
    if is_empty.any():
        column = label_text(panel.columns[int(np.argmax(is_empty))])
        last = label_text(panel.calendar.labels([border - 1])[0])
        raise ValueError(
            "initial must leave a number in every column to the first fit; got "
            f"{initial!r}, and only NaN in column {column} until row {last}."
        )


def groups_of(origins: Array, refit: bool | int | str) -> Iterator[tuple[int, int]]:  # noqa: FBT001
    """Yield the first and the last of the origins that one fit serves.

    Parameters
    ----------
    origins : ndarray of shape (n_origins,)
        Their grid positions.
    refit : bool, int or "weights"
        As in `GrowingDARTSForecaster.backtest`.

    Yields
    ------
    first, last : int
        Grid positions.
    """
    if isinstance(refit, bool):
        every = 1 if refit else len(origins)
    else:
        every = 1 if isinstance(refit, str) else refit
    for group in np.split(origins, np.arange(every, len(origins), every)):
        yield int(group[0]), int(group[-1])
