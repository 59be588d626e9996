"""A panel in its own units -> a `Problem`: windows as views, split in time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator

from sknas.blocks import NetworkShape, WindowData
from sknas.blocks.objective import Masked, RegressionObjective
from sknas.forecasting._known import moved_by_horizon
from sknas.forecasting._panel import Panel
from sknas.forecasting._scales import PanelScales, fit_panel_scales
from sknas.training import Problem, float_type, samples_per_step
from sknas.windows import LaidSeries, Split, has_known, lay_series, time_split

__all__ = ["PreparedPanel", "make_problem", "prepare_panel"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class PreparedPanel:
    """Windows of a panel in units of its series, and their split in time.

    Parameters
    ----------
    laid : LaidSeries
        Standardised rows, targets first and covariates behind them, and the windows in them that
        have something to read and something to predict.
    shape : NetworkShape
        Sizes of a network for them.
    scales : PanelScales
        Level and scale of each series.
    outer : Split
        Numbers of the windows that train, and of those that validate.
    inner : Split
        Of those that train, the ones that weights and architecture parameters learn on.
    """

    laid: LaidSeries
    shape: NetworkShape
    scales: PanelScales
    outer: Split
    inner: Split


def prepare_panel(
    panel: Panel,
    known: Array,
    *,
    lookback: int,
    horizon: int,
    quantiles: tuple[float, ...],
    validation_fraction: float,
    arch_fraction: float,
    may_miss: bool,
    scales: PanelScales | None = None,
    begin: Array | None = None,
    name: str = "Y",
) -> PreparedPanel:
    """Find the windows, split them in time, and measure series on the part that trains.

    Parameters
    ----------
    panel : Panel
        Rows of the targets.
    known : ndarray of shape (n_rows, n_covariates)
        Standardised covariates of the same rows.
    lookback, horizon : int
        Rows read, and rows predicted.
    quantiles : tuple of float
        Levels of the outputs; empty for points.
    validation_fraction, arch_fraction : float
        Share of the windows that validates, and share of the others for the architecture.
    may_miss : bool
        Whether windows with missing values are used.
    scales : PanelScales or None, default=None
        Given ones, such as those of an earlier fit; None measures them.
    begin : ndarray of shape (n_series,) or None, default=None
        Grid position of the first step that each series' windows may predict first; None takes
        all windows.
    name : str, default="Y"
        What the panel is called in messages.

    Returns
    -------
    PreparedPanel
        Ready for `make_problem`.

    Raises
    ------
    ValueError
        If there are less than two windows.
    """
    n_targets = panel.values.shape[1]
    begin = panel.first if begin is None else begin
    raw = _usable(
        lay_series(panel.values, panel.starts, panel.first, lookback, horizon),
        n_targets,
        lookback,
        horizon,
        begin,
        may_miss=may_miss,
    )
    if len(raw.positions) < 2:
        raise ValueError(
            f"{name} must hold at least 2 windows of lookback={lookback} known and "
            f"horizon={horizon} further rows; got {len(raw.positions)} in {len(panel.values)} rows."
        )
    gap = lookback + horizon
    outer = time_split(raw.times, validation_fraction, gap)
    train = outer.train
    inner = Split(train, train)
    if len(train) > 1:
        cut = time_split(raw.times[train], arch_fraction, gap)
        inner = Split(train[cut.train], train[cut.validation])
    if scales is None:
        n_used = raw.times[train].max() + horizon - panel.first
        # A series too young to train on is measured on all rows it has.
        n_used = np.where(n_used < lookback + horizon, panel.lengths, n_used)
        scales = fit_panel_scales(
            panel.values, panel.starts, n_used, n_enough=lookback, n_seen=panel.lengths
        )
    standardised = scales.standardise(panel.values, panel.row_series)
    table = np.concatenate([standardised, known], axis=1) if known.shape[1] else standardised
    laid = _usable(
        lay_series(table, panel.starts, panel.first, lookback, horizon),
        n_targets,
        lookback,
        horizon,
        begin,
        may_miss=may_miss,
    )
    if known.shape[1]:
        # Zero in front of a series, and moved only then: what is ahead of its first rows is known.
        laid_known = np.nan_to_num(laid.rows[:, n_targets:])
        moved = moved_by_horizon(laid_known, lookback, horizon)
        laid = replace(laid, rows=np.concatenate([laid.rows[:, :n_targets], moved], axis=1))
    n_channels = laid.rows.shape[1]
    shape = NetworkShape(
        n_channels,
        lookback,
        n_targets,
        horizon,
        tuple(range(n_targets)),
        n_covariates=n_channels - n_targets,
        has_missing=may_miss,
        quantiles=quantiles,
    )
    return PreparedPanel(laid, shape, scales, outer, inner)


def make_problem(
    prepared: PreparedPanel,
    objective: RegressionObjective,
    *,
    window_norm: str,
    channel_mode: str,
    batch_size: int | str,
    seed: int,
    device: str,
) -> Problem:
    """Hand a panel over to torch; nothing is copied but to another type.

    Parameters
    ----------
    prepared : PreparedPanel
        Windows and their split.
    objective : RegressionObjective
        The loss.
    window_norm, channel_mode : str
        Resolved parameters of the forecaster.
    batch_size : int or "auto"
        Parameter of the forecaster.
    seed : int
        Seed of every draw.
    device : str
        Where tensors live.

    Returns
    -------
    Problem
        Samples are positions in the rows; those that no window begins at are in no split.
    """
    laid, shape = prepared.laid, prepared.shape
    n_sequences = shape.n_targets if channel_mode == "independent" else 1
    size = samples_per_step(batch_size, len(laid.positions), n_sequences)
    dtype = float_type(len(laid.positions), size)
    rows = torch.from_numpy(laid.rows).to(device, dtype)
    n_positions = len(rows) - shape.lookback - shape.horizon + 1
    past = rows.unfold(0, shape.lookback, 1)[:n_positions]
    future = rows[shape.lookback :, : shape.n_targets].unfold(0, shape.horizon, 1)
    data = WindowData(past, future, torch.ones(n_positions, device=device, dtype=dtype))
    outer, inner = prepared.outer, prepared.inner
    train, weight, arch, validation = (
        torch.from_numpy(laid.positions[part]).to(device)
        for part in (outer.train, inner.train, inner.validation, outer.validation)
    )
    everything = torch.from_numpy(np.unique(laid.positions)).to(device)
    return Problem(
        data,
        shape,
        train=train,
        weight=weight,
        arch=arch,
        validation=validation,
        everything=everything,
        objective=(
            Masked(objective, _share_known(laid, shape)) if shape.has_missing else objective
        ),
        window_norm=window_norm,
        channel_mode=channel_mode,
        dtype=dtype,
        generator=Generator().manual_seed(seed),
    )


def _usable(
    laid: LaidSeries,
    n_targets: int,
    lookback: int,
    horizon: int,
    begin: Array,
    *,
    may_miss: bool,
) -> LaidSeries:
    """Leave out early windows, and those with nothing to read or predict or anything missing."""
    targets = laid.rows[:, :n_targets]
    if may_miss:
        kept = has_known(targets, laid.positions, lookback)
        kept &= has_known(targets, laid.positions + lookback, horizon)
    else:
        gap = np.where(np.isnan(targets).any(axis=1), 1.0, np.nan)[:, None]
        kept = ~has_known(gap, laid.positions, lookback + horizon)
    kept &= laid.times >= begin[laid.series]
    return LaidSeries(laid.rows, laid.positions[kept], laid.times[kept], laid.series[kept])


def _share_known(laid: LaidSeries, shape: NetworkShape) -> float:
    """Return the share of known values among the windows' targets."""
    is_known = (~np.isnan(laid.rows[:, : shape.n_targets])).mean(axis=1)
    reached = np.concatenate([[0.0], np.cumsum(is_known)])
    begin = laid.positions + shape.lookback
    return float((reached[begin + shape.horizon] - reached[begin]).mean() / shape.horizon)
