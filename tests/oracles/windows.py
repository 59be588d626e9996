"""Windows and sums written out as loops, slow and obvious."""

import numpy as np


def looped_windows(series, lookback, context=()):
    """Copy every past window entry by entry; repeat the oldest row where none is known."""
    rows = [*context, *series]
    n_channels = len(series[0])
    windows = np.empty((len(series), n_channels, lookback))
    for time in range(len(series)):
        for step in range(lookback):
            row = max(0, len(context) + time - lookback + 1 + step)
            for channel in range(n_channels):
                windows[time, channel, step] = rows[row][channel]
    return windows


def looped_align_right(sequences, n_steps):
    """Right-align lists of steps, one list of shape (length, n_channels) a sample."""
    n_channels = len(sequences[0][0])
    aligned = np.full((len(sequences), n_channels, n_steps), np.nan)
    for sample, sequence in enumerate(sequences):
        for back in range(1, min(n_steps, len(sequence)) + 1):
            for channel in range(n_channels):
                aligned[sample, channel, -back] = sequence[-back][channel]
    return aligned


def looped_mean_and_deviation(column, weights):
    """Sum over rows that have a value and a weight, in exact rational arithmetic."""
    from fractions import Fraction

    pairs = [
        (Fraction(float(value)), Fraction(float(weight)))
        for value, weight in zip(column, weights, strict=True)
        if not np.isnan(value) and weight > 0
    ]
    total = sum(weight for _, weight in pairs)
    mean = sum(value * weight for value, weight in pairs) / total
    variance = sum((value - mean) ** 2 * weight for value, weight in pairs) / total
    return float(mean), _square_root(variance)


def _square_root(variance):
    """Take the root of a fraction whose float may overflow or vanish."""
    from decimal import Decimal, localcontext

    with localcontext() as context:
        context.prec = 40
        return float((Decimal(variance.numerator) / Decimal(variance.denominator)).sqrt())
