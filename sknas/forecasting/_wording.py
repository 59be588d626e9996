"""How error messages name rows, labels and ranges of labels."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["any_of", "label_text", "rows_text"]

Positions = NDArray[np.int64]


def label_text(label: object) -> str:
    """Return a label as it is shown: dates without a midnight, strings in quotes.

    Parameters
    ----------
    label : object
        A label of an index, or a series key.

    Returns
    -------
    str
        Its text.
    """
    if isinstance(label, str):
        return repr(label)
    if isinstance(label, tuple):
        return "(" + ", ".join(map(label_text, label)) + ")"
    return str(label).removesuffix(" 00:00:00")


def rows_text(rows: NDArray[np.integer], labels: pd.Index, most: int = 5) -> str:
    """Return the first rows of a list, each with its label, and how many there are.

    Parameters
    ----------
    rows : ndarray of shape (n,)
        Row numbers, from 0.
    labels : pd.Index of length n
        Their labels.
    most : int, default=5
        How many to show.

    Returns
    -------
    str
        Such as ``"row 3 (2020-01-04), row 5 (2020-01-07)"``.
    """
    shown = [
        f"row {row} ({label_text(label)})"
        for row, label in zip(rows[:most].tolist(), labels[:most], strict=True)
    ]
    return any_of(shown, len(rows), most)


def any_of(texts: Iterable[str], n: int, most: int) -> str:
    """Join the texts of some of `n` things; more than `most` are only counted.

    Parameters
    ----------
    texts : iterable of str
        At least ``min(n, most)`` texts.
    n : int
        How many things there are.
    most : int
        How many to show.

    Returns
    -------
    str
        The joined texts.
    """
    shown = ", ".join(list(texts)[:most])
    return shown if n <= most else f"{shown} and {n - most} more"
