"""Data that are plainly not what they are taken for bring a warning, and others bring none."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknas import Genotype
from sknas.exceptions import InputWarning, SearchWarning
from tests.small import LOOKBACK, classifier, futures, normal, product, regressor, sequences

GROWING = normal(60, 2).cumsum(axis=0) + np.array([500.0, 20.0])


def rows(**parameters):
    return regressor(max_nodes=0, lookback=LOOKBACK, **parameters)


# -- targets that continue channels ----------------------------------------------------------------


@pytest.mark.parametrize("lead", [1, 2, 7])
@pytest.mark.parametrize(
    "values", [GROWING, np.round(GROWING), np.sign(normal(60, 2)), normal(60, 2) ** 9]
)
def test_targets_that_are_the_rows_to_come_bring_no_warning(values, lead):
    X, y = values[:-lead], values[lead:]
    rows().fit(X, y)
    rows(target_channels=[1, 0]).fit(X, y[:, ::-1])


def test_blocks_of_rows_as_folds_leave_them_bring_no_warning():
    kept = np.r_[0:20, 35:59]
    rows().fit(GROWING[kept], GROWING[kept + 1])


@pytest.mark.parametrize(
    "y",
    [
        normal(60, 2, seed=1),  # other numbers
        GROWING[:, ::-1],  # channels in another order
        GROWING,  # the same rows, not those to come
        np.stack([np.roll(GROWING[:, 0], -k) for k in (1, 2)], axis=1),  # two steps of one channel
    ],
)
def test_as_many_targets_as_channels_that_they_do_not_continue_bring_a_warning(y):
    with pytest.warns(InputWarning, match="target_channels=None, but target . is not channel ."):
        rows().fit(GROWING, y)


@pytest.mark.parametrize("channels", [[], [0, 1]])
def test_who_says_what_the_targets_continue_is_believed(channels):
    rows(target_channels=channels).fit(normal(60, 2), normal(60, 2, seed=1))


@pytest.mark.parametrize("values", [GROWING, GROWING * 1e3, normal(60, 2) * 0.01])
def test_a_scaler_in_front_of_targets_brings_a_warning(values):
    X, y = values[:-1], values[1:, :1]
    rows(target_channels=[0]).fit(X, y)
    scaled = make_pipeline(StandardScaler(), rows(target_channels=[0]))
    with pytest.warns(InputWarning, match=r"target_channels=\[0\].*spread over .*a scaler"):
        scaled.fit(X, y)


def test_sequences_are_told_of_by_level_and_spread():
    frame, y = futures()
    values = frame.to_numpy()
    X = np.lib.stride_tricks.sliding_window_view(values, LOOKBACK, axis=0).swapaxes(1, 2)
    y = y[LOOKBACK - 1 :]
    regressor(max_nodes=0).fit(X, y)
    with pytest.warns(InputWarning, match="y should continue channels"):
        regressor(max_nodes=0).fit(X * 100.0, y)
    with pytest.warns(InputWarning, match="y should continue channels"):
        regressor(max_nodes=0).fit(X + 100.0, y)


def test_rows_without_weight_tell_nothing():
    X, y = GROWING[:-1], GROWING[1:].copy()
    y[:20] = -7.0
    rows().fit(X, y, sample_weight=np.arange(59) >= 20)


# -- an index with holes ---------------------------------------------------------------------------

HOURS = pd.date_range("2024-03-30", periods=80, freq="h")


def frame_at(index):
    return pd.DataFrame(GROWING[:50], index=index[:50], columns=["a", "b"])


REGULAR = {
    "hours": HOURS,
    "hours without a frequency": pd.DatetimeIndex(HOURS.to_numpy()),
    "hours of a place whose clocks change": HOURS.tz_localize("UTC").tz_convert("Europe/Paris"),
    "months": pd.date_range("2020", periods=80, freq="MS").to_numpy(),
    "ends of months": pd.date_range("2020", periods=80, freq="ME").to_numpy(),
    "days of trading": pd.bdate_range("2024", periods=90).delete([20, 21, 50]),
    "periods": pd.period_range("2020", periods=80, freq="Q"),
    "numbers": np.arange(0, 240, 3),
    "names of rows": np.random.default_rng(0).permutation(80),
    "words": [f"row {i}" for i in range(80)],
}
HOLES = {
    "hours": (HOURS.delete([10, 11]), "has a hole between rows 9"),
    "hours in reverse": (HOURS[::-1], "goes back between rows 0"),
    "an hour twice": (HOURS.insert(5, HOURS[5]), "repeats a label between rows 5"),
    "a month": (pd.date_range("2020", periods=80, freq="MS").delete(7), "has a hole"),
    "weeks of trading": (pd.bdate_range("2024", periods=90).delete(range(20, 30)), "has a hole"),
    "a period": (pd.period_range("2020", periods=80, freq="D").delete(30), "has a hole"),
    "numbers": (np.delete(np.arange(80), 30), "has a hole between rows 29"),
}


@pytest.mark.parametrize("name", REGULAR)
@pytest.mark.parametrize("make", [regressor, classifier])
def test_an_index_in_equal_steps_brings_no_warning(make, name):
    X = frame_at(pd.Index(REGULAR[name]))
    y = GROWING[1:51, 0] > 500 if make is classifier else GROWING[1:51]
    make(max_nodes=0, lookback=LOOKBACK).fit(X, y).predict(X)


@pytest.mark.parametrize("name", HOLES)
def test_a_hole_in_the_index_brings_a_warning_that_says_where(name):
    index, told = HOLES[name]
    X, y = frame_at(pd.Index(index)), GROWING[1:51]
    with pytest.warns(InputWarning, match=told):
        model = rows().fit(X, y)
    with pytest.warns(InputWarning, match=told):
        model.predict(X)
    with pytest.warns(InputWarning, match=told):
        model.partial_fit(X, y)


def test_rows_that_are_no_series_may_have_any_index():
    X, y = product(40)
    index = pd.DatetimeIndex(HOURS[:45]).delete([3, 4, 5, 6, 7])
    regressor(max_nodes=0).fit(pd.DataFrame(X, index=index, columns=["a", "b"]), y)


def test_warnings_point_at_the_line_of_the_user():
    X = frame_at(HOURS.delete([10, 11]))
    for call in (
        lambda: rows().fit(X, GROWING[1:51]),
        lambda: rows().fit(X.reset_index(drop=True), normal(50, 2)),
    ):
        with pytest.warns(InputWarning) as caught:
            call()
        assert caught[0].filename == __file__


# -- a size that is not taken ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "default", "own", "other"),
    [("hidden_size", "auto", 3, 5), ("segment_length", "auto", 2, 1), ("n_layers", 1, 2, 3)],
)
def test_a_size_beside_a_genotype_that_has_one_brings_a_warning(name, default, own, other):
    X, y = sequences(40, 4)
    found = Genotype.named("gru", hidden_size=3, segment_length=2, n_layers=2)
    sizes = {"hidden_size": "auto", "segment_length": "auto"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for value in (default, own):
            regressor(genotype=found, **{**sizes, name: value}).fit(X, y)
        regressor(genotype="gru", **{**sizes, name: own}).fit(X, y)
    told = rf"{name}={other} is without effect .* got \[{own}\]"
    with pytest.warns(SearchWarning, match=told):
        regressor(genotype=found, **{**sizes, name: other}).fit(X, y)
