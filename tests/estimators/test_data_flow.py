"""What goes in comes out in its shape, and a prediction depends on what it should and no more."""

import dataclasses

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.utils import compute_sample_weight

from sknas.estimators._layout import Layout
from tests.oracles.windows import looped_align_right, looped_windows
from tests.small import classifier, futures, product, regressor, sequences

pytestmark = pytest.mark.usefixtures("short_epochs")
LOOKBACK = 6
GRU = {"genotype": "gru", "linear_seed": False, "segment_length": 2}


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


# -- shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tabular", "sequences", "rows"])
@pytest.mark.parametrize("tail", [(), (1,), (3,), (4, 2), (1, 1)])
def test_predictions_have_the_shape_of_y_and_are_float64(kind, tail):
    X = random(40, 5, 3) if kind == "sequences" else random(40, 3)
    y = random(40, *tail, seed=1)
    model = regressor(max_nodes=0, lookback=LOOKBACK if kind == "rows" else None).fit(X, y)
    predicted = model.predict(X[:7])
    assert predicted.shape == (7, *tail)
    assert predicted.dtype == np.float64
    assert np.isfinite(predicted).all()
    assert model.n_features_in_ == 3


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_predictions_are_float64_whatever_the_input_is(dtype):
    X, y = (10 * random(40, 3)).astype(dtype), (10 * random(40)).astype(dtype)
    assert regressor(max_nodes=0).fit(X, y).predict(X).dtype == np.float64


@pytest.mark.parametrize("make", [regressor, classifier])
def test_channels_first_is_the_transposed_layout(make):
    X, y = sequences()
    y = y > np.median(y) if make is classifier else y
    swapped = np.ascontiguousarray(X.swapaxes(1, 2))
    last = make(**GRU).fit(X, y)
    first = make(**GRU, channels_first=True).fit(swapped, y)
    assert_array_equal(last.predict(X), first.predict(swapped))
    assert first.n_features_in_ == last.n_features_in_ == X.shape[2]


def test_a_channels_first_list_of_lists_is_read_as_an_array_is():
    X, y = random(12, 2, 5), random(12, seed=1)
    model = regressor(max_nodes=0, channels_first=True)
    expected = model.fit(X, y).predict(X)
    assert_array_equal(model.fit(X.tolist(), y.tolist()).predict(X.tolist()), expected)


# -- windows --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_context", [0, 1, 3])
@pytest.mark.parametrize("lookback", [1, 4, 9])
def test_rows_become_the_windows_that_three_loops_cut(lookback, n_context):
    series = random(7, 2)
    context = random(min(n_context, lookback - 1), 2, seed=1)
    past = Layout("rows", 2, lookback).past(series, context)
    assert_array_equal(past, looped_windows(series, lookback, context))


@pytest.mark.parametrize("n_steps", [3, 6, 9])
def test_sequences_of_any_length_become_windows_that_end_together(n_steps):
    X = random(4, 6, 2)
    lengths = [6, 4, 1, 2]
    for sample, length in zip(X, lengths, strict=True):
        sample[length:] = np.nan
    past = Layout("sequences", 2, n_steps, has_padding=True).past(X)
    kept = [sample[:length] for sample, length in zip(X, lengths, strict=True)]
    assert_array_equal(past, looped_align_right(kept, n_steps))


@pytest.mark.parametrize("channel_mode", ["mixed", "independent"])
def test_rows_with_a_lookback_are_predicted_as_their_windows_are(channel_mode):
    frame, y = futures()
    model = regressor(**GRU, lookback=LOOKBACK, channel_mode=channel_mode)
    model.fit(frame.to_numpy(), y)
    windows = looped_windows(frame.to_numpy(), LOOKBACK).swapaxes(1, 2)
    twin = regressor(**GRU).fit(windows, y)
    # The twin is given the network that was trained on rows, and reads whole windows.
    twin.module_, twin._x_scaler, twin._y_scaler = model.module_, model._x_scaler, model._y_scaler
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
    changed[time + 1 :] += random(*X[time + 1 :].shape)
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


# -- sequences of unequal length ------------------------------------------------------------------


@pytest.fixture(scope="module")
def ragged(short_epochs):
    """Return sequences of unequal length, and a model fitted on them."""
    X, y = sequences()
    for sample in range(0, len(X), 3):
        X[sample, 8 - sample % 7 :] = np.nan
    return X, y, regressor(**GRU).fit(X, y)


@pytest.mark.parametrize("window_norm", ["none", "last", "revin"])
def test_missing_steps_that_are_appended_change_nothing(window_norm):
    X, y = sequences()
    X[::3, 5:] = np.nan
    model = regressor(**GRU, window_norm=window_norm).fit(X, y)
    longer = np.concatenate([X, np.full((len(X), 4, 3), np.nan)], axis=1)
    assert_array_equal(model.predict(longer), model.predict(X))
    assert np.isfinite(model.predict(X)).all()


