"""Prediction intervals from the errors of past forecasts: split-conformal, by step and target."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sknas.exceptions import CalibrationWarning
from sknas.forecasting._blocks_ahead import carried_on
from sknas.forecasting.order_statistics import ROUNDING, Ladder, kept_ranks, merge_summary

__all__ = ["ConformalResiduals"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ConformalResiduals:
    """Errors of forecasts on data that the model was not trained on, kept for intervals.

    An interval ends at order statistics of the signed errors ``truth - forecast`` that were seen
    at the same step for the same target. With n of them, the lower end at coverage ``1 - a`` is
    the one of rank ``floor((n + 1) a / 2)`` and the upper end that of ``ceil((n + 1) (1 - a/2))``:
    a further error that is exchangeable with them (in any order as likely) lies between with a
    probability of at least ``1 - a``. Errors of a time series are exchangeable roughly at best,
    so `coverage` of a backtest says more than this promise, which moreover holds for each
    step by itself, not for a whole path.

    Build it with `from_residuals`; a pickle stays small, because no more than about two times
    `n_kept` numbers are held for each step and target.

    Attributes
    ----------
    recent : ndarray of shape (n_recent, horizon, n_targets), dtype=float64
        The newest errors in the order they came; NaN where there is none.
    older : ndarray of shape (n_older_kept, horizon, n_targets), dtype=float64
        Order statistics, ascending, of all errors before those; NaN behind the last one.
    n_older : ndarray of shape (horizon, n_targets), dtype=int64
        How many errors `older` stands for.
    n_kept : int
        Most errors held in `recent`, and in `older`, for a step and target.

    Notes
    -----
    Split-conformal prediction: Vovk, V., Gammerman, A. and Shafer, G. (2005), Algorithmic Learning
    in a Random World, section 4.1; Lei, J., G'Sell, M., Rinaldo, A., Tibshirani, R. J. and
    Wasserman, L. (2018), Distribution-free predictive inference for regression, JASA 113(523),
    algorithm 2. Each step of a horizon is calibrated by itself, as by Stankeviciute, K., Alaa, A.
    and van der Schaar, M. (2021), Conformal time-series forecasting, NeurIPS, without their
    Bonferroni correction to the whole horizon. Signed errors with half of the misses on either
    side, instead of absolute ones: Linusson, H., Johansson, U. and Löfström, T. (2014),
    Signed-error conformal regression, PAKDD.

    Signed errors were chosen by measurement, at 90 % and with 50 errors, by the interval score of
    Gneiting and Raftery (2007, equation 43; less is better). Exponential errors: 4.25 signed, 4.74
    absolute; log-normal ones about their median: 9.4 and 11.2; normal ones with a bias of half a
    deviation: 4.37 and 4.68; normal ones: 4.38 and 4.22. Absolute errors give skewed data
    intervals whose misses lie all on one side. The price is twice as many errors: 19 rather
    than 9 for a coverage of 90 %.

    Ours: the summary of errors beyond `n_kept`, the rules for few errors, and steps beyond the
    horizon. While no more than `n_kept` errors were taken in, all are held and ranks are exact.
    Of more, the newest are held as they are and the others as `n_kept` order statistics spread
    evenly over their ranks; where a rank falls between two of these, the outer one is taken, so
    that an interval is a thousandth too wide rather than too narrow. Further errors are merged
    into this summary by interpolated ranks.

    A step beyond the fitted horizon belongs to a forecast that went on from its own forecasts. At
    block b (0 is the first) and step s of it, the ends lie at
    ``sign * sqrt(b * q_last**2 + q_s**2)`` with the ends q of the fitted steps: the errors of
    consecutive blocks are added as though they were independent of each other, and each block
    starts from the error at the last step of the one before. Where q_last and q_s differ in sign,
    which a bias causes, their squares are subtracted, so that quantiles never cross.

    Examples
    --------
    >>> residuals = np.arange(-9.0, 10.0).reshape(19, 1, 1)
    >>> calibrated = ConformalResiduals.from_residuals(residuals)
    >>> lower, upper = calibrated.interval(np.array([[100.0]]), coverage=0.8)
    >>> lower.item(), upper.item()
    (92.0, 108.0)
    """

    recent: Array
    older: Array
    n_older: NDArray[np.int64]
    n_kept: int = 1000

    @classmethod
    def from_residuals(
        cls, residuals: NDArray[np.floating], *, n_kept: int = 1000
    ) -> ConformalResiduals:
        """Take in the errors of a calibration part.

        Parameters
        ----------
        residuals : ndarray of shape (n_windows, horizon, n_targets)
            Truth minus forecast, oldest window first; NaN are left out.
        n_kept : int, default=1000
            Most errors to hold in either part, the newest and the older ones, for each step and
            target; at least 2. A pickle takes 8 bytes for each.

        Returns
        -------
        ConformalResiduals
            The errors.

        Raises
        ------
        ValueError
            If `residuals` has not three axes, is infinite somewhere or NaN everywhere, or
            `n_kept` is below 2.
        """
        if n_kept < 2:
            raise ValueError(f"n_kept must be at least 2; got {n_kept!r}.")
        rows = _checked_residuals(residuals)
        if np.isnan(rows).all():
            raise ValueError(
                f"residuals must hold at least one number; got shape {rows.shape}, all NaN."
            )
        return cls._folded(rows, *_no_residuals(rows.shape[1:]), n_kept)

    @property
    def horizon(self) -> int:
        """Number of steps that were calibrated."""
        return int(self.recent.shape[1])

    @property
    def n_targets(self) -> int:
        """Number of targets."""
        return int(self.recent.shape[2])

    @property
    def n_residuals(self) -> NDArray[np.int64]:
        """Number of errors taken in for each step and target, those of `older` included."""
        return self.n_older + (~np.isnan(self.recent)).sum(axis=0)

    def recalibrated(
        self, new_residuals: NDArray[np.floating], *, window: int | None = None
    ) -> ConformalResiduals:
        """Take in further errors.

        Parameters
        ----------
        new_residuals : ndarray of shape (n_windows, horizon, n_targets)
            Truth minus forecast of windows after those known, oldest first; NaN are left out.
        window : int, default=None
            Keep only this many of the newest errors of each step and target, at most half of
            `n_kept`. None keeps all. Those that are NaN do not count, so that a target that was
            not observed for a while keeps the errors before.

        Returns
        -------
        ConformalResiduals
            The errors, old and new; this object is left as it was.

        Raises
        ------
        ValueError
            If `new_residuals` has another horizon or number of targets or is infinite somewhere,
            or `window` is not between 1 and half of `n_kept`.
        """
        rows = _checked_residuals(new_residuals)
        if rows.shape[1:] != self.recent.shape[1:]:
            raise ValueError(
                f"new_residuals must have the shape (n_windows, {self.horizon}, {self.n_targets}); "
                f"got {rows.shape}."
            )
        recent = np.concatenate([self.recent, rows])
        if window is None:
            return self._folded(recent, self.older, self.n_older, self.n_kept)
        if not 1 <= window <= self.n_kept // 2:
            raise ValueError(
                f"window must be at least 1 and at most n_kept // 2 = {self.n_kept // 2}; "
                f"got {window!r}."
            )
        newest = _newest(recent, window)
        return type(self)(newest, *_no_residuals(newest.shape[1:]), self.n_kept)

    def interval(self, point: NDArray[np.floating], coverage: float = 0.9) -> tuple[Array, Array]:
        """Put an interval around point forecasts.

        The ends are the quantiles at ``(1 - coverage) / 2`` and ``(1 + coverage) / 2``.

        Parameters
        ----------
        point : ndarray of shape (..., horizon, n_targets)
            Forecasts; their horizon may be shorter or longer than the calibrated one.
        coverage : float, default=0.9
            Probability with which the truth is to lie between the bounds, in (0, 1).

        Returns
        -------
        tuple of (ndarray, ndarray)
            Lower and upper bounds in the shape of `point`; NaN for a step and target with no
            error to go by.

        Raises
        ------
        ValueError
            If `coverage` is outside (0, 1), or `point` has another number of targets.

        Warns
        -----
        CalibrationWarning
            If a step and target has fewer than ``(1 + coverage) / (1 - coverage)`` errors. The
            largest error on either side is taken there, which covers less often.
        """
        if not 0 < coverage < 1:
            raise ValueError(f"coverage must be in (0, 1); got {coverage!r}.")
        tail = (1 - coverage) / 2
        self._warn_if_few(1 - tail, f"A coverage of {coverage:g}")
        lower, upper = self._around(point, [tail, 1 - tail])
        return lower, upper

    def quantiles(self, point: NDArray[np.floating], alphas: Sequence[float]) -> Array:
        """Say where the truth lies with given probabilities.

        Parameters
        ----------
        point : ndarray of shape (..., horizon, n_targets)
            Forecasts; their horizon may be shorter or longer than the calibrated one.
        alphas : sequence of float
            Probabilities of lying below, in (0, 1). At 0.5, the mean of the two errors in the
            middle is added to the forecast.

        Returns
        -------
        ndarray of shape (n_alphas, ..., horizon, n_targets), dtype=float64
            The quantiles, which never decrease from one probability to a larger one; NaN for a
            step and target with no error to go by.

        Raises
        ------
        ValueError
            If `alphas` is empty or leaves (0, 1), or `point` has another number of targets.

        Warns
        -----
        CalibrationWarning
            If a step and target has too few errors for the outermost probability: ``p / (1 - p)``
            are needed for p above a half. The largest or smallest error is taken there.
        """
        probabilities = [float(alpha) for alpha in alphas]
        if not probabilities or not all(0 < alpha < 1 for alpha in probabilities):
            raise ValueError(f"alphas must be one or more numbers in (0, 1); got {alphas!r}.")
        outermost = max(probabilities, key=lambda alpha: abs(alpha - 0.5))
        self._warn_if_few(max(outermost, 1 - outermost), f"A quantile at {outermost:g}")
        return self._around(point, probabilities)

    @classmethod
    def _folded(
        cls, recent: Array, older: Array, n_older: NDArray[np.int64], n_kept: int
    ) -> ConformalResiduals:
        """Hold `recent` as it is if short, else summarise all but its newer part."""
        if len(recent) <= n_kept:
            return cls(recent.copy(), older, n_older, n_kept)
        newest = recent[-(n_kept // 2) :].copy()
        merged, n_merged = merge_summary(older, n_older, recent[: -(n_kept // 2)], n_kept)
        return cls(newest, merged, n_merged, n_kept)

    def _warn_if_few(self, probability: float, what: str) -> None:
        n_needed = math.ceil(probability / (1 - probability) - ROUNDING)
        fewest = int(self.n_residuals.min())
        if fewest >= n_needed:
            return
        substitute = "the largest error is taken" if fewest else "where there is none, NaN is given"
        warnings.warn(
            f"{what} needs {n_needed} residuals for each step and target; the fewest are {fewest}, "
            f"so {substitute}. Calibrate on more windows, or ask for less.",
            CalibrationWarning,
            stacklevel=3,
        )

    def _around(self, point: NDArray[np.floating], alphas: Sequence[float]) -> Array:
        """Add the errors at `alphas` to `point`."""
        forecasts = np.asarray(point, dtype=np.float64)
        if forecasts.ndim < 2 or forecasts.shape[-1] != self.n_targets:
            raise ValueError(
                f"point must have the axes (..., horizon, {self.n_targets}); "
                f"got shape {forecasts.shape}."
            )
        offsets = carried_on(self._offsets(alphas), forecasts.shape[-2])
        shape = (len(alphas), *[1] * (forecasts.ndim - 2), *offsets.shape[1:])
        return forecasts + offsets.reshape(shape)

    def _offsets(self, alphas: Sequence[float]) -> Array:
        """Return the error at each probability, of shape (n_alphas, horizon, n_targets)."""
        values = np.concatenate([self.older, self.recent])
        ranks = kept_ranks(self.n_older, len(self.older))
        past = np.zeros((1, *self.n_older.shape), dtype=np.int64)
        up = self._weights(np.diff(ranks, axis=0, prepend=past))
        down = self._weights(np.diff(ranks, axis=0, append=self.n_older[np.newaxis] + 1))
        ladder = Ladder.of(values, up, down)

        def at(alpha: float) -> Array:
            if alpha > 0.5:
                return ladder.upper(alpha)
            if alpha < 0.5:
                return ladder.lower(alpha)
            return (ladder.lower(0.5) + ladder.upper(0.5)) / 2

        return np.stack([at(alpha) for alpha in alphas])

    def _weights(self, gaps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many errors each held one stands for; those of `older` by their gaps."""
        older = np.where(np.isnan(self.older), 0, gaps)
        return np.concatenate([older, (~np.isnan(self.recent)).astype(np.int64)])


def _checked_residuals(residuals: NDArray[np.floating]) -> Array:
    """Return `residuals` in float64 if they have three axes and no infinite entry."""
    rows = np.asarray(residuals, dtype=np.float64)
    if rows.ndim != 3 or 0 in rows.shape[1:]:
        raise ValueError(
            "residuals must have the axes (n_windows, horizon, n_targets), the last two not empty; "
            f"got shape {rows.shape}."
        )
    if np.isinf(rows).any():
        raise ValueError("residuals must be finite or NaN; got an infinite entry.")
    return rows


def _no_residuals(shape: tuple[int, ...]) -> tuple[Array, NDArray[np.int64]]:
    """Return an empty summary for this (horizon, n_targets)."""
    return np.empty((0, *shape)), np.zeros(shape, dtype=np.int64)


def _newest(rows: Array, n: int) -> Array:
    """Return the last n known errors of each step and target, in the order they came."""
    is_known = ~np.isnan(rows)
    if not is_known[-n:].all():
        order = np.argsort(is_known, axis=0, kind="stable")  # NaN first
        rows = np.take_along_axis(rows, order, axis=0)
        rows = rows[len(rows) - int(is_known.sum(axis=0).max()) :]
    return rows[-n:].copy()
