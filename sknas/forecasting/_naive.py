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
    """Absolute differences of rows a season apart, and of consecutive ones, summed by series.

    Parameters
    ----------
    total : ndarray of shape (n_lags, n_series, n_targets)
        Sums.
    n_known : ndarray of shape (n_lags, n_series, n_targets)
        How many differences each sum is of.
    lags : tuple of int
        Rows that differences are apart: a season, and 1 where that is another number.
    """

    total: NDArray[np.float64]
    n_known: Array
    lags: tuple[int, ...]

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
        lags = (season, 1) if season > 1 else (1,)
        return cls(*_sums(panel, lags, panel.first, panel.stop if stop is None else stop), lags)

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
        sums = _sums(panel, self.lags, begin, panel.stop if stop is None else stop)
        before = (
            np.where(is_old[:, None], part[:, place], 0) for part in (self.total, self.n_known)
        )
        total, n_known = (one + more for one, more in zip(before, sums, strict=True))
        return NaiveErrors(total, n_known, self.lags)

    @property
    def season(self) -> int:
        """Rows of a season."""
        return self.lags[0]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean absolute error (n_series, n_targets); NaN where it is zero or nothing is known.

        Of rows a season apart; of consecutive ones where no series has rows a season apart.
        """
        lag = 0 if self.n_known[0].any() else -1
        total, n_known = self.total[lag], self.n_known[lag]
        return np.where(total > 0, total / np.maximum(n_known, 1), np.nan)


def _sums(
    panel: Panel, lags: tuple[int, ...], begin: Array, stop: Array
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return sums and numbers of known differences whose later row is in ``[begin, stop)``."""
    series, positions = panel.row_series, panel.row_positions
    is_counted = (positions >= begin[series]) & (positions < stop[series])
    shape = (len(lags), panel.n_series, panel.values.shape[1])
    total, n_known = np.zeros(shape), np.zeros(shape, dtype=np.int64)
    for place, lag in enumerate(lags):
        rows = np.flatnonzero(is_counted & (positions - lag >= panel.first[series]))
        differences = np.abs(panel.values[rows].astype(np.float64) - panel.values[rows - lag])
        np.add.at(total[place], series[rows], np.nan_to_num(differences))
        np.add.at(n_known[place], series[rows], ~np.isnan(differences))
    return total, n_known
