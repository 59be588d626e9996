"""What a fitted forecaster keeps, and how it makes problems and forecasts of panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sknas.blocks import NetworkShape
from sknas.derived import NetworkSpec
from sknas.estimators.losses import checked_quantiles, make_objective
from sknas.estimators.searched import SearchedNetwork
from sknas.forecasting._appending import tail
from sknas.forecasting._calibration import Calibration
from sknas.forecasting._forecasts import Forecasts
from sknas.forecasting._known_reader import KnownReader
from sknas.forecasting._lookback import best_lookback
from sknas.forecasting._naive import NaiveErrors
from sknas.forecasting._panel import Panel
from sknas.forecasting._problem import PreparedPanel, make_problem, prepare_panel
from sknas.forecasting._rolling import RollingForecasts, forecast_origins
from sknas.forecasting._scales import PanelScales, fit_panel_scales
from sknas.forecasting._seasons import candidate_lookbacks, season_length
from sknas.forecasting._seen import SeenRows
from sknas.training import Problem

__all__ = ["FittedForecaster"]


class FittedForecaster(SearchedNetwork):
    """The machinery that the public methods of `GrowingDARTSForecaster` share."""

    lookback: int | str
    horizon: int
    missing: str
    max_params: int | None
    channel_mode: str
    window_norm: str
    loss: str
    quantile_levels: Sequence[float]
    validation_fraction: float
    batch_size: int | str
    device: str

    lookback_: int
    calibration_: Calibration
    _scales: PanelScales
    _reader: KnownReader
    _panel: Panel
    _known: NDArray[Any]
    _naive: NaiveErrors
    _seen: SeenRows

    # -- problems -------------------------------------------------------------------------------

    def _choose_lookback(
        self, panel: Panel, known: NDArray[Any], arch_fraction: float, seed: int, until: float
    ) -> tuple[PreparedPanel, Problem]:
        """Prepare the panel for the given lookback, or the one whose linear model is best."""

        def prepare(n: int, scales: PanelScales | None) -> tuple[PreparedPanel, Problem]:
            return self._prepared(panel, known, n, arch_fraction, seed, None, scales=scales)

        if not isinstance(self.lookback, str):
            return prepare(int(self.lookback), None)
        season = season_length(panel.calendar.freqstr)
        lengths = candidate_lookbacks(season, self.horizon, int(panel.lengths.max()))
        return prepare(best_lookback(lengths, prepare, self.max_params, until), None)

    def _prepared(
        self,
        panel: Panel,
        known: NDArray[Any],
        lookback: int,
        arch_fraction: float,
        seed: int,
        before: NetworkSpec | None,
        *,
        scales: PanelScales | None = None,
        begin: NDArray[np.int64] | None = None,
    ) -> tuple[PreparedPanel, Problem]:
        """Return the windows of a panel; in the modes of an earlier network, if given."""
        quantiles = checked_quantiles(self.loss, self.quantile_levels)
        horizon = self.horizon
        if before is None:
            is_short = bool((panel.lengths <= lookback + horizon).any())
            may_miss = self.missing == "mask" or is_short
        else:
            horizon, may_miss = before.shape.horizon, before.shape.has_missing
            if quantiles != before.shape.quantiles:
                raise ValueError(
                    "loss and quantile_levels must be those of the fit to learn on from it, with "
                    f"quantiles {list(before.shape.quantiles)}; got loss={self.loss!r} with "
                    f"quantiles {list(quantiles)}."
                )
        prepared = prepare_panel(
            panel,
            known,
            lookback=lookback,
            horizon=horizon,
            quantiles=quantiles,
            validation_fraction=self.validation_fraction,
            arch_fraction=arch_fraction,
            may_miss=may_miss,
            scales=scales,
            begin=begin,
            name="Y" if before is None else "Y_new, with known rows before it,",
        )
        mode = self.channel_mode if before is None else before.channel_mode
        norm = self.window_norm if before is None else before.window_norm
        problem = make_problem(
            prepared,
            make_objective(self.loss, quantiles),
            # A window of one row less its last value is nothing.
            window_norm=("none" if lookback == 1 else "last") if norm == "auto" else norm,
            channel_mode="independent" if mode == "auto" else mode,
            batch_size=self.batch_size,
            seed=seed,
            device=self.device,
        )
        return prepared, problem

    def _remember(
        self,
        panel: Panel,
        known: NDArray[Any],
        naive: NaiveErrors,
        seen: SeenRows,
        horizon: int,
    ) -> None:
        """Keep rows that forecasts read, of those too whose horizon is not over; and a season."""
        self._naive, self._seen = naive, seen
        n_kept = max(self.lookback_ + horizon - 1, naive.season)
        kept = panel.row_positions >= (panel.stop - n_kept)[panel.row_series]
        self._panel, self._known = tail(panel, n_kept), known[kept]
        if self._scales.center.shape[0] != panel.n_series:
            raise RuntimeError("internal error: a series without a scale.")

    @property
    def _shape(self) -> NetworkShape:
        """Sizes of the fitted network, whatever parameters have been set since."""
        shape: NetworkShape = self.module_.spec.shape
        return shape

    # -- forecasts ------------------------------------------------------------------------------

    def _scales_of(self, panel: Panel, before: NDArray[np.int64] | None = None) -> PanelScales:
        """Return the units of a panel's series.

        Those of new series, and of ones that were measured on few rows, are measured on the rows
        given, or on those before some grid positions: a forecast must not know later ones. As long
        as these are few, known series keep their units.
        """
        known = self._scales
        if panel.keys is None or self._panel.keys is None:
            return known
        found = self._panel.keys.get_indexer(panel.keys)
        n_enough = self._shape.lookback
        center, scale = known.center[found].copy(), known.scale[found].copy()
        scale[found < 0] = np.median(known.scale, axis=0)
        n_rows = known.n_rows[found].copy()
        n_used = panel.lengths if before is None else before - panel.first
        n_used = np.clip(n_used, 1, panel.lengths)
        is_new = (found < 0) | ((n_rows < n_enough) & (n_used > n_rows))
        if is_new.any():
            measured = fit_panel_scales(
                panel.values,
                panel.starts,
                n_used,
                # As at fit: where no series had more rows, few are enough.
                n_enough=n_enough if (known.n_rows >= n_enough).any() else 1,
                typical=scale,
            )
            center[is_new], scale[is_new] = measured.center[is_new], measured.scale[is_new]
            n_rows[is_new] = measured.n_rows[is_new]
        return PanelScales(center, scale, n_rows)

    def _levels_of(
        self, forecasts: Forecasts | RollingForecasts, alphas: Sequence[float], name: str
    ) -> NDArray[np.float64]:
        """Return quantiles (n_alphas, n, n_steps, n_targets), standardised."""
        if forecasts.outputs.quantiles:
            return forecasts.outputs.levels(alphas, name)
        return self.calibration_.levels(forecasts.points, forecasts.moved, alphas)

    def _rolling(
        self,
        panel: Panel,
        known: NDArray[Any],
        static: pd.DataFrame | None,
        scales: PanelScales,
        n_steps: int,
        *,
        begin: NDArray[np.int64],
        step: int = 1,
        stop: NDArray[np.int64] | None = None,
        n_needed: int | None = None,
    ) -> RollingForecasts:
        """Forecast from every origin of a panel, the steps between `begin` and `stop`.

        Where there is a `stop`, origins too that have fewer rows before them than are read. Only
        the first `n_needed` steps must lie before it; None is all.
        """
        shape = self._shape
        n_needed = n_steps if n_needed is None else n_needed
        n_ahead = -(-n_steps // shape.horizon) * shape.horizon
        return forecast_origins(
            self._frozen,
            shape,
            scales,
            panel,
            known,
            self._reader.beyond(panel, static, n_ahead - n_needed),
            n_steps,
            begin=begin,
            stop=panel.stop if stop is None else stop,
            n_needed=n_needed,
            step=step,
            is_young_too=stop is not None,
        )
