"""A panel: the rows of one or many series on one regular grid."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sknas.forecasting._calendar import Calendar, Positions
from sknas.forecasting._tables import Floats
from sknas.forecasting._wording import any_of, label_text

__all__ = ["MOST_FILLED", "N_SHOWN", "Numbers", "Panel", "gaps_text"]

Numbers = NDArray[np.intp]

N_SHOWN = 5  # rows or ranges of them in a message
MOST_FILLED = 100  # missing rows for each one that is there; more is hardly meant


@dataclass(frozen=True, eq=False)
class Panel:
    """Rows of all series, one series after another, each on the grid without a gap.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        Numbers; NaN is missing, as are all of a row that was a gap.
    starts : ndarray of shape (n_series + 1,)
        The first row of each series, and the number of rows.
    first : ndarray of shape (n_series,), dtype=int64
        Position on the grid of each series' first row.
    keys : pd.Index of length n_series, or None
        Keys of series, in the order in which they first came; None for a single series without.
    calendar : Calendar
        The grid.
    columns : pd.Index of length n_columns
        Names of columns.
    kind : {"frame", "series", "1-D array", "2-D array"}
        What the caller handed over.
    """

    values: Floats
    starts: Numbers
    first: Positions
    keys: pd.Index | None
    calendar: Calendar
    columns: pd.Index
    kind: str

    @property
    def targets(self) -> list[Hashable]:
        """Names of columns as labels; that of a series without a name is 0."""
        return [0 if self.kind == "series" and name is None else name for name in self.columns]

    @property
    def n_series(self) -> int:
        """Number of series."""
        return len(self.first)

    @property
    def lengths(self) -> Numbers:
        """Rows of each series, of shape (n_series,)."""
        return np.diff(self.starts)

    @property
    def stop(self) -> Positions:
        """Position right after each series' last row, of shape (n_series,)."""
        return self.first + self.lengths

    @property
    def row_series(self) -> Numbers:
        """Number of the series of each row, of shape (n_rows,)."""
        return np.repeat(np.arange(self.n_series), self.lengths)

    @property
    def row_positions(self) -> Positions:
        """Position on the grid of each row, of shape (n_rows,)."""
        shift = np.repeat(self.first - self.starts[:-1], self.lengths)
        return np.arange(len(self.values)) + shift

    @property
    def row_keys(self) -> pd.Index | None:
        """Key of the series of each row; None for a single series without."""
        return None if self.keys is None else self.keys[self.row_series]


def gaps_text(
    calendar: Calendar,
    gaps: Iterable[tuple[int, int, int]],
    keys: pd.Index | None,
    n: int,
    most: int = N_SHOWN,
) -> str:
    """Name ranges of rows, each with its series.

    Parameters
    ----------
    calendar : Calendar
        The grid.
    gaps : iterable of (int, int, int)
        Number of the series, first and last position; at least ``min(n, most)`` of them.
    keys : pd.Index or None
        Keys of series.
    n : int
        How many ranges there are.
    most : int, default=5
        How many to show.

    Returns
    -------
    str
        The ranges.
    """
    shown = []
    for series, first, last in list(gaps)[:most]:
        of = "" if keys is None else f"series {label_text(keys[series])}: "
        shown.append(of + calendar.range_text(first, last))
    return any_of(shown, n, most)
