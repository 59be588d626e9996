"""What data tell against what they are taken for: targets that continue nothing, rows with holes.

Nothing here is an error, since only the user knows; every warning says what would make it clear.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sknas.estimators._layout import Layout
from sknas.exceptions import InputWarning

__all__ = ["warn_of_holes", "warn_of_targets"]

Array = NDArray[Any]

MOST_SHIFTS = 50  # tried for each target
FEWEST_SAMPLES = 10  # that tell of a spread
FAR = 2.0  # spreads of y between it and the last value of its channel
MOST_RATIO = 10.0  # of the spreads of both
FEW_CLOSED_DAYS = 3  # between two days of trading


def warn_of_holes(X: Any, layout: Layout, *, stacklevel: int) -> None:
    """Warn where the index of rows in time order has holes, goes back or repeats itself.

    Days of trading may lack weekends and holidays, and labels that are no time tell nothing.

    Parameters
    ----------
    X : object
        What the user gave.
    layout : Layout
        How it is read.
    stacklevel : int
        Frames from here to the user's line.
    """
    index = getattr(X, "index", None)
    if layout.kind != "rows" or not isinstance(index, pd.Index) or len(index) < 3:
        return
    if isinstance(index, pd.RangeIndex):
        return
    # The frequency of periods says nothing of the steps between them.
    is_regular = getattr(index, "freq", None) is not None and not isinstance(index, pd.PeriodIndex)
    if is_regular and index[0] < index[-1]:
        return
    steps = _steps(index)
    if steps is None:
        return
    usual = np.median(steps)
    for fault, is_wrong in (
        ("goes back", steps < 0),
        ("repeats a label", steps == 0),
        ("has a hole", steps > 1.5 * usual),
    ):
        if is_wrong.any():
            place = int(np.argmax(is_wrong))
            warnings.warn(
                "X's index should go on in equal steps with lookback, which takes rows for "
                f"consecutive; got one that {fault} between rows {place} ({index[place]}) and "
                f"{place + 1} ({index[place + 1]}), and {int(is_wrong.sum()) - 1} times more. Fill "
                "missing rows in order of time, forecast with missing='mask' of "
                "GrowingDARTSForecaster, or pass X.to_numpy() if rows are consecutive.",
                InputWarning,
                stacklevel=stacklevel + 1,
            )
            return


def warn_of_targets(
    X: Array,
    y: Array,
    weights: Array,
    layout: Layout,
    channels: Sequence[int] | None,
    *,
    is_default: bool,
    stacklevel: int,
) -> None:
    """Warn where targets plainly do not continue the channels that they are mapped to.

    Targets that are mapped by default must be rows of X, some steps on. Where the user has said
    which channels they continue, their level and their spread must be such that they can.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_channels) or (n_samples, n_steps, n_channels)
        Input.
    y : ndarray of shape (n_samples, horizon, n_targets)
        Targets.
    weights : ndarray of shape (n_samples,)
        Samples of none tell nothing.
    layout : Layout
        How X is read.
    channels : sequence of int or None
        The channel of each target.
    is_default : bool
        Whether the user left that to the shapes of X and y.
    stacklevel : int
        Frames from here to the user's line.
    """
    if channels is None or layout.kind == "tabular":
        return
    used = np.flatnonzero(weights > 0)
    if len(used) < FEWEST_SAMPLES:
        return
    for target, channel in enumerate(channels):
        ahead = y[:, 0, target]
        known = X[:, channel] if layout.kind == "rows" else _last(X[:, :, channel])
        if layout.kind == "rows" and _is_shifted(known, ahead, used):
            continue
        reason = _misfit(known[used], ahead[used])
        if reason is None and not (is_default and layout.kind == "rows"):
            continue
        said = "target_channels=None" if is_default else f"target_channels={list(channels)!r}"
        warnings.warn(
            f"y should continue channels of X with {said}, but target {target} is not channel "
            f"{channel} some rows on{'' if reason is None else ': ' + reason}. Set target_channels "
            "to the channel that each target continues, in the same unit, or to [] where none "
            "does; a scaler in front of the estimator scales X and not y, which it need not, since "
            "the estimator scales both.",
            InputWarning,
            stacklevel=stacklevel + 1,
        )
        return


def _steps(index: pd.Index) -> Array | None:
    """Return the steps between labels of time, in days of trading where there are only such."""
    if index.hasnans:
        return None
    if isinstance(index, pd.DatetimeIndex) and not (index.day_of_week >= 5).any():
        days = index.tz_localize(None).to_numpy().astype("M8[D]")
        if (np.diff(days).astype(np.int64) > 0).all():
            steps = np.busday_count(days[:-1], days[1:])
            return np.where(steps <= FEW_CLOSED_DAYS, 1, steps)
    if isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex, pd.TimedeltaIndex)):
        return np.diff(index.asi8)
    if pd.api.types.is_integer_dtype(index.dtype):
        steps = np.diff(index.to_numpy(dtype=np.int64))
        # Labels of other things than time hardly ever go up in equal steps.
        is_time = (steps > 0).all() and (steps == np.median(steps)).mean() > 0.9
        return steps if is_time else None
    return None


def _last(steps: Array) -> Array:
    """Return the last known step of each sequence (n_samples, n_steps)."""
    place = (~np.isnan(steps)).sum(axis=1) - 1
    return steps[np.arange(len(steps)), place]


def _is_shifted(known: Array, ahead: Array, used: Array) -> bool:
    """Say whether most values are the channel's, one and the same number of rows on."""
    for probe in used[[0, len(used) // 2]]:
        is_same = _is_near(known[probe + 1 :], ahead[probe])
        for shift in np.flatnonzero(is_same)[:MOST_SHIFTS] + 1:
            both = used[used < len(known) - shift]
            if _is_near(known[both + shift], ahead[both]).mean() > 0.5:
                return True
    return False


def _is_near(values: Array, others: Array) -> Array:
    return np.abs(values - others) <= 1e-5 * np.abs(others)


def _misfit(known: Array, ahead: Array) -> str | None:
    """Say why a target can hardly continue a channel, by numbers that no outlier moves."""
    if len(ahead) < FEWEST_SAMPLES:
        return None
    spread, own = (float(np.subtract(*np.quantile(v, [0.95, 0.05]))) for v in (ahead, known))
    if spread <= 0 or own <= 0 or not np.isfinite([spread, own]).all():
        return None
    if not 1 / MOST_RATIO <= own / spread <= MOST_RATIO:
        return f"its values spread over {spread:.3g}, those of the channel over {own:.3g}"
    distance = float(np.median(np.abs(ahead - known)))
    if distance > FAR * spread:
        return f"its values spread over {spread:.3g}, and are {distance:.3g} from the last ones"
    return None
