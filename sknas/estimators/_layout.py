"""How rows become samples: tabular rows, sequences of their own, or windows over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sknas.windows import align_right, sequence_view, sliding_windows

__all__ = ["Layout", "TrailingRows"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Layout:
    """The kind of input that an estimator was fitted on.

    Parameters
    ----------
    kind : {"tabular", "sequences", "rows"}
        2-D rows without `lookback`; 3-D windows; 2-D rows in time order with `lookback`.
    n_channels : int
        Columns, or channels.
    lookback : int
        Time steps a sample has; 1 for tabular rows.
    channels_first : bool
        Layout of 3-D input.
    has_padding : bool
        Whether sequences had missing (all-NaN) steps at their end.
    """

    kind: str
    n_channels: int
    lookback: int
    channels_first: bool = False
    has_padding: bool = False

    @property
    def is_time_ordered(self) -> bool:
        """Whether samples are consecutive rows of one series."""
        return self.kind == "rows"

    def past(self, X: Array, context: Array | None = None) -> Array:
        """Return the samples as windows, views where possible.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_channels) or (n_samples, n_steps, n_channels)
            Standardised input.
        context : ndarray of shape (at most lookback - 1, n_channels) or None
            Rows that directly precede `X`, for rows in time order.

        Returns
        -------
        ndarray of shape (n_samples, n_channels, lookback)
            Windows, oldest step first.
        """
        if self.kind == "tabular":
            return X[:, :, None]
        if self.kind == "rows":
            return sliding_windows(X, self.lookback, context)
        past = sequence_view(X, channels_first=False)
        if past.shape[2] == self.lookback and not np.isnan(past).any():
            return past
        past = align_right(past, self.lookback)
        # A network that never met a missing step has no mask for it.
        return past if self.has_padding else _repeat_oldest(past)


@dataclass(frozen=True)
class TrailingRows:
    """The last rows of a training series, kept as context for a frame that follows directly.

    Parameters
    ----------
    rows : ndarray of shape (at most lookback - 1, n_channels)
        Standardised rows.
    last : object
        The last index label.
    step : object or None
        The index's step: an offset, or an integer; None where it has none.
    """

    rows: Array
    last: Any
    step: Any

    @classmethod
    def of(cls, X: Any, rows: Array, lookback: int) -> TrailingRows | None:
        """Keep the end of a training frame.

        Parameters
        ----------
        X : object
            What the user gave to `fit`.
        rows : ndarray of shape (n_rows, n_channels)
            The same, standardised.
        lookback : int
            Length of a window.

        Returns
        -------
        TrailingRows or None
            None where the input has no index that could continue.
        """
        index = getattr(X, "index", None)
        if not isinstance(index, pd.Index) or lookback < 2 or len(index) < 2:
            return None
        return cls(rows[-(lookback - 1) :].copy(), index[-1], _step(index))

    def before(self, X: Any) -> Array | None:
        """Return the kept rows if a frame follows them directly.

        Parameters
        ----------
        X : object
            What the user gave to `predict`.

        Returns
        -------
        ndarray or None
            The context, or None.
        """
        index = getattr(X, "index", None)
        if not isinstance(index, pd.Index) or not len(index) or self.step is None:
            return None
        try:
            follows = bool(index[0] == self.last + self.step)
        except (TypeError, ValueError):
            return None
        return self.rows if follows else None

    def moved_on(self, X: Any, rows: Array, lookback: int) -> TrailingRows | None:
        """Keep the end of a frame that training went on with.

        Parameters
        ----------
        X : object
            What the user gave to `partial_fit`.
        rows : ndarray of shape (n_rows, n_channels)
            The same, standardised.
        lookback : int
            Length of a window.

        Returns
        -------
        TrailingRows or None
            Where the frame follows directly and is short, older rows stay in front of its own.
        """
        context = self.before(X)
        if context is None:
            return TrailingRows.of(X, rows, lookback)
        together = np.concatenate([context, rows])
        return TrailingRows(together[-(lookback - 1) :], X.index[-1], self.step)


def _repeat_oldest(past: Array) -> Array:
    """Fill the missing steps in front, (n_samples, n_channels, lookback), by the oldest known."""
    n_missing = np.isnan(past[:, 0]).sum(axis=1)
    source = np.maximum(np.arange(past.shape[2]), n_missing[:, None])  # (n_samples, lookback)
    return np.take_along_axis(past, source[:, None], axis=2)


def _step(index: pd.Index) -> Any:
    if isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex)):
        return index.freq if index.freq is not None else type(index)(index, freq="infer").freq
    if isinstance(index, pd.PeriodIndex):
        return 1
    if pd.api.types.is_integer_dtype(index.dtype) and not index.hasnans:
        steps = np.diff(index[-3:].to_numpy(dtype=np.int64))
        # Labels that repeat, as those of groups do, do not tell of time.
        return int(steps[-1]) if steps[-1] > 0 and (steps == steps[-1]).all() else None
    return None
