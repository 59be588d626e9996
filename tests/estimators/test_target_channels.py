"""A target that continues a channel moves with it, and no other does."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tests.small import GRU, LOOKBACK, futures, normal, regressor

pytestmark = pytest.mark.usefixtures("short_epochs")


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


def test_rows_of_a_table_are_read_whatever_the_depth_of_the_targets():
    X = normal(200, 2)
    y = X @ np.array([[0.0, 2.0], [-1.0, 0.5]])
    model = regressor(max_nodes=0)
    assert model.fit(X, y[:, None]).score(X, y[:, None]) > 0.999


def test_a_window_of_one_row_is_read():
    X = normal(300, 2)
    y = X @ np.array([[0.0, 2.0], [-1.0, 0.5]])
    model = regressor(max_nodes=0, lookback=1, channel_mode="mixed", target_channels=[0, 1])
    model.fit(X, y)
    assert model.score(X, y) > 0.999
