"""Forecasts from many origins of a panel at once, beside what happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sknas.blocks import NetworkShape
from sknas.forecasting._calibration import Calibration, movement
from sknas.forecasting._outputs import Outputs
from sknas.forecasting._panel import Panel
from sknas.forecasting._rollout import roll_out
from sknas.forecasting._scales import PanelScales
from sknas.windows import lay_series

__all__ = ["RollingForecasts", "forecast_origins"]

Array = NDArray[Any]
_N_NUMBERS = 2**22  # of windows at once
_LEAST_GROUP = 24


@dataclass(frozen=True, eq=False)
class RollingForecasts:
    """Forecasts and truths, origin by origin, in standardised units.

    Parameters
    ----------
    times : ndarray of shape (n_origins,), dtype=int64
        Grid position of the first forecast step.
    series : ndarray of shape (n_origins,)
        Number of the series.
    last : ndarray of shape (n_origins, n_targets)
        The newest known values.
    truth : ndarray of shape (n_origins, n_steps, n_targets)
        What happened; NaN is missing.
    moved : ndarray of shape (n_origins, n_targets)
        How much the window before an origin moves, see `movement`.
    outputs : Outputs
        Forecasts of each origin.
    """

    times: NDArray[np.int64]
    series: Array
    last: Array
    truth: Array
    moved: Array
    outputs: Outputs

    @property
    def points(self) -> Array:
        """Points, or medians, of shape (n_origins, n_steps, n_targets)."""
        return self.outputs.points

    def recalibrated(self, calibration: Calibration) -> Calibration:
        """Take in all errors, the oldest first.

        Parameters
        ----------
        calibration : Calibration
            From errors before these.

        Returns
        -------
        Calibration
            From the newest errors.
        """
        order = np.argsort(self.times, kind="stable")
        errors = (self.truth - self.points)[order]
        is_known = ~np.isnan(errors).all(axis=(1, 2))
        if not is_known.any():
            return calibration
        return calibration.with_errors(errors[is_known], self.moved[order][is_known])

    def calibrating_further(self, calibration: Calibration) -> Calibration:
        """Take in the errors of steps beyond those that are calibrated.

        Parameters
        ----------
        calibration : Calibration
            Of the first steps.

        Returns
        -------
        Calibration
            Of all steps here.
        """
        n_told = calibration.residuals.horizon
        return calibration.with_further((self.truth - self.points)[:, n_told:], self.moved)

    def levels_in_turn(self, calibration: Calibration, alphas: Sequence[float]) -> Array:
        """Return quantiles as they would have been told at each origin.

        Origins are taken in groups of as many time steps as are calibrated (24 at least). Before
        each group, the errors of the origins join whose calibrated steps are all known by then.

        Parameters
        ----------
        calibration : Calibration
            From errors before these, of no more steps than are forecast here.
        alphas : sequence of float
            Probabilities.

        Returns
        -------
        ndarray of shape (n_alphas, n_origins, n_steps, n_targets)
            Standardised.
        """
        points, n_told = self.points, calibration.residuals.horizon
        if not len(points):
            return np.empty((len(alphas), *points.shape))
        errors = (self.truth - points)[:, :n_told]
        found = np.empty((len(alphas), *points.shape))
        group = (self.times - self.times.min()) // max(n_told, _LEAST_GROUP)
        is_told = np.isnan(errors).all(axis=(1, 2))  # nothing to tell
        for number in np.unique(group):
            here = np.flatnonzero(group == number)
            is_new = ~is_told & (self.times + n_told <= self.times[here].min())
            if is_new.any():
                new = np.flatnonzero(is_new)
                new = new[np.argsort(self.times[new], kind="stable")]
                calibration = calibration.with_errors(errors[new], self.moved[new])
                is_told |= is_new
            found[:, here] = calibration.levels(points[here], self.moved[here], alphas)
        return found

    def first_steps(self, n: int) -> RollingForecasts:
        """Return the first steps of each forecast.

        Parameters
        ----------
        n : int
            How many.

        Returns
        -------
        RollingForecasts
            Of these.
        """
        return replace(self, truth=self.truth[:, :n], outputs=self.outputs.first_steps(n))

    def skill(self, smallest: float) -> float:
        """Return by what share the forecasts' error is smaller than that of the last value.

        Parameters
        ----------
        smallest : float
            Mean absolute error of the last value that counts as none, and is taken in its place.

        Returns
        -------
        float
            Averaged over targets; NaN where nothing can be compared.
        """
        is_known = ~np.isnan(self.truth) & ~np.isnan(self.last)[:, None]
        n_known = is_known.sum(axis=(0, 1))
        if not n_known.any():
            return float("nan")
        errors, naive = (
            np.where(is_known, np.abs(self.truth - forecast), 0.0).sum(axis=(0, 1))
            for forecast in (self.points, self.last[:, None])
        )
        there = n_known > 0
        units = np.maximum(naive[there], smallest * n_known[there])
        return float(np.mean(1.0 - errors[there] / units))


def forecast_origins(
    network: Callable[[Tensor], Tensor],
    shape: NetworkShape,
    scales: PanelScales,
    panel: Panel,
    known: Array,
    beyond: Array,
    n_steps: int,
    *,
    begin: NDArray[np.int64],
    stop: NDArray[np.int64],
    n_needed: int,
    step: int = 1,
    is_young_too: bool = False,
    n_numbers: int = _N_NUMBERS,
) -> RollingForecasts:
    """Forecast every window of `n_steps` rows, of which `n_needed` are there, from those before.

    Parameters
    ----------
    network : callable
        What forecasts.
    shape : NetworkShape
        Its sizes.
    scales : PanelScales
        Units of the panel's series.
    panel : Panel
        All rows.
    known : ndarray of shape (n_rows, n_covariates)
        Standardised covariates of the same rows.
    beyond : ndarray of shape (n_series, n_ahead - n_needed, n_covariates)
        The same of rows after each series; `n_ahead` is the next multiple of the horizon from
        `n_steps` on.
    n_steps : int
        Steps to forecast.
    begin, stop : ndarray of shape (n_series,)
        Grid positions of each series' first step to forecast, and of the row after the last one
        that is needed.
    n_needed : int
        Steps of a forecast that must lie before `stop`, at most `n_steps`; the truth of others is
        NaN where the series has ended.
    step : int, default=1
        Steps between the origins of a series.
    is_young_too : bool, default=False
        Whether to forecast from fewer rows than the lookback, too, where a series has many.
    n_numbers : int, default=2**22
        Numbers of the windows that are held at once, roughly.

    Returns
    -------
    RollingForecasts
        All origins, series by series in time order.
    """
    n_targets, lookback = shape.n_targets, shape.lookback
    standardised = scales.standardise(panel.values, panel.row_series)
    table = np.concatenate([standardised, known.astype(standardised.dtype)], axis=1)
    n_extra = beyond.shape[1]
    n_ahead = n_needed + n_extra
    table, starts = _lengthened(table, panel.starts, beyond)
    laid = lay_series(table, starts, panel.first, lookback, n_ahead, is_front=is_young_too)
    late = laid.times - begin[laid.series]
    kept = (late >= 0) & (late % step == 0) & (laid.times + n_needed <= stop[laid.series])
    positions = laid.positions[kept]
    truths, outputs, lasts, moved = [], [], [], []
    n_in_all = len(positions) * (lookback + n_ahead) * table.shape[1]
    n_parts = max(1, min(len(positions), -(-n_in_all // n_numbers)))
    for some in np.array_split(positions, n_parts):
        rows = laid.rows[some[:, None] + np.arange(lookback + n_ahead)]  # (n, rows, columns)
        past, around = rows[:, :lookback, :n_targets], np.nan_to_num(rows[:, :, n_targets:])
        outputs.append(roll_out(network, shape, past, around, n_steps))
        truths.append(rows[:, lookback : lookback + n_steps, :n_targets])
        lasts.append(_newest(past))
        moved.append(movement(past))
    return RollingForecasts(
        laid.times[kept],
        laid.series[kept],
        np.concatenate(lasts),
        np.concatenate(truths),
        np.concatenate(moved),
        Outputs(np.concatenate(outputs), shape.quantiles, shape.horizon),
    )


def _lengthened(table: Array, starts: Array, beyond: Array) -> tuple[Array, Array]:
    """Return rows with some of missing targets behind each series, and where each begins."""
    n_series, n_extra, n_covariates = beyond.shape
    if not n_extra:
        return table, starts
    extra = np.full((n_series, n_extra, table.shape[1]), np.nan, table.dtype)
    extra[:, :, table.shape[1] - n_covariates :] = beyond
    parts = np.split(table, starts[1:-1])
    together = [part for pair in zip(parts, extra, strict=True) for part in pair]
    return np.concatenate(together), starts + n_extra * np.arange(n_series + 1)


def _newest(past: Array) -> Array:
    """Return the newest known value of each window (n, lookback, targets); NaN where none is."""
    is_known = ~np.isnan(past)
    newest = past.shape[1] - 1 - np.argmax(is_known[:, ::-1], axis=1)  # (n, targets)
    found: Array = np.take_along_axis(past, newest[:, None], axis=1)[:, 0]
    return found
