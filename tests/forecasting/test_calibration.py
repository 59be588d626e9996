"""Intervals widen with a series' movement, by as much as its errors tell."""

import numpy as np
import pytest

from sknas.forecasting._calibration import Calibration, movement


def windows(n, seed=0):
    """Return movement of two targets, still half of the time, and errors of unit size."""
    rng = np.random.default_rng(seed)
    moved = np.where(rng.random((n, 2)) < 0.5, 0.0, rng.uniform(0.5, 1.5, size=(n, 2)))
    return moved, rng.normal(size=(n, 3, 2))


def test_errors_that_do_not_follow_movement_make_equal_intervals():
    moved, noise = windows(800)
    errors = noise.copy()
    errors[:, :, 1] *= (moved + 0.02)[:, None, 1]
    calibration = Calibration.of(errors, moved, n_series=1)
    assert calibration.share[0] == 1.0
    assert calibration.share[1] == 0.25
    ends = calibration.levels(np.zeros((2, 3, 2)), np.array([[0.0, 0.0], [1.0, 1.0]]), [0.1, 0.9])
    widths = (ends[1] - ends[0]).mean(axis=1)  # (window, target)
    assert widths[0, 0] == pytest.approx(widths[1, 0])
    assert widths[0, 0] == pytest.approx(2 * 1.2816, rel=0.1)
    assert widths[0, 1] < 0.3 * widths[1, 1]


def test_a_small_gain_leaves_intervals_that_follow_movement():
    rng = np.random.default_rng(1)
    moved = rng.uniform(0.8, 1.2, size=(800, 1))
    errors = rng.normal(size=(800, 3, 1))
    assert Calibration.of(errors, moved, n_series=1).share == 0.25


def test_few_errors_choose_nothing():
    moved, errors = windows(80)
    assert (Calibration.of(errors, moved, n_series=1).share == 0.25).all()


def test_a_target_without_errors_is_passed_over_in_silence(recwarn):
    moved, errors = windows(800)
    hidden = errors.copy()
    hidden[:, :, 1] = np.nan
    hidden[:, 2, 0] = np.nan
    assert Calibration.of(hidden, moved, n_series=1).share.tolist() == [1.0, 0.25]
    assert not recwarn.list


def test_an_unknown_step_does_not_decide():
    moved, errors = windows(800)
    hidden = errors.copy()
    hidden[::3, 1] = np.nan
    whole, part = (Calibration.of(some, moved, n_series=1) for some in (errors, hidden))
    np.testing.assert_array_equal(whole.share, part.share)


def test_movement_is_not_told_where_no_neighbours_are_known():
    nan = np.nan
    past = np.array([[1.0, nan, 5.0, nan], [1.0, 3.0, nan, nan], [nan] * 4, [2.0, 2.5, 2.0, 3.0]])
    moved = movement(past[:, :, np.newaxis])[:, 0]
    np.testing.assert_array_equal(moved, [nan, 2.0, np.inf, 2.0 / 3.0])


def test_a_window_that_tells_no_movement_is_taken_for_a_usual_one():
    rng = np.random.default_rng(1)
    moved = rng.uniform(0.2, 2.0, size=(300, 2))
    errors = moved[:, None] * rng.normal(size=(300, 3, 2))
    calibration = Calibration.of(errors, moved, n_series=1)
    assert (calibration.share < 1.0).all()
    weight = calibration.weight(np.array([[np.nan, np.nan]]))
    np.testing.assert_allclose(weight[0], calibration.typical)


def test_a_window_that_tells_nothing_has_the_spread_of_the_series_and_does_not_count():
    moved, errors = windows(200)
    alone = Calibration.of(errors, moved, n_series=1)
    strange = np.full((30, 3, 2), 40.0), np.full((30, 2), np.inf)
    parts = (np.concatenate(pair) for pair in zip((errors, moved), strange, strict=True))
    beside = Calibration.of(*parts, n_series=1)
    later = alone.with_errors(*strange)
    points, alphas = np.zeros((1, 3, 2)), [0.05, 0.5, 0.9]
    ends = [c.levels(points, moved[:1], alphas) for c in (alone, beside, later)]
    np.testing.assert_array_equal(ends[1], ends[0])
    np.testing.assert_array_equal(ends[2], ends[0])
    unknown = alone.levels(points + 2.0, np.full((1, 2), np.inf), alphas)[:, 0, 0, 0]
    np.testing.assert_allclose(unknown, [2.0 - 1.6449, 2.0, 2.0 + 1.2816], atol=1e-4)


@pytest.mark.parametrize("n", [50, 200])
def test_a_target_whose_windows_all_tell_nothing_is_calibrated_on_them(n, recwarn):
    moved, errors = windows(n)
    alone = Calibration.of(errors, moved, n_series=1)
    moved[:, 1] = np.inf
    calibration = Calibration.of(errors, moved, n_series=1)
    ends = calibration.levels(np.zeros((1, 3, 2)), np.ones((1, 2)), [0.1, 0.9])
    assert np.isfinite(ends).all()
    others = alone.levels(np.zeros((1, 3, 2)), np.ones((1, 2)), [0.1, 0.9])
    np.testing.assert_array_equal(ends[..., 0], others[..., 0])
    assert not recwarn.list


def test_a_step_that_is_known_behind_windows_without_numbers_alone_chooses_nothing(recwarn):
    moved, errors = windows(200)
    moved[:80, 0] = np.inf
    errors[80:, 1, 0] = np.nan
    Calibration.of(errors, moved, n_series=1)
    assert not recwarn.list
