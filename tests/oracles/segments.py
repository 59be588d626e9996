"""Windows cut into segments by loops, slow and obvious."""

import torch


def looped_segments(normed, segment_length, channels, is_independent):
    """Fill up in front with the oldest value, and copy entry by entry."""
    n_samples, n_channels, lookback = normed.shape
    n_steps = 1
    while n_steps * segment_length < lookback:
        n_steps += 1
    first = lookback - n_steps * segment_length  # may be negative: before the window
    steps = []
    for step in range(n_steps):
        times = [max(0, first + step * segment_length + i) for i in range(segment_length)]
        rows = []
        for sample in range(n_samples):
            if is_independent:
                for channel in channels:
                    rows.append([normed[sample, channel, time] for time in times])
            else:
                rows.append([normed[sample, c, time] for c in range(n_channels) for time in times])
        steps.append(rows)
    return torch.tensor(steps, dtype=normed.dtype)


def looped_presence(present, segment_length, n_repeats):
    """Say for each segment whether any of its own steps is there."""
    n_samples, lookback = present.shape
    n_steps = -(-lookback // segment_length)
    first = lookback - n_steps * segment_length
    steps = []
    for step in range(n_steps):
        begin = first + step * segment_length
        times = range(max(0, begin), begin + segment_length)
        steps.append(
            [
                [any(bool(present[sample, time]) for time in times)]
                for sample in range(n_samples)
                for _ in range(n_repeats)
            ]
        )
    return torch.tensor(steps)
