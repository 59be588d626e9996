"""Frames become panels and come back as they were; what cannot be used is named."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from sknas.forecasting._appending import tail
from sknas.forecasting._frames import read_panel, write_panel
from tests.forecasting.frames import back, few, frame, long, panels

FREQS = ["15min", "h", "D", "B", "W-SUN", "MS", "ME", "QE-DEC", "YS-JAN"]
KEYS = ["a", "b", 3, (1, "x"), None, 2.5, frozenset({1})]

freqs = st.sampled_from(FREQS)


def with_index(index, values=None):
    return pd.DataFrame(
        {"a": np.arange(float(len(index))) if values is None else values}, index=index
    )


def next_rows(panel, n):
    """Return `n` rows behind each series, in the caller's kind."""
    positions = (panel.stop[:, None] + np.arange(n)).ravel()
    series = np.repeat(np.arange(panel.n_series), n)
    values = np.arange(float(len(positions) * len(panel.columns))).reshape(len(positions), -1)
    return write_panel(values, None if panel.keys is None else panel.keys[series], positions, panel)


# -- there and back -------------------------------------------------------------------------------


@few
@given(freq=freqs, n=st.integers(1, 30), tz=st.sampled_from([None, "Europe/Berlin"]),
       dtype=st.sampled_from([np.float32, np.float64]))  # fmt: skip
def test_a_frame_read_and_written_is_the_same_frame(freq, n, tz, dtype):
    Y = frame(n, freq, tz, dtype=dtype)
    pd.testing.assert_frame_equal(back(read_panel(Y)), Y, check_freq=True)
    pd.testing.assert_series_equal(back(read_panel(Y["a"])), Y["a"], check_freq=True)


@few
@given(freq=freqs, n=st.integers(1, 30), h=st.integers(1, 30))
def test_rows_behind_a_frame_have_the_labels_of_a_longer_one(freq, n, h):
    index = next_rows(read_panel(frame(n, freq)), h).index
    pd.testing.assert_index_equal(index, frame(n + h, freq).index[n:], exact=True)


@pytest.mark.parametrize(
    "index",
    [
        pd.period_range("2020-01", periods=6, freq="M", name="t"),
        pd.RangeIndex(3, 15, 2, name="t"),
        pd.Index([3, 5, 7, 9, 11, 13], dtype=np.int32, name="t"),
        pd.RangeIndex(6),
    ],
    ids=str,
)
def test_other_indexes_come_back_as_they_were_and_go_on(index):
    panel = read_panel(with_index(index[:4]), freq=None)
    pd.testing.assert_frame_equal(back(panel), with_index(index[:4]))
    assert type(back(panel).index) is type(index)
    pd.testing.assert_index_equal(next_rows(panel, 2).index, index[4:], exact=True)


@pytest.mark.parametrize("shape", [(5,), (5, 1), (5, 3)])
def test_arrays_come_back_as_arrays(shape):
    Y = np.arange(float(np.prod(shape))).reshape(shape)
    np.testing.assert_array_equal(back(read_panel(Y)), Y)
    np.testing.assert_array_equal(back(read_panel(Y.tolist())), Y)


@few
@given(freq=freqs, sizes=panels)
def test_a_panel_read_and_written_is_the_same_frame(freq, sizes):
    Y = long(sizes, freq)
    panel = read_panel(Y, freq=freq)
    assert panel.lengths.tolist() == [n for n, _ in sizes]
    pd.testing.assert_frame_equal(back(panel), Y, check_freq=False)


