"""Which series each origin is of, and what is summed over the origins of a series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Origins"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Origins:
    """Origins in the order of their series.

    Parameters
    ----------
    order : ndarray of shape (n_origins,)
        Numbers of the origins, those of a series behind one another.
    starts : ndarray of shape (n_series,)
        Where each series begins in that order.
    number : ndarray of shape (n_origins,)
        Number of the series of each origin.
    """

    order: NDArray[np.intp]
    starts: NDArray[np.intp]
    number: NDArray[np.intp]

    @classmethod
    def of(cls, series: NDArray[Any] | None, n_origins: int) -> Origins:
        """Put origins into order.

        Parameters
        ----------
        series : array-like of shape (n_origins,) or None
            What tells the series of an origin; None is one series.
        n_origins : int
            How many origins there are.

        Returns
        -------
        Origins
            Their order.

        Raises
        ------
        ValueError
            If `series` has another shape.
        """
        labels = np.zeros(n_origins) if series is None else np.asarray(series)
        if labels.shape != (n_origins,):
            raise ValueError(
                f"series must have an entry for each of {n_origins} origins; got shape "
                f"{labels.shape}."
            )
        _, number = np.unique(labels, return_inverse=True)
        order = np.argsort(number, kind="stable")
        return cls(order, np.flatnonzero(np.diff(number[order], prepend=-1)), number)

    def sums(self, values: NDArray[Any]) -> Array:
        """Add the known entries of each series.

        Parameters
        ----------
        values : ndarray of shape (n_origins, ...)
            Numbers; NaN is missing.

        Returns
        -------
        ndarray of shape (n_series, ...)
            Their sums.
        """
        known = np.where(np.isnan(values), 0.0, values)
        return np.add.reduceat(known[self.order], self.starts, axis=0)

    def vary(self, values: Array) -> NDArray[np.bool_]:
        """Tell whether the known entries of each series are at least two different numbers.

        Parameters
        ----------
        values : ndarray of shape (n_origins, ...)
            Numbers; NaN is missing.

        Returns
        -------
        ndarray of shape (n_series, ...), dtype=bool
            Whether they are.
        """
        is_unknown, rows = np.isnan(values), self.order
        low = np.minimum.reduceat(np.where(is_unknown, np.inf, values)[rows], self.starts, axis=0)
        high = np.maximum.reduceat(np.where(is_unknown, -np.inf, values)[rows], self.starts, axis=0)
        found: NDArray[np.bool_] = low < high
        return found
