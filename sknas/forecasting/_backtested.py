"""What a forecaster adds to a backtest: how it reads the rows, and forecasts from origins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sknas.forecasting._appending import append, known_places
from sknas.forecasting._fitted import FittedForecaster
from sknas.forecasting._frames import Frame, read_panel
from sknas.forecasting._panel import Panel
from sknas.forecasting._rolling import RollingForecasts
from sknas.forecasting._scales import PanelScales
from sknas.forecasting.backtesting import Backtest, run_backtest

__all__ = ["BacktestedForecaster"]


class BacktestedForecaster(FittedForecaster):
    """A forecaster that can be tried on what has happened."""

    def backtest(
        self,
        Y: Frame,
        X: Frame | None = None,
        *,
        static: pd.DataFrame | None = None,
        initial: object = None,
        step: int = 1,
        horizon: int | None = None,
        refit: bool | int | str = False,
        coverage: float = 0.9,
    ) -> Backtest:
        """Forecast again and again as time goes on, and compare with what happened.

        A clone is fitted on the first rows; this forecaster stays as it is. Or, where it is fitted
        and `initial` is None, its present fit forecasts what follows its last known rows; `Y` may
        hold these, or go on from them. Rows of an array hold them if they begin with all of them,
        from the first row of the fit on; else they are taken to follow.

        Each forecast reads the rows before its origin and no later ones, and its interval the
        errors that were known by then. MASE is in units of the seasonal naive forecast's error on
        the rows that were known before the first origin, or of the last value's where no series has
        more of them than a season. RSE and CORR are measured within each series.

        Parameters
        ----------
        Y : DataFrame, Series or array
            All rows, or, after a fit, at least those that follow the known ones.
        X : DataFrame or array, default=None
            Covariates of the rows of `Y`.
        static : DataFrame, default=None
            Covariates of the series of a panel.
        initial : int or label, default=None
            Rows of the first fit, or the date or period of its last row; None is the present fit,
            or, where there is none, 70 % of the rows.
        step : int, default=1
            Rows between origins.
        horizon : int, default=None
            Steps of each forecast; None is the forecaster's.
        refit : bool, int or "weights", default=False
            Whether to fit anew, search and all, at every origin, or after as many origins as the
            number says; or to train the first fit's genotype anew at every origin.
        coverage : float, default=0.9
            Nominal coverage of the intervals.

        Returns
        -------
        Backtest
            Its `forecasts` are a tidy frame, its `scores` a table by step.

        Raises
        ------
        ValueError
            If a parameter breaks its rule, rows are missing behind the known ones, or no origin has
            `horizon` rows behind it.
        """
        self._start_clock()
        return run_backtest(
            self,
            Y,
            X,
            static,
            initial=initial,
            step=step,
            horizon=horizon,
            refit=refit,
            coverage=coverage,
        )

    def _read_on(self, Y: Frame) -> tuple[Panel, bool]:
        """Read rows that hold the known ones, or go on from them; say whether they go on.

        Rows of an array hold the known ones where they begin with all of them; else they follow.
        """
        old = self._panel
        panel = read_panel(Y, like=old, missing=self.missing)
        if panel.calendar.kind == "none" and self._seen.begin(panel):
            return replace(panel, first=np.zeros_like(panel.first)), False
        place = known_places(panel, old)
        if (panel.first > old.first[place])[place >= 0].any():
            return append(old, panel, missing=self.missing), True
        return panel, False

    def _naive_errors_of(self, panel: Panel, stop: int) -> NDArray[np.float64]:
        """Return the naive forecast's errors on the known rows, and on others before a position."""
        return self._naive.going_on(panel, self._panel, np.full(panel.n_series, stop)).mean

    def _rolling_between(
        self,
        panel: Panel,
        X: Frame | None,
        static: pd.DataFrame | None,
        n_steps: int,
        first: int,
        last: int,
        step: int,
        coverage: float,
        *,
        is_appended: bool = False,
    ) -> tuple[RollingForecasts, tuple[NDArray[np.float64], NDArray[np.float64]], PanelScales]:
        """Forecast from the origins between two, with the ends of their intervals, and units."""
        shape = self._shape
        known = (
            self._reader.rows_after(panel, self._panel, self._known, X, static)
            if is_appended
            else self._reader.rows_of(panel, X, static)
        )
        stop = np.minimum(panel.stop, last + n_steps)
        begin = np.full(panel.n_series, first, dtype=np.int64)
        scales = self._scales_of(panel, begin)
        # All steps that are calibrated are forecast, so that their errors join the calibration.
        n_told = max(n_steps, shape.horizon)
        rolling = self._rolling(
            panel,
            known,
            static,
            scales,
            n_told,
            begin=begin,
            step=step,
            stop=stop,
            n_needed=n_steps,
        )
        alphas = [(1.0 - coverage) / 2, (1.0 + coverage) / 2]
        if shape.quantiles:
            ends = self._levels_of(rolling, alphas, "coverage")
        else:
            ends = rolling.levels_in_turn(self.calibration_, alphas)
        lower, upper = ends[:, :, :n_steps]
        return rolling.first_steps(n_steps), (lower, upper), scales
