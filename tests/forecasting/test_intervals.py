"""Intervals cover as often as they promise, equal a slow oracle and never cross."""

import math
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sknas.exceptions import CalibrationWarning
from sknas.forecasting import ConformalResiduals

ZERO = np.zeros((1, 1))


def drawn(n, horizon=2, n_targets=3, seed=0):
    """Draw errors that are skewed, and of another size for each step and target."""
    rng = np.random.default_rng(seed)
    sizes = 1.0 + np.arange(horizon * n_targets).reshape(horizon, n_targets)
    return (rng.exponential(size=(n, horizon, n_targets)) - 0.5) * sizes


def column(values):
    """Give a single step and target these errors."""
    return np.asarray(values, dtype=float).reshape(-1, 1, 1)


def looped_bounds(residuals, tail):
    """Count through the sorted errors of each step and target, one after another."""
    n_windows, horizon, n_targets = residuals.shape
    lower, upper = np.full((2, horizon, n_targets), np.nan)
    for step in range(horizon):
        for target in range(n_targets):
            errors = [residuals[i, step, target] for i in range(n_windows)]
            errors = sorted(error for error in errors if not math.isnan(error))
            n = len(errors)
            if n:
                low = math.floor(round((n + 1) * tail, 6))
                high = math.ceil(round((n + 1) * (1 - tail), 6))
                lower[step, target] = errors[max(low, 1) - 1]
                upper[step, target] = errors[min(high, n) - 1]
    return lower, upper


@pytest.mark.parametrize("n", [39, 50, 200, 999])
@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
def test_the_bounds_are_the_ranks_that_an_oracle_counts_out(n, coverage):
    residuals = drawn(n)
    residuals[np.random.default_rng(1).random(residuals.shape) < 0.3] = np.nan
    residuals[:, 1, 2] = drawn(n)[:, 1, 2]
    point = np.random.default_rng(2).normal(size=(4, 2, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CalibrationWarning)
        lower, upper = ConformalResiduals.from_residuals(residuals).interval(point, coverage)
    low, high = looped_bounds(residuals, (1 - coverage) / 2)
    np.testing.assert_allclose(lower, point + low, rtol=1e-12)
    np.testing.assert_allclose(upper, point + high, rtol=1e-12)


@pytest.mark.parametrize("n", [19, 40, 100])
def test_exchangeable_draws_are_covered_as_often_as_the_ranks_say(n):
    coverage, n_trials = 0.9, 20_000
    rng = np.random.default_rng(n)
    residuals = rng.lognormal(size=(n, 1, n_trials))
    lower, upper = ConformalResiduals.from_residuals(residuals).interval(
        np.zeros((1, n_trials)), coverage
    )
    truth = rng.lognormal(size=(1, n_trials))
    # A further draw has each of the n + 1 ranks alike.
    tail = math.floor(round((n + 1) * 0.05, 6)) / (n + 1)
    assert 1 - 2 * tail >= coverage - 1e-12
    bound = 4 * math.sqrt(tail * (1 - tail) / n_trials)
    assert np.mean(truth < lower) == pytest.approx(tail, abs=bound)
    assert np.mean(truth > upper) == pytest.approx(tail, abs=bound)


def interval_score(lower, upper, truth, coverage):
    """Charge the width and, at the rate of Gneiting and Raftery, what lies outside."""
    outside = np.maximum(lower - truth, 0) + np.maximum(truth - upper, 0)
    return np.mean(upper - lower + 2 / (1 - coverage) * outside)


@pytest.mark.parametrize("skewed", ["exponential", "lognormal"])
def test_on_skewed_errors_the_interval_is_better_than_one_of_absolute_errors(skewed):
    n, n_trials, coverage = 50, 4000, 0.9
    draw = getattr(np.random.default_rng(0), skewed)
    residuals, truth = draw(size=(n, 1, n_trials)) - 1, draw(size=(200, 1, n_trials)) - 1
    bounds = ConformalResiduals.from_residuals(residuals).interval(
        np.zeros((1, n_trials)), coverage
    )
    absolute = np.sort(np.abs(residuals), axis=0)[math.ceil((n + 1) * coverage) - 1]
    signed_score = interval_score(*bounds, truth, coverage)
    assert signed_score < 0.95 * interval_score(-absolute, absolute, truth, coverage)


def test_each_step_and_target_has_its_own_width():
    lower, upper = ConformalResiduals.from_residuals(drawn(500)).interval(np.zeros((2, 3)))
    widths = (upper - lower).ravel()
    assert (np.diff(widths) > 0).all()


def test_quantiles_at_the_tails_are_the_interval():
    calibrated = ConformalResiduals.from_residuals(drawn(100))
    point = np.ones((5, 2, 3))
    np.testing.assert_array_equal(
        calibrated.quantiles(point, [(1 - 0.8) / 2, 1 - (1 - 0.8) / 2]),
        calibrated.interval(point, 0.8),
    )


def test_the_median_lies_in_the_middle():
    assert ConformalResiduals.from_residuals(column([5, 1, 2])).quantiles(ZERO, [0.5]) == 2
    assert ConformalResiduals.from_residuals(column([5, 1, 2, 4])).quantiles(ZERO, [0.5]) == 3


numbers = st.one_of(st.floats(-1e6, 1e6), st.just(np.nan), st.sampled_from([-1.0, 0.0, 1.0]))


@given(
    residuals=arrays(
        np.float64, st.tuples(st.integers(1, 30), st.just(2), st.just(2)), elements=numbers
    ),
    more=arrays(
        np.float64, st.tuples(st.integers(0, 30), st.just(2), st.just(2)), elements=numbers
    ),
    n_kept=st.integers(2, 12),
    alphas=st.lists(st.floats(0.001, 0.999), min_size=2, max_size=6),
)
def test_quantiles_never_cross(residuals, more, n_kept, alphas):
    residuals[0] = 0.5
    calibrated = ConformalResiduals.from_residuals(residuals, n_kept=n_kept).recalibrated(more)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CalibrationWarning)
        quantiles = calibrated.quantiles(np.zeros((7, 2)), sorted([*alphas, 0.5]))
    assert np.isfinite(quantiles).all()
    # Beyond the horizon the last digit of a root may differ.
    slack = 1e-12 * np.abs(quantiles).max()
    assert (np.diff(quantiles, axis=0) >= -slack).all()


