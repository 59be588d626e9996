"""Covariates stand beside the rows they belong to; rows that are missing are listed."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sknas.forecasting._appending import tail
from sknas.forecasting._calendar import Calendar
from sknas.forecasting._covariates import calendar_features, read_covariates, read_static
from sknas.forecasting._frames import read_panel

few = settings(max_examples=50)
sizes = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5)), min_size=1, max_size=4)

START = pd.Timestamp("2020-03-27")


def days(n, begin=0, freq="D"):
    return pd.date_range(START, periods=begin + n, freq=freq, name="time")[begin:]


def frame(n, begin=0, freq="D"):
    """Return a frame whose numbers tell the row and the column."""
    rows = np.arange(begin, begin + n)
    return pd.DataFrame({"a": rows + 0.0, "b": rows + 0.5}, index=days(n, begin, freq))


def long(parts, extra=0):
    """Return a (series, time) frame; the numbers of series i begin at 100 i."""
    frames = {key: frame(n + extra, begin) + 100 * i for i, (key, n, begin) in enumerate(parts)}
    return pd.concat(frames, names=["shop", "time"])


def named(lengths):
    return [("pqrst"[i], n, begin) for i, (n, begin) in enumerate(lengths)]


# -- dynamic --------------------------------------------------------------------------------------


@few
@given(lengths=sizes, n_future=st.integers(0, 4), more=st.integers(0, 3), seed=st.integers(0, 99))
def test_each_row_of_a_panel_gets_its_own_covariates(lengths, n_future, more, seed):
    parts = named(lengths)
    panel = read_panel(long(parts), freq="D")
    X = long(parts, n_future + more).sample(frac=1, random_state=seed)
    found = read_covariates(X, panel, n_future)
    for i, (_, n, begin) in enumerate(parts):
        mine = found.values[found.starts[i] : found.starts[i + 1]]
        expected = frame(n + n_future, begin) + 100 * i
        np.testing.assert_array_equal(mine, expected)


@few
@given(lengths=sizes, n_future=st.integers(0, 4))
def test_a_plain_frame_holds_for_every_series(lengths, n_future):
    parts = named(lengths)
    panel = read_panel(long(parts), freq="D")
    found = read_covariates(frame(30), panel, n_future)
    expected = np.concatenate([frame(n + n_future, begin) for _, n, begin in parts])
    np.testing.assert_array_equal(found.values, expected)


@few
@given(
    n=st.integers(1, 30),
    n_future=st.integers(0, 30),
    drops=st.sets(st.integers(0, 59), max_size=30),
)
def test_missing_rows_are_counted_and_the_first_range_is_named(n, n_future, drops):
    panel = read_panel(frame(n), freq="D")
    X = frame(60).drop(days(60)[sorted(drops)])
    lost = sorted(drop for drop in drops if drop < n + n_future)
    if not lost:
        assert len(read_covariates(X, panel, n_future).values) == n + n_future
        return
    with pytest.raises(ValueError, match=f"; {len(lost)} are missing: {days(60)[lost[0]].date()}"):
        read_covariates(X, panel, n_future)


def test_missing_rows_are_listed_as_ranges_by_series():
    panel = read_panel(long([("p", 5, 0), ("q", 5, 2)]))
    X = long([("p", 5, 0), ("q", 5, 2)], extra=3).drop(
        [("p", START), ("p", START + pd.Timedelta(days=2))]
        + [("q", START + pd.Timedelta(days=day)) for day in (7, 8, 9)]
    )
    with pytest.raises(
        ValueError,
        match=r"^X must have a row for every known row and for the 3 rows after each series; 5 are "
        r"missing: series 'p': 2020-03-27, series 'p': 2020-03-29, "
        r"series 'q': 2020-04-03 to 2020-04-05 \(3 rows\)\.$",
    ):
        read_covariates(X, panel, 3)


def test_at_most_ten_ranges_are_listed():
    panel = read_panel(frame(60))
    with pytest.raises(
        ValueError, match=r"; 30 are missing: (2020-[0-9-]+, ){9}2020-[0-9-]+ and 20 more\."
    ):
        read_covariates(frame(60)[::2], panel, 0)


def test_labels_that_no_row_needs_may_be_off_the_grid():
    panel = read_panel(frame(10, freq="B"))
    X = frame(40)  # weekends are no business days
    found = read_covariates(X, panel, 2).values
    np.testing.assert_array_equal(found, X.loc[days(12, freq="B")])


def test_rows_after_the_last_alone_are_read_with_an_empty_tail():
    panel = tail(read_panel(long([("p", 5, 0), ("q", 7, 0)])), 0)
    found = read_covariates(frame(20), panel, 2)
    assert found.values[:, 0].tolist() == [5, 6, 7, 8]
    assert read_covariates(frame(20), panel, 0).values.shape == (0, 2)


def test_columns_are_put_into_the_order_seen_at_fit():
    panel = read_panel(frame(5))
    first = read_covariates(frame(5), panel, 0)
    again = read_covariates(frame(5)[["b", "a"]], panel, 0, like=first)
    np.testing.assert_array_equal(again.values, first.values)
    with pytest.raises(
        ValueError, match=r"X must have the columns that fit saw, 2 .*got 1 \('a'\)"
    ):
        read_covariates(frame(5)[["a"]], panel, 0, like=first)


def test_covariates_may_be_booleans_a_series_periods_integers_and_arrays():
    panel = read_panel(frame(4).to_period())
    is_holiday = pd.Series([True, False] * 4, index=days(8).to_period(), name="holiday")
    assert read_covariates(is_holiday, panel, 1).values.ravel().tolist() == [1, 0, 1, 0, 1]
    numbered = read_panel(frame(4).set_axis(range(2, 10, 2)))
    X = frame(20).reset_index(drop=True)
    assert read_covariates(X, numbered, 1).values[:, 0].tolist() == [2, 4, 6, 8, 10]
    array = read_panel(np.zeros(4))
    assert read_covariates(np.arange(9.0), array, 2).values.ravel().tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match=r"; 2 are missing: 3 to 4 \(2 rows\)"):
        read_covariates(np.arange(3.0), array, 1)


def test_several_levels_of_keys_are_matched():
    index = pd.MultiIndex.from_product([["x", "y"], [1, 2], days(3)], names=["place", "shop", "t"])
    Y = pd.DataFrame({"a": np.arange(12.0)}, index=index)
    found = read_covariates(Y[::-1], read_panel(Y), 0)
    np.testing.assert_array_equal(found.values, Y)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (frame(6).tz_localize("UTC"), "X's index must hold dates without a time zone; got .*UTC"),
        (frame(6).to_period(), "X's index must hold dates .*; got periods"),
        (frame(6).to_numpy(), "X must be a pandas object, as the rows .*; got a 2-D array"),
        (frame(6).assign(b="x"), "X must hold real numbers"),
        (frame(6).assign(b=np.inf), "X must be finite"),
        (pd.concat([frame(6), frame(2)]),
         r"X must not have a row twice; got another one in row 6 \(2020-03-27\)"),
        (frame(6).mask(frame(6) == 4.5), r"got NaN in row 4 \(2020-03-31\) of column 'b'"),
        (long([("p", 6, 0)]), "X's index must have 0 levels of series keys.*got 2 levels"),
        (pl.DataFrame({"a": [1.0]}), "got polars"),
        (frame(4), "2 are missing: 2020-03-31 to 2020-04-01"),
        (frame(4, 20), "6 are missing: 2020-03-27 to 2020-04-01"),
    ],
)  # fmt: skip
def test_covariates_that_cannot_be_used_are_named(X, message):
    with pytest.raises((TypeError, ValueError), match=message):
        read_covariates(X, read_panel(frame(5)), 1)


def test_missing_numbers_in_rows_that_are_not_needed_do_no_harm():
    X = frame(9)
    X.iloc[7] = np.nan
    assert len(read_covariates(X, read_panel(frame(5)), 2).values) == 7


def test_a_negative_number_of_rows_is_refused():
    with pytest.raises(ValueError, match="n_future must not be negative; got -1"):
        read_covariates(frame(5), read_panel(frame(5)), -1)


# -- static ---------------------------------------------------------------------------------------

KEYS = pd.Index(["p", "q", "r"], name="shop")
STATIC = pd.DataFrame(
    {
        "area": [3, 1, 2, 9],
        "region": ["north", "south", "north", "west"],
        "size": pd.Categorical(["S", "L", "S", "M"], categories=["S", "M", "L"]),
        "open": [True, False, True, True],
    },
    index=pd.Index(["q", "p", "r", "unused"]),
)


def test_static_covariates_are_numbers_and_one_column_a_category():
    found = read_static(STATIC, KEYS)
    assert found.names == (
        "area", "region=north", "region=south", "size=S", "size=L", "open=False", "open=True",
    )  # fmt: skip
    assert found.values.tolist() == [
        [1, 0, 1, 0, 1, 1, 0],
        [3, 1, 0, 1, 0, 0, 1],
        [2, 1, 0, 1, 0, 0, 1],
    ]


def test_categories_seen_at_fit_are_remembered():
    fitted = read_static(STATIC, KEYS)
    again = read_static(STATIC.iloc[:1, ::-1], pd.Index(["q"]), like=fitted)
    assert again.names == fitted.names
    np.testing.assert_array_equal(again.values, fitted.values[1:2])
    with pytest.raises(
        ValueError,
        match=r"S must hold one of .*\['north', 'south'\], in column 'region'; "
        r"got 'west' for series 'unused'",
    ):
        read_static(STATIC, pd.Index(["unused"]), like=fitted)


def test_keys_of_several_levels_are_matched_in_static_covariates():
    keys = pd.MultiIndex.from_product([["x", "y"], [1, 2]])
    S = pd.DataFrame({"a": [0.0, 1, 2, 3]}, index=keys)
    assert read_static(S[::-1], keys).values.ravel().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("S", "message"),
    [
        (STATIC.drop("q"), r"S must have a row for every series; got none for 'q'\."),
        (pd.concat([STATIC, STATIC[:1]]), "S must not have a series twice; got 'q' again"),
        (STATIC[["area", "area"]], "S must not have a column twice; got 'area' again"),
        (STATIC.assign(area=[1, np.nan, 2, 3]),
         "finite numbers in column 'area'; got nan for series 'p'"),
        (STATIC.assign(region=["n", None, "n", "n"]), "in column 'region'; got .* for series 'p'"),
        (STATIC["area"], "S must be a DataFrame"),
        (STATIC.set_index("area", append=True), "S's index must have 1 levels.*got 2"),
    ],
)  # fmt: skip
def test_static_covariates_that_cannot_be_used_are_named(S, message):
    with pytest.raises((TypeError, ValueError), match=message):
        read_static(S, KEYS)


@pytest.mark.parametrize(
    ("S", "message"),
    [
        (STATIC[["area"]], "S must have the columns that fit saw"),
        (STATIC.assign(area="x"), "real numbers in column 'area', as at fit; got dtype"),
    ],
)
def test_static_covariates_unlike_those_at_fit_are_refused(S, message):
    with pytest.raises(ValueError, match=message):
        read_static(S, KEYS, like=read_static(STATIC, KEYS))


# -- calendar -------------------------------------------------------------------------------------

ROUNDS = {
    "minute": lambda t: t.minute / 60,
    "hour": lambda t: t.hour / 24,
    "day_of_week": lambda t: t.weekday() / 7,
    "day_of_month": lambda t: (t.day - 1) / t.days_in_month,
    "day_of_year": lambda t: (t.day_of_year - 1) / (366 if t.is_leap_year else 365),
    "week": lambda t: (t.week - 1) / 52.1775,
    "month": lambda t: (t.month - 1) / 12,
    "quarter": lambda t: (t.quarter - 1) / 4,
}


@few
@given(name=st.sampled_from(sorted(ROUNDS)), freq=st.sampled_from(["7min", "5h", "D", "W", "MS"]),
       at=st.integers(-500, 500), tz=st.sampled_from([None, "Europe/Berlin"]))  # fmt: skip
def test_calendar_features_are_those_of_the_label_by_the_clock_on_the_wall(name, freq, at, tz):
    calendar = Calendar.of(pd.date_range("2020-02-20 03:00", periods=5, freq=freq, tz=tz))
    values, columns = calendar_features(calendar, np.array([at]), [name, "is_weekend"])
    label = calendar.labels([at])[0]
    angle = 2 * np.pi * ROUNDS[name](label)
    assert columns == [f"{name}_sin", f"{name}_cos", "is_weekend"]
    expected = [[np.sin(angle), np.cos(angle), label.weekday() >= 5]]
    np.testing.assert_allclose(values, expected, atol=1e-7)


@pytest.mark.parametrize(
    ("freq", "names"),
    [
        ("s", ["minute", "hour", "day_of_week", "day_of_year"]),
        ("15min", ["minute", "hour", "day_of_week", "day_of_year"]),
        ("90min", ["minute", "hour", "day_of_week", "day_of_year"]),
        ("h", ["hour", "day_of_week", "day_of_year"]),
        ("6h", ["hour", "day_of_week", "day_of_year"]),
        ("bh", ["hour", "day_of_week", "day_of_year"]),
        ("D", ["day_of_week", "day_of_year"]),
        ("2D", ["day_of_week", "day_of_year"]),
        ("B", ["day_of_week", "day_of_year"]),
        ("7D", ["week"]),
        ("2W-TUE", ["week"]),
        ("MS", ["month"]),
        ("BME", ["month"]),
        ("2MS", ["month"]),
        ("QE-DEC", ["quarter"]),
        ("2QS-JAN", ["quarter"]),
        ("YS-JAN", []),
        ("3YE-DEC", []),
    ],
)
@pytest.mark.parametrize("tz", [None, "Europe/Berlin"])
def test_auto_takes_what_varies_at_the_frequency(freq, names, tz):
    calendar = Calendar.of(pd.date_range("2020-03-26 22:00", periods=5, freq=freq, tz=tz))
    values, columns = calendar_features(calendar, np.arange(3), "auto")
    assert columns == [f"{name}_{wave}" for name in names for wave in ("sin", "cos")]
    assert values.shape == (3, 2 * len(names))


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize("freq", ["30min", "h", "6h", "D", "7D"])
def test_auto_is_the_same_wherever_the_clock_is_changed(freq, zone):
    calm = Calendar.of(pd.date_range("2024-01-01", periods=10, freq=freq, tz=zone))
    _, names = calendar_features(calm, np.arange(3))
    hours = pd.date_range("2024-01-01", "2025-01-01", freq="h", tz=zone)
    offsets = np.array([hour.utcoffset().total_seconds() for hour in hours])
    for change in np.flatnonzero(np.diff(offsets)):
        for start in hours[change - 9 : change + 9]:
            begin = start.normalize() if freq.endswith("D") else start
            calendar = Calendar.of(pd.date_range(begin, periods=10, freq=freq), freq)
            assert calendar_features(calendar, np.arange(3))[1] == names


def test_hours_from_the_repeated_hour_on_are_hours():
    index = pd.date_range("2024-10-27 02:00+02:00", periods=400, freq="h")
    calendar = Calendar.of(index.tz_convert("Europe/Berlin"))
    _, columns = calendar_features(calendar, np.arange(3))
    assert columns[::2] == ["hour_sin", "day_of_week_sin", "day_of_year_sin"]


@pytest.mark.parametrize(
    ("freq", "names"), [("M", ["month"]), ("h", ["hour"]), ("Q-DEC", ["quarter"])]
)
def test_periods_have_the_features_of_their_begin(freq, names):
    periods = pd.period_range("2020-01", periods=5, freq=freq)
    values, columns = calendar_features(Calendar.of(periods), np.arange(5))
    dates = Calendar.of(periods.to_timestamp(), freq if freq == "h" else f"{freq[0]}S")
    expected, same_columns = calendar_features(dates, np.arange(5))
    assert columns == same_columns
    assert columns[0] == f"{names[0]}_sin"
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("calendar", [Calendar.of(pd.RangeIndex(5)), Calendar.of_rows()])
def test_an_axis_without_dates_has_no_calendar_features(calendar):
    with pytest.raises(ValueError, match=r"need an index of dates or periods; got (integers|rows)"):
        calendar_features(calendar, np.arange(3))


@pytest.mark.parametrize("names", ["fortnight", ["hour", "fortnight"]])
def test_an_unknown_feature_is_named(names):
    with pytest.raises(ValueError, match=r"must be 'auto' or among .*; got \['fortnight'\]"):
        calendar_features(Calendar.of(days(5)), np.arange(3), names)
