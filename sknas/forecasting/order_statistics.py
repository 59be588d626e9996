"""Order statistics that stand for larger samples, which lie along the first axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROUNDING", "Ladder", "kept_ranks", "merge_summary"]

Array = NDArray[np.float64]
ROUNDING = 1e-9  # (n + 1) * 0.9 may come out a bit above the whole number that it is


@dataclass(frozen=True, eq=False)
class Ladder:
    """Numbers in ascending order, each with how many of the sample it bounds from either side."""

    values: Array
    n_up_to: NDArray[np.int64]
    n_from: NDArray[np.int64]
    n: NDArray[np.int64]

    @classmethod
    def of(cls, values: Array, up: NDArray[np.int64], down: NDArray[np.int64]) -> Ladder:
        """Sort along the first axis, NaN last.

        `up` is how many of the sample lie at a number or between it and the next lower one, and
        `down` how many at it or between it and the next higher one; both are 0 at NaN.
        """
        order = np.argsort(values, axis=0)
        n_up_to = np.cumsum(np.take_along_axis(up, order, axis=0), axis=0)
        n_from = np.cumsum(np.take_along_axis(down, order, axis=0)[::-1], axis=0)[::-1]
        return cls(np.take_along_axis(values, order, axis=0), n_up_to, n_from, up.sum(axis=0))

    def upper(self, probability: float) -> Array:
        """Return the number of rank ceil((n + 1) * probability), or the largest one."""
        rank = np.ceil((self.n + 1) * probability - ROUNDING)
        return self._at((self.n_up_to < np.minimum(rank, self.n)).sum(axis=0))

    def lower(self, probability: float) -> Array:
        """Return the number of rank floor((n + 1) * probability), or the smallest one."""
        from_top = np.ceil((self.n + 1) * (1 - probability) - ROUNDING)
        return self._at((self.n_from >= np.minimum(from_top, self.n)).sum(axis=0) - 1)

    def _at(self, place: NDArray[np.int64]) -> Array:
        """Return the numbers at these places, all of them NaN where the sample is empty."""
        return np.take_along_axis(self.values, place[np.newaxis], axis=0)[0]


def kept_ranks(n: NDArray[np.int64], n_kept: int) -> NDArray[np.int64]:
    """Return the ranks of the order statistics held for samples of sizes `n`.

    They have the shape (n_kept, *n.shape), start at 1, end at n where n exceeds `n_kept`, and
    are 1, 2, 3, ... where it does not.
    """
    places = np.arange(n_kept).reshape(-1, *[1] * n.ndim)
    spread = np.rint(places * (n - 1) / max(n_kept - 1, 1)).astype(np.int64)
    return np.where(n > n_kept, spread, places) + 1


def merge_summary(
    older: Array, n_older: NDArray[np.int64], new: Array, n_kept: int
) -> tuple[Array, NDArray[np.int64]]:
    """Merge errors into a summary; return the new one and how many it stands for."""
    n_all = n_older + (~np.isnan(new)).sum(axis=0)
    n_rows = min(n_kept, int(n_all.max()))
    ranks = kept_ranks(n_all, n_rows)
    if (n_older <= len(older)).all():  # all are held: order statistics are exact
        held = np.sort(np.concatenate([older, new]), axis=0)
        return np.take_along_axis(held, ranks - 1, axis=0), n_all
    old_ranks = kept_ranks(n_older, len(older))
    merged = np.empty((n_rows, *n_all.shape))
    for cell in np.ndindex(n_all.shape):
        at = (slice(None), *cell)
        merged[at] = _merged_column(
            older[at], old_ranks[at], int(n_older[cell]), new[at], ranks[at]
        )
        merged[n_all[cell] :, *cell] = np.nan
    return merged, n_all


def _merged_column(
    values: Array,
    value_ranks: NDArray[np.int64],
    n_old: int,
    new: Array,
    ranks: NDArray[np.int64],
) -> Array:
    """Return the errors at `ranks` in the union of a summary and a sample, by interpolation."""
    known = ~np.isnan(values)
    values, value_ranks = values[known], value_ranks[known]
    added = np.sort(new[~np.isnan(new)])
    if not len(values):
        return (
            added[np.minimum(ranks, len(added)) - 1] if len(added) else np.full(len(ranks), np.nan)
        )
    # Where a number would stand in the union: its rank among the old plus that among the new.
    of_old = value_ranks + np.searchsorted(added, values, side="right")
    of_new = np.interp(added, values, value_ranks, left=0, right=n_old) + np.arange(
        1, len(added) + 1
    )
    points, places = np.concatenate([values, added]), np.concatenate([of_old, of_new])
    order = np.argsort(places, kind="stable")
    return np.interp(ranks, places[order], points[order])