def test_a_large_sample_keeps_few_numbers_and_bounds_no_narrower_than_exact_ones():
    residuals = drawn(20_000)
    calibrated = ConformalResiduals.from_residuals(residuals, n_kept=200)
    assert len(pickle.dumps(calibrated)) < 2 * 200 * 6 * 8 + 2000
    np.testing.assert_array_equal(calibrated.n_residuals, 20_000)
    for coverage in (0.5, 0.9, 0.98):
        lower, upper = calibrated.interval(np.zeros((2, 3)), coverage)
        low, high = looped_bounds(residuals, (1 - coverage) / 2)
        assert (lower <= low).all()
        assert (upper >= high).all()
        # No further out than a 200th of the ranks.
        too_low, too_high = looped_bounds(residuals, (1 - coverage) / 2 - 1.1 / 200)
        assert (lower >= too_low).all()
        assert (upper <= too_high).all()


def test_a_small_sample_is_kept_as_it_is():
    residuals = drawn(1000)
    calibrated = ConformalResiduals.from_residuals(residuals)
    np.testing.assert_array_equal(calibrated.recent, residuals)
    assert calibrated.older.size == 0


def test_ranks_stay_exact_until_there_is_more_than_can_be_held():
    residuals = drawn(140)
    calibrated = ConformalResiduals.from_residuals(residuals[:50], n_kept=100)
    for start in range(50, 140, 10):
        calibrated = calibrated.recalibrated(residuals[start : start + 10])
    assert calibrated.older.size
    np.testing.assert_array_equal(
        calibrated.interval(np.zeros((2, 3)), 0.9), looped_bounds(residuals, 0.05)
    )


@pytest.mark.parametrize("batch", [1, 7, 500])
def test_errors_that_come_in_batches_count_like_those_that_come_at_once(batch):
    residuals = drawn(5000)
    residuals[np.random.default_rng(3).random(residuals.shape) < 0.2] = np.nan
    calibrated = ConformalResiduals.from_residuals(residuals[:300], n_kept=100)
    for start in range(300, 5000, batch):
        calibrated = calibrated.recalibrated(residuals[start : start + batch])
    np.testing.assert_array_equal(calibrated.n_residuals, (~np.isnan(residuals)).sum(axis=0))
    assert len(calibrated.recent) <= 100
    assert len(calibrated.older) <= 100
    alphas = [0.05, 0.3, 0.5, 0.7, 0.95]
    found = calibrated.quantiles(np.zeros((2, 3)), alphas)
    for alpha, quantile in zip(alphas, found, strict=True):
        share = np.nanmean(np.where(np.isnan(residuals), np.nan, residuals <= quantile), axis=0)
        np.testing.assert_allclose(share, alpha, atol=0.025)