def test_a_sequence_is_predicted_alike_among_others_and_alone(ragged):
    X, _, model = ragged
    together = model.predict(X[:9])
    alone = [model.predict(X[i : i + 1]) for i in range(9)]
    assert_allclose(np.concatenate(alone), together, rtol=0, atol=1e-12)


def test_what_stands_in_no_step_is_never_read(ragged):
    X, _, model = ragged
    cut = X[3:4, : 8 - 3 % 7]
    assert_allclose(model.predict(cut), model.predict(X[3:4]), rtol=0, atol=1e-12)


def test_shorter_sequences_than_in_fit_get_finite_predictions():
    X, y = sequences()
    model = regressor(**GRU).fit(X, y)
    shorter = X.copy()
    shorter[:, 6:] = np.nan
    try:
        predicted = model.predict(shorter)
    except ValueError as error:
        assert "NaN" in str(error)  # noqa: PT017 (either a clear error or a number)
    else:
        assert np.isfinite(predicted).all()


def test_missing_values_inside_a_sequence_raise(ragged):
    X, y, model = ragged
    bad = X.copy()
    bad[1, 2, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.predict(bad)
    with pytest.raises(ValueError, match="NaN"):
        regressor().fit(bad, y)


# -- targets that continue channels ---------------------------------------------------------------


@pytest.mark.parametrize("window_norm", ["last", "revin"])
@pytest.mark.parametrize("channels", [[1], [0, 1], [1, 0], [1, 1]])
def test_a_mapped_target_moves_with_its_channel(window_norm, channels):
    frame, y = futures()
    X = frame.to_numpy()
    model = regressor(**GRU, lookback=LOOKBACK, target_channels=channels, window_norm=window_norm)
    model.fit(X, y[:, :, channels])
    shift = np.array([100.0, -30.0])
    moved = model.predict(X + shift) - model.predict(X)
    assert_allclose(moved, np.broadcast_to(shift[channels], moved.shape), rtol=1e-9)


def test_without_window_norm_a_target_does_not_move_with_its_channel():
    frame, y = futures()
    X = frame.to_numpy()
    model = regressor(**GRU, lookback=LOOKBACK, window_norm="none").fit(X, y)
    assert np.abs(model.predict(X + 100.0) - model.predict(X) - 100.0).min() > 1.0


def test_a_mapped_target_scales_with_its_channel_under_revin():
    frame, y = futures()
    X = frame.to_numpy()
    model = regressor(**GRU, lookback=LOOKBACK, window_norm="revin").fit(X, y)
    center = model._x_scaler.center
    grown = model.predict(3.0 * (X - center) + center) - center
    usual = model.predict(X) - center
    # The windows' least scale keeps a constant window finite, and no more.
    assert_allclose(grown[LOOKBACK:], 3.0 * usual[LOOKBACK:], rtol=1e-2, atol=1e-2)


def test_targets_are_mapped_to_channels_by_default_where_both_are_as_many():
    frame, y = futures()
    X = frame.to_numpy()
    rows = {"lookback": LOOKBACK, "max_nodes": 0}
    for target, is_mapped in [
        (y, True),
        (y[:, 0], True),
        (y[:, :, :1], False),
        (y[:, 0, 0], False),
    ]:
        model = regressor(**rows, window_norm="last").fit(X, target)
        moved = model.predict(X + 50.0) - model.predict(X)
        assert np.allclose(moved, 50.0) == is_mapped


def test_an_empty_list_of_channels_maps_nothing():
    frame, y = futures()
    X = frame.to_numpy()
    model = regressor(lookback=LOOKBACK, max_nodes=0, target_channels=[], window_norm="last")
    model.fit(X, y)
    moved = model.predict(X + 50.0) - model.predict(X)
    assert_allclose(moved, 0.0, atol=1e-9)
    assert model.module_.spec.channel_mode == "mixed"


# -- weights --------------------------------------------------------------------------------------


def weights_of(n, seed=0):
    weight = np.random.default_rng(seed).integers(0, 4, size=n)
    assert set(weight) == {0, 1, 2, 3}
    return weight


@pytest.mark.parametrize(
    "parameters",
    [{}, {"max_nodes": 0}, {"genotype": "gru", "linear_seed": False}, {"refit_full": True}],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_row_of_weight_k_is_k_rows_for_the_regressor(parameters, seed):
    X, y = product(40, seed=seed)
    weight = weights_of(40, seed)
    weighted = regressor(**parameters).fit(X, y, sample_weight=weight)
    repeated = regressor(**parameters).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    assert weighted.genotype_ == repeated.genotype_
    assert_allclose(weighted.predict(X), repeated.predict(X), rtol=0, atol=1e-12)


@pytest.mark.parametrize("parameters", [{}, {"max_nodes": 0}, {"genotype": "product"}])
def test_a_row_of_weight_k_is_k_rows_for_the_classifier(parameters):
    X, y = product(60)
    y = np.where(y > 0, "up", "down")
    weight = weights_of(60)
    weighted = classifier(**parameters).fit(X, y, sample_weight=weight)
    repeated = classifier(**parameters).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=0, atol=1e-12)


def test_a_sequence_of_weight_k_is_k_sequences_where_they_are_shuffled():
    X, y = sequences(50, 6)
    weight = weights_of(50)
    model = regressor(**GRU, validation="shuffle")
    weighted = model.fit(X, y, sample_weight=weight).predict(X)
    repeated = model.fit(np.repeat(X, weight, axis=0), np.repeat(y, weight)).predict(X)
    assert_allclose(weighted, repeated, rtol=0, atol=1e-12)


def test_weights_of_one_are_no_weights():
    X, y = product(40)
    none = regressor().fit(X, y).predict(X)
    assert_array_equal(regressor().fit(X, y, sample_weight=np.ones(40)).predict(X), none)


def test_in_time_order_the_y_of_a_row_without_weight_is_not_read():
    frame, y = futures()
    X = frame.to_numpy()
    weight = np.ones(len(X))
    weight[[20, 21, 50, 110]] = 0.0
    changed = y.copy()
    changed[weight == 0] += 1000.0
    model = regressor(**GRU, lookback=LOOKBACK)
    expected = model.fit(X, y, sample_weight=weight).predict(X)
    assert_array_equal(model.fit(X, changed, sample_weight=weight).predict(X), expected)
    assert (model.fit(X, y).predict(X) != expected).any()


def test_in_time_order_the_x_of_a_row_without_weight_stays_in_the_history():
    frame, y = futures()
    X = frame.to_numpy()
    weight = np.ones(len(X))
    weight[20] = 0.0
    changed = X.copy()
    changed[20] += 0.5
    model = regressor(lookback=LOOKBACK, max_nodes=0)
    expected = model.fit(X, y, sample_weight=weight).module_.state_dict()
    moved = model.fit(changed, y, sample_weight=weight).module_.state_dict()
    assert any((moved[name] != value).any() for name, value in expected.items())


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


# -- classes --------------------------------------------------------------------------------------

LABELS = {
    "strings": np.array(["high", "low"]),
    "objects": np.array(["high", "low"], dtype=object),
    "booleans": np.array([False, True]),
    "integers": np.array([-3, 12]),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_come_back_as_they_were_given(name):
    X, y = product(80)
    labels = LABELS[name]
    codes = (y > 0).astype(int)
    model = classifier(genotype="product").fit(X, labels[codes])
    assert_array_equal(model.classes_, np.sort(labels))
    predicted = model.predict(X)
    assert predicted.dtype == labels.dtype
    assert set(predicted) <= set(labels)
    plain = classifier(genotype="product").fit(X, codes)
    assert_array_equal(predicted, labels[plain.predict(X)])


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("kind", ["tabular", "sequences", "rows"])
def test_probabilities_sum_to_one_and_agree_with_labels_and_logits(kind, n_classes):
    X = random(90, 5, 3) if kind == "sequences" else random(90, 3)
    y = np.arange(90) % n_classes
    model = classifier(genotype="highway", lookback=LOOKBACK if kind == "rows" else None)
    model.fit(X, y)
    probabilities = model.predict_proba(X)
    logits = model.decision_function(X)
    assert probabilities.shape == (90, n_classes)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
    assert_array_equal(model.predict(X), model.classes_[probabilities.argmax(axis=1)])
    if n_classes == 2:
        assert logits.shape == (90,)
        assert_array_equal(logits > 0, model.predict(X) == model.classes_[1])
        assert_allclose(logits, np.log(probabilities[:, 1] / probabilities[:, 0]), atol=1e-9)
    else:
        assert_array_equal(logits.argmax(axis=1), probabilities.argmax(axis=1))


@pytest.mark.parametrize("class_weight", ["balanced", {"down": 3.0, "up": 1.0}])
def test_class_weights_are_sample_weights(class_weight):
    X, y = product(80)
    y = np.where(y > 0.7, "up", "down")
    by_class = classifier(class_weight=class_weight).fit(X, y)
    by_sample = classifier().fit(X, y, sample_weight=compute_sample_weight(class_weight, y))
    assert_array_equal(by_class.predict_proba(X), by_sample.predict_proba(X))
    assert (by_class.predict_proba(X) != classifier().fit(X, y).predict_proba(X)).any()


def test_a_rare_class_keeps_its_column():
    X, y = product(60)
    labels = np.where(y > 0, "up", "down").astype(object)
    labels[7] = "once"
    model = classifier().fit(X, labels)
    assert model.predict_proba(X).shape == (60, 3)
    assert np.isfinite(model.predict_proba(X)).all()


def test_a_layout_is_data_that_cannot_change():
    layout = Layout("rows", 2, 4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        layout.lookback = 5
