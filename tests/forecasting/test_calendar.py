"""A calendar numbers labels as pandas walks them, and names those that do not fit."""

import pickle
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sknas.forecasting._calendar import Calendar

DATES = [
    "s", "15min", "90min", "h", "6h", "24h", "36h", "D", "2D", "10D", "W-SUN", "W-WED", "2W-TUE",
    "B", "3B", "MS", "ME", "2ME", "5MS", "BMS", "BME", "QS-JAN", "QE-FEB", "2QS-MAR", "BQS-JAN",
    "BQE-DEC", "YS-APR", "YE-JUN", "3YS-JAN", "BYS-JAN", "BYE-MAR", "SMS-15", "WOM-3FRI",
    "2WOM-1MON", "bh", "C",
]  # fmt: skip
INFERABLE = [freq for freq in DATES if freq not in ("SMS-15", "WOM-3FRI", "2WOM-1MON", "bh", "C")]
BUSINESS_MONTHS = ("BM", "BQ", "BY")
PERIODS = ["min", "h", "D", "W-SUN", "M", "2M", "Q-DEC", "Q-FEB", "Y-DEC"]
ZONES = [None, "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]

lengths = st.integers(3, 40)
few = settings(max_examples=60)


def dates(freq, n, *, tz=None, day=0, unit="us"):
    """Return `n` labels of a frequency."""
    start = pd.Timestamp("2019-10-20 05:00") + pd.Timedelta(days=day)
    return pd.date_range(start, periods=n, freq=freq, tz=tz, unit=unit, name="time")


# -- there and back -------------------------------------------------------------------------------


@few
@given(freq=st.sampled_from(DATES), tz=st.sampled_from(ZONES), n=lengths, day=st.integers(0, 400),
       unit=st.sampled_from(["s", "ns"]))  # fmt: skip
def test_dates_are_numbered_and_continued_as_pandas_does(freq, tz, n, day, unit):
    index = dates(freq, n, tz=tz, day=day, unit=unit)
    calendar = Calendar.of(index)
    assert calendar.position(index).tolist() == list(range(n))
    later = dates(freq, n + 30, tz=tz, day=day, unit=unit)
    continued = calendar.labels(np.arange(n, n + 30))
    pd.testing.assert_index_equal(continued, later[n:], exact=True)
    assert continued.freq == later.freq
    assert Calendar.of(later[n:], freq).position(index).tolist() == list(range(-n, 0))


@few
@given(
    freq=st.sampled_from(INFERABLE),
    tz=st.sampled_from(ZONES),
    n=st.integers(8, 40),
    day=st.integers(0, 400),
    unit=st.sampled_from(["s", "ns"]),
    seed=st.integers(0, 99),
)
def test_an_inferred_frequency_numbers_labels_as_the_true_one_does(freq, tz, n, day, unit, seed):
    full = dates(freq, n, tz=tz, day=day, unit=unit)
    gaps = np.sort(np.random.default_rng(seed).choice(np.arange(1, n - 1), n // 8, replace=False))
    index = full.delete(gaps)
    # Without a weekend passed by, business days may be days.
    assume(not freq.endswith("B") or n > 14)
    # As long as the clock is not changed, 24 hours are a day.
    assume(freq != "24h" or tz in (None, "UTC"))
    assume(freq[:2] not in BUSINESS_MONTHS or not (index.is_month_start | index.is_month_end).all())
    calendar = Calendar.of(index)
    assert calendar.position(index).tolist() == np.delete(np.arange(n), gaps).tolist()
    later = dates(freq, n + 30, tz=tz, day=day, unit=unit)
    assert calendar.labels(np.arange(n + 30)).equals(later)
    assert calendar.labels(np.arange(n)).freq is None
    assert calendar.missing(index).equals(full[gaps])


@few
@given(freq=st.sampled_from(PERIODS), n=lengths, first=st.integers(-50, 50))
def test_periods_are_numbered_and_continued_as_pandas_does(freq, n, first):
    index = pd.period_range(pd.Period("2001-02", freq=freq) + first, periods=n, freq=freq, name="t")
    calendar = Calendar.of(index)
    assert calendar.position(index).tolist() == list(range(n))
    later = pd.period_range(index[0], periods=n + 30, freq=freq, name="t")
    pd.testing.assert_index_equal(calendar.labels(np.arange(n + 30)), later, exact=True)
    assert Calendar.of(index[:1]).labels([1])[0] == later[1]


@given(
    start=st.integers(-(2**40), 2**40),
    step=st.integers(1, 2**30),
    n=lengths,
    is_range=st.booleans(),
)
def test_integers_keep_their_step_and_ranges_stay_ranges(start, step, n, is_range):
    index = pd.RangeIndex(start, start + n * step, step, name="t")
    index = index if is_range else pd.Index(index.to_numpy(), name="t")
    calendar = Calendar.of(index)
    assert calendar.position(index).tolist() == list(range(n))
    pd.testing.assert_index_equal(calendar.labels(np.arange(n)), index, exact=True)
    assert calendar.labels([-2, n + 5]).tolist() == [start - 2 * step, start + (n + 5) * step]
    gapped = calendar.labels([0, 1, 3])
    assert Calendar.of(gapped, step).missing(gapped).tolist() == [start + 2 * step]


def test_nullable_integers_are_integers():
    index = pd.Index([2, 4, 6], dtype="Int64", name="t")
    assert Calendar.of(index).labels([3]).tolist() == [8]
    with pytest.raises(TypeError, match="got Index of dtype Int64"):
        Calendar.of(pd.Index([2, 4, None], dtype="Int64"))


def test_rows_of_an_array_are_their_own_positions():
    calendar = Calendar.of_rows()
    assert calendar.position(np.array([0, 4])).tolist() == [0, 4]
    pd.testing.assert_index_equal(calendar.labels([3, 4]), pd.RangeIndex(3, 5), exact=True)


def test_holidays_among_business_days_are_gaps_and_custom_ones_are_none():
    days = pd.bdate_range("2019-12-02", "2020-01-31")
    holidays = pd.DatetimeIndex(["2019-12-25", "2020-01-01"])
    index = pd.DatetimeIndex(days.difference(holidays), freq=None)
    calendar = Calendar.of(index)
    assert calendar.freqstr == "B"
    assert calendar.missing(index).equals(holidays)
    offset = pd.offsets.CustomBusinessDay(holidays=holidays.to_list())
    custom = Calendar.of(index, offset)
    assert not len(custom.missing(index))
    assert custom.labels(np.arange(len(index))).equals(index)


def test_hours_are_not_lost_when_the_clock_is_changed():
    hours = pd.date_range("2021-03-27", "2021-11-01", freq="h", tz="Europe/Berlin")
    index = pd.DatetimeIndex(hours, freq=None)
    calendar = Calendar.of(index)
    assert calendar.freqstr == "h"
    assert not len(calendar.missing(index))
    assert calendar.labels(np.arange(len(index))).equals(index)


def test_daily_labels_keep_their_time_of_day_when_the_clock_is_changed():
    index = pd.date_range("2021-03-25", periods=9, freq="D", tz="Europe/Berlin")
    calendar = Calendar.of(pd.DatetimeIndex(index, freq=None))
    assert (calendar.labels(np.arange(300)).hour == 0).all()


def test_labels_24_hours_apart_are_days_until_the_clock_is_changed():
    index = pd.date_range("2021-03-01", periods=60, freq="24h", tz="Europe/Berlin")
    assert Calendar.of(pd.DatetimeIndex(index[:20], freq=None)).freqstr == "D"
    calendar = Calendar.of(pd.DatetimeIndex(index, freq=None))
    assert calendar.labels(np.arange(60)).equals(index)


def test_a_label_in_the_hour_that_daylight_saving_leaves_out_is_the_first_after_it():
    naive = pd.date_range("2021-03-26 02:30", periods=5, freq="D")
    index = naive.tz_localize("Europe/Berlin", nonexistent="shift_forward")
    calendar = Calendar.of(index, "D")
    assert calendar.position(index).tolist() == [0, 1, 2, 3, 4]
    assert calendar.labels(np.arange(5)).equals(index)


def test_the_majority_tells_the_phase_so_that_the_first_label_can_be_the_one_at_fault():
    index = pd.DatetimeIndex(
        ["2020-01-01 00:07", *pd.date_range("2020-01-01 01:00", periods=9, freq="h")]
    )
    with pytest.raises(ValueError, match=r"got row 0 \(2020-01-01 00:07:00\) off it"):
        Calendar.of(index)


def test_a_million_hours_take_well_under_a_second():
    hours = pd.date_range("1900", periods=1_000_000, freq="h", tz="Europe/Berlin")
    index = pd.DatetimeIndex(hours, freq=None)
    began = time.process_time()
    calendar = Calendar.of(index)
    positions = calendar.position(index)
    assert calendar.labels(positions)[-1] == index[-1]
    assert time.process_time() - began < 3  # ten times what it takes


# -- what is refused ------------------------------------------------------------------------------

HOURS = pd.date_range("2020-01-01", periods=48, freq="h")


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (pd.DatetimeIndex(HOURS[:2], freq=None), r"freq must be given .* 3 labels .*got None"),
        (pd.Index([4]), r"freq must be given .* 3 labels"),
        (pd.DatetimeIndex([]), "index must have at least one label; got none"),
        (pd.DatetimeIndex([*HOURS, *HOURS[:1]]), r"increasing order .*row 48 \(2020-01-01\)"),
        (HOURS[[0, 1, 2, 2, 3]],
         r"not repeat .*row 3 \(2020-01-01 02:00:00\)\. If these .*tz_localize"),
        (pd.DatetimeIndex([*HOURS[:3], pd.NaT]), r"missing labels; got row 3 \(NaT\)"),
        (HOURS.append(pd.DatetimeIndex(["2020-01-03 00:20"])),
         r"'h'.*row 48 \(2020-01-03 00:20:00\) off"),
        (pd.Index([0, 5, 10, 13, 15, 20, 25]), r"grid of frequency '5'.*row 3 \(13\) off"),
        (pd.Index([0, 1, 3, 7, 12, 20]), r"freq must be given where most steps"),
        (pd.DatetimeIndex(["2020-01-15", "2020-02-15", "2020-03-15", "2020-04-15"]),
         r"'31D'.*row 2 \(2020-03-15\).*to_period"),
        (pd.Index([0.0, 1.0, 2.0]), "index must be a DatetimeIndex.*dtype float64"),
        (pd.Index(["2020-01-01", "2020-01-02"]), "pd.to_datetime"),
        (pd.Index([HOURS[0].tz_localize("UTC"), HOURS[1].tz_localize("Asia/Tokyo")], dtype=object),
         r"mixed time zones \(Asia/Tokyo, UTC\)"),
        (pd.timedelta_range("1h", periods=4, freq="h"), "got TimedeltaIndex"),
        (pd.Index([True, False]), "dtype bool"),
    ],
)  # fmt: skip
def test_an_index_that_is_no_grid_is_refused_and_the_labels_at_fault_are_named(index, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Calendar.of(index)


IRREGULAR = pd.DatetimeIndex([HOURS[i] for i in (0, 2, 3, 7, 12, 14, 20)])


@pytest.mark.parametrize(
    ("index", "rows", "advice"),
    [
        (IRREGULAR, r"row 2 \(2020-01-01 03:00:00\), row 3 \(.*\), row 4 \(.*\), row 6 \(.*\)",
         r" Rows at irregular times need a grid, by resample or asfreq\."),
        (pd.Index([0, 2, 3, 7, 12, 14, 20]), r"row 2 \(3\), row 3 \(7\), row 4 \(12\), .*\)", ""),
    ],
)  # fmt: skip
def test_steps_that_have_no_common_length_are_named(index, rows, advice):
    with pytest.raises(
        ValueError,
        match=rf"^freq must be given .* fits 2 of 6 steps, not those to {rows}\.{advice}$",
    ):
        Calendar.of(index)


@pytest.mark.parametrize("n", [5, 12, 40])
@pytest.mark.parametrize(
    ("n_months", "period"), [(1, "M"), (2, "2M"), (3, "Q"), (6, "2Q"), (12, "Y"), (24, "2Y")]
)
@pytest.mark.parametrize("day", [10, 15])
def test_dates_amid_months_are_advised_to_be_the_periods_that_they_are(n, n_months, period, day):
    months = pd.period_range("1980-02", periods=n * n_months, freq="M")[::n_months]
    index = months.to_timestamp() + pd.Timedelta(days=day - 1)
    with pytest.raises(ValueError, match=rf"need index\.to_period\('{period}'\)\.$"):
        Calendar.of(pd.DatetimeIndex(index, freq=None))
    periods = index.to_period(period)
    assert Calendar.of(periods).position(periods).tolist() == list(range(n))


def test_at_most_five_labels_are_shown():
    minutes = np.where(np.arange(48) % 6 == 5, 1, 0).astype("m8[m]")
    index = pd.DatetimeIndex(HOURS.to_numpy() + minutes)
    with pytest.raises(
        ValueError, match=r"row 5 .*row 29 \(2020-01-02 05:01:00\) and 3 more off it"
    ):
        Calendar.of(index)


@pytest.mark.parametrize("freq", ["M", "2M", "Q-DEC", "Y-DEC", "D", "h", "min", "W-SUN"])
def test_periods_may_be_given_by_the_name_that_their_index_has(freq):
    index = pd.period_range("2020-01", periods=9, freq=freq, name="time")
    calendar = Calendar.of(index)
    assert Calendar.of(index, index.freqstr) == Calendar.of(index, index.freq) == calendar
    other = "Q-NOV" if freq == "Q-DEC" else "Q-DEC"
    with pytest.raises(ValueError, match=f"freq must be that of index, '{freq}'.*got '{other}'"):
        Calendar.of(index, other)


@pytest.mark.parametrize(
    ("index", "freq", "message"),
    [
        (HOURS, "every day", "freq must be a frequency of pandas.*got 'every day'"),
        (HOURS, 3, "freq must be a frequency of pandas.*got 3"),
        (HOURS, pd.DateOffset(months=1), "freq must be a frequency with fixed marks"),
        (HOURS, "-1h", "freq must be a frequency with fixed marks"),
        (HOURS, "2h", r"'2h'.*row 1 "),
        (HOURS.as_unit("s"), "10ms",
         "freq must not be finer than the resolution of the index, 's'"),
        (pd.RangeIndex(5), 0, "freq must be a positive integer.*got 0"),
        (pd.RangeIndex(5), "D", "freq must be a positive integer.*got 'D'"),
        (pd.period_range("2020", periods=3, freq="M"), "D",
         "freq must be that of index, 'M'.*got 'D'"),
    ],
)  # fmt: skip
def test_a_frequency_that_does_not_fit_is_refused(index, freq, message):
    with pytest.raises(ValueError, match=message):
        Calendar.of(index, freq)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (HOURS.tz_localize("UTC"),
         "labels must hold dates without a time zone; got dates in the time zone UTC"),
        (pd.RangeIndex(3), "labels must hold dates without a time zone; got integers"),
        (pd.period_range("2020", periods=3, freq="h"), "got periods of frequency 'h'"),
        (pd.DatetimeIndex(["2020-01-01 00:30"]), r"row 0 \(2020-01-01 00:30:00\) off it"),
        (pd.DatetimeIndex([pd.NaT]), "missing labels"),
    ],
)  # fmt: skip
def test_positions_of_labels_of_another_kind_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        Calendar.of(HOURS).position(labels)


