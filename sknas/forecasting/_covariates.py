"""Covariates: what is known in advance of each row, of each series, and of the calendar itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sknas.forecasting._calendar import Positions
from sknas.forecasting._calendar_features import calendar_features
from sknas.forecasting._frames import Frame, series_of_rows
from sknas.forecasting._panel import N_SHOWN, Numbers, Panel, gaps_text
from sknas.forecasting._static import StaticCovariates, read_static
from sknas.forecasting._tables import Floats, Table, in_order_of, read_table
from sknas.forecasting._wording import any_of, label_text, rows_text

__all__ = ["Covariates", "StaticCovariates", "calendar_features", "read_covariates", "read_static"]

_MOST_RANGES = 10


@dataclass(frozen=True, eq=False)
class Covariates:
    """Covariates of the rows of each series and of some rows after them.

    Parameters
    ----------
    values : ndarray of shape (n_rows + n_series * n_future, n_covariates)
        Rows of the first series, those after it, rows of the second series, and so on.
    starts : ndarray of shape (n_series + 1,)
        The first row of each series, and the number of rows.
    columns : pd.Index of length n_covariates
        Names.
    kind : {"frame", "series", "1-D array", "2-D array"}
        What the caller handed over.
    """

    values: Floats
    starts: Numbers
    columns: pd.Index
    kind: str


def read_covariates(
    X: Frame,
    panel: Panel,
    n_future: int,
    *,
    like: Covariates | None = None,
    n_earlier: int = 0,
    name: str = "X",
) -> Covariates:
    """Look up the covariates of every row of a panel, and of the rows after each series.

    Parameters
    ----------
    X : pd.DataFrame, pd.Series or array-like of shape (n_rows, n_covariates)
        Numbers and booleans under an index of time as the panel's, which hold for every series,
        or under its index of series and time. Rows may come in any order, and there may be more
        than are needed. Rows of an array belong to those of the panel, an array as well, in turn.
    panel : Panel
        The rows.
    n_future : int
        How many rows after each series are needed as well.
    like : Covariates or None, default=None
        What fit saw: columns are put into its order.
    n_earlier : int, default=0
        Rows of `X` before the first one of the panel, where it is an array.
    name : str, default="X"
        What it is called in messages.

    Returns
    -------
    Covariates
        Float64 or float32 numbers, none missing.

    Raises
    ------
    TypeError
        If `X` is another container, or its index no time axis.
    ValueError
        If rows are missing, which are listed, or there twice, or something in them cannot be
        used.
    """
    if n_future < 0:
        raise ValueError(f"n_future must not be negative; got {n_future!r} rows.")
    table = read_table(X, name, dtype_kinds="iufb")
    if like is not None:
        table = in_order_of(table, like.columns, like.kind, name)
    if table.has_index is not (panel.calendar.kind != "none"):
        raise ValueError(
            f"{name} must be {'an array' if table.has_index else 'a pandas object'}, as the rows "
            f"it belongs to; got a {table.kind}."
        )
    lengths = panel.lengths + n_future
    starts = np.concatenate([[0], np.cumsum(lengths)])
    series = np.repeat(np.arange(panel.n_series), lengths)
    positions = np.arange(starts[-1]) + np.repeat(panel.first - starts[:-1], lengths)
    rows, is_found = _look_up(table, panel, series, positions, n_earlier, name)
    if not is_found.all():
        _raise_missing(panel, series[~is_found], positions[~is_found], n_future, name)
    values = table.values[rows]
    _check_numbers(table, values, rows, name)
    return Covariates(values, starts, table.columns, table.kind)


def _look_up(
    table: Table, panel: Panel, series: Numbers, positions: Positions, n_earlier: int, name: str
) -> tuple[Numbers, NDArray[np.bool_]]:
    """Return which row has the covariates of each series and position, and whether there is one."""
    nothing = np.zeros(len(positions), dtype=np.intp), np.zeros(len(positions), dtype=bool)
    if not len(positions):
        return nothing
    theirs, at, rows = _places(table, panel, n_earlier, name)
    if theirs is None:
        theirs, series = np.zeros(len(at), dtype=np.intp), np.zeros_like(series)
    low = int(positions.min())
    span = int(positions.max()) - low + 1
    is_needed = (at >= low) & (at < low + span) & (theirs >= 0)
    theirs, at, rows = theirs[is_needed], at[is_needed], rows[is_needed]
    offered = theirs * span + at - low
    order = np.argsort(offered, kind="stable")
    offered, rows = offered[order], rows[order]
    again = np.flatnonzero(np.diff(offered) == 0) + 1
    if len(again):
        text = rows_text(rows[again], table.index[rows[again]])
        raise ValueError(f"{name} must not have a row twice; got another one in {text}.")
    if not len(offered):
        return nothing
    needed = series * span + positions - low
    place = np.minimum(np.searchsorted(offered, needed), len(offered) - 1)
    return rows[place], offered[place] == needed


def _places(
    table: Table, panel: Panel, n_earlier: int, name: str
) -> tuple[Numbers | None, Positions, Numbers]:
    """Return series (None where a row holds for all), position and number of rows on the grid."""
    index, rows = table.index, np.arange(len(table.index))
    if not table.has_index:
        return None, int(panel.first[0]) - n_earlier + rows, rows
    if not isinstance(index, pd.MultiIndex):
        at, is_on = panel.calendar.find(index, f"{name}'s index")
        return None, at[is_on], rows[is_on]
    n_levels = 0 if panel.keys is None else panel.keys.nlevels
    if panel.keys is None or index.nlevels != n_levels + 1:
        raise ValueError(
            f"{name}'s index must have {n_levels} levels of series keys, as the rows it belongs "
            f"to, and time; got {index.nlevels} levels."
        )
    keys, theirs = series_of_rows(index, name)
    number = np.asarray(panel.keys.get_indexer(keys))[theirs]
    at, is_on = panel.calendar.find(index.get_level_values(-1), f"{name}'s index")
    return number[is_on], at[is_on], rows[is_on]


def _raise_missing(
    panel: Panel, series: Numbers, positions: Positions, n_future: int, name: str
) -> None:
    """Raise, naming missing rows by series and as ranges."""
    is_break = (np.diff(series) != 0) | (np.diff(positions) != 1)
    first = np.flatnonzero(np.append(True, is_break))
    last = np.flatnonzero(np.append(is_break, True))
    gaps = zip(
        *(
            part[:_MOST_RANGES].tolist()
            for part in (series[first], positions[first], positions[last])
        ),
        strict=True,
    )
    text = gaps_text(panel.calendar, gaps, panel.keys, len(first), most=_MOST_RANGES)
    needed = ["every known row"] if len(panel.values) else []
    if n_future:
        rows = f"{n_future} rows" if n_future > 1 else "row"
        needed.append(f"the {rows} after each series")
    raise ValueError(
        f"{name} must have a row for {' and for '.join(needed)}; {len(positions)} are missing: "
        f"{text}."
    )


def _check_numbers(table: Table, values: Floats, rows: Numbers, name: str) -> None:
    where, columns = np.nonzero(np.isnan(values))
    if not len(where):
        return
    shown = [
        f"row {row} ({label_text(table.index[row])}) of column {label_text(table.columns[column])}"
        for row, column in zip(rows[where[:N_SHOWN]].tolist(), columns[:N_SHOWN], strict=True)
    ]
    raise ValueError(
        f"{name} must not have missing values in rows that are needed; got NaN in "
        f"{any_of(shown, len(where), N_SHOWN)}."
    )