def test_taking_in_errors_leaves_the_object_as_it_was():
    calibrated = ConformalResiduals.from_residuals(drawn(30))
    before = calibrated.interval(np.zeros((2, 3)), 0.9)
    calibrated.recalibrated(100 * drawn(30))
    np.testing.assert_array_equal(calibrated.interval(np.zeros((2, 3)), 0.9), before)


@pytest.mark.parametrize("n_first", [10, 90, 5000])
def test_a_window_keeps_the_newest_errors_alone(n_first):
    residuals = drawn(n_first + 30)
    calibrated = ConformalResiduals.from_residuals(residuals[:n_first], n_kept=100)
    moved = calibrated.recalibrated(residuals[n_first:], window=40)
    np.testing.assert_array_equal(moved.recent, residuals[-40:])
    np.testing.assert_array_equal(
        moved.interval(np.zeros((2, 3)), 0.9), looped_bounds(residuals[-40:], 0.05)
    )


@pytest.mark.parametrize("size", [1, 7, 150])
def test_a_window_counts_the_known_errors_of_each_step_and_target(size):
    residuals = drawn(200)
    residuals[np.random.default_rng(1).random(residuals.shape) < 0.3] = np.nan
    residuals[140:, :, 1] = np.nan  # an outage longer than the window
    calibrated = ConformalResiduals.from_residuals(residuals[:50])
    for begin in range(50, 200, size):
        calibrated = calibrated.recalibrated(residuals[begin : begin + size], window=40)
    assert len(calibrated.recent) == 40
    for step in range(residuals.shape[1]):
        for target in range(residuals.shape[2]):
            held, all_errors = calibrated.recent[:, step, target], residuals[:, step, target]
            np.testing.assert_array_equal(held, all_errors[~np.isnan(all_errors)][-40:])


def test_a_window_follows_errors_that_grow():
    quiet, loud = column(np.linspace(-1, 1, 400)), column(np.linspace(-9, 9, 100))
    calibrated = ConformalResiduals.from_residuals(quiet)
    _, narrow = calibrated.recalibrated(loud).interval(ZERO, 0.8)
    _, wide = calibrated.recalibrated(loud, window=100).interval(ZERO, 0.8)
    assert narrow < 2
    assert wide > 7


def test_steps_beyond_the_horizon_add_the_variance_of_each_block():
    calibrated = ConformalResiduals.from_residuals(drawn(200) - 0.2)
    point = np.zeros((7, 3))
    for side in (0, 1):
        bound = calibrated.interval(point, 0.9)[side]
        fitted = calibrated.interval(point[:2], 0.9)[side]
        np.testing.assert_array_equal(bound[:2], fitted)
        for step in range(2, 7):
            block, place = divmod(step, 2)
            expected = np.sign(fitted[0]) * np.sqrt(block * fitted[-1] ** 2 + fitted[place] ** 2)
            np.testing.assert_allclose(bound[step], expected, rtol=1e-12)


def test_the_rolled_out_rule_holds_where_blocks_are_independent():
    rng = np.random.default_rng(0)
    # One step a block: the error after five blocks of a random walk is the sum of five.
    calibrated = ConformalResiduals.from_residuals(rng.normal(size=(2000, 1, 1)))
    truth = rng.normal(size=(20_000, 5, 1)).cumsum(axis=1)
    lower, upper = calibrated.interval(np.zeros((5, 1)), 0.9)
    covered = ((truth >= lower) & (truth <= upper)).mean(axis=0)
    np.testing.assert_allclose(covered, 0.9, atol=0.03)


def test_a_shorter_forecast_takes_the_first_steps():
    calibrated = ConformalResiduals.from_residuals(drawn(50))
    whole, part = (calibrated.interval(np.zeros((n, 3)), 0.8)[1] for n in (2, 1))
    np.testing.assert_array_equal(part, whole[:1])


