"""Forecasts from the last known rows, or from others: points, intervals, quantiles, a file."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from os import PathLike

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sknas.estimators._onnx import write_estimator
from sknas.forecasting._appending import tail
from sknas.forecasting._calibration import movement
from sknas.forecasting._fitted import FittedForecaster
from sknas.forecasting._forecasts import Forecasts, Values, last_rows
from sknas.forecasting._frames import Frame, read_panel, write_panel
from sknas.forecasting._onnx import around_forecaster
from sknas.forecasting._outputs import Outputs
from sknas.forecasting._probabilities import checked_probabilities
from sknas.forecasting._rollout import roll_out

__all__ = ["PredictingForecaster"]


class PredictingForecaster(FittedForecaster):
    """A forecaster that says what follows."""

    @property
    def history_(self) -> Values:
        """The last known rows, `lookback_` of each series, as `fit` was given them."""
        check_is_fitted(self)
        last = tail(self._panel, self.lookback_)
        return write_panel(last.values, last.row_keys, last.row_positions, last)

    @property
    def cutoff(self) -> object:
        """Label of the last known row; for a panel a Series with a label for each series."""
        check_is_fitted(self)
        labels = self._panel.calendar.labels(self._panel.stop - 1)
        return labels[0] if self._panel.keys is None else pd.Series(labels, self._panel.keys)

    def predict(
        self,
        horizon: int | None = None,
        X: Frame | None = None,
        *,
        Y: Frame | None = None,
        static: pd.DataFrame | None = None,
    ) -> Values:
        """Forecast what follows the last known rows.

        Parameters
        ----------
        horizon : int, default=None
            Steps; None is the horizon of the fit. Beyond that, forecasts go on from forecasts.
        X : DataFrame or array, default=None
            Covariates of the steps ahead, where `fit` had covariates; with `Y`, of its last rows
            too. An array must not have rows behind the last block of steps ahead.
        Y : DataFrame, Series or array, default=None
            Rows to forecast from in place of those last known: other times, or other series.
        static : DataFrame, default=None
            Covariates of series in `Y` that `fit` did not see.

        Returns
        -------
        DataFrame, Series or ndarray
            What `fit` got, its index continued.

        Raises
        ------
        ValueError
            If rows of `X` are missing, which the message lists, or a parameter breaks its rule.
        """
        forecasts = self._forecasts(horizon, X, Y, static)
        return forecasts.frame(forecasts.points)

    def predict_interval(
        self,
        horizon: int | None = None,
        X: Frame | None = None,
        *,
        coverage: float | Sequence[float] = 0.9,
        Y: Frame | None = None,
        static: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """Forecast intervals that hold the truth with given probabilities, step by step.

        They are split-conformal, made of the errors on the validation part; with
        ``loss="quantile"`` they are the network's own quantiles. Beyond the horizon of the fit
        these errors are those of forecasts that went on from forecasts, for two seasons or three
        horizons where the validation part is long enough; behind these steps, and with
        ``loss="quantile"``, errors of blocks are added as though they were independent.

        Parameters
        ----------
        horizon : int, default=None
            Steps, as in `predict`.
        X : DataFrame or array, default=None
            Covariates, as in `predict`.
        coverage : float or sequence of float, default=0.9
            Probabilities in (0, 1).
        Y : DataFrame, Series or array, default=None
            Rows to forecast from, as in `predict`.
        static : DataFrame, default=None
            Covariates of series, as in `predict`.

        Returns
        -------
        DataFrame
            Columns (target, coverage, ``"lower"`` or ``"upper"``); the target of a Series without
            a name is 0.

        Raises
        ------
        ValueError
            As `predict` does, or if a probability is none, or outside `quantile_levels`.
        """
        wanted = checked_probabilities(coverage, "coverage")
        forecasts = self._forecasts(horizon, X, Y, static)
        named = []
        for one in wanted:
            ends = self._levels_of(forecasts, [(1.0 - one) / 2, (1.0 + one) / 2], "coverage")
            named += [
                ((one, side), end) for side, end in zip(("lower", "upper"), ends, strict=True)
            ]
        return forecasts.table(named)

    def predict_quantiles(
        self,
        horizon: int | None = None,
        X: Frame | None = None,
        *,
        alpha: float | Sequence[float] = (0.1, 0.5, 0.9),
        Y: Frame | None = None,
        static: pd.DataFrame | None = None,
    ) -> pd.DataFrame:
        """Forecast quantiles, step by step; they never cross.

        Parameters
        ----------
        horizon : int, default=None
            Steps, as in `predict`.
        X : DataFrame or array, default=None
            Covariates, as in `predict`.
        alpha : float or sequence of float, default=(0.1, 0.5, 0.9)
            Probabilities in (0, 1); with ``loss="quantile"`` within `quantile_levels`.
        Y : DataFrame, Series or array, default=None
            Rows to forecast from, as in `predict`.
        static : DataFrame, default=None
            Covariates of series, as in `predict`.

        Returns
        -------
        DataFrame
            Columns (target, alpha); the target of a Series without a name is 0.

        Raises
        ------
        ValueError
            As `predict` does, or if a probability is none, or outside `quantile_levels`.
        """
        alphas = checked_probabilities(alpha, "alpha")
        forecasts = self._forecasts(horizon, X, Y, static)
        levels = self._levels_of(forecasts, alphas, "alpha")
        return forecasts.table([((one,), level) for one, level in zip(alphas, levels, strict=True)])

    def to_onnx(self, path: str | PathLike[str]) -> None:
        """Write what forecasts as an ONNX file, for programs without Python or torch.

        The file holds the network and the units of the series, in double precision, for any number
        of forecasts at once. It takes ``Y``, the last `lookback_` rows (n, lookback, n_targets), in
        which NaN is missing, and, of a panel, ``series``, the number of each one's series, by its
        place in the metadata. It tells ``forecast`` (n, horizon, n_targets), and with
        ``loss="quantile"`` also ``quantiles``, one behind the other. It knows the units that the
        series have now, and no others.

        Parameters
        ----------
        path : str or path-like
            The file to write.

        Raises
        ------
        ValueError
            If the forecaster reads covariates, which a file cannot make of dates and frames.
        ImportError
            If onnx is not installed, which the extra ``export`` brings.
        """
        check_is_fitted(self)
        around = around_forecaster(self._shape, self._scales, self._panel)
        write_estimator(path, type(self).__name__, self.module_, around)

    def _forecasts(
        self, horizon: int | None, X: Frame | None, Y: Frame | None, static: pd.DataFrame | None
    ) -> Forecasts:
        check_is_fitted(self)
        shape = self._shape
        n_steps = shape.horizon if horizon is None else horizon
        if isinstance(n_steps, bool) or not isinstance(n_steps, Integral) or n_steps < 1:
            raise ValueError(f"horizon must be an integer of at least 1 step; got {horizon!r}.")
        n_ahead = -(-int(n_steps) // shape.horizon) * shape.horizon
        if Y is None:
            context, around = self._panel, None
        else:
            given = read_panel(Y, like=self._panel, missing=self.missing)
            context, around = tail(given, self.lookback_), given
        known, n_earlier = (
            (self._known, 0) if around is None else (None, len(around.values) - len(context.values))
        )
        ahead = self._reader.around(
            context, known, X, static, self.lookback_, int(n_steps), n_ahead, n_earlier
        )
        scales = self._scales_of(context if around is None else around)
        past = scales.standardise(context.values, context.row_series)
        windows = last_rows(past, context.starts, self.lookback_, np.nan)
        outputs = roll_out(self._frozen, shape, windows, ahead, int(n_steps))
        made = Outputs(outputs, shape.quantiles, shape.horizon)
        return Forecasts(made, movement(windows), context, scales)
