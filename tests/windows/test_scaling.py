"""Scaling measures what exact arithmetic measures, and undoes itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sknas.windows import Scaler, fit_scaler
from tests.oracles.windows import looped_mean_and_deviation

MAGNITUDES = [1e-30, 1e-12, 1.0, 1e12, 1e30]


@pytest.mark.parametrize("magnitude", MAGNITUDES)
@pytest.mark.parametrize("offset", [0.0, 1e3, -1e6])
def test_mean_and_deviation_equal_exact_arithmetic(magnitude, offset):
    rng = np.random.default_rng(0)
    values = magnitude * (rng.normal(size=(50, 2)) + offset)
    values[rng.random(values.shape) < 0.2] = np.nan
    weights = rng.integers(0, 4, size=50).astype(float)
    scaler = fit_scaler(values, weights)
    for channel in range(2):
        mean, deviation = looped_mean_and_deviation(values[:, channel], weights)
        # The mean is of the offset's size, so that much rounding is unavoidable.
        assert abs(scaler.center[channel] - mean) <= 1e-15 * np.nanmax(np.abs(values))
        np.testing.assert_allclose(scaler.scale[channel], deviation, rtol=1e-8)


@pytest.mark.parametrize("magnitude", MAGNITUDES)
def test_transformed_values_have_mean_zero_and_deviation_one(magnitude):
    values = magnitude * np.random.default_rng(1).normal(3.0, 2.0, size=(1000, 3))
    scaled = fit_scaler(values).transform(values)
    np.testing.assert_allclose(scaled.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=0), 1.0, rtol=1e-12)


def test_columns_of_very_different_magnitude_do_not_disturb_each_other():
    values = np.random.default_rng(2).normal(size=(100, len(MAGNITUDES))) * MAGNITUDES
    together = fit_scaler(values)
    for column in range(len(MAGNITUDES)):
        alone = fit_scaler(values[:, [column]])
        np.testing.assert_allclose(together.center[column], alone.center[0], rtol=1e-12)
        np.testing.assert_allclose(together.scale[column], alone.scale[0], rtol=1e-12)


@given(weights=arrays.arrays(int, 8, elements=st.integers(0, 5)).filter(np.any))
def test_integer_weights_act_as_repeated_rows(weights):
    values = np.random.default_rng(3).normal(size=(8, 2))
    values[[1, 4], [0, 1]] = np.nan
    weighted = fit_scaler(values, weights.astype(float))
    repeated = fit_scaler(np.repeat(values, weights, axis=0))
    np.testing.assert_allclose(weighted.center, repeated.center, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(weighted.scale, repeated.scale, rtol=1e-12)


@given(factor=st.floats(1e-300, 1e300))
def test_only_the_ratio_of_weights_counts(factor):
    values = np.random.default_rng(4).normal(size=(6, 1))
    weights = np.arange(1.0, 7.0)
    plain, scaled = fit_scaler(values, weights), fit_scaler(values, weights * factor)
    np.testing.assert_allclose(scaled.center, plain.center, rtol=1e-12)
    np.testing.assert_allclose(scaled.scale, plain.scale, rtol=1e-12)


@given(value=st.floats(-1e30, 1e30, allow_subnormal=False), n_rows=st.integers(1, 20))
def test_a_constant_column_becomes_exactly_zero_at_scale_one(value, n_rows):
    values = np.full((n_rows, 1), value)
    scaler = fit_scaler(values, np.linspace(0.1, 0.7, n_rows))
    assert scaler.scale[0] == 1.0
    assert not scaler.transform(values).any()


def test_rounding_noise_on_a_constant_is_not_blown_up():
    values = np.nextafter(0.1, [[0.0], [1.0], [1.0]])
    assert fit_scaler(values).scale[0] == 1.0


def test_a_column_without_values_is_left_alone():
    scaler = fit_scaler(np.array([[np.nan, 1.0], [np.nan, 3.0]]))
    np.testing.assert_array_equal(scaler.center, [0.0, 2.0])
    np.testing.assert_array_equal(scaler.scale, [1.0, 1.0])


def test_rows_of_zero_weight_do_not_count_even_if_they_are_extreme():
    values = np.array([[1.0], [3.0], [1e30]])
    scaler = fit_scaler(values, np.array([1.0, 1.0, 0.0]))
    assert scaler.center[0] == 2.0
    assert scaler.scale[0] == 1.0


@pytest.mark.parametrize("axis", [-1, -2, 0])
def test_the_inverse_brings_values_back_on_any_axis(axis):
    rng = np.random.default_rng(5)
    scaler = fit_scaler(rng.normal(5.0, 3.0, size=(30, 4)))
    values = np.moveaxis(rng.normal(size=(2, 3, 4)), -1, axis)
    back = scaler.inverse_transform(scaler.transform(values, axis=axis), axis=axis)
    np.testing.assert_allclose(back, values, rtol=1e-12, atol=1e-12)


def test_transforming_along_an_axis_scales_its_channels():
    rng = np.random.default_rng(6)
    scaler = fit_scaler(rng.normal(size=(30, 4)))
    windows = rng.normal(size=(5, 4, 7))  # (n_windows, n_channels, lookback)
    last = scaler.transform(windows.swapaxes(1, 2)).swapaxes(1, 2)
    np.testing.assert_array_equal(scaler.transform(windows, axis=-2), last)


def test_missing_values_stay_missing():
    scaler = Scaler(center=np.array([1.0]), scale=np.array([2.0]))
    assert np.isnan(scaler.transform(np.array([[np.nan]]))).all()


def test_fitting_leaves_its_input_alone():
    values = np.random.default_rng(7).normal(size=(5, 2))
    weights = np.arange(5.0)
    before = values.copy(), weights.copy()
    fit_scaler(values, weights)
    np.testing.assert_array_equal(values, before[0])
    np.testing.assert_array_equal(weights, before[1])


@pytest.mark.parametrize(
    ("values", "weights", "message"),
    [
        (np.zeros(3), None, r"values must have 2 axes or more .* got shape \(3,\)"),
        (np.zeros((0, 3)), None, r"values must have .* at least 1 row; got shape \(0, 3\)"),
        (np.array([[np.inf]]), None, "values must be finite or NaN"),
        (np.zeros((2, 1)), np.ones(3), r"weights must have one entry .* 2 rows; got shape \(3,\)"),
        (np.zeros((2, 1)), np.array([1.0, -1.0]), "weights must be .* not negative; .* -1.0"),
        (np.zeros((2, 1)), np.zeros(2), "weights must have a positive entry"),
    ],
)
def test_wrong_data_are_named_in_the_error(values, weights, message):
    with pytest.raises(ValueError, match=message):
        fit_scaler(values, weights)


def test_steps_of_a_sample_count_as_rows_of_its_weight():
    rng = np.random.default_rng(0)
    values = np.where(rng.random((5, 4, 3)) < 0.2, np.nan, rng.normal(size=(5, 4, 3)))
    weights = np.array([1.0, 0.0, 2.5, 1.0, 3.0])
    together = fit_scaler(values, weights)
    flat = fit_scaler(values.reshape(20, 3), np.repeat(weights, 4))
    np.testing.assert_array_equal(together.center, flat.center)
    np.testing.assert_array_equal(together.scale, flat.scale)


def test_a_wrong_number_of_channels_is_refused():
    scaler = Scaler(center=np.zeros(2), scale=np.ones(2))
    with pytest.raises(ValueError, match=r"values must have 2 channels on axis -1; .* \(4, 3\)"):
        scaler.transform(np.zeros((4, 3)))


@pytest.mark.parametrize("n_channels", [1, 2, 5])
def test_a_table_measured_in_blocks_of_columns_is_measured_alike(n_channels, monkeypatch):
    values = np.random.default_rng(0).normal(3.0, 2.0, size=(50, n_channels))
    values[4, 0] = np.nan
    weights = np.linspace(0.0, 1.0, 50)
    whole = fit_scaler(values, weights)
    monkeypatch.setattr("sknas.windows.scaling._BLOCK", 20)
    parts = fit_scaler(values, weights)
    np.testing.assert_allclose(parts.center, whole.center, rtol=1e-14)
    np.testing.assert_allclose(parts.scale, whole.scale, rtol=1e-14)
