"""Frames to panels and back: everything in them is checked, and written under the same names."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sknas.forecasting._calendar import Calendar, Positions
from sknas.forecasting._inference import Frequency
from sknas.forecasting._order import check_order, daylight_advice
from sknas.forecasting._panel import MOST_FILLED, N_SHOWN, Numbers, Panel, gaps_text
from sknas.forecasting._tables import Floats, Table, in_order_of, read_table
from sknas.forecasting._wording import any_of, label_text

__all__ = ["Frame", "read_panel", "series_of_rows", "write_panel"]

Frame: TypeAlias = pd.DataFrame | pd.Series | ArrayLike


def read_panel(
    Y: Frame,
    *,
    name: str = "Y",
    freq: Frequency = None,
    like: Panel | None = None,
    missing: str = "error",
) -> Panel:
    """Read what a user forecasts from.

    Parameters
    ----------
    Y : pd.DataFrame, pd.Series or array-like of shape (n_rows,) or (n_rows, n_columns)
        Rows of one series in time order, under an index of dates, periods or integers; or of many
        series, under a MultiIndex of which the last level is time and the others are the key.
        Series may be mixed with each other and of different lengths.
    name : str, default="Y"
        What it is called in messages.
    freq : str, pd.offsets.BaseOffset, int or None, default=None
        Frequency of the index; None tells it from the index.
    like : Panel or None, default=None
        What fit saw: columns are put into its order, and the grid is its, whatever `freq`. Rows of
        an array are taken to follow its last one.
    missing : {"error", "mask"}, default="error"
        Whether missing numbers and rows are refused or become NaN.

    Returns
    -------
    Panel
        All rows.

    Raises
    ------
    TypeError
        If `Y` is another container, or its index no time axis.
    ValueError
        If something in it cannot be used; the message names the rows or columns at fault.
    """
    if missing not in ("error", "mask"):
        raise ValueError(f"missing must be 'error' or 'mask'; got {missing!r}.")
    table = read_table(Y, name)
    if like is not None:
        _check_same_kind(table, like, name)
        table = in_order_of(table, like.columns, like.kind, name)
    keys, series, times = _split_index(table, name)
    order = np.arange(len(series))
    if (np.diff(series) < 0).any():
        order = np.argsort(series, kind="stable")
        series, times = series[order], times[order]
    is_new = np.diff(series, prepend=-1) > 0
    calendar, positions = _place(table, times, is_new, order, freq, like, name)
    _check_values(table, missing, is_first=like is None, name=name)
    values = table.values if (np.diff(order) == 1).all() else table.values[order]
    _check_series(values, series, keys, like, name)
    first_rows = np.flatnonzero(is_new)
    first = positions[first_rows]
    steps = np.diff(positions)[~is_new[1:]]
    _check_gaps(table.index, calendar, keys, series, positions, missing, name)
    last = positions[np.append(first_rows[1:], len(series)) - 1]
    starts = np.concatenate([[0], np.cumsum(last - first + 1)])
    if (steps > 1).any():
        filled = np.full((int(starts[-1]), values.shape[1]), np.nan, dtype=values.dtype)
        filled[starts[series] + positions - first[series]] = values
        values = filled
    return Panel(values, starts, first, keys, calendar, table.columns, table.kind)


def write_panel(
    values: Floats, keys: pd.Index | None, positions: Positions, like: Panel
) -> pd.DataFrame | pd.Series | Floats:
    """Return numbers in what the caller uses.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        Numbers, in the columns of `like`.
    keys : pd.Index of length n_rows, or None
        Key of the series of each row, such as ``panel.row_keys``; None for a single series without.
    positions : ndarray of shape (n_rows,), dtype=int64
        Positions on the grid.
    like : Panel
        What fit saw.

    Returns
    -------
    pd.DataFrame, pd.Series or ndarray
        The kind that fit saw, under the same names and an index that continues its own.

    Raises
    ------
    ValueError
        If keys are given without need or missing.
    """
    if (keys is None) != (like.keys is None):
        raise ValueError(
            f"keys must be {'None' if like.keys is None else 'given'} for this panel; "
            f"got {type(keys).__name__}."
        )
    if like.kind.endswith("array"):
        return values[:, 0] if like.kind == "1-D array" else values
    index = like.calendar.labels(positions)
    if keys is not None:
        levels = [keys.get_level_values(level) for level in range(keys.nlevels)]
        names = [*(like.keys.names if like.keys is not None else []), index.name]
        index = pd.MultiIndex.from_arrays([*levels, index], names=names)
    if like.kind == "series":
        return pd.Series(values[:, 0], index=index, name=like.columns[0])
    return pd.DataFrame(values, index=index, columns=like.columns)


def series_of_rows(index: pd.MultiIndex, name: str) -> tuple[pd.Index, Numbers]:
    """Tell the series of each row from all levels but the last.

    Parameters
    ----------
    index : pd.MultiIndex of length n_rows
        Keys of series and times.
    name : str
        What the frame is called in messages.

    Returns
    -------
    keys : pd.Index of length n_series
        Keys in the order in which they first come.
    series : ndarray of shape (n_rows,)
        The number of each row's key.

    Raises
    ------
    ValueError
        If a key is missing, or time is not the last level.
    """
    is_dates = [isinstance(level, (pd.DatetimeIndex, pd.PeriodIndex)) for level in index.levels]
    if index.nlevels < 2 or (any(is_dates) and not is_dates[-1]):
        raise ValueError(
            f"{name}'s index must have the keys of series first and time as its last level "
            f"(swaplevel); got levels {list(index.names)}."
        )
    combined = np.zeros(len(index), dtype=np.int64)
    for level, codes in zip(index.levels[:-1], index.codes[:-1], strict=True):
        if (codes < 0).any():
            raise ValueError(
                f"{name}'s index must not have missing series keys; "
                f"got one in row {int(np.argmax(codes < 0))}."
            )
        combined = combined * len(level) + codes
    _, first, number = np.unique(combined, return_index=True, return_inverse=True)
    by_appearance = np.argsort(first)
    rank = np.empty_like(by_appearance)
    rank[by_appearance] = np.arange(len(rank))
    return index[first[by_appearance]].droplevel(-1), rank[number]


def _check_same_kind(table: Table, like: Panel, name: str) -> None:
    """Raise unless rows have labels where those of fit had, and keys where they had."""
    n_levels = 0 if like.keys is None else like.keys.nlevels
    came = table.index.nlevels - 1 if isinstance(table.index, pd.MultiIndex) else 0
    if table.has_index is not (like.calendar.kind != "none") or came != n_levels:
        raise ValueError(
            f"{name} must be like what fit saw, {_kind_text(like.kind, n_levels)}; "
            f"got {_kind_text(table.kind, came)}."
        )


def _kind_text(kind: str, n_levels: int) -> str:
    if kind.endswith("array"):
        return "an array"
    keys = f"{n_levels} {'level' if n_levels == 1 else 'levels'} of series keys and time"
    return f"a pandas object with an index of {keys if n_levels else 'time'}"


def _split_index(table: Table, name: str) -> tuple[pd.Index | None, Numbers, pd.Index]:
    """Return keys, the number of each row's series, and its time."""
    index = table.index
    if not isinstance(index, pd.MultiIndex):
        return None, np.zeros(len(index), dtype=np.intp), index
    keys, series = series_of_rows(index, name)
    return keys, series, index.get_level_values(-1)


