"""What goes in comes out in its shape, whatever it is stored in, and is left as it was."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from tests.small import (
    GRU,
    LOOKBACK,
    MAKERS,
    classifier,
    futures,
    normal,
    product,
    regressor,
    sequences,
)

pytestmark = pytest.mark.usefixtures("short_epochs")


# -- shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tabular", "sequences", "rows"])
@pytest.mark.parametrize("tail", [(), (1,), (3,), (4, 2), (1, 1)])
def test_predictions_have_the_shape_of_y_and_are_float64(kind, tail):
    X = normal(40, 5, 3) if kind == "sequences" else normal(40, 3)
    y = normal(40, *tail, seed=1)
    lookback = LOOKBACK if kind == "rows" else None
    model = regressor(max_nodes=0, lookback=lookback, target_channels=[]).fit(X, y)
    predicted = model.predict(X[:7])
    assert predicted.shape == (7, *tail)
    assert predicted.dtype == np.float64
    assert np.isfinite(predicted).all()
    assert model.n_features_in_ == 3


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_predictions_are_float64_whatever_the_input_is(dtype):
    X, y = (10 * normal(40, 3)).astype(dtype), (10 * normal(40)).astype(dtype)
    assert regressor(max_nodes=0).fit(X, y).predict(X).dtype == np.float64


@pytest.mark.parametrize("make", MAKERS)
def test_channels_first_is_the_transposed_layout(make):
    X, y = sequences()
    y = y > np.median(y) if make is classifier else y
    swapped = np.ascontiguousarray(X.swapaxes(1, 2))
    last = make(**GRU).fit(X, y)
    first = make(**GRU, channels_first=True).fit(swapped, y)
    assert_array_equal(last.predict(X), first.predict(swapped))
    assert first.n_features_in_ == last.n_features_in_ == X.shape[2]


def test_a_channels_first_list_of_lists_is_read_as_an_array_is():
    X, y = normal(12, 2, 5), normal(12, seed=1)
    model = regressor(max_nodes=0, channels_first=True)
    expected = model.fit(X, y).predict(X)
    assert_array_equal(model.fit(X.tolist(), y.tolist()).predict(X.tolist()), expected)


# -- containers -----------------------------------------------------------------------------------


def test_lists_pandas_and_polars_are_read_as_arrays_are():
    X, y = product(40)
    expected = regressor().fit(X, y).predict(X)
    names = ["first", "second"]
    containers = [
        (X.tolist(), y.tolist()),
        (pd.DataFrame(X, columns=names), pd.Series(y)),
        (pl.DataFrame(X, schema=names), pl.Series(y)),
        (np.asfortranarray(X), y),
    ]
    for X_given, y_given in containers:
        model = regressor().fit(X_given, y_given)
        assert_array_equal(model.predict(X_given), expected)
        assert hasattr(model, "feature_names_in_") == hasattr(X_given, "columns")


def test_the_input_is_left_as_it_was():
    frame, y = futures()
    X_before, y_before = frame.copy(deep=True), y.copy()
    regressor(lookback=LOOKBACK).fit(frame, y).predict(frame)
    pd.testing.assert_frame_equal(frame, X_before)
    assert_array_equal(y, y_before)


def test_names_of_an_earlier_frame_are_forgotten():
    X, y = product(40)
    model = regressor(max_nodes=0).fit(pd.DataFrame(X, columns=["a", "b"]), y)
    assert list(model.feature_names_in_) == ["a", "b"]
    model.fit(np.stack([X] * 3, axis=1), y)
    assert not hasattr(model, "feature_names_in_")
