"""What the ONNX file of a forecaster reads and tells."""

from __future__ import annotations

from os import PathLike

import torch

from sknas.derived import DerivedNetwork
from sknas.estimators._onnx import write_estimator
from sknas.forecasting._panel import Panel
from sknas.forecasting._scales import PanelScales
from sknas.reporting.deployed import ForecastWindows, RegressionOutputs

__all__ = ["write_forecaster"]


def write_forecaster(
    path: str | PathLike[str],
    estimator: str,
    network: DerivedNetwork,
    scales: PanelScales,
    panel: Panel,
) -> None:
    """Write a fitted network with the units of all series.

    Parameters
    ----------
    path : str or path-like
        The file.
    estimator : str
        The estimator's name.
    network : DerivedNetwork
        Its network.
    scales : PanelScales
        Units.
    panel : Panel
        The known series.

    Raises
    ------
    ValueError
        If the network reads covariates.
    """
    shape = network.spec.shape
    if shape.n_covariates:
        raise ValueError(
            "to_onnx needs a forecaster without covariates, calendar_features and static ones "
            f"included, since a file cannot make them of dates and frames; got one that reads "
            f"{shape.n_covariates}. Export module_ by torch.export to bring your own."
        )
    read = ForecastWindows(scales.center, scales.scale, shape)
    tell = RegressionOutputs(scales.center, scales.scale, shape, (shape.horizon, shape.n_targets))
    inputs = {"Y": torch.zeros(2, shape.lookback, shape.n_targets, dtype=torch.float64)}
    if panel.keys is not None:
        inputs["series"] = torch.zeros(2, dtype=torch.int64)
    outputs = {"forecast": 0} | ({"quantiles": 1} if shape.quantiles else {})
    facts = {
        "targets": None if panel.columns is None else list(panel.columns),
        "series": None if panel.keys is None else list(panel.keys),
        "frequency": panel.calendar.freqstr,
        "quantile_levels": shape.quantiles or None,
    }
    write_estimator(path, estimator, network, (read, tell), inputs, outputs, facts)
