"""Units of a panel: every series has its own level and scale, every covariate one for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknas.windows import fit_scaler

__all__ = ["PanelScales", "fit_panel_scales"]

Array = NDArray[Any]
_N_ROWS = 2**16  # in double precision at once


@dataclass(frozen=True, eq=False)
class PanelScales:
    """Level and scale of each series' targets.

    Parameters
    ----------
    center, scale : ndarray of shape (n_series, n_targets), dtype=float64
        In the units of the data.
    n_rows : ndarray of shape (n_series,)
        How many rows of each series they were measured on.
    """

    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    n_rows: Array

    def standardise(self, values: Array, series: Array) -> Array:
        """Return rows in units of their series.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_targets)
            Rows.
        series : ndarray of shape (n_rows,)
            Number of each row's series.

        Returns
        -------
        ndarray of shape (n_rows, n_targets)
            Standardised rows, of the type of `values`.
        """
        rows = np.empty_like(values)
        for start in range(0, len(values), _N_ROWS):
            part = slice(start, start + _N_ROWS)
            rows[part] = (values[part] - self.center[series[part]]) / self.scale[series[part]]
        return rows

    def restore(self, forecasts: Array, series: Array) -> Array:
        """Return standardised forecasts in the units of the data.

        Parameters
        ----------
        forecasts : ndarray of shape (n, ..., n_targets)
            Standardised.
        series : ndarray of shape (n,)
            Number of each forecast's series.

        Returns
        -------
        ndarray of the same shape
            In the units of the data.
        """
        shape = (len(series), *(1,) * (forecasts.ndim - 2), forecasts.shape[-1])
        restored: Array = forecasts * self.scale[series].reshape(shape)
        return restored + self.center[series].reshape(shape)


def fit_panel_scales(
    values: Array,
    starts: Sequence[int] | Array,
    n_used: Array,
    *,
    n_enough: int = 1,
    n_seen: Array | None = None,
    typical: Array | None = None,
) -> PanelScales:
    """Measure each series' level and scale on its first rows.

    A target without a number there has the level of all its rows that may be seen.

    A target that does not vary there, or a series of few rows, has no scale of its own: it is that
    of all its rows that may be seen, else that of other series, in units of the data in any case.
    Where no other series has one either, few rows are enough.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_targets)
        Rows of all series, one series after the other; NaN is missing.
    starts : sequence of int, of length n_series + 1
        First row of each series, and the number of rows.
    n_used : ndarray of shape (n_series,)
        How many rows of each to use, one at least.
    n_enough : int, default=1
        Of fewer rows the scale is not measured.
    n_seen : ndarray of shape (n_series,) or None, default=None
        How many rows may be seen where those to use do not vary; None is no more.
    typical : ndarray of shape (n_targets,) or (n_series, n_targets) or None, default=None
        Scale of series without one of their own; None is the middle one of the others here.

    Returns
    -------
    PanelScales
        A target that varies nowhere has scale 1.
    """
    n_used = np.maximum(1, n_used)
    n_seen = n_used if n_seen is None else np.maximum(n_used, n_seen)
    bounds = list(pairwise(starts))
    used = [
        values[start : min(stop, start + int(n))]
        for (start, stop), n in zip(bounds, n_used, strict=True)
    ]
    scalers = [fit_scaler(rows) for rows in used]
    center = np.stack([scaler.center for scaler in scalers])
    scale = np.stack([scaler.scale for scaler in scalers])
    n_rows = np.array([len(rows) for rows in used])
    is_own = np.stack([_varies(rows) for rows in used]) & (n_rows >= n_enough)[:, None]
    for number in np.flatnonzero(~is_own.all(axis=1)):
        start, stop = bounds[number]
        rows = values[start : min(stop, start + int(n_seen[number]))]
        is_unseen = np.isnan(used[number]).all(axis=0)
        if is_unseen.any():
            center[number, is_unseen] = fit_scaler(rows).center[is_unseen]
        if len(rows) >= n_enough:
            found = _varies(rows) & ~is_own[number]
            scale[number, found] = fit_scaler(rows).scale[found]
            is_own[number] |= found
    if typical is not None:
        return PanelScales(center, np.where(is_own, scale, typical), n_rows)
    own = [scale[is_own[:, target], target] for target in range(values.shape[1])]
    middle = np.array([np.median(one) if len(one) else 1.0 for one in own])
    found = np.where(is_own, scale, middle)
    if n_enough > 1 and not is_own.any(axis=0).all():
        few = fit_panel_scales(values, starts, n_used, n_seen=n_seen)
        found = np.where(is_own.any(axis=0), found, few.scale)
    return PanelScales(center, found, n_rows)


def _varies(rows: Array) -> NDArray[np.bool_]:
    """Say which columns vary beyond rounding."""
    is_known = ~np.isnan(rows)
    low = np.where(is_known, rows, np.inf).min(axis=0)
    high = np.where(is_known, rows, -np.inf).max(axis=0)
    rounding = np.finfo(rows.dtype).eps * np.maximum(np.abs(low), np.abs(high))
    found: NDArray[np.bool_] = is_known.any(axis=0) & (high - low > 4 * rounding)
    return found
