"""Rolling origin: forecast again and again as time goes on, and compare with what happened."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from sknas.estimators.losses import checked_quantiles
from sknas.forecasting._backtest_plan import check_plan, check_start, first_origin, groups_of
from sknas.forecasting._covariates import read_covariates
from sknas.forecasting._frames import Frame, read_panel, write_panel
from sknas.forecasting._known_reader import KnownReader
from sknas.forecasting._naive import NaiveErrors
from sknas.forecasting._outputs import check_levels
from sknas.forecasting._panel import Panel
from sknas.forecasting.metrics import mase
from sknas.forecasting.scores import score_table

if TYPE_CHECKING:
    from sknas.forecasting._backtested import BacktestedForecaster

__all__ = ["Backtest", "run_backtest"]

Array = NDArray[Any]
_VALUES = ("truth", "forecast", "lower", "upper")
_COLUMNS = ("cutoff", "step", "time", "target", *_VALUES)
_UNIT_HISTORY = np.array([[0.0], [1.0]])  # whose naive error is one


@dataclass(frozen=True, eq=False)
class Backtest:
    """Forecasts of a rolling origin, and their scores.

    Attributes
    ----------
    forecasts : pandas.DataFrame
        A row a forecast: the levels of a panel's keys, ``cutoff`` (the last row that was known),
        ``step``, ``time``, ``target``, ``truth``, ``forecast``, ``lower``, ``upper``. A level
        without a name, or with one of these names, is ``series_0``, ``series_1`` and so on, by its
        place among the levels. Intervals are NaN as long as no error of the target is known.
    scores : pandas.DataFrame
        MAE, MSE, RMSE, MASE, RSE, CORR, coverage and width by step, and over all of them.
    coverage : float
        Nominal coverage of the intervals.
    n_fits : int
        How often the forecaster was fitted.
    """

    forecasts: pd.DataFrame
    scores: pd.DataFrame
    coverage: float
    n_fits: int

    def __str__(self) -> str:
        """Return the scores as text."""
        return self.scores.to_string(float_format=lambda value: f"{value:.4g}")


def run_backtest(
    forecaster: BacktestedForecaster,
    Y: Frame,
    X: Frame | None,
    static: pd.DataFrame | None,
    *,
    initial: object,
    step: int,
    horizon: int | None,
    refit: bool | int | str,
    coverage: float,
) -> Backtest:
    """Fit on the first rows and forecast the others, as `GrowingDARTSForecaster.backtest` says.

    Parameters
    ----------
    forecaster : BacktestedForecaster
        Whose clones are fitted.
    Y, X, static, initial, step, horizon, refit, coverage
        As in that method.

    Returns
    -------
    Backtest
        Forecasts and scores.
    """
    n_steps = forecaster.horizon if horizon is None else horizon
    check_plan(step=step, horizon=n_steps, refit=refit, coverage=coverage)
    is_fitted = initial is None and hasattr(forecaster, "module_")
    panel, border, is_appended = (
        _read_on(forecaster, Y, refit) if is_fitted else _read_all(forecaster, Y, initial)
    )
    origins = np.arange(border, int(panel.stop.max()) - n_steps + 1, step)
    if not len(origins) and is_fitted:
        n_behind = max(0, int(panel.stop.max()) - border)
        raise ValueError(
            f"Y must hold horizon={n_steps} rows behind the known ones; got {n_behind} such rows."
        )
    if not len(origins):
        raise ValueError(
            f"initial must leave horizon={n_steps} rows to forecast; got {initial!r} for a Y of "
            f"{int(panel.lengths.max())} rows."
        )
    if not is_fitted:
        check_start(panel, border, initial)
        _check_ahead(forecaster, panel, border, X, static, coverage)
    parts: list[_Part] = []
    n_fits = 0
    fitted = forecaster if is_fitted else None
    for first, last in groups_of(origins, refit):
        if not is_fitted or parts:
            like = fitted if refit == "weights" else None
            fitted = _fitted(forecaster, panel, first, X, static, like)
            n_fits += 1
        if fitted is None:
            raise RuntimeError("internal error: a backtest without a fit.")
        rolling, ends, scales = fitted._rolling_between(
            panel, X, static, int(n_steps), first, last, step, coverage, is_appended=is_appended
        )
        values = [
            scales.restore(part, rolling.series) for part in (rolling.truth, rolling.points, *ends)
        ]
        parts.append(_Part(rolling.times, rolling.series, values))
    units = (
        forecaster._naive_errors_of(panel, border)
        if is_fitted
        else NaiveErrors.of(panel, np.full(panel.n_series, border)).mean
    )
    return _summary(panel, parts, units, coverage, n_fits)


@dataclass(frozen=True, eq=False)
class _Part:
    """What one fit forecast: truth, points, lower and upper ends, in the units of the data."""

    times: Array
    series: Array
    values: list[Array]


def _read_on(
    forecaster: BacktestedForecaster,
    Y: Frame,
    refit: bool | int | str,  # noqa: FBT001
) -> tuple[Panel, int, bool]:
    """Return rows and the first to forecast, after a fit; and whether they go on from it."""
    panel, is_appended = forecaster._read_on(Y)
    if is_appended and refit is not False:
        raise ValueError(
            "Y must hold the rows of the first fit, too, where refit is not False; got rows that "
            f"begin later, and refit={refit!r}."
        )
    return panel, int(forecaster._panel.stop.max()), is_appended


def _read_all(
    forecaster: BacktestedForecaster, Y: Frame, initial: object
) -> tuple[Panel, int, bool]:
    """Return rows, and the first that is not of the first fit."""
    panel = read_panel(Y, freq=forecaster.freq, missing=forecaster.missing)
    return panel, first_origin(panel, initial), False


def _check_ahead(
    forecaster: BacktestedForecaster,
    panel: Panel,
    border: int,
    X: Frame | None,
    static: pd.DataFrame | None,
    coverage: float,
) -> None:
    """Raise what could not be forecast after the first fit before that takes its time."""
    quantiles = checked_quantiles(forecaster.loss, forecaster.quantile_levels)
    if quantiles:
        check_levels([(1.0 - coverage) / 2, (1.0 + coverage) / 2], quantiles, "coverage")
    if X is not None:
        read_covariates(X, panel, 0)  # so that one error lists all rows that are missing
    past = read_panel(_past(panel, border), freq=forecaster.freq, missing=forecaster.missing)
    reader, _ = KnownReader.at_fit(past, X, static, forecaster.calendar_features)
    reader.rows_of(panel, X, static)


def _fitted(
    forecaster: BacktestedForecaster,
    panel: Panel,
    origin: int,
    X: Frame | None,
    static: pd.DataFrame | None,
    like: BacktestedForecaster | None,
) -> BacktestedForecaster:
    """Fit a clone on the rows before an origin; of the genotype of another one, if given."""
    fresh: BacktestedForecaster = clone(forecaster)
    if like is not None:
        # The genotype has its own widths, so that one beside it would be without effect.
        fresh.set_params(genotype=like.genotype_, hidden_size="auto", lookback=like.lookback_)
    return fresh.fit(_past(panel, origin), X, static=static)


def _past(panel: Panel, origin: int) -> Frame:
    """Return the rows before an origin, of series of which a number is known by then."""
    is_past, series = panel.row_positions < origin, panel.row_series
    is_number = ~np.isnan(panel.values).all(axis=1)
    is_past &= np.isin(series, series[is_past & is_number])
    keys = panel.row_keys
    return write_panel(
        panel.values[is_past],
        None if keys is None else keys[is_past],
        panel.row_positions[is_past],
        panel,
    )


def _summary(
    panel: Panel, parts: list[_Part], units: Array, coverage: float, n_fits: int
) -> Backtest:
    """Put the parts behind one another, and score them; MASE in units (n_series, n_targets)."""
    times = np.concatenate([part.times for part in parts])
    series = np.concatenate([part.series for part in parts])
    values = [np.concatenate(of_each) for of_each in zip(*(p.values for p in parts), strict=True)]
    truth, points, lower, upper = values
    scores = score_table(truth, points, interval=(lower, upper), series=series)
    unit = units[series][:, None]
    history = np.repeat(_UNIT_HISTORY, truth.shape[2], axis=1)
    rows = [slice(step, step + 1) for step in range(truth.shape[1])] + [slice(None)]
    scaled = [mase(truth[:, row] / unit, points[:, row] / unit, history) for row in rows]
    scores.insert(scores.columns.get_loc("rmse") + 1, "mase", scaled)
    return Backtest(_tidy(panel, times, series, values), scores, coverage, n_fits)


def _tidy(panel: Panel, times: Array, series: Array, values: list[Array]) -> pd.DataFrame:
    """Return a row an origin, step and target."""
    n_origins, n_steps, n_targets = values[0].shape
    steps = np.arange(n_steps)
    sizes = {"origin": n_steps * n_targets, "step": n_targets}
    columns: dict[Any, Any] = {}
    if panel.keys is not None:
        keys = panel.keys[series].repeat(sizes["origin"])
        for level, name in enumerate(_key_names(list(keys.names))):
            columns[name] = keys.get_level_values(level)
    at = (times[:, None] + steps).ravel().repeat(n_targets)
    columns["cutoff"] = panel.calendar.labels(times.repeat(sizes["origin"]) - 1)
    columns["step"] = np.tile(steps.repeat(n_targets) + 1, n_origins)
    columns["time"] = panel.calendar.labels(at)
    targets = pd.Index(panel.targets, tupleize_cols=False)
    columns["target"] = np.tile(np.asarray(targets), n_origins * n_steps)
    columns |= {name: part.ravel() for name, part in zip(_VALUES, values, strict=True)}
    return pd.DataFrame(columns)


def _key_names(names: list[Hashable]) -> list[Hashable]:
    """Return a name for each level of keys, none of them that of another column."""
    found: list[Hashable] = []
    for level, name in enumerate(names):
        own = name or f"series_{level}"
        if name in _COLUMNS or names.count(name) > 1:
            own = f"series_{level}"
        while own != name and own in names:
            own = f"{own}_"
        found.append(own)
    return found
