"""Probabilities that a caller asks for: one number or several, each in (0, 1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["checked_probabilities"]


def checked_probabilities(values: float | Sequence[float], name: str) -> list[float]:
    """Return probabilities as a list.

    Parameters
    ----------
    values : float or sequence of float
        One probability or several different ones.
    name : str
        What the parameter is called in messages.

    Returns
    -------
    list of float
        At least one.

    Raises
    ------
    ValueError
        If they are no different numbers in (0, 1).
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.full((2, 2), np.nan)
    if array.ndim > 1 or not array.size:
        raise ValueError(f"{name} must be one or more numbers in (0, 1); got {values!r}.")
    found: list[float] = np.atleast_1d(array).tolist()
    for one in found:
        if not 0.0 < one < 1.0:
            raise ValueError(f"{name} must be in (0, 1); got {one!r}.")
    if len(set(found)) < len(found):
        raise ValueError(f"{name} must not hold a probability twice; got {found!r}.")
    return found
