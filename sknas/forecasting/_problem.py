"""A panel in its own units -> a `Problem`: windows as views, split in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator

from sknas.blocks import NetworkShape, WindowData
from sknas.blocks.objective import Masked, RegressionObjective
from sknas.training import Problem, float_type
from sknas.windows import LaidSeries, Split, has_known, time_split

__all__ = ["WindowSplit", "make_problem", "split_windows", "usable"]

Array = NDArray[Any]
FULL_BATCH = 1024


@dataclass(frozen=True, eq=False)
class WindowSplit:
    """Numbers of the windows that weights learn on, that the architecture learns on, and so on.

    Parameters
    ----------
    outer : Split
        What trains, and what validates.
    inner : Split
        The parts of what trains that weights and architecture parameters learn on.
    """

    outer: Split
    inner: Split


def split_windows(
    times: NDArray[np.int64], gap: int, validation_fraction: float, arch_fraction: float
) -> WindowSplit:
    """Split windows in time, twice.

    Parameters
    ----------
    times : ndarray of shape (n_windows,)
        Time step of each window's first target.
    gap : int
        Time steps between the parts.
    validation_fraction, arch_fraction : float
        Share of the windows that validates, and share of the others for the architecture.

    Returns
    -------
    WindowSplit
        Numbers of windows.
    """
    outer = time_split(times, validation_fraction, gap)
    train = outer.train
    if len(train) < 2:
        return WindowSplit(outer, Split(train, train))
    inner = time_split(times[train], arch_fraction, gap)
    return WindowSplit(outer, Split(train[inner.train], train[inner.validation]))


def make_problem(
    laid: LaidSeries,
    shape: NetworkShape,
    objective: RegressionObjective,
    split: WindowSplit,
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
    laid : LaidSeries
        Standardised rows: targets first, covariates behind them.
    shape : NetworkShape
        Sizes.
    objective : RegressionObjective
        The loss.
    split : WindowSplit
        Numbers of windows.
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
    size = FULL_BATCH if batch_size == "auto" else int(batch_size)
    dtype = float_type(len(laid.positions), size)
    rows = torch.from_numpy(laid.rows).to(device, dtype)
    n_positions = len(rows) - shape.lookback - shape.horizon + 1
    past = rows.unfold(0, shape.lookback, 1)[:n_positions]
    future = rows[shape.lookback :, : shape.n_targets].unfold(0, shape.horizon, 1)
    data = WindowData(past, future, torch.ones(n_positions, device=device, dtype=dtype))
    share = _share_known(laid, shape)
    parts = (split.outer.train, split.inner.train, split.inner.validation, split.outer.validation)
    train, weight, arch, validation = (
        torch.from_numpy(laid.positions[part]).to(device) for part in parts
    )
    return Problem(
        data,
        shape,
        train=train,
        weight=weight,
        arch=arch,
        validation=validation,
        objective=Masked(objective, share) if shape.has_missing else objective,
        window_norm=window_norm,
        channel_mode=channel_mode,
        dtype=dtype,
        generator=Generator().manual_seed(seed),
    )


def usable(laid: LaidSeries, shape: NetworkShape) -> LaidSeries:
    """Leave out windows that have nothing to read or nothing to predict.

    Parameters
    ----------
    laid : LaidSeries
        Rows with all windows that lie in them.
    shape : NetworkShape
        Sizes.

    Returns
    -------
    LaidSeries
        The same rows, fewer windows where values are missing.
    """
    targets = laid.rows[:, : shape.n_targets]
    is_usable = has_known(targets, laid.positions, shape.lookback)
    is_usable &= has_known(targets, laid.positions + shape.lookback, shape.horizon)
    return LaidSeries(
        laid.rows, laid.positions[is_usable], laid.times[is_usable], laid.series[is_usable]
    )


def _share_known(laid: LaidSeries, shape: NetworkShape) -> float:
    """Return the share of known values among the windows' targets."""
    is_known = (~np.isnan(laid.rows[:, : shape.n_targets])).mean(axis=1)
    reached = np.concatenate([[0.0], np.cumsum(is_known)])
    begin = laid.positions + shape.lookback
    return float((reached[begin + shape.horizon] - reached[begin]).mean() / shape.horizon)