def _place(
    table: Table,
    times: pd.Index,
    is_new: NDArray[np.bool_],
    order: Numbers,
    freq: Frequency,
    like: Panel | None,
    name: str,
) -> tuple[Calendar, Positions]:
    """Return the grid and the position of each row."""
    if not table.has_index:
        if freq is not None:
            raise ValueError(f"freq must be None where {name} is an array; got {freq!r}.")
        origin = 0 if like is None else int(like.stop[0])
        calendar = Calendar.of_rows() if like is None else like.calendar
        return calendar, origin + np.arange(len(times), dtype=np.int64)
    text = f"{name}'s index"
    if like is None:
        calendar = Calendar.of(times, freq, is_new=is_new, rows=order, name=text)
        return calendar, calendar.position(times, rows=order, name=text)
    like.calendar.check_kind(times, text)
    check_order(times, ~is_new[1:], order, text)
    return like.calendar, like.calendar.position(times, rows=order, name=text)


def _check_values(table: Table, missing: str, *, is_first: bool, name: str) -> None:
    """Raise if numbers are missing, or all of a column."""
    is_nan = np.isnan(table.values)
    if not is_nan.any():
        return
    if missing == "error":
        rows, columns = np.nonzero(is_nan)
        shown = [
            f"row {row} ({label_text(table.index[row])})"
            + (f" of column {label_text(table.columns[column])}" if table.has_index else "")
            for row, column in zip(rows[:N_SHOWN], columns[:N_SHOWN], strict=True)
        ]
        raise ValueError(
            f"{name} must not have missing values unless missing='mask'; got NaN in "
            f"{any_of(shown, len(rows), N_SHOWN)}."
        )
    is_empty = is_nan.all(axis=0)
    if is_first and is_empty.any():
        column = table.columns[int(np.argmax(is_empty))]
        raise ValueError(
            f"{name} must have a number in every column; got only NaN in column "
            f"{label_text(column)}."
        )


def _check_series(
    values: Floats, series: Numbers, keys: pd.Index | None, like: Panel | None, name: str
) -> None:
    """Raise if a series of a panel that was not known before has no number at all."""
    if keys is None:
        return
    is_empty = np.ones(len(keys), dtype=bool)
    is_empty[series[~np.isnan(values).all(axis=1)]] = False
    if like is not None and like.keys is not None:
        is_empty &= like.keys.get_indexer(keys) < 0
    if is_empty.any():
        shown = [label_text(key) for key in keys[is_empty][:N_SHOWN]]
        raise ValueError(
            f"{name} must have a number in every series; got only NaN in series "
            f"{any_of(shown, int(is_empty.sum()), N_SHOWN)}."
        )


def _check_gaps(
    index: pd.Index,
    calendar: Calendar,
    keys: pd.Index | None,
    series: Numbers,
    positions: Positions,
    missing: str,
    name: str,
) -> None:
    """Raise if rows are missing within a series, or too many to fill in."""
    before = np.flatnonzero((np.diff(positions) > 1) & (np.diff(series) == 0))
    if not len(before):
        return
    n_missing = int((positions[before + 1] - positions[before] - 1).sum())
    is_too_many = n_missing > MOST_FILLED * (len(index) + 10)
    if missing == "mask" and not is_too_many:
        return
    gaps = [
        (int(series[i]), int(positions[i]) + 1, int(positions[i + 1]) - 1) for i in before[:N_SHOWN]
    ]
    text = gaps_text(calendar, gaps, keys, len(before))
    if is_too_many:
        raise ValueError(
            f"{name} must have a row for at least one of {MOST_FILLED} steps of frequency "
            f"{calendar.freqstr!r} (set freq if that is not the right one); got none for {text}."
        )
    advice = daylight_advice(calendar.labels([gap[1] for gap in gaps]))
    raise ValueError(
        f"{name} must not have gaps at frequency {calendar.freqstr!r} unless missing='mask'; "
        f"got no row for {text}.{advice}"
    )
