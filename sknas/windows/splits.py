"""Two-part splits, by time or by a seeded hash of what a row holds.

A split keyed by content, not by position, makes a row of weight k the same as k rows:
both give the same parts, and equal rows never stand on both sides.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sknas.windows.grouping import as_comparable, group_starts, weighted_groups
from sknas.windows.hashing import Indices, Rows


@dataclass(frozen=True, eq=False)
class Split:
    """Hold the rows to train on and the rows to validate on.

    Parameters
    ----------
    train : ndarray of shape (n_train,), dtype=intp
        Sorted row numbers of the training part.
    validation : ndarray of shape (n_validation,), dtype=intp
        Sorted row numbers of the validation part.

    Examples
    --------
    >>> split = chronological_split(10, fraction=0.2, gap=1)
    >>> split.train.tolist(), split.validation.tolist()
    ([0, 1, 2, 3, 4, 5, 6], [8, 9])
    """

    train: Indices
    validation: Indices


@runtime_checkable
class _HasSplit(Protocol):
    """Scikit-learn's splitters, as far as they are used here."""

    def split(
        self, X: ArrayLike, y: ArrayLike | None = None
    ) -> Iterable[tuple[NDArray[np.integer], NDArray[np.integer]]]:
        """Yield (train, test) row numbers."""
        ...


