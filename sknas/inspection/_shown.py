"""What a display shows beside a forecast, from the frames, series and arrays that it is given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = [
    "Values",
    "as_frame",
    "end_of",
    "given_frame",
    "newest_rows",
    "rows_before",
    "rows_by_series",
    "shown_targets",
    "shown_truth",
]

Values: TypeAlias = pd.DataFrame | pd.Series | NDArray[Any]

_LEAST_HISTORY = 48
_UNNAMED = "y"  # the target of a series without a name


def rows_by_series(frame: pd.DataFrame | None) -> dict[tuple[Any, ...], pd.DataFrame]:
    """Return the rows of each series over times.

    Parameters
    ----------
    frame : DataFrame or None
        Rows of one series or of a panel; None is no rows.

    Returns
    -------
    dict
        Rows by the key of their series, which is empty if there is no panel.
    """
    if frame is None:
        return {}
    if frame.index.nlevels == 1:
        return {(): frame}
    levels = list(range(frame.index.nlevels - 1))
    if len(levels) == 1:  # of a list of one level, some versions of pandas make keys that are none
        groups = frame.groupby(level=0, sort=False)
        return {(key,): rows.droplevel(0) for key, rows in groups}
    return {key: rows.droplevel(levels) for key, rows in frame.groupby(level=levels, sort=False)}


def as_frame(values: Values, start: int) -> pd.DataFrame:
    """Return values with a column a target.

    Parameters
    ----------
    values : DataFrame, Series or ndarray
        Values.
    start : int
        Number of the first row of an array.

    Returns
    -------
    DataFrame
        The same values.
    """
    if isinstance(values, pd.DataFrame):
        return values
    if isinstance(values, pd.Series):
        return values.to_frame(_UNNAMED if values.name is None else values.name)
    index = pd.RangeIndex(start, start + len(values))
    return pd.DataFrame(values, index=index, columns=[_UNNAMED] if values.ndim == 1 else None)


def end_of(bounds: pd.DataFrame, end: str, forecast: pd.DataFrame) -> pd.DataFrame:
    """Return the lower or the upper bounds.

    Parameters
    ----------
    bounds : DataFrame
        Both, under columns (target, coverage, "lower" or "upper").
    end : {"lower", "upper"}
        Which.
    forecast : DataFrame of shape (n_steps, n_targets)
        The forecast.

    Returns
    -------
    DataFrame of shape (n_steps, n_targets)
        These bounds, under the forecast's columns.
    """
    found = bounds.xs(end, axis=1, level=-1).droplevel(-1, axis=1)
    if forecast.shape[1] == 1:  # its name may be none of the forecaster's
        found.columns = forecast.columns
    return found


def given_frame(
    given: Values, forecast: pd.DataFrame, name: str, *, is_array: bool, is_before: bool
) -> pd.DataFrame:
    """Return rows of the caller, or say why they cannot stand beside the forecast.

    Parameters
    ----------
    given : DataFrame, Series or array-like
        Rows; a Series is of the only target, whatever its name.
    forecast : DataFrame of shape (n_steps, n_targets)
        The forecast.
    name : str
        What the rows are called in messages.
    is_array : bool
        Whether the forecaster's values are arrays.
    is_before : bool
        Whether rows of an array end where the forecast begins; else they begin with it.

    Returns
    -------
    DataFrame
        A column a target.

    Raises
    ------
    ValueError
        If rows without an index are given where forecasts have one, or of other targets.
    """
    if isinstance(given, pd.Series) and forecast.shape[1] == 1:
        return given.to_frame(forecast.columns[0])
    if isinstance(given, (pd.DataFrame, pd.Series)):
        return as_frame(given, 0)
    rows = np.asarray(given)
    shape = rows.shape
    if not is_array:
        raise ValueError(
            f"{name} must be a DataFrame or a Series where forecasts have an index; "
            f"got an array of shape {shape}."
        )
    rows = rows[:, np.newaxis] if rows.ndim == 1 else rows
    if rows.ndim != 2 or rows.shape[1] != forecast.shape[1]:
        raise ValueError(
            f"{name} must have a column for each of {forecast.shape[1]} targets; "
            f"got an array of shape {shape}."
        )
    start = forecast.index[0] - (len(rows) if is_before else 0)
    index = pd.RangeIndex(start, start + len(rows))
    return pd.DataFrame(rows, index=index, columns=forecast.columns)


def shown_targets(targets: object, forecast: pd.DataFrame) -> list[Any]:
    """Return the columns to show, or say which are none.

    Parameters
    ----------
    targets : column name, sequence of them or None
        What the caller asks for; None is all.
    forecast : DataFrame of shape (n_steps, n_targets)
        The forecast.

    Returns
    -------
    list
        Names of columns.

    Raises
    ------
    ValueError
        If one is no target, or there is none.
    """
    known = list(forecast.columns)
    if targets is None:
        shown = known
    elif isinstance(targets, str) or not isinstance(targets, Iterable):
        shown = [targets]
    else:
        shown = list(targets)
    unknown = [target for target in shown if target not in known]
    if unknown or not shown:
        raise ValueError(f"targets must be among the forecaster's, {known!r}; got {targets!r}.")
    return shown


def shown_truth(truth: pd.DataFrame, forecast: pd.DataFrame, shown: list[Any]) -> pd.DataFrame:
    """Return the truth of the forecast's rows, or say what it lacks.

    Parameters
    ----------
    truth : DataFrame
        What happened.
    forecast : DataFrame of shape (n_steps, n_targets)
        The forecast.
    shown : list
        Names of the targets to show.

    Returns
    -------
    DataFrame of shape (n_steps, n_shown)
        Its rows, in the forecast's order.

    Raises
    ------
    ValueError
        If it lacks a target, or all rows.
    """
    _check_columns(truth, shown, "truth")
    if not truth.index.isin(forecast.index).any():
        raise ValueError(
            f"truth must have rows of the forecast, {forecast.index[0]} to {forecast.index[-1]}; "
            f"got none among {len(truth)} rows."
        )
    return truth[shown].reindex(forecast.index)


def rows_before(history: pd.DataFrame, forecast: pd.DataFrame, shown: list[Any]) -> pd.DataFrame:
    """Return the rows before the forecast of each of its series, or say what they lack.

    Parameters
    ----------
    history : DataFrame
        Known rows, and perhaps later ones.
    forecast : DataFrame of shape (n_steps, n_targets)
        The forecast.
    shown : list
        Names of the targets to show.

    Returns
    -------
    DataFrame
        Those before.

    Raises
    ------
    ValueError
        If there are none, or other targets or levels of the index.
    """
    _check_columns(history, shown, "history")
    if history.index.nlevels != forecast.index.nlevels:
        raise ValueError(
            f"history must have an index of {forecast.index.nlevels} levels, as the forecast has; "
            f"got {history.index.nlevels}."
        )
    known = rows_by_series(history)
    kept = {
        key: known[key].loc[known[key].index < rows.index[0]]
        for key, rows in rows_by_series(forecast).items()
        if key in known
    }
    if not sum(map(len, kept.values())):
        raise ValueError(
            f"history must have rows before the forecast, which begins at {forecast.index[0]}; "
            f"got none among {len(history)} rows."
        )
    if history.index.nlevels == 1:
        return kept[()]
    names = list(history.index.names)
    keys = list(kept) if history.index.nlevels > 2 else [key for (key,) in kept]
    together = pd.concat(list(kept.values()), keys=keys, names=names[:-1])
    return together.rename_axis(index=names)


def _check_columns(frame: pd.DataFrame, shown: list[Any], name: str) -> None:
    missing = [target for target in shown if target not in frame.columns]
    if missing:
        raise ValueError(f"{name} must have the targets shown as columns; it lacks {missing!r}.")


def newest_rows(history: pd.DataFrame, forecast: pd.DataFrame, n_rows: int | None) -> pd.DataFrame:
    """Return the last rows of each series.

    Parameters
    ----------
    history : DataFrame
        Known rows.
    forecast : DataFrame of shape (n_steps, n_targets)
        The forecast.
    n_rows : int or None
        How many of each series; None is four times the steps that are forecast, and at least 48.

    Returns
    -------
    DataFrame
        These rows.
    """
    if n_rows is None:
        n_rows = max(4 * forecast.index.get_level_values(-1).nunique(), _LEAST_HISTORY)
    if history.index.nlevels == 1:
        return history.iloc[max(len(history) - n_rows, 0) :]
    levels = list(range(history.index.nlevels - 1))
    by_series = history.groupby(level=levels if len(levels) > 1 else 0, sort=False)
    return by_series.tail(n_rows)
