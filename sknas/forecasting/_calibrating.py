"""The calibration of a fit: errors on its validation part, and on what follows its horizon."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from sknas.derived import DerivedNetwork
from sknas.forecasting._calibration import Calibration
from sknas.forecasting._further_errors import further_errors
from sknas.forecasting._judged import judged_errors
from sknas.forecasting._panel import Panel
from sknas.forecasting._problem import PreparedPanel
from sknas.forecasting._seasons import season_length
from sknas.training import Problem, torch_runtime

__all__ = ["calibrate"]


def calibrate(
    network: DerivedNetwork,
    prepared: PreparedPanel,
    problem: Problem,
    panel: Panel,
    known: NDArray[Any],
) -> Calibration:
    """Return what intervals are made of after a fit.

    Parameters
    ----------
    network : DerivedNetwork
        As validation judged it; put in double precision.
    prepared : PreparedPanel
        Windows, their split and units.
    problem : Problem
        The same for torch.
    panel : Panel
        All rows.
    known : ndarray of shape (n_rows, n_covariates)
        Standardised covariates of the same rows.

    Returns
    -------
    Calibration
        Of the horizon, and of further steps where there is room to measure them.
    """
    judged = network.double().cpu().eval()
    with torch_runtime():
        times = prepared.laid.times[prepared.outer.validation]
        errors, moved = judged_errors(judged, problem, times)
    calibration = Calibration.of(errors, moved, panel.n_series)
    if prepared.shape.quantiles:
        return calibration
    season = season_length(panel.calendar.freqstr)
    rolled = further_errors(judged, prepared, panel, known, season)
    return calibration if rolled is None else rolled.calibrating_further(calibration)
