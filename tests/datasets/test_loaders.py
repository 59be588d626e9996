"""The packaged series is what its source says, complete and small."""

from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from sknas.datasets import load_beijing_air

DATA = files("sknas.datasets") / "data"


@pytest.fixture(scope="module")
def kept():
    return load_beijing_air(missing="keep")


@pytest.fixture(scope="module")
def filled():
    return load_beijing_air()


def test_the_index_has_every_hour_of_five_years(kept):
    hours = pd.date_range("2010-01-01", "2014-12-31 23:00", freq="h", name="time")
    pd.testing.assert_index_equal(kept.index, hours)
    assert kept.index.freq == hours.freq
    assert kept.index.name == "time"


def test_there_are_eight_numeric_channels(kept):
    assert list(kept.columns) == [
        "pm2_5",
        "dew_point",
        "temperature",
        "pressure",
        "wind_speed",
        "snow_hours",
        "rain_hours",
        "wind_north",
    ]
    assert (kept.dtypes == np.float64).all()


def test_keep_leaves_the_missing_hours_of_the_source(kept):
    assert kept["pm2_5"].isna().sum() == 2067
    assert kept.drop(columns="pm2_5").notna().all(axis=None)


def test_interpolation_fills_every_hour_and_moves_no_measurement(kept, filled):
    assert filled.notna().all(axis=None)
    is_measured = kept["pm2_5"].notna()
    pd.testing.assert_frame_equal(filled[is_measured], kept[is_measured])


def test_interpolated_hours_lie_on_the_line_between_their_neighbours(kept, filled):
    measured = np.flatnonzero(kept["pm2_5"].notna())
    line = np.interp(np.arange(len(kept)), measured, kept["pm2_5"].to_numpy()[measured])
    np.testing.assert_allclose(filled["pm2_5"], line, rtol=1e-12)


def test_values_equal_the_rows_of_the_source(kept):
    # No 26 and 7603 of the source: the first hour measured, and one with a fraction.
    first = [129, -16, -4, 1020, 1.79, 0, 0, -1]
    np.testing.assert_array_equal(kept.loc["2010-01-02 00:00"].drop("wind_north"), first[:-1])
    assert kept.loc["2010-01-02 00:00", "wind_north"] == -1
    assert kept["pressure"].iloc[7602] == pytest.approx(1029.666667)


def test_the_file_holds_all_values_of_the_full_source(kept, shared_data):
    source = pd.read_csv(shared_data / "pollution.csv.gz")
    names = {
        "pm2.5": "pm2_5",
        "DEWP": "dew_point",
        "TEMP": "temperature",
        "PRES": "pressure",  # codespell:ignore
        "Iws": "wind_speed",
        "Is": "snow_hours",
        "Ir": "rain_hours",
    }
    for theirs, ours in names.items():
        np.testing.assert_allclose(kept[ours], source[theirs], rtol=1e-9)
    north = source["cbwd"].map({"NE": 1, "NW": 1, "SE": -1, "cv": 0})
    np.testing.assert_array_equal(kept["wind_north"], north)
    times = pd.to_datetime(source[["year", "month", "day", "hour"]])
    np.testing.assert_array_equal(kept.index, times)


def test_every_call_gives_a_frame_of_its_own(filled):
    mine = load_beijing_air()
    mine.iloc[:] = 0.0
    pd.testing.assert_frame_equal(load_beijing_air(), filled)


def test_another_word_for_missing_is_refused():
    with pytest.raises(ValueError, match=r"missing must be one of .*; got 'drop'"):
        load_beijing_air(missing="drop")


def test_the_file_is_small_and_its_attribution_stands_beside_it():
    assert len((DATA / "beijing_air.csv.gz").read_bytes()) <= 500_000
    notice = (DATA / "beijing_air.txt").read_text(encoding="utf-8")
    for words in ("Chen, S.", "CC BY 4.0", "UCI", "Liang", "Changes"):
        assert words in notice
