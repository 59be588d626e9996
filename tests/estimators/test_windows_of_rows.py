"""A prediction depends on the rows of its window, in order, and on nothing else."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sknas.estimators._layout import Layout
from tests.oracles.windows import looped_align_right, looped_windows
from tests.small import GRU, LOOKBACK, classifier, futures, normal, regressor

pytestmark = pytest.mark.usefixtures("short_epochs")


# -- windows --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_context", [0, 1, 3])
@pytest.mark.parametrize("lookback", [1, 4, 9])
def test_rows_become_the_windows_that_three_loops_cut(lookback, n_context):
    series = normal(7, 2)
    context = normal(min(n_context, lookback - 1), 2, seed=1)
    past = Layout("rows", 2, lookback).past(series, context)
    assert_array_equal(past, looped_windows(series, lookback, context))


def test_a_layout_is_data_that_cannot_change():
    layout = Layout("rows", 2, 4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        layout.lookback = 5


@pytest.mark.parametrize("n_steps", [3, 6, 9])
def test_sequences_of_any_length_become_windows_that_end_together(n_steps):
    X = normal(4, 6, 2)
    lengths = [6, 4, 1, 2]
    for sample, length in zip(X, lengths, strict=True):
        sample[length:] = np.nan
    past = Layout("sequences", 2, n_steps, has_padding=True).past(X)
    kept = [sample[:length] for sample, length in zip(X, lengths, strict=True)]
    assert_array_equal(past, looped_align_right(kept, n_steps))


@pytest.mark.parametrize("validation", ["shuffle", "stratified"])
@pytest.mark.parametrize("make", [regressor, classifier])
def test_a_shuffled_split_trains_on_windows_of_the_series_in_its_order(make, validation):
    series = np.sin(np.arange(200) / 5) + 0.01 * normal(200)
    y = series[1:] if make is regressor else series[1:] > series[:-1]
    model = make(lookback=12, max_nodes=0, validation=validation).fit(series[:-1, None], y)
    in_order = make(lookback=12, max_nodes=0).fit(series[:-1, None], y)
    # Of windows in another order one value at most tells of the next.
    assert model.score(series[:-1, None], y) > in_order.score(series[:-1, None], y) - 0.005


@pytest.mark.parametrize("channel_mode", ["mixed", "independent"])
def test_rows_with_a_lookback_are_predicted_as_their_windows_are(channel_mode):
    frame, y = futures()
    model = regressor(**GRU, lookback=LOOKBACK, channel_mode=channel_mode)
    model.fit(frame.to_numpy(), y)
    windows = looped_windows(frame.to_numpy(), LOOKBACK).swapaxes(1, 2)
    twin = regressor(**GRU).fit(windows, y)
    # The twin is given the network that was trained on rows, and reads whole windows.
    twin._frozen, twin._x_scaler, twin._y_scaler = model._frozen, model._x_scaler, model._y_scaler
    assert_allclose(twin.predict(windows), model.predict(frame.to_numpy()), rtol=0, atol=1e-12)


def test_a_prediction_is_the_networks_output_on_the_standardised_window():
    import torch

    frame, y = futures()
    model = regressor(**GRU, lookback=LOOKBACK).fit(frame.to_numpy(), y)
    scaled = model._x_scaler.transform(frame.to_numpy())
    windows = torch.from_numpy(looped_windows(scaled, LOOKBACK))
    output = model.module_(windows).numpy().swapaxes(1, 2)  # (n_samples, horizon, n_targets)
    expected = output * model._y_scaler.scale + model._y_scaler.center
    assert_allclose(model.predict(frame.to_numpy()), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("time", [0, 5, 60, 118])
def test_rows_after_t_do_not_move_predictions_up_to_t(time):
    frame, y = futures()
    X = frame.to_numpy()
    model = regressor(**GRU, lookback=LOOKBACK).fit(X, y)
    changed = X.copy()
    changed[time + 1 :] += normal(*X[time + 1 :].shape)
    before, after = model.predict(X), model.predict(changed)
    assert_array_equal(before[: time + 1], after[: time + 1])
    assert (before[time + 1 :] != after[time + 1 :]).any()


def test_a_prediction_reads_exactly_the_lookback():
    frame, y = futures()
    X = frame.to_numpy()
    model = regressor(**GRU, lookback=LOOKBACK).fit(X, y)
    changed = X.copy()
    changed[50] += 10.0
    moved = (model.predict(X) != model.predict(changed)).any(axis=(1, 2))
    assert_array_equal(np.flatnonzero(moved), np.arange(50, 50 + LOOKBACK))


# -- frames that follow the training rows ---------------------------------------------------------

INDEXES = {
    "range": pd.RangeIndex(123),
    "every third": pd.RangeIndex(10, 10 + 3 * 123, 3),
    "integers": pd.Index(np.arange(5, 128)),
    "hours": pd.date_range("2024-03-30", periods=123, freq="h", tz="Europe/Paris"),
    "months": pd.date_range("2010-01-31", periods=123, freq="ME"),
    "hours without a frequency": pd.DatetimeIndex(
        pd.date_range("2024-01-01", periods=123, freq="h").to_numpy()
    ),
    "periods": pd.period_range("2010-01", periods=123, freq="M"),
    "seconds since the start": pd.timedelta_range("0s", periods=123, freq="s"),
}


@pytest.fixture(scope="module")
def fitted_on_frames(short_epochs):
    """Return, for each index, a whole frame and a model fitted on its first 90 rows."""
    frame, y = futures(123)
    frames = {name: frame.set_axis(index) for name, index in INDEXES.items()}
    model = regressor(**GRU, lookback=LOOKBACK)
    return {name: (f, clone(model).fit(f.iloc[:90], y[:90])) for name, f in frames.items()}


@pytest.mark.parametrize("name", INDEXES)
def test_a_frame_that_follows_the_training_rows_reads_them_as_context(fitted_on_frames, name):
    frame, model = fitted_on_frames[name]
    expected = model.predict(frame)[90:]
    assert_allclose(model.predict(frame.iloc[90:]), expected, rtol=0, atol=1e-12)
    assert_allclose(model.predict(frame.iloc[90:91]), expected[:1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", INDEXES)
@pytest.mark.parametrize("start", [0, 89, 91, 100])
def test_a_frame_that_does_not_follow_directly_gets_no_context(fitted_on_frames, name, start):
    frame, model = fitted_on_frames[name]
    part = frame.iloc[start:]
    alone = model._layout.past(model._x_scaler.transform(part.to_numpy()))
    edge = frame.iloc[[start] * (LOOKBACK - 1)]
    padded = (
        pd.concat([edge, part]).reset_index(drop=True).set_axis(range(7000, 7000 + len(part) + 5))
    )
    assert alone.shape == (len(part), 2, LOOKBACK)
    assert_allclose(model.predict(part), model.predict(padded)[LOOKBACK - 1 :], rtol=0, atol=1e-12)


def test_arrays_never_get_context():
    frame, y = futures()
    X = frame.to_numpy()
    model = regressor(**GRU, lookback=LOOKBACK).fit(X[:90], y[:90])
    edge = np.repeat(X[90:91], LOOKBACK - 1, axis=0)
    expected = model.predict(np.concatenate([edge, X[90:]]))[LOOKBACK - 1 :]
    assert_allclose(model.predict(X[90:]), expected, rtol=0, atol=1e-12)


LABELS = {
    "text": pd.Index([f"2024-{k:03d}" for k in range(123)]),
    "categories": pd.CategoricalIndex([f"shop {k % 3}" for k in range(123)]),
    "nullable integers": pd.Index(pd.array(np.arange(123), dtype="Int64")),
    "unknown integers": pd.Index(pd.array([*range(122), None], dtype="Int64")),
    "one label": pd.Index([7] * 123),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_of_any_type_are_fitted_on_and_give_context_only_where_they_count(name):
    frame, y = futures(123)
    frame = frame.set_axis(LABELS[name])
    model = regressor(genotype="linear", lookback=LOOKBACK).fit(frame.iloc[:90], y[:90])
    alone = model.predict(frame.iloc[90:].set_axis(range(1000, 1033)))
    as_context = model.predict(frame.set_axis(range(1000, 1123)))[90:]
    assert (alone[: LOOKBACK - 1] != as_context[: LOOKBACK - 1]).any(axis=(1, 2)).all()
    expected = as_context if name in ("nullable integers", "unknown integers") else alone
    assert_allclose(model.predict(frame.iloc[90:]), expected, rtol=0, atol=1e-12)