@few
@given(sizes=panels, seed=st.integers(0, 99))
def test_the_order_of_series_does_not_matter(sizes, seed):
    Y = long(sizes)
    panel = read_panel(Y, freq="D")
    # Mixed with each other, but in time order within each.
    rng = np.random.default_rng(seed)
    shops = rng.permutation(Y.index.get_level_values(0))
    queues = {
        shop: iter(np.flatnonzero(Y.index.get_level_values(0) == shop)) for shop in set(shops)
    }
    mixed = Y.iloc[[next(queues[shop]) for shop in shops]]
    other = read_panel(mixed, freq="D", like=panel)
    where = panel.keys.get_indexer(other.keys)
    assert sorted(where.tolist()) == list(range(panel.n_series))
    for i, j in enumerate(where):
        np.testing.assert_array_equal(
            other.values[other.starts[i] : other.starts[i + 1]],
            panel.values[panel.starts[j] : panel.starts[j + 1]],
        )
    assert (other.first == panel.first[where]).all()
    pd.testing.assert_frame_equal(back(other).loc[Y.index], Y, check_freq=False)


def test_keys_of_any_hashable_type_and_of_several_levels_come_back():
    odd = [frozenset({1}), "b", 3, 2.5]
    times = pd.date_range("2020", periods=3, freq="h")
    level = pd.Index([key for key in odd for _ in times], dtype=object, name="key")
    Y = with_index(pd.MultiIndex.from_arrays([level, list(times) * 4], names=["key", "t"]))
    panel = read_panel(Y)
    assert panel.keys.tolist() == odd
    pd.testing.assert_frame_equal(back(panel), Y, check_freq=False)
    both = pd.MultiIndex.from_product([["x", "y"], [1, 2], times], names=["place", "shop", "t"])
    panel = read_panel(with_index(both)["a"])
    assert panel.keys.tolist() == [("x", 1), ("x", 2), ("y", 1), ("y", 2)]
    pd.testing.assert_series_equal(back(panel), with_index(both)["a"])


def test_categorical_keys_without_all_categories_come_back():
    shops = pd.Categorical(["v", "v", "u", "u"], categories=["u", "v", "w"])
    times = list(pd.date_range("2020", periods=2)) * 2
    Y = with_index(pd.MultiIndex.from_arrays([shops, times], names=["shop", "t"]))
    panel = read_panel(Y, freq="D")
    assert panel.keys.tolist() == ["v", "u"]
    pd.testing.assert_frame_equal(back(panel), Y, check_index_type=False)


@given(gap=st.sets(st.integers(1, 18), max_size=8))
def test_gaps_are_rows_of_nan_with_mask(gap):
    Y = frame(20)
    full = Y.copy()
    full.iloc[sorted(gap)] = np.nan
    panel = read_panel(Y.drop(Y.index[sorted(gap)]), freq="D", missing="mask")
    np.testing.assert_array_equal(panel.values, full)
    assert panel.values.dtype == np.float64


def test_gaps_stay_within_their_series():
    Y = long([(6, 0), (5, 4)])
    Y = Y.drop([("p", pd.Timestamp("2020-03-29")), ("q", pd.Timestamp("2020-04-02"))])
    panel = read_panel(Y, missing="mask")
    assert panel.lengths.tolist() == [6, 5]
    assert np.isnan(panel.values).all(axis=1).nonzero()[0].tolist() == [2, 8]
    assert panel.first.tolist() == [0, 4]


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "int8", "uint64", "float16"])
def test_numbers_of_any_kind_are_read(dtype):
    Y = frame(4).abs().mul(100).round().astype(dtype)
    panel = read_panel(Y)
    assert panel.values.dtype == (np.float32 if dtype == "float16" else np.float64)
    np.testing.assert_array_equal(panel.values, Y.to_numpy(dtype=panel.values.dtype))


def test_missing_integers_and_masked_numbers_are_missing():
    Y = frame(3)[["a"]].assign(a=pd.array([1, None, 3], dtype="Int64"))
    assert np.isnan(read_panel(Y, missing="mask").values[:, 0]).tolist() == [False, True, False]
    masked = np.ma.masked_array([1, 2, 3], mask=[False, True, False])
    assert np.isnan(read_panel(masked, missing="mask").values[:, 0]).tolist() == [
        False,
        True,
        False,
    ]


