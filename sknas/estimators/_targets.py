"""The numbers that a regressor learns: what y may be, and which channels it continues."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array

from sknas.estimators._checks import check_numbers, check_size
from sknas.estimators._layout import Layout

__all__ = ["as_target_channels", "as_targets", "checked_targets", "shape_text"]


def checked_targets(y: ArrayLike, estimator: BaseEstimator) -> NDArray[Any]:
    """Return y as an array of finite numbers, of one to three axes.

    Parameters
    ----------
    y : array-like
        What the user passed.
    estimator : estimator
        Named in messages.

    Returns
    -------
    ndarray of shape (n_samples,), (n_samples, n_targets) or (n_samples, horizon, n_targets)
        The same.

    Raises
    ------
    ValueError
        If it is something else.
    """
    check_numbers(y, "y")
    n_axes = np.ndim(y) if not hasattr(y, "shape") else len(y.shape)
    if y is None or not 1 <= n_axes <= 3:
        came = "None" if y is None else f"{n_axes} axes (array with dim {n_axes})"
        raise ValueError(
            "y must be (n_samples,), (n_samples, n_targets) or (n_samples, horizon, "
            f"n_targets); got {came}."
        )
    checked: NDArray[Any] = check_array(
        y, dtype="numeric", allow_nd=True, ensure_2d=False, estimator=estimator, input_name="y"
    )
    check_size(checked, "y")
    return checked


def shape_text(tail: tuple[int, ...]) -> str:
    """Return the shape of targets as a message writes it.

    Parameters
    ----------
    tail : tuple of int
        All axes but that of samples.

    Returns
    -------
    str
        ``(n_samples, ...)``.
    """
    return f"(n_samples,{' ' if tail else ''}{', '.join(map(str, tail))})"


def as_targets(y: NDArray[Any]) -> NDArray[np.float64]:
    """Return y with all axes.

    Parameters
    ----------
    y : ndarray of shape (n_samples,), (n_samples, n_targets) or (n_samples, horizon, n_targets)
        Targets.

    Returns
    -------
    ndarray of shape (n_samples, horizon, n_targets), dtype=float64
        The same.
    """
    targets = y.astype(np.float64, copy=False)
    if y.ndim == 3:
        return targets
    targets = targets.reshape(len(y), -1, 1)
    return targets.swapaxes(1, 2) if y.ndim == 2 else targets  # (n_samples, 1, n_targets)


def as_target_channels(
    target_channels: Any, layout: Layout, y: NDArray[Any], *, is_coded: bool
) -> tuple[int, ...] | None:
    """Return the channel that each target continues, or None.

    Parameters
    ----------
    target_channels : None or sequence of int
        The estimator's parameter.
    layout : Layout
        Kind of input.
    y : ndarray of shape (n_samples,), (n_samples, n_targets) or (n_samples, horizon, n_targets)
        Targets.
    is_coded : bool
        Whether X holds category codes.

    Returns
    -------
    tuple of int or None
        One channel a target.

    Raises
    ------
    ValueError
        If the list has another length than y has targets, names a channel that X lacks, or one of
        codes.
    """
    n_targets, n_channels = 1 if y.ndim == 1 else y.shape[-1], layout.n_channels
    if target_channels is None:
        is_mapped = _is_mapped(layout, y.ndim) and not is_coded and n_targets == n_channels
        return tuple(range(n_targets)) if is_mapped else None
    channels = list(target_channels)
    if not channels:
        return None
    if len(channels) != n_targets or not all(
        isinstance(c, (int, np.integer)) and 0 <= c < n_channels for c in channels
    ):
        raise ValueError(
            f"target_channels must name one of the {n_channels} channels for each of the "
            f"{n_targets} targets; got {channels!r}."
        )
    if is_coded:
        raise ValueError(
            "target_channels must be None or empty with embedding_size, since no number "
            f"continues a code; got {target_channels!r}."
        )
    return tuple(int(c) for c in channels)


def _is_mapped(layout: Layout, y_ndim: int) -> bool:
    # Rows of a table have no time that a target could continue.
    return layout.kind != "tabular" and (y_ndim == 3 or (y_ndim == 2 and layout.kind == "rows"))
