"""Standardise columns by a weighted mean and deviation, and undo it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sknas.windows.weights import checked_weights

_BLOCK = 2**20  # values measured at once


@dataclass(frozen=True, eq=False)
class Scaler:
    """Shift and scale channels: `(values - center) / scale`.

    Parameters
    ----------
    center : ndarray of shape (n_channels,), dtype=float64
        Subtracted from the values of each channel, in their unit.
    scale : ndarray of shape (n_channels,), dtype=float64
        Positive divisor of each channel, in the unit of its values.

    Examples
    --------
    >>> scaler = fit_scaler(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> scaler.transform(np.array([[1.0, 6.0]])).tolist()
    [[-1.0, 1.0]]
    >>> scaler.inverse_transform(np.array([[-1.0, 1.0]])).tolist()
    [[1.0, 6.0]]
    """

    center: NDArray[np.float64]
    scale: NDArray[np.float64]

    def transform(self, values: NDArray[np.floating], *, axis: int = -1) -> NDArray[np.float64]:
        """Standardise `values`.

        Parameters
        ----------
        values : ndarray of shape (..., n_channels)
            Any number of axes, of which `axis` are the channels. NaN stays NaN.
        axis : int, default=-1
            The axis of the channels; -2 for (n_windows, n_channels, lookback).

        Returns
        -------
        ndarray of the shape of `values`, dtype=float64
            The standardised values.

        Raises
        ------
        ValueError
            If `axis` has not as many entries as there are channels.
        """
        center, scale = self._along(values, axis)
        standardised: NDArray[np.float64] = values - center
        standardised /= scale
        return standardised

    def inverse_transform(
        self, values: NDArray[np.floating], *, axis: int = -1
    ) -> NDArray[np.float64]:
        """Bring standardised `values` back to their unit.

        Parameters
        ----------
        values : ndarray of shape (..., n_channels)
            Any number of axes, of which `axis` are the channels. NaN stays NaN.
        axis : int, default=-1
            The axis of the channels; -2 for (n_windows, n_channels, horizon).

        Returns
        -------
        ndarray of the shape of `values`, dtype=float64
            The values in the unit of the fitted data.

        Raises
        ------
        ValueError
            If `axis` has not as many entries as there are channels.
        """
        center, scale = self._along(values, axis)
        return values * scale + center

    def _along(
        self, values: NDArray[np.floating], axis: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Shape center and scale so that they broadcast over all axes but `axis`."""
        n_channels = len(self.center)
        if not -values.ndim <= axis < values.ndim or values.shape[axis] != n_channels:
            raise ValueError(
                f"values must have {n_channels} channels on axis {axis}; got shape {values.shape}."
            )
        if axis in (-1, values.ndim - 1):
            return self.center, self.scale
        shape = [1] * values.ndim
        shape[axis] = n_channels
        return self.center.reshape(shape), self.scale.reshape(shape)


def fit_scaler(values: NDArray[np.floating], weights: NDArray[np.floating] | None = None) -> Scaler:
    """Measure the mean and the standard deviation of each channel.

    The deviation is that of the population (divided by the sum of the weights). It is
    computed from the deviations of a mean already known, in units of the channel's
    largest magnitude: channels of 1e-30 or of 1e30 lose nothing. A channel that does
    not vary beyond rounding, or has no value, gets scale 1.

    Parameters
    ----------
    values : ndarray of shape (n_samples, ..., n_channels)
        The data; NaN are left out.
    weights : ndarray of shape (n_samples,), default=None
        Non-negative weight of each sample, and of all its steps; None is 1 for all.

    Returns
    -------
    Scaler
        The fitted center and scale.

    Raises
    ------
    ValueError
        If `values` has fewer than two axes, no row or an infinite entry, or if `weights` has
        another length, a negative or non-finite entry or no positive one.
    """
    if values.ndim < 2 or values.size == 0:
        raise ValueError(
            f"values must have 2 axes or more and at least 1 row; got shape {values.shape}."
        )
    if np.isinf(values).any():
        raise ValueError("values must be finite or NaN; got an infinite entry.")
    share = checked_weights(weights, len(values))
    share /= share.max()  # so that no sum of weights overflows
    # A few channels at a time: what is computed of a long table takes several times its memory.
    n_channels = values.shape[-1]
    n_blocks = max(1, min(n_channels // 2, values.size // _BLOCK))
    blocks = np.array_split(np.arange(n_channels), n_blocks)
    measured = [_measure(values[..., block[0] : block[-1] + 1], share) for block in blocks]
    return Scaler(*(np.concatenate(parts) for parts in zip(*measured, strict=True)))


def _measure(
    values: NDArray[np.floating], share: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the center and the scale of each channel."""
    is_used = share > 0
    if not is_used.all():
        values, share = values[is_used], share[is_used]
    columns = np.array(np.moveaxis(values, -1, 0), dtype=np.float64, order="C")
    data = columns.reshape(len(columns), -1)  # (n_columns, n_rows) sums fast
    share = np.repeat(share, data.shape[1] // len(share))
    is_known = ~np.isnan(data)
    is_whole = bool(is_known.all())
    total = np.full(len(data), share.sum()) if is_whole else is_known @ share
    total[total == 0] = 1.0

    def mean(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return (rows if is_whole else np.where(is_known, rows, 0.0)) @ share / total

    def extreme(reduce: np.ufunc, nothing: float) -> NDArray[np.float64]:
        found: NDArray[np.float64] = reduce.reduce(
            data if is_whole else np.where(is_known, data, nothing), axis=1
        )
        return found

    lowest, highest = extreme(np.minimum, np.inf), extreme(np.maximum, -np.inf)
    largest = np.where(highest >= lowest, np.maximum(np.abs(lowest), np.abs(highest)), 0.0)
    unit = np.where(largest > 0, largest, 1.0)
    data /= unit[:, np.newaxis]  # magnitudes of at most 1
    center = mean(data)
    # A second pass over the deviations removes the rounding error of the first mean.
    data -= center[:, np.newaxis]
    rest = mean(data)
    center += rest
    data -= rest[:, np.newaxis]
    deviation = np.sqrt(mean(np.square(data, out=data)))

    lowest, highest = lowest / unit, highest / unit
    center = np.where(lowest == highest, lowest, center)  # exact where constant
    is_flat = (lowest >= highest) | (deviation <= 4 * np.finfo(np.float64).eps)
    scale = deviation * unit
    is_flat |= scale < np.finfo(np.float64).tiny
    return center * unit, np.where(is_flat, 1.0, scale)
