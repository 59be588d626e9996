"""What the ONNX file of a forecaster reads and tells."""

from __future__ import annotations

import torch

from sknas.blocks import NetworkShape
from sknas.estimators._onnx import Surroundings
from sknas.forecasting._panel import Panel
from sknas.forecasting._scales import PanelScales
from sknas.reporting.deployed import ForecastWindows, RegressionOutputs

__all__ = ["around_forecaster"]


def around_forecaster(shape: NetworkShape, scales: PanelScales, panel: Panel) -> Surroundings:
    """Return what stands around the network of a forecaster: the units of all series.

    Parameters
    ----------
    shape : NetworkShape
        Sizes of the network.
    scales : PanelScales
        Units.
    panel : Panel
        The known series.

    Returns
    -------
    Surroundings
        What reads the last rows, and tells forecasts.

    Raises
    ------
    ValueError
        If the network reads covariates.
    """
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
    return Surroundings(read, tell, inputs, outputs, facts)
