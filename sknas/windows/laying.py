"""Series of unequal length laid one behind another: a window is a view, a sample is a position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknas.windows.hashing import Indices

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class LaidSeries:
    """Rows of several series, and where windows of `lookback` and then `horizon` rows lie in them.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_columns)
        The series one behind another. One that has less than two windows stands behind rows of
        NaN, so that its first window ends at its first row.
    positions : ndarray of shape (n_windows,), dtype=intp
        First row of every window that lies within one series, series by series in time order.
    times : ndarray of shape (n_windows,), dtype=int64
        Time step of the first row after the lookback, on an axis that all series share.
    series : ndarray of shape (n_windows,), dtype=intp
        Number of the series.
    """

    rows: Array
    positions: Indices
    times: NDArray[np.int64]
    series: Indices


def lay_series(
    values: Array,
    starts: Sequence[int] | Indices,
    first: Sequence[int] | NDArray[np.int64],
    lookback: int,
    horizon: int,
    *,
    is_front: bool = False,
) -> LaidSeries:
    """Lay series one behind another and find the windows in them.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        Rows of all series, one series after the other; NaN is missing.
    starts : sequence of int, of length n_series + 1
        First row of each series, and the number of rows.
    first : sequence of int, of length n_series
        Time step of each series' first row.
    lookback, horizon : int
        Rows read, and rows predicted.
    is_front : bool, default=False
        Whether long series stand behind rows of NaN, too, as short ones do.

    Returns
    -------
    LaidSeries
        A series of at most `horizon` rows has no window.

    Examples
    --------
    >>> laid = lay_series(np.arange(7.0)[:, None], [0, 5, 7], [0, 3], lookback=2, horizon=1)
    >>> laid.rows.ravel().tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, nan, 5.0, 6.0]
    >>> laid.positions.tolist(), laid.times.tolist(), laid.series.tolist()
    ([0, 1, 2, 5], [2, 3, 4, 4], [0, 0, 0, 1])
    """
    parts, positions, times, series = [], [], [], []
    n_laid = 0
    for number, (start, stop) in enumerate(pairwise(starts)):
        length = stop - start
        is_long = length > lookback + horizon
        n_front = 0 if is_long and not is_front else lookback - 1
        n_windows = max(0, n_front + length - lookback - horizon + 1) if length > horizon else 0
        if n_windows:
            if n_front:
                parts.append(np.full((n_front, values.shape[1]), np.nan, values.dtype))
            parts.append(values[start:stop])
            here = np.arange(n_windows)
            positions.append(n_laid + here)
            times.append(first[number] - n_front + lookback + here)
            series.append(np.full(n_windows, number))
            n_laid += n_front + length
    if not parts:
        return LaidSeries(values[:0], *(np.empty(0, np.intp) for _ in range(3)))
    rows = parts[0] if len(parts) == 1 else np.concatenate(parts)
    together = (np.concatenate(part) for part in (positions, times, series))
    return LaidSeries(rows, *together)


def has_known(rows: Array, positions: Indices, n_steps: int) -> NDArray[np.bool_]:
    """Say which stretches of rows hold at least one known value.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_columns)
        Rows; NaN is missing.
    positions : ndarray of shape (n,), dtype=intp
        First row of each stretch.
    n_steps : int
        Rows of a stretch.

    Returns
    -------
    ndarray of shape (n,), dtype=bool
        Whether any value is not NaN.
    """
    is_known = ~np.isnan(rows).all(axis=1)
    n_known = np.concatenate([[0], np.cumsum(is_known)])
    found: NDArray[np.bool_] = n_known[positions + n_steps] > n_known[positions]
    return found
