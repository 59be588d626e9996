"""Windows equal those of a loop, and cost no memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sknas.windows import align_right, sequence_view, sliding_windows
from tests.oracles.windows import looped_align_right, looped_windows


@given(
    n_timepoints=st.integers(1, 12),
    n_channels=st.integers(1, 3),
    lookback=st.integers(1, 8),
    n_context=st.integers(0, 7),
)
def test_windows_equal_a_triple_loop(n_timepoints, n_channels, lookback, n_context):
    rng = np.random.default_rng(0)
    series = rng.normal(size=(n_timepoints, n_channels))
    context = rng.normal(size=(min(n_context, lookback - 1), n_channels))
    np.testing.assert_array_equal(
        sliding_windows(series, lookback, context), looped_windows(series, lookback, context)
    )


@given(lookback=st.integers(1, 8), cut=st.integers(1, 19))
def test_context_makes_windows_of_a_part_those_of_the_whole(lookback, cut):
    series = np.random.default_rng(1).normal(size=(20, 2))
    context = series[max(0, cut - lookback + 1) : cut]
    np.testing.assert_array_equal(
        sliding_windows(series[cut:], lookback, context), sliding_windows(series, lookback)[cut:]
    )


def test_no_window_reads_the_future():
    series = np.random.default_rng(2).normal(size=(30, 2))
    changed = series.copy()
    changed[17:] += 1.0
    np.testing.assert_array_equal(sliding_windows(series, 5)[:17], sliding_windows(changed, 5)[:17])


def test_windows_share_the_memory_of_one_padded_series():
    series = np.zeros((1000, 3))
    windows = sliding_windows(series, 100)
    assert np.shares_memory(windows[500], windows[501])
    low, high = np.lib.array_utils.byte_bounds(windows)
    assert high - low == (1000 + 100 - 1) * 3 * series.itemsize


def test_a_million_long_windows_are_cut_without_memory_for_them():
    series = np.zeros((1_000_000, 1), dtype=np.float32)
    windows = sliding_windows(series, 10_000)  # 40 GB if they were copied
    assert windows.shape == (1_000_000, 1, 10_000)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_windows_keep_the_dtype_of_the_series(dtype):
    series = np.zeros((5, 1), dtype=dtype)
    assert sliding_windows(series, 3, np.zeros((1, 1))).dtype == dtype


def test_windows_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        sliding_windows(np.zeros((5, 1)), 2)[0] = 1.0


@pytest.mark.parametrize(
    ("series", "lookback", "context", "message"),
    [
        (np.zeros(5), 2, None, r"series must have 2 axes; got shape \(5,\)"),
        (np.zeros((0, 2)), 2, None, r"series must have at least 1 row; got shape \(0, 2\)"),
        (np.zeros((5, 2)), 0, None, "lookback must be at least 1 step; got 0"),
        (np.zeros((5, 2)), 3, np.zeros((3, 2)), "context must have at most .* = 2 rows; got 3"),
        (np.zeros((5, 2)), 3, np.zeros((1, 1)), "context must have as many channels .* 2; got 1"),
    ],
)
def test_a_wrong_series_is_named_in_the_error(series, lookback, context, message):
    with pytest.raises(ValueError, match=message):
        sliding_windows(series, lookback, context)


def test_a_sequence_view_shares_memory_and_puts_channels_first():
    X = np.arange(24.0).reshape(2, 4, 3)
    view = sequence_view(X, channels_first=False)
    assert np.shares_memory(view, X)
    for sample, step, channel in np.ndindex(X.shape):
        assert view[sample, channel, step] == X[sample, step, channel]


def test_a_sequence_view_of_channels_first_data_is_the_same_array():
    X = np.arange(24.0).reshape(2, 3, 4)
    view = sequence_view(X, channels_first=True)
    assert np.shares_memory(view, X)
    np.testing.assert_array_equal(view, X)


def test_a_sequence_view_wants_three_axes():
    with pytest.raises(ValueError, match="X must have 3 axes"):
        sequence_view(np.zeros((3, 2)), channels_first=False)


def padded_right(sequences, n_steps_in):
    """Store sequences as users do: oldest step first, NaN steps at the end."""
    X = np.full((len(sequences), len(sequences[0][0]), n_steps_in), np.nan)
    for sample, sequence in enumerate(sequences):
        X[sample, :, : len(sequence)] = np.transpose(sequence)
    return X


@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    n_channels=st.integers(1, 3),
    n_extra=st.integers(0, 2),
    n_steps=st.integers(1, 9),
)
def test_aligned_sequences_equal_a_loop_from_the_end(lengths, n_channels, n_extra, n_steps):
    rng = np.random.default_rng(3)
    sequences = [rng.normal(size=(length, n_channels)) for length in lengths]
    X = padded_right(sequences, max(lengths) + n_extra)
    np.testing.assert_array_equal(align_right(X, n_steps), looped_align_right(sequences, n_steps))


@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5), n_extra=st.integers(0, 3))
def test_missing_steps_at_the_end_change_nothing(lengths, n_extra):
    rng = np.random.default_rng(4)
    sequences = [rng.normal(size=(length, 2)) for length in lengths]
    tight = padded_right(sequences, max(lengths))
    loose = padded_right(sequences, max(lengths) + n_extra)
    np.testing.assert_array_equal(align_right(tight, 7), align_right(loose, 7))


def test_aligning_leaves_its_input_alone():
    X = np.array([[[1.0, 2.0, np.nan]]])
    before = X.copy()
    align_right(X, 3)[:] = 0.0
    np.testing.assert_array_equal(X, before)


def test_aligning_keeps_float32_and_makes_integers_float64():
    assert align_right(np.zeros((2, 1, 3), dtype=np.float32), 5).dtype == np.float32
    assert align_right(np.zeros((2, 1, 3), dtype=np.int8), 5).dtype == np.float64


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((1, slice(None), 0), "X may hold NaN only in whole steps .* in sample 1"),
        ((2, 0, 3), "X may hold NaN only in whole steps .* in sample 2"),
        ((1, slice(None), slice(None)), "X must have at least one step .* in sample 1"),
    ],
)
def test_stray_nan_are_refused_with_the_first_sample_that_has_them(place, message):
    X = np.zeros((3, 2, 4))
    X[place] = np.nan
    with pytest.raises(ValueError, match=message):
        align_right(X, 4)


def test_aligning_to_no_steps_is_refused():
    with pytest.raises(ValueError, match="n_steps must be at least 1 step; got 0"):
        align_right(np.zeros((1, 1, 2)), 0)
