"""Rows behind known ones make the panel that all of them would have made at once."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sknas.forecasting._appending import append, tail
from sknas.forecasting._frames import read_panel
from tests.forecasting.frames import back, few, frame, long, panels


def same(first, second):
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_array_equal(first.starts, second.starts)
    np.testing.assert_array_equal(first.first, second.first)
    assert (first.keys is None) == (second.keys is None)
    assert first.keys is None or first.keys.equals(second.keys)


@few
@given(sizes=panels, n=st.integers(1, 9))
def test_the_tail_is_the_last_rows_of_each_series(sizes, n):
    Y = long(sizes)
    panel = tail(read_panel(Y, freq="D"), n)
    pd.testing.assert_frame_equal(
        back(panel), Y.groupby(level=0, sort=False).tail(n), check_freq=False
    )


@few
@given(sizes=panels, cuts=st.lists(st.integers(1, 12), min_size=4, max_size=4),
       overlap=st.integers(0, 5), kept=st.integers(1, 12))  # fmt: skip
def test_a_frame_cut_in_two_is_put_together_again(sizes, cuts, overlap, kept):
    Y = long([(n + 1, begin) for n, begin in sizes])
    position = Y.groupby(level=0, sort=False).cumcount().to_numpy()
    cut = np.repeat(
        [min(c, n) for c, (n, _) in zip(cuts, sizes, strict=False)], [n + 1 for n, _ in sizes]
    )
    whole = read_panel(Y, freq="D")
    old = read_panel(Y[position < cut], freq="D")
    new = Y[position >= cut - overlap]
    same(append(old, read_panel(new, like=old)), whole)
    # The same behind a tail: rows before it are left out.
    short = tail(old, kept)
    longer = append(short, read_panel(new, like=short))
    assert longer.stop.tolist() == whole.stop.tolist()
    np.testing.assert_array_equal(tail(longer, 1).values, tail(whole, 1).values)
    np.testing.assert_array_equal(longer.first, short.first)


def test_a_tail_of_no_rows_is_where_the_next_row_goes():
    Y = long([(4, 0), (3, 2)])
    nothing = tail(read_panel(Y), 0)
    assert nothing.values.shape == (0, 2)
    later = pd.MultiIndex.from_tuples([("q", Y.index[-1][1] + pd.Timedelta(days=1))])
    new = read_panel(pd.DataFrame(1.0, index=later, columns=Y.columns), like=nothing)
    assert append(nothing, new).lengths.tolist() == [0, 1]


def test_series_that_are_new_are_added_and_absent_ones_stay():
    Y = long([(4, 0), (4, 1), (4, 0)])
    old = read_panel(Y.loc[["p", "q"]])
    both = append(old, read_panel(Y.loc[["r"]], like=old))
    pd.testing.assert_frame_equal(back(both), Y, check_freq=False)


def test_series_of_an_array_are_continued_by_the_next_array():
    Y = np.arange(12.0).reshape(6, 2)
    old = read_panel(Y[:4])
    np.testing.assert_array_equal(back(append(old, read_panel(Y[4:], like=old))), Y)


def test_a_gap_between_known_and_new_rows_is_named_or_filled():
    Y = long([(9, 0), (9, 0)])
    old = read_panel(Y.groupby(level=0).head(4))
    late = Y.groupby(level=0).tail(3)
    new = read_panel(late, like=old)
    with pytest.raises(
        ValueError,
        match=r"Y must begin right after .*missing='mask'; got no row for series 'p': "
        r"2020-03-31 to 2020-04-01 \(2 rows\), series 'q'",
    ):
        append(old, new)
    both = append(old, new, missing="mask")
    assert np.isnan(both.values).all(axis=1).nonzero()[0].tolist() == [4, 5, 13, 14]
    np.testing.assert_array_equal(both.values[6:9], Y.loc["p"][6:])


def test_an_overlap_that_differs_is_named():
    Y = frame(9)
    old = read_panel(Y[:6])
    changed = Y[4:].copy()
    changed.iloc[1, 1] += 1
    with pytest.raises(ValueError, match=r"unchanged .*got other values for 2020-04-01\."):
        append(old, read_panel(changed, like=old))
    same(append(old, read_panel(Y[2:5], like=old)), old)


def test_rows_that_end_before_the_known_ones_begin_are_refused():
    Y = frame(9)
    old = read_panel(Y[6:])
    with pytest.raises(
        ValueError, match=r"Y must not end before .*got 2020-03-27 to 2020-03-29 \(3"
    ):
        append(old, read_panel(Y[:3], like=old))
    with pytest.raises(ValueError, match="Y must be read like the known rows"):
        append(old, read_panel(Y))