@pytest.mark.parametrize(
    ("index", "last"),
    [
        (pd.RangeIndex(0, 10, 2**40), 2**23 - 1),
        (pd.date_range("2262-01-01", periods=3, freq="h", unit="ns"), 2420),
        (pd.date_range("2200", periods=3, freq="YS", unit="ns"), 62),
        (pd.date_range("2262-01-01", periods=3, freq="B", unit="ns"), 71),
    ],
)
def test_a_label_beyond_what_pandas_can_hold_is_refused(index, last):
    calendar = Calendar.of(index)
    assert calendar.labels([last])[0] > index[0]
    with pytest.raises(ValueError, match=r"positions must have labels within int64.*got \[0, "):
        calendar.labels([0, last + 10])


@pytest.mark.parametrize("freq", ["h", "C", "B", "QE-FEB", "WOM-3FRI"])
def test_a_calendar_survives_pickling(freq):
    calendar = Calendar.of(dates(freq, 5, tz="Europe/Berlin"))
    again = pickle.loads(pickle.dumps(calendar))
    assert again == calendar
    assert again.labels(np.arange(9)).equals(calendar.labels(np.arange(9)))


def test_series_are_told_apart_where_another_begins():
    index = pd.DatetimeIndex([*HOURS[:5], *HOURS[2:6]])
    is_new = np.isin(np.arange(9), [0, 5])
    assert Calendar.of(index, is_new=is_new).position(index).tolist() == [0, 1, 2, 3, 4, 2, 3, 4, 5]
