"""Rows that follow the known ones: they are taken in, or forecasts are scored on them."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from sknas.estimators.all_or_nothing import all_or_nothing
from sknas.forecasting._appending import append, known_places
from sknas.forecasting._fitted import FittedForecaster
from sknas.forecasting._frames import Frame, read_panel

__all__ = ["GoingOnForecaster"]

_MIN_ERROR = 1e-7  # of the naive forecast, in standardised units: less is rounding


class GoingOnForecaster(FittedForecaster):
    """A forecaster that goes on as time does."""

    @all_or_nothing("update")
    def update(
        self,
        Y_new: Frame,
        X: Frame | None = None,
        *,
        static: pd.DataFrame | None = None,
        refit: bool = False,
    ) -> Self:
        """Take in rows that follow the known ones.

        The next forecast begins behind them. Errors on them join those that intervals are made of.

        Parameters
        ----------
        Y_new : DataFrame, Series or array
            Rows of the kind that `fit` got; a panel may bring new series. They may repeat known
            ones: an array does where it begins with all of them, from the first row of the fit on.
        X : DataFrame or array, default=None
            Their covariates, where `fit` had covariates.
        static : DataFrame, default=None
            Covariates of new series.
        refit : bool, default=False
            Learn on from the new rows; the network may grow, as in
            `GrowingDARTSRegressor.partial_fit`.

        Returns
        -------
        GrowingDARTSForecaster
            The same forecaster.

        Raises
        ------
        ValueError
            If the rows do not follow the known ones, or are too few to learn from.
        """
        check_is_fitted(self)
        start = self._start_clock()
        if not isinstance(refit, (bool, np.bool_)):
            raise ValueError(f"refit must be a boolean; got {refit!r}.")
        given = read_panel(Y_new, name="Y_new", like=self._panel, missing=self.missing)
        new, n_again = self._seen.without(given)
        panel = append(self._panel, new, name="Y_new", missing=self.missing)
        known = self._reader.rows_after(panel, self._panel, self._known, X, static, n_again)
        scales = self._scales_of(panel)
        # Every window whose last row is new: its forecast has not been judged before.
        begin = panel.first.copy()
        begin[: self._panel.n_series] = self._panel.stop - self._shape.horizon + 1
        # Of these only the newest count.
        n_told = self.calibration_.window + self._shape.horizon
        told = np.maximum(begin, panel.stop - n_told)
        rolling = self._rolling(panel, known, static, scales, self._shape.horizon, begin=told)
        self.calibration_ = rolling.recalibrated(self.calibration_)
        settings, problem = self._resolved(), None
        if refit:
            _, problem = self._prepared(
                panel,
                known,
                self.lookback_,
                settings.arch_fraction,
                self._draw_seed(),
                self.module_.spec,
                scales=scales,
                begin=begin,
            )
        self._scales, self._reader = scales, self._reader.extended(panel, static)
        naive = self._naive.going_on(panel, self._panel)
        self._remember(panel, known, naive, self._seen.followed_by(new), self._shape.horizon)
        if problem is not None:  # callbacks may forecast meanwhile, and that from the new rows
            self._go_on(problem, settings, start)
        return self

    def score(
        self, Y: Frame, X: Frame | None = None, *, static: pd.DataFrame | None = None
    ) -> float:
        """Return how much better forecasts are than the last value: higher is better.

        Every window of `horizon` rows of `Y` is forecast from the rows before it. If `Y` directly
        follows the known rows, as rows of an array are taken to do, these come first; of an array
        that begins with all known rows, and goes on, those behind them are scored. Otherwise
        forecasts begin behind the first `lookback_` rows, or at the second row of a short series of
        a panel.

        Parameters
        ----------
        Y : DataFrame, Series or array
            Rows of the kind that `fit` got.
        X : DataFrame or array, default=None
            Their covariates.
        static : DataFrame, default=None
            Covariates of series in `Y` that `fit` did not see.

        Returns
        -------
        float
            One minus the mean absolute error over that of repeating the last value, averaged over
            targets: 1 is perfect, 0 as good as that naive forecast, below 0 worse.

        Raises
        ------
        ValueError
            If `Y` has no such window.
        """
        check_is_fitted(self)
        given = read_panel(Y, like=self._panel, missing=self.missing)
        panel, n_again = self._seen.without(given)
        if not len(panel.values):  # the known rows alone are scored by themselves
            panel, n_again = replace(given, first=np.zeros_like(given.first)), 0
        place = known_places(panel, self._panel)
        is_seen = place >= 0
        begin, before = panel.first, f"{self.lookback_} others, unless they follow the known ones,"
        n_rows = len(panel.values)
        if is_seen.any() and (panel.first[is_seen] == self._panel.stop[place[is_seen]]).all():
            before = "the known ones"
            panel = append(self._panel, panel, missing=self.missing)
            known = self._reader.rows_after(panel, self._panel, self._known, X, static, n_again)
            begin = np.concatenate([self._panel.stop, begin[~is_seen]])
        else:
            known = self._reader.rows_of(panel, X, static)
            if panel.keys is None:  # a part, with no history but its own, and no young series
                begin = begin + self.lookback_
        n_steps = self._shape.horizon
        scales = self._scales_of(panel, panel.first + self.lookback_)
        rolling = self._rolling(panel, known, static, scales, n_steps, begin=begin)
        skill = rolling.skill(_MIN_ERROR)
        if np.isnan(skill):
            raise ValueError(
                f"Y must hold horizon={n_steps} rows behind {before} to be scored, and numbers in "
                f"them; got {n_rows} rows."
            )
        return skill
