"""What all scores do first: check arrays, subtract, and leave out what was not observed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["check_same_shape", "checked", "errors_of", "mean_of_known"]

Array = NDArray[np.float64]


def checked(values: NDArray[np.floating], name: str) -> Array:
    """Return `values` in float64 if they have three axes.

    Parameters
    ----------
    values : ndarray of shape (n_origins, horizon, n_targets)
        Numbers.
    name : str
        What they are called in messages.

    Returns
    -------
    ndarray, dtype=float64
        The same.

    Raises
    ------
    ValueError
        If they have other axes.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 3:
        raise ValueError(
            f"{name} must have the axes (n_origins, horizon, n_targets); got shape {array.shape}."
        )
    return array


def check_same_shape(first: Array, second: Array, first_name: str, second_name: str) -> None:
    """Raise unless two arrays have one shape.

    Parameters
    ----------
    first, second : ndarray
        The arrays.
    first_name, second_name : str
        What they are called in messages.

    Raises
    ------
    ValueError
        If not.
    """
    if first.shape != second.shape:
        raise ValueError(
            f"{second_name} must have the shape of {first_name}, {first.shape}; got {second.shape}."
        )


def errors_of(
    truth: NDArray[np.floating], forecast: NDArray[np.floating], name: str = "forecast"
) -> Array:
    """Return truth minus forecast, NaN where the truth is.

    Parameters
    ----------
    truth : ndarray of shape (n_origins, horizon, n_targets)
        What happened; NaN where nothing was observed.
    forecast : ndarray of shape (n_origins, horizon, n_targets)
        What was said.
    name : str, default="forecast"
        What that is called in messages.

    Returns
    -------
    ndarray of shape (n_origins, horizon, n_targets)
        Errors, float64.

    Raises
    ------
    ValueError
        If the shapes differ, `truth` is infinite somewhere, or `forecast` is NaN where it is not.
    """
    observed, said = checked(truth, "truth"), checked(forecast, name)
    check_same_shape(observed, said, "truth", name)
    if np.isinf(observed).any():
        raise ValueError("truth must be finite or NaN; got an infinite entry.")
    n_missing = int((np.isnan(said) & ~np.isnan(observed)).sum())
    if n_missing:
        raise ValueError(
            f"{name} must not be NaN where truth was observed; got NaN in {n_missing} such entries."
        )
    return observed - said


def mean_of_known(values: Array) -> float:
    """Average the entries that are not NaN; NaN, without a warning, if there are none.

    Parameters
    ----------
    values : ndarray
        Numbers.

    Returns
    -------
    float
        Their mean.
    """
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
