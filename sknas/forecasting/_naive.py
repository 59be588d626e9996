"""How much the seasonal naive forecast errs on each series of a panel: the unit of MASE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknas.forecasting._appending import known_places
from sknas.forecasting._panel import Panel
from sknas.forecasting._seasons import season_length

__all__ = ["NaiveErrors"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class NaiveErrors:
    """Absolute differences of rows a season apart, summed over each series.

    Parameters
    ----------
    total : ndarray of shape (n_series, n_targets)
        Sums.
    n_known : ndarray of shape (n_series, n_targets)
        How many differences each sum is of.
    season : int
        Rows of a season.
    """

    total: NDArray[np.float64]
    n_known: Array
    season: int

    @classmethod
    def of(cls, panel: Panel, stop: Array | None = None) -> NaiveErrors:
        """Measure the rows of a panel.

        Parameters
        ----------
        panel : Panel
            Rows.
        stop : ndarray of shape (n_series,) or None, default=None
            Grid position behind the last row of each series to count; None counts all.

        Returns
        -------
        NaiveErrors
            Of each of its series.
        """
        season = season_length(panel.calendar.freqstr)
        return cls(*_sums(panel, season, panel.first, panel.stop if stop is None else stop), season)

    def going_on(self, panel: Panel, old: Panel, stop: Array | None = None) -> NaiveErrors:
        """Count further rows.

        Parameters
        ----------
        panel : Panel
            Rows of old series and of new ones; of old ones those of the last season, too.
        old : Panel
            The panel whose rows have been counted, or its last rows.
        stop : ndarray of shape (n_series,) or None, default=None
            As in `of`.

        Returns
        -------
        NaiveErrors
            Of each series of `panel`.
        """
        place = known_places(panel, old)
        is_old = place >= 0
        begin = np.where(is_old, old.stop[place], panel.first)
        sums = _sums(panel, self.season, begin, panel.stop if stop is None else stop)
        before = (np.where(is_old[:, None], part[place], 0) for part in (self.total, self.n_known))
        total, n_known = (one + more for one, more in zip(before, sums, strict=True))
        return NaiveErrors(total, n_known, self.season)

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean absolute error (n_series, n_targets); NaN where it is zero or nothing is known."""
        return np.where(self.total > 0, self.total / np.maximum(self.n_known, 1), np.nan)


def _sums(
    panel: Panel, season: int, begin: Array, stop: Array
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return sums and numbers of known differences whose later row is in ``[begin, stop)``."""
    series, positions = panel.row_series, panel.row_positions
    is_counted = (positions >= begin[series]) & (positions < stop[series])
    is_counted &= positions - season >= panel.first[series]
    rows = np.flatnonzero(is_counted)
    differences = np.abs(panel.values[rows].astype(np.float64) - panel.values[rows - season])
    shape = (panel.n_series, panel.values.shape[1])
    total, n_known = np.zeros(shape), np.zeros(shape, dtype=np.int64)
    np.add.at(total, series[rows], np.nan_to_num(differences))
    np.add.at(n_known, series[rows], ~np.isnan(differences))
    return total, n_known
