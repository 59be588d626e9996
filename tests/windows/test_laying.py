"""Series laid one behind another hold the windows that a triple loop finds."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sknas.windows import chronological_split, has_known, lay_series, time_split

LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=4)


def series_of(lengths):
    """Return rows whose values tell series and step, with the borders between the series."""
    values = np.concatenate(
        [100.0 * number + np.arange(length) for number, length in enumerate(lengths)]
    )
    return np.stack([values, -values], axis=1), np.concatenate([[0], np.cumsum(lengths)])


def loop(lengths, first, lookback, horizon, is_front):
    """Return every window (series, time, rows), missing rows in front being None."""
    found = []
    for number, length in enumerate(lengths):
        begin = 1 if is_front or length <= lookback + horizon else lookback
        for origin in range(begin, length - horizon + 1):
            rows = [
                100.0 * number + row if row >= 0 else None
                for row in range(origin - lookback, origin + horizon)
            ]
            found.append((number, first[number] + origin, rows))
    return found


@given(lengths=LENGTHS, lookback=st.integers(1, 5), horizon=st.integers(1, 4), data=st.data())
@settings(max_examples=60, deadline=None)
def test_windows_equal_a_loop(lengths, lookback, horizon, data):
    is_front = data.draw(st.booleans())
    first = data.draw(st.lists(st.integers(-5, 5), min_size=len(lengths), max_size=len(lengths)))
    values, starts = series_of(lengths)
    laid = lay_series(values, starts, first, lookback, horizon, is_front=is_front)
    expected = loop(lengths, first, lookback, horizon, is_front)
    assert laid.series.tolist() == [number for number, _, _ in expected]
    assert laid.times.tolist() == [time for _, time, _ in expected]
    for position, (_, _, rows) in zip(laid.positions, expected, strict=True):
        window = laid.rows[position : position + lookback + horizon]
        assert len(window) == len(rows)
        for (value, mirrored), row in zip(window, rows, strict=True):
            assert (np.isnan(value) and row is None) or value == row == -mirrored


def test_a_single_long_series_is_not_copied():
    values = np.arange(20.0)[:, None]
    assert np.shares_memory(lay_series(values, [0, 20], [0], 3, 2).rows, values)


@given(mask=st.lists(st.booleans(), min_size=6, max_size=20), n_steps=st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_known_values_are_found_as_a_loop_finds_them(mask, n_steps):
    rows = np.where(mask, 1.0, np.nan)[:, None]
    positions = np.arange(len(mask) - n_steps + 1)
    expected = [any(mask[k : k + n_steps]) for k in positions]
    assert has_known(rows, positions, n_steps).tolist() == expected


@given(n=st.integers(2, 60), fraction=st.floats(0.05, 0.9), gap=st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_the_split_by_time_of_one_series_is_the_chronological_one(n, fraction, gap):
    by_time, by_row = time_split(np.arange(n), fraction, gap), chronological_split(n, fraction, gap)
    assert by_time.train.tolist() == by_row.train.tolist()
    assert by_time.validation.tolist() == by_row.validation.tolist()


@given(times=st.lists(st.integers(0, 30), min_size=2, max_size=60), gap=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_no_sample_is_trained_on_after_one_that_validates(times, gap):
    times = np.array(times)
    split = time_split(times, 0.25, gap)
    assert len(split.train)
    assert len(split.validation)
    if len(np.unique(times)) > 1:
        assert len(split.train) + len(split.validation) <= len(times)
    assert not set(split.train) & set(split.validation)
    if len(np.unique(times[np.concatenate([split.train, split.validation])])) > 1:
        border = times[split.validation].min()
        assert times[split.train].max() <= border
        n_before = (times < border).sum()
        if n_before and (times < border - gap).sum() > (n_before + 1) // 2:
            assert times[split.train].max() < border - gap