def chronological_split(n: int, fraction: float, gap: int) -> Split:
    """Keep the last rows for validation and leave a gap before them.

    The validation part is exactly the last `ceil(fraction * n)` rows (though never all
    of them). The gap comes off the end of the training part, and shrinks so that at
    least half of the rows before the validation part stay to train on.

    Parameters
    ----------
    n : int
        Number of rows, oldest first; at least 2.
    fraction : float
        Share of the rows to validate on, in (0, 1).
    gap : int
        Rows to leave unused between the parts; lookback + horizon keeps windows of the
        two parts from overlapping.

    Returns
    -------
    Split
        The two parts, each with at least one row.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """
    _check_fraction(fraction)
    if n < 2:
        raise ValueError(f"n must be at least 2 rows, one for each part; got {n!r}.")
    if gap < 0:
        raise ValueError(f"gap must not be negative; got {gap!r} rows.")
    n_before = n - min(math.ceil(fraction * n), n - 1)
    n_train = max(n_before - gap, (n_before + 1) // 2)
    return Split(
        train=np.arange(n_train, dtype=np.intp),
        validation=np.arange(n_before, n, dtype=np.intp),
    )


def time_split(times: NDArray[np.integer], fraction: float, gap: int) -> Split:
    """Keep the samples of the last time steps for validation, whatever series they are of.

    At least `ceil(fraction * n)` samples validate, all those of a time step together (unless they
    would be all there are), and the gap before them is one of time: so no series tells of another
    one's future. Of samples of one series it makes the same parts as `chronological_split`.

    Parameters
    ----------
    times : ndarray of shape (n_samples,)
        Time step of each sample, in any order; at least 2 samples.
    fraction : float
        Share of the samples to validate on, in (0, 1).
    gap : int
        Time steps to leave unused before the first validated one; at least half of the samples
        before it stay to train on.

    Returns
    -------
    Split
        The two parts, sorted, each with at least one sample.

    Raises
    ------
    ValueError
        If a parameter is out of its range.
    """
    n = len(times)
    by_time = np.argsort(times, kind="stable")
    parts = chronological_split(n, fraction, 0)
    border = times[by_time[parts.validation[0]]]
    n_before = int((times < border).sum())
    if n_before == 0:  # all samples but one time step's: cut that
        n_before, gap = len(parts.train), 0
    n_early = int((times < border - gap).sum())
    n_train = n_before if gap == 0 else max(n_early, (n_before + 1) // 2)
    return Split(
        train=np.sort(by_time[:n_train]).astype(np.intp),
        validation=np.sort(by_time[n_before:]).astype(np.intp),
    )


def hashed_split(
    arrays: Sequence[Rows],
    weights: NDArray[np.number] | None,
    fraction: float,
    seed: int,
) -> Split:
    """Split shuffled rows by content, so that weights act as repetitions.

    Rows are taken in `hashed_order`. The leading ones, until their weight reaches
    `fraction` of the total, validate. Equal rows stay on one side.

    Parameters
    ----------
    arrays : sequence of ndarray of shape (n_rows, ...)
        The parts of a row: numbers, booleans, dates or strings.
    weights : ndarray of shape (n_rows,) or None
        Non-negative weight of each row; None is 1 for all.
    fraction : float
        Share of the total weight to validate on, in (0, 1).
    seed : int
        Choice of the shuffle.

    Returns
    -------
    Split
        The two parts, each with at least one row where two rows differ; otherwise all
        rows are in `train`. Rows of zero weight are in neither.

    Raises
    ------
    ValueError
        If a parameter does not fit the description, or no weight is positive.
    """
    _check_fraction(fraction)
    order, group, group_weights = weighted_groups(arrays, weights, seed)
    is_validation = np.zeros(len(group_weights), dtype=bool)
    is_validation[: _n_leading(group_weights, fraction)] = True
    return _split_rows(order, is_validation[group])


def stratified_split(
    arrays: Sequence[Rows],
    labels: Rows,
    weights: NDArray[np.number] | None,
    fraction: float,
    seed: int,
) -> Split:
    """Split each class by content, so that both parts have its share.

    This is `hashed_split` within each class. A class whose rows are all equal only
    trains.

    Parameters
    ----------
    arrays : sequence of ndarray of shape (n_rows, ...)
        The parts of a row: numbers, booleans, dates or strings.
    labels : ndarray of shape (n_rows,)
        The class of each row.
    weights : ndarray of shape (n_rows,) or None
        Non-negative weight of each row; None is 1 for all.
    fraction : float
        Share of each class's weight to validate on, in (0, 1).
    seed : int
        Choice of the shuffle.

    Returns
    -------
    Split
        The two parts; `train` has every class, `validation` may be empty when no class
        has two different rows. Rows of zero weight are in neither.

    Raises
    ------
    ValueError
        If a parameter does not fit the description, or no weight is positive.
    """
    _check_fraction(fraction)
    if labels.ndim != 1:
        raise ValueError(f"labels must have 1 axis; got shape {labels.shape}.")
    labels = as_comparable([labels])[0]
    order, group, group_weights = weighted_groups([*arrays, labels], weights, seed)
    _, group_class = np.unique(labels[order[group_starts(group)]], return_inverse=True)
    is_validation = np.zeros(len(group_weights), dtype=bool)
    by_class = np.argsort(group_class, kind="stable")
    for members in np.split(by_class, group_starts(group_class[by_class])[1:]):
        n_leading = _n_leading(group_weights[members], fraction)
        is_validation[members[:n_leading]] = True
    return _split_rows(order, is_validation[group])


def splitter_split(
    cv: _HasSplit | Iterable[tuple[ArrayLike, ArrayLike]],
    X: ArrayLike,
    y: ArrayLike | None,
) -> Split:
    """Take the first split of a scikit-learn splitter.

    Parameters
    ----------
    cv : splitter or iterable of (train, validation)
        An object with `split(X, y)`, or pairs of row numbers or boolean masks.
    X : array-like of shape (n_rows, ...)
        The data to split.
    y : array-like of shape (n_rows, ...) or None
        The targets, for splitters that look at them.

    Returns
    -------
    Split
        The first pair, sorted.

    Raises
    ------
    TypeError
        If `cv` is neither a splitter nor an iterable.
    ValueError
        If `cv` yields nothing, or its first pair is empty on a side, overlaps or
        reaches outside the rows of `X`.
    """
    if isinstance(cv, str) or not isinstance(cv, (_HasSplit, Iterable)):
        raise TypeError(
            "cv must be a splitter with a split method or an iterable of "
            f"(train, validation) pairs; got {cv!r}."
        )
    pairs = cv.split(X, y) if isinstance(cv, _HasSplit) else cv
    pair = next(iter(pairs), None)
    if pair is None:
        raise ValueError(f"cv must yield at least one split; got none from {cv!r}.")
    n_rows = np.shape(X)[0]
    train, validation = (_row_numbers(part, n_rows) for part in pair)
    if np.intersect1d(train, validation).size:
        raise ValueError("cv must yield parts that do not overlap; got common rows.")
    return Split(train=train, validation=validation)


def _row_numbers(part: ArrayLike, n_rows: int) -> Indices:
    rows = np.asarray(part)
    if rows.dtype == bool and rows.shape == (n_rows,):
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or rows.size == 0 or rows.dtype.kind not in "iu":
        raise ValueError(
            "cv must yield non-empty lists of row numbers (or masks of the length of X); "
            f"got an array of shape {rows.shape} and dtype {rows.dtype}."
        )
    if rows.min() < 0 or rows.max() >= n_rows:
        raise ValueError(
            f"cv must yield row numbers from 0 to {n_rows - 1}; got {rows.min()} to {rows.max()}."
        )
    return np.sort(rows).astype(np.intp)


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must be larger than 0 and less than 1; got {fraction!r}.")


def _split_rows(order: Indices, is_validation: NDArray[np.bool_]) -> Split:
    return Split(
        train=np.sort(order[~is_validation]),
        validation=np.sort(order[is_validation]),
    )


def _n_leading(weights: NDArray[np.float64], fraction: float) -> int:
    """Count the leading groups that validate, leaving one on each side."""
    reached = np.cumsum(weights)
    n_leading = int(np.searchsorted(reached, fraction * reached[-1])) + 1
    return min(n_leading, len(weights) - 1)
