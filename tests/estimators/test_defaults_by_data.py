"""What "auto" means depends on the data, and is what the same number given by hand would be."""

import numpy as np
import pytest
import torch

from sknas.genotype import NAMED_CELLS
from sknas.search.decay import decay_groups
from sknas.training import Schedule
from tests.small import normal, product, regressor

N_CHANNELS, LOOKBACK = 3, 16
LEARNS = {"genotype": "rnn", "linear_seed": False, "learning_rate": 0.02, "max_epochs": 8}
NETWORK = {**LEARNS, "channel_mode": "independent"}


def windows(n_rows, n_channels=N_CHANNELS, horizon=2):
    time = np.arange(n_rows)[:, None] + np.arange(n_channels)
    series = np.sin(2 * np.pi * time / 8) + 0.05 * normal(n_rows, n_channels)
    both = np.lib.stride_tricks.sliding_window_view(series, LOOKBACK + horizon, axis=0)
    both = both.swapaxes(1, 2)
    return both[:, :LOOKBACK], both[:, LOOKBACK:]


def fitted(data, **parameters):
    return regressor(**{**NETWORK, **parameters}).fit(*data)


def weights(model):
    return [p.numpy().tobytes() for p in model.module_.parameters()]


def last_branch(model):
    return model.module_.trunk.branches[-1]


def test_few_windows_decay_at_the_full_rate():
    data = windows(120)
    auto, full, none = (weights(fitted(data, weight_decay=decay)) for decay in ("auto", 1.0, 0.0))
    assert auto == full
    assert auto != none


def test_more_windows_decay_less_and_longer_horizons_more(monkeypatch):
    seen = []

    def noted(parameters, weight_decay):
        seen.append(weight_decay)
        return decay_groups(parameters, weight_decay)

    monkeypatch.setattr("sknas.training.trainee.decay_groups", noted)

    def decay(n_rows, horizon):
        fitted(windows(n_rows, horizon=horizon), max_epochs=1, batch_size=1024)
        return seen.pop()

    assert 0 < decay(3000, 1) < decay(1500, 1) < decay(1500, 4) <= 1.0
    # Proportional to the horizon over the number of windows: the split's gaps are a few of them.
    assert decay(3000, 2) == pytest.approx(2 * decay(3000, 1), rel=0.02)


def test_a_table_does_not_decay():
    X = normal(80, 4)
    data = X, X[:, 0]
    auto, none, full = (
        weights(regressor(**LEARNS, weight_decay=decay).fit(*data)) for decay in ("auto", 0.0, 1.0)
    )
    assert auto == none
    assert auto != full


def test_forecasts_read_four_segments_and_answers_to_sequences_more():
    X, Y = windows(90, horizon=1)
    forecast = fitted((X, Y))
    answer = regressor(**LEARNS).fit(X, X[:, -1, 0])
    assert last_branch(forecast).segment_length == LOOKBACK // 4
    assert last_branch(answer).segment_length < LOOKBACK // 4


def test_without_gains_channels_that_look_alike_are_forecast_alike():
    X, Y = windows(120)
    past = torch.from_numpy(normal(5, 1, LOOKBACK)).expand(5, N_CHANNELS, LOOKBACK)
    shared, own = (fitted((X, Y), weight_decay=0.0, channel_gains=gains) for gains in (False, True))
    spread = [model.module_(past).std(dim=1).max() for model in (shared, own)]
    assert spread[0] < 1e-12
    assert spread[1] > 1e-6
    assert shared.n_params_ == own.n_params_ - N_CHANNELS * 4


@pytest.mark.parametrize(
    ("n_rows", "horizon", "channel_mode", "width", "stages"),
    [
        (200, 1, "independent", 64, {"derived", "trained", "retrained"}),
        (2200, 1, "independent", 64, {"derived", "trained"}),
        (2300, 96, "independent", 64, {"retrained"}),
        (6500, 1, "mixed", 128, {"derived", "trained", "retrained"}),
    ],
)
def test_width_and_retraining_follow_the_number_and_kind_of_sequences(
    n_rows, horizon, channel_mode, width, stages
):
    model = fitted(
        windows(n_rows, horizon=horizon),
        genotype=None,
        initial_genotype="rnn",
        max_nodes=1,
        hidden_size="auto",
        channel_mode=channel_mode,
        search_epochs=2,
        max_epochs=1,
        batch_size=512,
    )
    found = set(model.search_report_.stages.index)
    assert found & {"derived", "trained", "retrained"} == stages
    given = fitted(windows(90), hidden_size="auto", max_epochs=1)
    assert last_branch(given).hidden_size == 64
    assert {branch.hidden_size for branch in model.genotype_.branches} <= {width}
    assert max(event["n_params"] for event in model.growth_events_) > width**2


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "is_short"), [(200, 64, False), (200, 512, True), (2200, 512, True)]
)
def test_a_search_is_short_where_a_step_is_costly_or_takes_all_samples(
    monkeypatch, n_rows, batch_size, is_short
):
    made = []

    def noted(*arguments):
        made.append(Schedule(*arguments))
        return made[-1]

    monkeypatch.setattr("sknas.estimators._settings.Schedule", noted)
    fitted(windows(n_rows, horizon=1), search_epochs="auto", batch_size=batch_size, max_epochs=1)
    n_steps = made[0].search_epochs * made[0].n_epoch_steps
    assert (n_steps <= 1000) == is_short
    assert n_steps >= 900


@pytest.mark.parametrize(("n_rows", "n_epochs"), [(1500, 4), (2900, 4), (4000, 6)])
def test_patience_lasts_for_more_than_a_pass_through_the_data(monkeypatch, n_rows, n_epochs):
    made = []

    def noted(*arguments):
        made.append(Schedule(*arguments))
        return made[-1]

    monkeypatch.setattr("sknas.estimators._settings.Schedule", noted)
    X, y = product(n_rows)
    regressor(search_epochs="auto", max_epochs="auto", max_nodes=0, batch_size=8).fit(X, y)
    n_steps = made[0].n_epoch_steps
    assert n_steps == 100
    assert made[0].patience == n_epochs >= 0.8 * n_rows / 8 / n_steps


@pytest.mark.parametrize(("horizon", "width"), [(128, 64), (129, 128)])
def test_a_state_that_foretells_many_steps_is_wide_also_where_a_step_is_costly(horizon, width):
    data = windows(2600, horizon=horizon)
    model = fitted(data, hidden_size="auto", max_epochs=1, batch_size=512)
    assert last_branch(model).hidden_size == width


@pytest.mark.parametrize(("n_rows", "first"), [(1500, "pooling"), (200, "gru")])
def test_where_forecasts_are_few_the_gru_is_the_first_contender(n_rows, first):
    data = windows(n_rows, n_channels=1, horizon=16)
    model = regressor(search_epochs=8, max_epochs=1, hidden_size=4).fit(*data)
    cells = [event.edit.branch.layers[0] for event in model.growth_events_ if event.epoch == 0]
    assert cells[0] == NAMED_CELLS[first]
    assert {NAMED_CELLS["gru"], NAMED_CELLS["pooling"]} <= set(cells)
