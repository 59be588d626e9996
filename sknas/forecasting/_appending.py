"""New rows behind the known ones of a panel, and the last rows of one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sknas.forecasting._panel import MOST_FILLED, N_SHOWN, Numbers, Panel, gaps_text

__all__ = ["append", "known_places", "tail"]


def tail(panel: Panel, n: int) -> Panel:
    """Return the last rows of each series.

    Parameters
    ----------
    panel : Panel
        All rows.
    n : int
        How many rows of each series at most, not negative.

    Returns
    -------
    Panel
        A copy of these rows.

    Raises
    ------
    ValueError
        If `n` is negative.
    """
    if n < 0:
        raise ValueError(f"n must not be negative; got {n!r} rows.")
    lengths = np.minimum(panel.lengths, n)
    kept = panel.row_positions >= np.repeat(panel.stop - lengths, panel.lengths)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    first = panel.stop - lengths
    return replace(panel, values=panel.values[kept], starts=starts, first=first)


def append(old: Panel, new: Panel, *, name: str = "Y", missing: str = "error") -> Panel:
    """Put new rows behind the known ones.

    Parameters
    ----------
    old : Panel
        Known rows, or the last of them.
    new : Panel
        Rows that `read_panel` read with ``like=old``. They begin right after the known ones or
        overlap them, with the same numbers; rows before the first of `old` are left out. A series
        that `old` does not have is added.
    name : str, default="Y"
        What `new` is called in messages.
    missing : {"error", "mask"}, default="error"
        Whether rows that are missing between the two are refused or become NaN.

    Returns
    -------
    Panel
        All series, those of `old` first.

    Raises
    ------
    ValueError
        If rows are missing in between, or too many to fill in; if rows differ where they overlap,
        or end before `old` begins.
    """
    if new.calendar != old.calendar:
        raise ValueError(f"{name} must be read like the known rows; got {new.calendar}.")
    place, keys = _matched(old, new)
    is_known = place < old.n_series
    _check_meeting(old, new, place, is_known, missing, name)
    n_added = int((~is_known).sum())
    first = np.concatenate([old.first, np.zeros(n_added, dtype=np.int64)])
    stop = np.concatenate([old.stop, np.zeros(n_added, dtype=np.int64)])
    first[place[~is_known]] = new.first[~is_known]
    stop[place] = np.maximum(stop[place], new.stop)
    # A series that is added may end below 0, where the zeros above stand for nothing.
    stop[place[~is_known]] = new.stop[~is_known]
    starts = np.concatenate([[0], np.cumsum(stop - first)])
    values = np.full((int(starts[-1]), old.values.shape[1]), np.nan, dtype=old.values.dtype)
    values[starts[old.row_series] + old.row_positions - first[old.row_series]] = old.values
    series, positions = place[new.row_series], new.row_positions
    is_later = positions >= np.concatenate([old.stop, first[old.n_series :]])[series]
    rows = starts[series] + positions - first[series]
    values[rows[is_later]] = new.values[is_later]
    return replace(old, values=values, starts=starts, first=first, keys=keys)


def known_places(panel: Panel, old: Panel) -> Numbers:
    """Return which series of an old panel those of another are.

    Parameters
    ----------
    panel, old : Panel
        Panels with keys of the same levels, or both without.

    Returns
    -------
    ndarray of shape (n_series,)
        Their numbers in `old`; -1 where it has none.
    """
    if old.keys is None or panel.keys is None:
        return np.zeros(1, dtype=np.intp)
    return np.asarray(old.keys.get_indexer(panel.keys))


def _matched(old: Panel, new: Panel) -> tuple[Numbers, pd.Index | None]:
    """Return where each new series stands among all, and the keys of all."""
    place = known_places(new, old)
    if old.keys is None or new.keys is None:
        return place, old.keys
    is_added = place < 0
    place[is_added] = old.n_series + np.arange(int(is_added.sum()))
    return place, old.keys.append(new.keys[is_added]) if is_added.any() else old.keys


def _check_meeting(
    old: Panel,
    new: Panel,
    place: Numbers,
    is_known: NDArray[np.bool_],
    missing: str,
    name: str,
) -> None:
    """Raise unless new rows of known series reach the old ones and repeat them unchanged."""
    mine = np.flatnonzero(is_known)
    theirs = place[mine]
    is_before = new.stop[mine] < old.first[theirs]
    if is_before.any():
        at = mine[is_before]
        gaps = [(int(s), int(new.first[s]), int(new.stop[s]) - 1) for s in at[:N_SHOWN]]
        text = gaps_text(new.calendar, gaps, new.keys, len(at))
        raise ValueError(f"{name} must not end before the known rows begin; got {text}.")
    n_between = np.maximum(new.first[mine] - old.stop[theirs], 0)
    n_given = int((~np.isnan(new.values)).any(axis=1).sum())  # without those filled in
    is_too_many = n_between.sum() > MOST_FILLED * (n_given + 10)
    if n_between.any() and (missing == "error" or is_too_many):
        at = np.flatnonzero(n_between)
        gaps = [
            (int(mine[i]), int(old.stop[theirs[i]]), int(new.first[mine[i]]) - 1)
            for i in at[:N_SHOWN]
        ]
        text = gaps_text(new.calendar, gaps, new.keys, len(at))
        rule = (
            "begin right after the known rows unless missing='mask'; got no row for"
            if missing == "error"
            else f"have a row for at least one of {MOST_FILLED} steps behind the known rows; "
            "got none for"
        )
        raise ValueError(f"{name} must {rule} {text}.")
    _check_overlap(old, new, place, name)


def _check_overlap(old: Panel, new: Panel, place: Numbers, name: str) -> None:
    series, positions = place[new.row_series], new.row_positions
    # Series that are added overlap nothing.
    first = np.append(old.first, np.zeros(new.n_series, dtype=np.int64))[series]
    stop = np.append(old.stop, np.zeros(new.n_series, dtype=np.int64))[series]
    is_shared = (series < old.n_series) & (positions >= first) & (positions < stop)
    rows = np.flatnonzero(is_shared)
    known = old.values[old.starts[series[rows]] + positions[rows] - first[rows]]
    again = new.values[rows].astype(known.dtype, copy=False)
    is_other = ((known != again) & ~(np.isnan(known) & np.isnan(again))).any(axis=1)
    rows = rows[is_other]
    if len(rows):
        gaps = [
            (int(new.row_series[row]), int(positions[row]), int(positions[row]))
            for row in rows[:N_SHOWN]
        ]
        raise ValueError(
            f"{name} must repeat the known rows unchanged where it overlaps them; got other "
            f"values for {gaps_text(new.calendar, gaps, new.keys, len(rows))}."
        )
