"""Intervals that follow how much a series moves: errors are told in units of the window's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknas.forecasting._blocks_ahead import carried_on
from sknas.forecasting.intervals import ConformalResiduals

__all__ = ["Calibration", "movement"]

Array = NDArray[Any]
_WINDOW = 1000  # newest errors that count, a series, step and target
_MOST = 5000  # of a panel
_SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)  # of the usual movement in a weight; the last is constant
_USUAL_SHARE = 0.25
_CLEARLY = 0.9  # of the usual share's loss
_LEAST_WINDOWS = 100
_LEVELS = (0.025, 0.1, 0.9, 0.975)
_JUDGED_WINDOWS, _JUDGED_STEPS = 1000, 24
_NORMAL = NormalDist()
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
        Mean absolute difference of neighbouring known values; NaN where there are none, and
        infinite where not a single value is known, so that anything may follow.
    """
    differences = np.abs(np.diff(past, axis=1))
    is_known = ~np.isnan(differences)
    total, n_known = np.where(is_known, differences, 0.0).sum(axis=1), is_known.sum(axis=1)
    moved: Array = np.where(n_known > 0, total / np.maximum(n_known, 1), np.nan)
    moved[np.isnan(past).all(axis=1)] = np.inf
    return moved


@dataclass(frozen=True, eq=False)
class Calibration:
    """Errors of forecasts, each over how much the series moved before it.

    Locally weighted split-conformal prediction (Lei et al. 2018, section 5.2). The weight is a
    mean of the window's movement and, to a quarter, of its usual size; another share is taken for a
    target whose first errors would get clearly better quantiles by it, in pinball loss. Where
    errors are taken in as time goes on, the newest 1000 of each series, step and target count, so
    that intervals follow seasons and regimes. Weight, choice and window are ours. Beyond the
    horizon of the fit errors are those of forecasts that went on from forecasts, where there is
    room to measure them, and those of the steps after these are added as `carried_on` says.

    Parameters
    ----------
    residuals : ConformalResiduals
        Errors over weights.
    typical : ndarray of shape (n_targets,)
        Mean movement of the windows that were calibrated on.
    share : ndarray of shape (n_targets,)
        Share of the typical movement in a weight, above 0; at 1 all windows weigh the same.
    window : int
        How many newest errors of each step and target count.
    further : ConformalResiduals or None, default=None
        Errors over weights of steps beyond the horizon of the fit, whose forecasts went on from
        forecasts.
    """

    residuals: ConformalResiduals
    typical: Array
    share: Array
    window: int
    further: ConformalResiduals | None = None

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
        # Targets of which no window tells anything have usual ones.
        moved = np.where(np.isinf(moved).all(axis=0), np.nan, moved)
        told = np.isfinite(moved)
        usual = np.where(told, moved, 0.0).sum(axis=0) / np.maximum(told.sum(axis=0), 1)
        typical = np.where(usual > _LEAST_MOVEMENT, usual, 1.0)
        window = min(_WINDOW * n_series, _MOST)
        share = _best_shares(errors, moved, typical)
        weight = _weight(moved, typical, share)
        residuals = ConformalResiduals.from_residuals(errors / weight[:, None], n_kept=2 * window)
        return cls(residuals, typical, share, window)

    def with_further(self, errors: Array, moved: Array) -> Calibration:
        """Take in errors of steps beyond the horizon of the fit.

        Parameters
        ----------
        errors : ndarray of shape (n_windows, n_steps, n_targets)
            Truth minus forecast of the steps that follow the horizon.
        moved : ndarray of shape (n_windows, n_targets)
            Movement of each window.

        Returns
        -------
        Calibration
            The same where a step of a target has no known error.
        """
        scaled = errors / self.weight(moved)[:, None]
        if np.isnan(scaled).all(axis=0).any():
            return self
        return replace(self, further=ConformalResiduals.from_residuals(scaled))

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
            Standardised, ascending with alpha. Where not a single value of the window is known,
            those of a normal variable as wide as the series.
        """
        offsets = self._offsets(points.shape[1], alphas)
        around: Array = points + self.weight(moved)[:, None] * offsets[:, None]
        # Where a window tells nothing, a forecast is the mean of a series of standard deviation 1.
        normal = np.array([_NORMAL.inv_cdf(alpha) for alpha in alphas])[:, None, None, None]
        return np.where(np.isinf(moved)[:, None], points + normal, around)

    def _offsets(self, n_steps: int, alphas: Sequence[float]) -> Array:
        """Return quantiles of errors over weights, (n_alphas, n_steps, n_targets)."""
        n_targets, horizon = len(self.typical), self.residuals.horizon
        if self.further is None or n_steps <= horizon:
            return self.residuals.quantiles(np.zeros((n_steps, n_targets)), alphas)
        parts = (self.residuals, self.further)
        told = [part.quantiles(np.zeros((part.horizon, n_targets)), alphas) for part in parts]
        return carried_on(np.concatenate(told, axis=1), n_steps)

    def weight(self, moved: Array) -> Array:
        """Return what errors are divided by.

        Parameters
        ----------
        moved : ndarray of shape (n, n_targets)
            Movement of the windows before them.

        Returns
        -------
        ndarray of shape (n, n_targets)
            Positive; NaN where not a single value is known, so that such an error does not count.
        """
        return _weight(moved, self.typical, self.share)


def _weight(moved: Array, typical: Array, share: Array | float) -> Array:
    usual = np.where(np.isfinite(moved), moved, typical)
    weight: Array = (1.0 - share) * usual + share * typical
    return np.where(np.isinf(moved), np.nan, weight)


def _best_shares(errors: Array, moved: Array, typical: Array) -> Array:
    """Return the share of the typical movement that tells each target's quantiles best."""
    n_targets = len(typical)
    if len(errors) < _LEAST_WINDOWS:
        return np.full(n_targets, _USUAL_SHARE)
    windows, steps = (
        np.unique(np.linspace(0, n - 1, min(n, most)).astype(int))
        for n, most in zip(errors.shape, (_JUDGED_WINDOWS, _JUDGED_STEPS), strict=False)
    )
    judged, moved = errors[np.ix_(windows, steps)], moved[windows]
    judged = np.where(np.isinf(moved)[:, None], np.nan, judged)
    judged = np.where(np.isnan(judged).all(axis=0), 0.0, judged)  # such steps choose nothing
    losses = []
    for share in _SHARES:
        weight = _weight(moved, typical, share)[:, None]
        losses.append(np.zeros(n_targets))
        for level, quantile in zip(_LEVELS, _quantiles(judged / weight), strict=True):
            beyond = judged - weight * quantile
            pinball = np.maximum(level * beyond, (level - 1.0) * beyond)
            losses[-1] += np.nanmean(pinball, axis=(0, 1))
    told = np.array(losses)
    # Times ahead may be more restless than these were: to follow less needs a clear reason.
    is_clear = told.min(axis=0) < _CLEARLY * told[_SHARES.index(_USUAL_SHARE)]
    return np.where(is_clear, np.array(_SHARES)[told.argmin(axis=0)], _USUAL_SHARE)


def _quantiles(values: Array) -> Array:
    """Return the quantiles over the first axis, in a third of the time where nothing is missing."""
    is_missing = bool(np.isnan(values).any())
    found: Array = (np.nanquantile if is_missing else np.quantile)(values, _LEVELS, axis=0)
    return found