def test_too_few_errors_give_the_largest_and_a_warning():
    calibrated = ConformalResiduals.from_residuals(column([3, -1, 2]))
    with pytest.warns(CalibrationWarning, match="coverage of 0.9 needs 19 residuals .* are 3"):
        lower, upper = calibrated.interval(ZERO, 0.9)
    assert (lower.item(), upper.item()) == (-1, 3)
    with pytest.warns(CalibrationWarning, match="quantile at 0.1 needs 9 residuals"):
        assert calibrated.quantiles(ZERO, [0.1, 0.6]).ravel().tolist() == [-1, 3]


@pytest.mark.parametrize(("coverage", "n_needed"), [(0.5, 3), (0.8, 9), (0.9, 19), (0.95, 39)])
def test_the_number_of_errors_that_the_warning_asks_for_is_enough(coverage, n_needed):
    errors = np.arange(float(n_needed))
    enough = ConformalResiduals.from_residuals(column(errors))
    lower, upper = enough.interval(ZERO, coverage)  # a warning would be an error
    assert (lower.item(), upper.item()) == (0, n_needed - 1)
    with pytest.warns(CalibrationWarning, match=f"needs {n_needed} residuals"):
        ConformalResiduals.from_residuals(column(errors[1:])).interval(ZERO, coverage)


def test_a_target_without_errors_has_no_bounds_and_the_others_have_theirs():
    residuals = drawn(100)
    residuals[:, :, 1] = np.nan
    calibrated = ConformalResiduals.from_residuals(residuals, n_kept=20)
    with pytest.warns(CalibrationWarning, match="the fewest are 0, .* NaN is given"):
        lower, upper = calibrated.interval(np.zeros((5, 3)), 0.5)
    for bound in (lower, upper):
        assert np.isnan(bound[:, 1]).all()
        assert np.isfinite(bound[:, [0, 2]]).all()


def test_a_forecast_of_nan_stays_nan():
    calibrated = ConformalResiduals.from_residuals(drawn(50))
    point = np.zeros((2, 3))
    point[1, 0] = np.nan
    lower, upper = calibrated.interval(point, 0.8)
    np.testing.assert_array_equal(np.isnan(lower), np.isnan(point))
    np.testing.assert_array_equal(np.isnan(upper), np.isnan(point))


def test_a_pickle_predicts_the_same():
    calibrated = ConformalResiduals.from_residuals(drawn(3000), n_kept=100)
    again = pickle.loads(pickle.dumps(calibrated))
    point = np.ones((4, 3))
    np.testing.assert_array_equal(again.interval(point), calibrated.interval(point))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda c: c.from_residuals(np.ones((5, 2))),
            r"residuals must have .*; got shape \(5, 2\)",
        ),
        (lambda c: c.from_residuals(np.full((5, 2, 1), np.nan)), "at least one number; got"),
        (lambda c: c.from_residuals(np.full((5, 2, 1), np.inf)), "residuals must be finite"),
        (lambda c: c.from_residuals(np.ones((5, 2, 1)), n_kept=1), "n_kept must be .*; got 1"),
        (lambda c: c.recalibrated(np.ones((5, 3, 3))), r"\(n_windows, 2, 3\); got \(5, 3, 3\)"),
        (lambda c: c.recalibrated(drawn(5), window=501), "window must be .* 500; got 501"),
        (lambda c: c.recalibrated(drawn(5), window=0), "window must be .*; got 0"),
        (lambda c: c.interval(np.ones((2, 3)), 1.0), r"coverage must be in \(0, 1\); got 1.0"),
        (lambda c: c.interval(np.ones((2, 2))), r"point must have .* 3\); got shape \(2, 2\)"),
        (lambda c: c.interval(np.ones(3)), r"point must have .*; got shape \(3,\)"),
        (lambda c: c.quantiles(np.ones((2, 3)), []), r"alphas must be .*; got \[\]"),
        (lambda c: c.quantiles(np.ones((2, 3)), [0.5, 0]), r"alphas must be .*; got \[0.5, 0\]"),
    ],
)
def test_a_wrong_argument_is_named_in_the_error(call, message):
    with pytest.raises(ValueError, match=message):
        call(ConformalResiduals.from_residuals(drawn(50)))
