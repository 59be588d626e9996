"""Units of a panel: every series has its own level and scale, every covariate one for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknas.windows import Scaler, fit_scaler

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
    """

    center: NDArray[np.float64]
    scale: NDArray[np.float64]

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


def fit_panel_scales(values: Array, starts: Sequence[int] | Array, n_used: Array) -> PanelScales:
    """Measure each series' level and scale on its first rows.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_targets)
        Rows of all series, one series after the other; NaN is missing.
    starts : sequence of int, of length n_series + 1
        First row of each series, and the number of rows.
    n_used : ndarray of shape (n_series,)
        How many rows of each to use.

    Returns
    -------
    PanelScales
        A target that does not vary has scale 1.
    """
    scalers: list[Scaler] = [
        fit_scaler(values[start : min(stop, start + max(1, int(n)))])
        for (start, stop), n in zip(pairwise(starts), n_used, strict=True)
    ]
    return PanelScales(
        np.stack([scaler.center for scaler in scalers]),
        np.stack([scaler.scale for scaler in scalers]),
    )
