"""Past windows as views: every layout of X becomes (samples, channels, steps)."""

from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


def sequence_view(X: NDArray[Scalar], *, channels_first: bool) -> NDArray[Scalar]:
    """View three-dimensional samples with the channels before the steps.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_steps, n_channels)
        One sequence a sample, oldest step first; or
        (n_samples, n_channels, n_steps) where `channels_first`.
    channels_first : bool
        Whether the channels of `X` already stand before its steps.

    Returns
    -------
    ndarray of shape (n_samples, n_channels, lookback)
        A view of `X`.

    Raises
    ------
    ValueError
        If `X` does not have three axes.

    Examples
    --------
    >>> sequence_view(np.zeros((10, 24, 3)), channels_first=False).shape
    (10, 3, 24)
    """
    _check_n_axes("X", X, 3)
    if channels_first:
        return X.view()
    return X.swapaxes(1, 2)  # (n_samples, n_channels, lookback)


def sliding_windows(
    series: NDArray[Scalar],
    lookback: int,
    context: NDArray[Scalar] | None = None,
) -> NDArray[Scalar]:
    """Cut `series` into the past window of every row.

    Window `t` holds the rows `t - lookback + 1` to `t`, oldest first. Where that
    reaches before the first row, the rows of `context` come in; where it reaches
    before those, the oldest row known is repeated.

    The result is a read-only view over one padded copy of the series, so it takes
    memory for `n_timepoints + lookback - 1` rows and not for all windows.

    Parameters
    ----------
    series : ndarray of shape (n_timepoints, n_channels)
        Consecutive time steps, oldest row first.
    lookback : int
        Length of a window in steps.
    context : ndarray of shape (n_context, n_channels), default=None
        Up to `lookback - 1` rows that directly precede the series, oldest first.

    Returns
    -------
    ndarray of shape (n_timepoints, n_channels, lookback)
        The windows, of the dtype of `series`.

    Raises
    ------
    ValueError
        If `lookback` is below 1, `series` is not two-dimensional or has no row, or
        `context` has too many rows or another number of channels.

    Examples
    --------
    >>> series = np.array([[1], [2], [3]])
    >>> sliding_windows(series, 2)[:, 0].tolist()
    [[1, 1], [1, 2], [2, 3]]
    >>> sliding_windows(series, 2, context=np.array([[0]]))[:, 0].tolist()
    [[0, 1], [1, 2], [2, 3]]
    """
    _check_n_axes("series", series, 2)
    if lookback < 1:
        raise ValueError(f"lookback must be at least 1 step; got {lookback!r}.")
    if len(series) == 0:
        raise ValueError(f"series must have at least 1 row; got shape {series.shape}.")
    if context is None:
        context = series[:0]
    _check_context(context, series, lookback)
    history = context.astype(series.dtype, copy=False)
    oldest = history[:1] if len(history) else series[:1]
    edge = np.repeat(oldest, lookback - 1 - len(history), axis=0)
    padded = np.concatenate([edge, history, series])
    return sliding_window_view(padded, lookback, axis=0)


def align_right(X: NDArray[np.number], n_steps: int) -> NDArray[np.floating]:
    """Move sequences of unequal length so that all end at the last step.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_channels, n_steps_in)
        Sequences, oldest step first; a shorter one ends in steps that are NaN in all
        channels.
    n_steps : int
        Steps of the result. Longer sequences lose their oldest steps.

    Returns
    -------
    ndarray of shape (n_samples, n_channels, n_steps)
        A copy in which the steps that a sequence lacks stand in front, as NaN.
        Integers become float64.

    Raises
    ------
    ValueError
        If `X` does not have three axes, has NaN anywhere but in whole steps at the end,
        or has a sequence with no step left; or if `n_steps` is below 1.

    Examples
    --------
    >>> align_right(np.array([[[1.0, 2.0, np.nan]]]), 4).tolist()
    [[[nan, nan, 1.0, 2.0]]]
    """
    _check_n_axes("X", X, 3)
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1 step; got {n_steps!r}.")
    dtype = X.dtype if np.issubdtype(X.dtype, np.floating) else np.dtype(np.float64)
    values: NDArray[np.floating] = X.astype(dtype, copy=False)
    lengths = _sequence_lengths(values)
    # Step `s` of the result is step `s - n_steps + length` of the sequence.
    source = np.arange(n_steps) - n_steps + lengths[:, np.newaxis]  # (n_samples, n_steps)
    aligned = np.take_along_axis(values, np.maximum(source, 0)[:, np.newaxis], axis=2)
    return np.where((source < 0)[:, np.newaxis], np.array(np.nan, dtype), aligned)


def _sequence_lengths(X: NDArray[np.floating]) -> NDArray[np.intp]:
    """Count the steps before the missing end, checking that all NaN are there."""
    n_steps = X.shape[2]
    is_nan = np.isnan(X)
    is_missing = is_nan.all(axis=1)  # (n_samples, n_steps)
    lengths = n_steps - np.argmin(is_missing[:, ::-1], axis=1)
    is_empty = is_missing.all(axis=1)
    if is_empty.any():
        raise ValueError(
            "X must have at least one step that is not NaN in every sequence; "
            f"got none in sample {int(np.argmax(is_empty))}."
        )
    is_after = np.arange(n_steps) >= lengths[:, np.newaxis]
    is_stray = (is_nan.any(axis=1) & ~is_after).any(axis=1)
    if is_stray.any():
        raise ValueError(
            "X may hold NaN only in whole steps (all channels) at the end of a "
            f"sequence; got another NaN in sample {int(np.argmax(is_stray))}."
        )
    return lengths


def _check_n_axes(name: str, array: NDArray[np.generic], n_axes: int) -> None:
    if array.ndim != n_axes:
        raise ValueError(f"{name} must have {n_axes} axes; got shape {array.shape}.")


def _check_context(
    context: NDArray[np.generic], series: NDArray[np.generic], lookback: int
) -> None:
    _check_n_axes("context", context, 2)
    if len(context) > lookback - 1:
        raise ValueError(
            f"context must have at most lookback - 1 = {lookback - 1} rows; got {len(context)}."
        )
    if context.shape[1] != series.shape[1]:
        raise ValueError(
            f"context must have as many channels as series, {series.shape[1]}; "
            f"got {context.shape[1]}."
        )
