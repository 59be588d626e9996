"""Errors of validation forecasts that went on from forecasts, beyond the fitted horizon."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sknas.forecasting._appending import tail
from sknas.forecasting._panel import Panel
from sknas.forecasting._problem import PreparedPanel
from sknas.forecasting._rolling import RollingForecasts, forecast_origins

__all__ = ["further_errors"]

_N_SEASONS, _N_BLOCKS = 2, 3
_LEAST_ORIGINS, _MOST_ORIGINS = 50, 300
_N_NUMBERS = 2**19  # of windows at once


def further_errors(
    network: nn.Module,
    prepared: PreparedPanel,
    panel: Panel,
    known: NDArray[Any],
    season: int,
) -> RollingForecasts | None:
    """Forecast on from forecasts, from origins spread over the validation part.

    Two seasons ahead, or three times the horizon where that is more, in whole blocks; at most half
    of the validation part, so that as much is left for the origins.

    Parameters
    ----------
    network : nn.Module
        The network as validation judged it.
    prepared : PreparedPanel
        Windows, their split and units.
    panel : Panel
        All rows.
    known : ndarray of shape (n_rows, n_covariates)
        Standardised covariates of the same rows.
    season : int
        Rows of a season.

    Returns
    -------
    RollingForecasts or None
        Forecasts beside the truth, the fitted horizon included; None where there is no room.
    """
    horizon, laid, judges = prepared.shape.horizon, prepared.laid, prepared.outer.validation
    begin = panel.stop.copy()  # series without validation windows have no origin
    np.minimum.at(begin, laid.series[judges], laid.times[judges])
    n_rows = int((panel.stop - begin).max())
    wanted = max(_N_SEASONS * season, _N_BLOCKS * horizon)
    n_steps = min(wanted, n_rows // 2) // horizon * horizon
    n_origins = int(np.maximum(panel.stop - begin - n_steps + 1, 0).sum())
    if n_steps <= horizon or n_origins < _LEAST_ORIGINS:
        return None
    n_read = n_rows + prepared.shape.lookback
    is_read = panel.row_positions >= (panel.stop - n_read)[panel.row_series]
    panel, known = tail(panel, n_read), known[is_read]
    return forecast_origins(
        network,
        prepared.shape,
        prepared.scales,
        panel,
        known,
        np.zeros((panel.n_series, 0, known.shape[1])),
        n_steps,
        begin=begin,
        stop=panel.stop,
        n_needed=n_steps,
        step=-(-n_origins // _MOST_ORIGINS),
        n_numbers=_N_NUMBERS,
    )
