"""Rows that are often equal, their weights, and how often each of them is there."""

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def weighted_rows(draw):
    """Draw few small integers, so that rows are often equal, and their weights."""
    n_rows = draw(st.integers(1, 12))
    X = draw(arrays.arrays(float, (n_rows, 2), elements=st.integers(0, 2)))
    y = draw(arrays.arrays(int, n_rows, elements=st.integers(0, 1)))
    weights = draw(arrays.arrays(int, n_rows, elements=st.integers(0, 4)))
    assume(weights.any())
    return X, y, weights


def counted_rows(X, y, rows, weights=None):
    """Count how often each (x, y) is among `rows`, a weight counting as repetitions."""
    counts = {}
    for row in rows:
        key = (*X[row], y[row])
        counts[key] = counts.get(key, 0) + (1 if weights is None else weights[row])
    return counts
