"""A network's quantiles beyond its horizon are as wide as independent blocks make them."""

import numpy as np
from numpy.testing import assert_allclose

from sknas.forecasting import ConformalResiduals
from sknas.forecasting._outputs import Outputs
from tests.forecasting.makers import noise

LEVELS = (0.1, 0.5, 0.9)


def outputs(n_steps, horizon):
    values = np.sort(noise(4, 3, n_steps, 2), axis=1)  # (n, n_quantiles, n_steps, n_targets)
    return Outputs(values, LEVELS, horizon)


def test_squares_of_the_spreads_at_the_ends_of_blocks_are_added():
    made = outputs(8, 3)
    found = made.levels([0.1, 0.5, 0.9], "alpha")
    assert_allclose(found[1], made.points)
    for place in (0, 2):
        for step in range(8):
            ends = [end for end in (2, 5) if end < step - step % 3]
            parts = [made.values[:, place, at] - made.points[:, at] for at in (*ends, step)]
            expected = np.sqrt(sum(part**2 for part in parts))
            assert_allclose(np.abs(found[place][:, step] - made.points[:, step]), expected)
    assert (np.diff(found, axis=0) >= 0).all()


def test_within_the_horizon_they_are_the_network_s_own():
    made = outputs(5, 5)
    assert_allclose(made.levels(LEVELS, "alpha"), made.values.swapaxes(0, 1))


def test_equal_blocks_spread_as_conformal_intervals_do():
    errors = noise(999, 3, 2)
    near = ConformalResiduals.from_residuals(errors).quantiles(np.zeros((3, 2)), LEVELS)
    middle = near[1]
    values = np.tile((near - middle)[None], (1, 1, 3, 1))
    found = Outputs(values, LEVELS, 3).levels(LEVELS, "alpha")[:, 0]
    centred = ConformalResiduals.from_residuals(errors - middle)
    assert_allclose(found[[0, 2]], centred.quantiles(np.zeros((9, 2)), LEVELS)[[0, 2]])


def test_conformal_ends_with_a_bias_add_their_squares_by_sign():
    bias = np.array([[0.4, -3.0], [-0.4, 0.2], [3.0, -0.6]])  # (horizon, n_targets)
    conformal = ConformalResiduals.from_residuals(noise(999, 3, 2) + bias)
    near, far = (conformal.quantiles(np.zeros((n, 2)), LEVELS) for n in (3, 9))
    assert (near[:, 0] * near[:, 2] < 0).any()  # squares are added, and subtracted
    assert (near[:, 0] * near[:, 2] > 0).any()
    for place in np.ndindex(far.shape):
        level, step, target = place
        ends = [near[level, 2, target]] * (step // 3) + [near[level, step % 3, target]]
        square = sum(end**2 if end > 0 else -(end**2) for end in ends)
        assert_allclose(far[place], np.sqrt(square) if square > 0 else -np.sqrt(-square))
    assert (np.diff(far, axis=0) >= 0).all()
