"""Equal rows found by content: a seeded order of rows and the groups of equal ones."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sknas.windows.hashing import Indices, Rows, chunks, float_bits, row_hashes
from sknas.windows.weights import checked_weights


def hashed_order(arrays: Sequence[Rows], seed: int) -> Indices:
    """Shuffle rows by a seeded hash of their content.

    The order of two different rows depends on what they hold and on `seed`, never on
    where they stand; equal rows are adjacent, in their given order. -0.0 is 0.0, and
    NaN equals NaN.

    Parameters
    ----------
    arrays : sequence of ndarray of shape (n_rows, ...)
        The parts of a row (say X and y): numbers, booleans, dates or strings.
    seed : int
        Choice of the shuffle.

    Returns
    -------
    ndarray of shape (n_rows,), dtype=intp
        A permutation of the row numbers.

    Raises
    ------
    ValueError
        If there are no arrays, they differ in length or hold other kinds of entries.

    Examples
    --------
    >>> X = np.array([3.0, 1.0, 2.0, 1.0])
    >>> shuffled = X[hashed_order([X], seed=0)]
    >>> np.array_equal(shuffled, X[::-1][hashed_order([X[::-1]], seed=0)])
    True
    """
    order, _ = _grouped_order(as_comparable(arrays), seed)
    return order


def group_duplicates(
    arrays: Sequence[Rows], weights: NDArray[np.number] | None, seed: int
) -> tuple[Indices, NDArray[np.float64]]:
    """Merge equal rows into one that carries their summed weight.

    Rows in this canonical form are bitwise the same for data with integer weights
    and for data with repeated rows. Rows of zero weight are left out, being zero rows.

    Parameters
    ----------
    arrays : sequence of ndarray of shape (n_rows, ...)
        The parts of a row: numbers, booleans, dates or strings. Rows are merged only
        when all parts are equal, which is verified and not left to the hash.
    weights : ndarray of shape (n_rows,) or None
        Non-negative weight of each row; None is 1 for all.
    seed : int
        Choice of the order.

    Returns
    -------
    representatives : ndarray of shape (n_distinct,), dtype=intp
        The number of one row out of each group of equal ones, in `hashed_order`.
    summed_weights : ndarray of shape (n_distinct,), dtype=float64
        The weight of each group.

    Raises
    ------
    ValueError
        If `arrays` or `weights` do not fit the description, or no weight is positive.
    """
    order, group, group_weights = weighted_groups(arrays, weights, seed)
    return order[group_starts(group)], group_weights


def weighted_groups(
    arrays: Sequence[Rows], weights: NDArray[np.number] | None, seed: int
) -> tuple[Indices, Indices, NDArray[np.float64]]:
    """Order the rows of positive weight and sum up each group of equal ones.

    Parameters
    ----------
    arrays : sequence of ndarray of shape (n_rows, ...)
        The parts of a row: numbers, booleans, dates or strings.
    weights : ndarray of shape (n_rows,) or None
        Non-negative weight of each row; None is 1 for all.
    seed : int
        Choice of the order.

    Returns
    -------
    order : ndarray of shape (n_kept,), dtype=intp
        The numbers of the rows of positive weight, in `hashed_order`.
    group : ndarray of shape (n_kept,), dtype=intp
        The group of each row in that order: 0, ... 0, 1, ... n_groups - 1.
    group_weights : ndarray of shape (n_groups,), dtype=float64
        The summed weight of each group.

    Raises
    ------
    ValueError
        If `arrays` or `weights` do not fit the description, or no weight is positive.
    """
    comparable = as_comparable(arrays)
    row_weights = checked_weights(weights, len(comparable[0]))
    kept = np.flatnonzero(row_weights)
    if len(kept) < len(row_weights):
        comparable = [array[kept] for array in comparable]
    order, group = _grouped_order(comparable, seed)
    order = kept[order]
    # Sums of floats depend on the order of their terms, so it is fixed by content too.
    order = order[np.lexsort((row_weights[order], group))]
    group_weights = np.bincount(group, weights=row_weights[order])
    return order, group, group_weights.astype(np.float64, copy=False)


def group_starts(group: NDArray[np.integer]) -> Indices:
    """Find where a new group begins in sorted group numbers."""
    return np.flatnonzero(np.diff(group, prepend=-1))


def as_comparable(arrays: Sequence[Rows]) -> list[Rows]:
    """Check the arrays and bring them to entries with an exact equality.

    Parameters
    ----------
    arrays : sequence of ndarray of shape (n_rows, ...)
        The parts of a row.

    Returns
    -------
    list of ndarray of shape (n_rows, ...)
        Numbers, booleans or strings; dates become integers.

    Raises
    ------
    ValueError
        If there are no arrays, they differ in length or hold other kinds of entries.
    """
    if not arrays:
        raise ValueError("arrays must hold at least one array; got none.")
    n_rows = {array.shape[:1] for array in arrays}
    if n_rows in ({()}, {(0,)}) or len(n_rows) > 1:
        raise ValueError(
            "arrays must have the same number of rows, at least 1; "
            f"got shapes {[array.shape for array in arrays]}."
        )
    return [_with_exact_entries(array) for array in arrays]


def _with_exact_entries(array: Rows) -> Rows:
    kind = array.dtype.kind
    if kind in "OT":
        entries = array.ravel().tolist()
        if all(isinstance(entry, str) for entry in entries):
            return np.array(entries, dtype=np.str_).reshape(array.shape)
    elif kind in "mM":
        return array.view(np.int64)
    elif kind in "biuUS" or (kind == "f" and array.dtype.itemsize <= 8):
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    raise ValueError(
        "arrays must hold numbers of at most 64 bits, booleans, dates or strings; "
        f"got dtype {array.dtype}."
    )


def _grouped_order(arrays: Sequence[Rows], seed: int) -> tuple[Indices, Indices]:
    """Sort rows by hash, then content; number the groups of equal rows from 0."""
    hashes = row_hashes(arrays, seed)
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    has_same_hash = np.zeros(len(order), dtype=bool)
    has_same_hash[1:] = ordered[1:] == ordered[:-1]
    is_equal = _is_equal_to_previous(arrays, order, has_same_hash)
    collided = np.flatnonzero(has_same_hash & ~is_equal)
    if len(collided):
        run = np.cumsum(~has_same_hash) - 1
        for number in np.unique(run[collided]):
            start, stop = np.searchsorted(run, [number, number + 1])
            rows = sorted(order[start:stop], key=lambda row: _content(arrays, row))
            order[start:stop] = rows
        is_equal = _is_equal_to_previous(arrays, order, has_same_hash)
    return order, np.cumsum(~is_equal) - 1


def _is_equal_to_previous(
    arrays: Sequence[Rows], order: Indices, is_candidate: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Compare each candidate with the row before it in `order`, entry by entry."""
    is_equal = is_candidate.copy()
    candidates = np.flatnonzero(is_candidate)
    for array in arrays:
        n_columns = math.prod(array.shape[1:])
        for chunk in chunks(candidates, n_columns):
            here, before = array[order[chunk]], array[order[chunk - 1]]
            is_same = here == before
            if array.dtype.kind == "f":
                is_same |= np.isnan(here) & np.isnan(before)
            is_equal[chunk] &= is_same.reshape(len(chunk), n_columns).all(axis=1)
    return is_equal


def _content(arrays: Sequence[Rows], row: int) -> tuple[Sequence[object], ...]:
    """Make a sortable key that is equal for equal rows only."""
    entries = (np.atleast_1d(array[row]) for array in arrays)
    return tuple(
        (float_bits(part) if part.dtype.kind == "f" else part).ravel().tolist() for part in entries
    )