def test_columns_are_put_into_the_order_seen_at_fit_and_labels_on_its_grid():
    Y = frame(30)
    panel = read_panel(Y[:20])
    later = read_panel(Y.iloc[24:25, ::-1], like=panel)  # one label tells no frequency
    np.testing.assert_array_equal(later.values, Y[24:25])
    assert later.first.tolist() == [24]


def test_a_frame_is_read_without_a_copy_and_left_as_it_was():
    Y = frame(10)
    panel = read_panel(Y)
    assert np.shares_memory(panel.values, Y.to_numpy())
    mixed = long([(5, 0), (5, 0)]).sort_index(level=1)
    before = mixed.copy()
    read_panel(mixed)
    pd.testing.assert_frame_equal(mixed, before)


# -- what is refused ------------------------------------------------------------------------------


def broken(column=0, row=3, value=np.nan):
    Y = frame()
    Y.iloc[row, column] = value
    return Y


REFUSED = {
    "empty": (frame(0), r"Y must have at least one row and one column; got shape \(0, 2\)"),
    "no columns": (frame()[[]], r"got shape \(10, 0\)"),
    "strings": (frame().assign(b="x"),
                "Y must hold real numbers; got dtype (str|object).* in column 'b'"),
    "objects": (frame().astype(object), "Y must hold real numbers; got dtype object in column 'a'"),
    "booleans": (frame() > 0, "got dtype bool in column 'a'"),
    "nullable booleans": ((frame() > 0).astype("boolean"), "got dtype boolean in column 'a'"),
    "complex": (frame() * 1j, "got dtype complex128 in column 'a'"),
    "dates": (frame().assign(b=pd.Timestamp(0)), r"got dtype datetime64\[.*\] in column 'b'"),
    "categories": (frame().assign(b=pd.Categorical([1] * 10)), "got dtype category in column 'b'"),
    "infinity": (broken(1, 4, -np.inf),
            r"Y must be finite; got infinity in column 'b', row 4 \(2020-03-31\)"),
    "twice": (frame(columns=["a", "a"]), r"Y must not repeat names of columns; got 1 \('a'\)"),
    "sparse": (frame().astype(pd.SparseDtype(float)), "Y must be dense.*column 'a'"),
    "matrix": (scipy.sparse.eye(3), "Y must be a DataFrame.*dense.*got scipy"),
    "polars": (pl.DataFrame({"a": [1.0]}), r"got polars.DataFrame \(convert it"),
    "nothing": (None, "Y must be a DataFrame.*got builtins.NoneType"),
    "ragged": ([[1.0, 2.0], [3.0]], "Y must have rows of one length; got <class 'list'>"),
    "dict": ({"a": [1.0]}, "got builtins.dict"),
    "3-D": (np.zeros((2, 2, 2)), r"Y must have 1 or 2 axes; got shape \(2, 2, 2\)"),
    "array of strings": (np.array(["a"]), "Y must hold real numbers; got dtype <U1"),
    "nan": (broken(), r"missing='mask'; got NaN in row 3 \(2020-03-30\) of column 'a'\."),
    "nan in array": (np.array([1.0, np.nan]), r"got NaN in row 1 \(1\)\."),
    "text index": (frame().set_axis(list("abcdefghij")),
            "Y's index must be a DatetimeIndex.*to_datetime"),
    "gap": (frame().drop(frame().index[[2, 3, 6]]),
            r"Y must not have gaps at frequency 'D' unless missing='mask'; got no row for "
            r"2020-03-29 to 2020-03-30 \(2 rows\), 2020-04-02\.$"),
    "daylight gap": (frame(72, "h").drop("2020-03-29 02:00"),
            r"no row for 2020-03-29 02:00:00\. If .*tz_localize"),
    "unsorted": (frame()[::-1],
            r"Y's index must be in increasing order .*row 1 \(2020-04-04\)"),
    "time first": (long([(3, 0)]).swaplevel(),
            r"time as its last level .*got levels \['time', 'shop'\]"),
    "series key": (with_index(pd.MultiIndex.from_arrays([["a", None], [1, 2]])),
                   "missing series keys; got one in row 1"),
    "panel gap": (long([(5, 0), (5, 2)]).drop(("q", pd.Timestamp("2020-03-31"))),
            "for series 'q': 2020-03-31"),
    "panel order": (pd.concat([long([(5, 0)]), long([(5, 0)])]), r"row 5 \(2020-03-27\)"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_named(case):
    Y, message = REFUSED[case]
    with pytest.raises((TypeError, ValueError), match=message):
        read_panel(Y)


def test_row_numbers_in_messages_are_those_of_the_callers_frame():
    Y = long([(4, 0), (4, 0)]).sort_index(level=1)
    labels = Y.index.to_frame(index=False)
    labels.loc[5, "time"] += pd.Timedelta(hours=3)
    Y.index = pd.MultiIndex.from_frame(labels)
    with pytest.raises(
        ValueError, match=r"grid of frequency 'D' .*got row 5 \(2020-03-29 03:00:00\)"
    ):
        read_panel(Y)


@pytest.mark.parametrize(
    ("Y", "message"),
    [
        (frame()[["a"]], r"Y must have the columns that fit saw, 2 \('a', 'b'\); got 1 \('a'\)"),
        (frame(columns=["a", "c"]), r"saw, 2 \('a', 'b'\); got 2 \('a', 'c'\)"),
        (frame(tz="UTC"), "must hold dates without a time zone; got dates in the time zone UTC"),
        (frame().to_period(), "must hold dates without a time zone; got periods of frequency 'D'"),
        (frame().reset_index(drop=True), "got integers"),
        (frame().to_numpy(), "fit saw, a pandas object with an index of time; got an array"),
        (long([(3, 0)]), "an index of time; got .* index of 1 level of series keys and time"),
        (frame(freq="h"), r"must lie on the grid of frequency 'D'.*row 1 \(2020-03-27 01:00:00\)"),
        (pl.DataFrame({"a": [1.0]}), "got polars"),
    ],
)
def test_another_kind_than_at_fit_is_refused_and_both_are_named(Y, message):
    with pytest.raises((TypeError, ValueError), match=message):
        read_panel(Y, like=read_panel(frame()))


def test_a_single_series_may_have_another_name_than_at_fit():
    Y = frame()["a"]
    assert read_panel(Y.rename("z"), like=read_panel(Y)).columns.tolist() == ["a"]


def test_parameters_out_of_range_are_named():
    with pytest.raises(ValueError, match="missing must be 'error' or 'mask'; got 'drop'"):
        read_panel(frame(), missing="drop")
    with pytest.raises(ValueError, match="freq must be None where Y is an array; got 'D'"):
        read_panel(np.zeros(3), freq="D")
    with pytest.raises(ValueError, match="n must not be negative; got -1"):
        tail(read_panel(frame()), -1)
    with pytest.raises(ValueError, match="keys must be None for this panel; got Index"):
        write_panel(np.zeros((1, 2)), pd.Index(["a"]), np.zeros(1, int), read_panel(frame()))
    with pytest.raises(ValueError, match="X must hold real numbers"):
        read_panel(frame() > 0, name="X")


def test_a_column_without_any_number_is_refused_at_fit_only():
    Y = frame().assign(b=np.nan)
    with pytest.raises(ValueError, match="number in every column; got only NaN in column 'b'"):
        read_panel(Y, missing="mask")
    assert np.isnan(read_panel(Y, like=read_panel(frame()), missing="mask").values[:, 1]).all()


def test_gaps_too_large_to_be_meant_are_refused():
    Y = with_index(pd.Index([0, 1, 2, 10**12]))
    with pytest.raises(ValueError, match=r"set freq .*got none for 3 to 999999999999"):
        read_panel(Y, missing="mask")
