"""Intervals that follow how much a series moves: errors are told in units of the window's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknas.forecasting.intervals import ConformalResiduals

__all__ = ["Calibration", "movement"]

Array = NDArray[Any]
_WINDOW = 1000  # newest windows whose errors count, a series
_MOST = 5000  # of a panel
_TYPICAL_SHARE = 0.3
_LEAST_MOVEMENT = 1e-6  # windows of one step, or that do not move, are of no help


def movement(past: Array) -> Array:
    """Return how much windows move from step to step.

    Parameters
    ----------
    past : ndarray of shape (n, lookback, n_targets)
        Standardised windows; NaN is missing.

    Returns
    -------
    ndarray of shape (n, n_targets)
        Mean absolute difference of neighbouring known values; zero where there are none.
    """
    differences = np.abs(np.diff(past, axis=1))
    is_known = ~np.isnan(differences)
    total = np.where(is_known, differences, 0.0).sum(axis=1)
    moved: Array = total / np.maximum(is_known.sum(axis=1), 1)
    return moved


@dataclass(frozen=True, eq=False)
class Calibration:
    """Errors of forecasts, each over how much the series moved before it.

    Locally weighted split-conformal prediction (Lei et al. 2018, section 5.2), with the window's
    mean absolute step, and 0.3 of its usual size, as the weight; both are our choice. Where
    errors are taken in as time goes on, the newest 1000 windows of each series count, so that
    intervals follow seasons and regimes.

    Parameters
    ----------
    residuals : ConformalResiduals
        Errors over weights.
    typical : ndarray of shape (n_targets,)
        Mean movement of the windows that were calibrated on.
    window : int
        How many newest windows count.
    """

    residuals: ConformalResiduals
    typical: Array
    window: int

    @classmethod
    def of(cls, errors: Array, moved: Array, n_series: int) -> Calibration:
        """Calibrate on the errors of a part that was not trained on.

        Parameters
        ----------
        errors : ndarray of shape (n_windows, horizon, n_targets)
            Truth minus forecast, standardised, in time order.
        moved : ndarray of shape (n_windows, n_targets)
            Movement of each window.
        n_series : int
            How many series the windows are of.

        Returns
        -------
        Calibration
            From all these errors.
        """
        usual = moved.mean(axis=0)
        typical = np.where(usual > _LEAST_MOVEMENT, usual, 1.0)
        window = min(_WINDOW * n_series, _MOST)
        weight = moved + _TYPICAL_SHARE * typical
        residuals = ConformalResiduals.from_residuals(errors / weight[:, None], n_kept=2 * window)
        return cls(residuals, typical, window)

    def with_errors(self, errors: Array, moved: Array) -> Calibration:
        """Take in the errors of windows after those known.

        Parameters
        ----------
        errors, moved : ndarray
            As in `of`.

        Returns
        -------
        Calibration
            From the newest errors.
        """
        scaled = errors / self.weight(moved)[:, None]
        return replace(self, residuals=self.residuals.recalibrated(scaled, window=self.window))

    def levels(self, points: Array, moved: Array, alphas: Sequence[float]) -> Array:
        """Return quantiles around forecasts.

        Parameters
        ----------
        points : ndarray of shape (n, n_steps, n_targets)
            Standardised forecasts.
        moved : ndarray of shape (n, n_targets)
            Movement of the windows before them.
        alphas : sequence of float
            Probabilities.

        Returns
        -------
        ndarray of shape (n_alphas, n, n_steps, n_targets)
            Standardised, ascending with alpha.
        """
        offsets = self.residuals.quantiles(np.zeros(points.shape[1:]), alphas)
        around: Array = points + self.weight(moved)[:, None] * offsets[:, None]
        return around

    def weight(self, moved: Array) -> Array:
        """Return what errors are divided by.

        Parameters
        ----------
        moved : ndarray of shape (n, n_targets)
            Movement of the windows before them.

        Returns
        -------
        ndarray of shape (n, n_targets)
            Positive.
        """
        return moved + _TYPICAL_SHARE * self.typical
