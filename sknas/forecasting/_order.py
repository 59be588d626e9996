"""Checks that the labels of a time axis are there and increase."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sknas.forecasting._wording import rows_text

__all__ = ["check_order", "check_present", "daylight_advice"]


def check_present(index: pd.Index, rows: NDArray[np.integer], name: str) -> None:
    """Raise if a label is missing.

    Parameters
    ----------
    index : pd.Index of length n
        Labels.
    rows : ndarray of shape (n,)
        Row numbers, for the message.
    name : str
        What the labels are called there.

    Raises
    ------
    ValueError
        If one is NaT or NaN; it names the first ones.
    """
    bad = np.flatnonzero(index.isna())
    if len(bad):
        text = rows_text(rows[bad], index[bad])
        raise ValueError(f"{name} must not have missing labels; got {text}.")


def check_order(
    index: pd.Index, is_next: NDArray[np.bool_], rows: NDArray[np.integer], name: str
) -> None:
    """Raise unless no label is missing and each is behind the one before.

    Parameters
    ----------
    index : pd.Index of length n
        Dates, periods or integers.
    is_next : ndarray of shape (n - 1,), dtype=bool
        Whether a label follows one of the same series.
    rows : ndarray of shape (n,)
        Row numbers, for the message.
    name : str
        What the labels are called there.

    Raises
    ------
    ValueError
        If not; it names the first labels at fault.
    """
    check_present(index, rows, name)
    times = index.asi8 if isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex)) else index
    times = np.asarray(times)
    for rule, is_wrong in (
        ("not repeat a label within a series", times[1:] == times[:-1]),
        ("be in increasing order within a series (sort_index)", times[1:] < times[:-1]),
    ):
        bad = np.flatnonzero(is_wrong & is_next) + 1
        if len(bad):
            text = rows_text(rows[bad], index[bad])
            raise ValueError(f"{name} must {rule}; got {text}.{daylight_advice(index[bad])}")
    largest = max(int(times.max()), -int(times.min()))
    if index.dtype.kind in "iu" and largest >= 2**62:
        raise ValueError(f"{name} must hold integers between -2**62 and 2**62; got {largest}.")


def daylight_advice(index: pd.Index) -> str:
    """Advise to name a time zone where labels at fault look like a change of the clock.

    Parameters
    ----------
    index : pd.Index
        Labels at fault, of a time axis without a time zone.

    Returns
    -------
    str
        A sentence, or nothing.
    """
    if not isinstance(index, pd.DatetimeIndex) or index.tz is not None or index.isna().any():
        return ""
    if (index == index.normalize()).all() or (index.hour > 3).any():
        return ""
    return (
        " If these are local times, the clock was changed there: name the time zone with "
        "index.tz_localize(zone, ambiguous='infer')."
    )
