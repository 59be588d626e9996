"""Which row of a covariate stands where in a window, by loops over windows, copies and steps."""

from itertools import pairwise

import numpy as np


def windows_of_known(known, starts, lookback, horizon):
    """Return for each row t that ends a window the channels (n_copies * n_covariates, lookback).

    Copy m holds the `lookback` rows that end at ``t + horizon - m * lookback``; a window is there
    for each t with `lookback` rows up to it and `horizon` after it in its series.
    """
    n_copies = 1
    while horizon - n_copies * lookback >= 0:  # the last copy reaches back to row t
        n_copies += 1
    found = {}
    for start, stop in pairwise(starts):
        for t in range(start + lookback - 1, stop - horizon):
            window = np.zeros((n_copies * known.shape[1], lookback))
            for copy in range(n_copies):
                for column in range(known.shape[1]):
                    for step in range(lookback):
                        row = t + horizon - copy * lookback - (lookback - 1 - step)
                        window[copy * known.shape[1] + column, step] = known[row, column]
            found[t] = window
    return found
