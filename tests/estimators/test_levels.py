"""The linear seed reads levels where those of several channels tell more than each its own."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.linear_model import LinearRegression

from sknas import GrowingDARTSForecaster
from sknas.blocks import NetworkShape, WindowNorm
from sknas.estimators import _companions
from sknas.estimators import _planting as planting
from sknas.estimators._stages import Stages
from tests.small import held_together, normal, regressor

LOOKBACK = 4


def each_its_mean(n_rows=600):
    """Return channels that return to their own means, and do not know of each other."""
    rows, steps = np.zeros((n_rows, 2)), normal(n_rows, 2)
    for t in range(1, n_rows):
        rows[t] = 0.5 * rows[t - 1] + steps[t]
    return rows


def walks(n_rows=600):
    return normal(n_rows, 2).cumsum(axis=0)


def windows_of(rows, horizon=2):
    cut = np.lib.stride_tricks.sliding_window_view(rows, LOOKBACK + horizon, axis=0)
    return cut[..., :LOOKBACK].swapaxes(1, 2), cut[..., LOOKBACK:].swapaxes(1, 2)


def spec(rows, **parameters):
    X, Y = windows_of(rows)
    return regressor(**{"max_nodes": 0, "channel_mode": "auto"} | parameters).fit(X, Y).module_.spec


def test_levels_that_are_held_together_are_read():
    found = spec(held_together())
    assert (found.window_norm, found.channel_mode) == ("level", "mixed")


@pytest.mark.parametrize("make", [each_its_mean, walks])
def test_levels_that_tell_nothing_of_each_other_are_not(make):
    assert spec(make()).window_norm == "last"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"window_norm": "last"}, "last"),
        ({"channel_mode": "independent"}, "last"),
        ({"linear_seed": False}, "last"),
        ({"channel_mode": "mixed"}, "level"),
        ({"channel_mode": "independent", "window_norm": "level"}, "level"),
    ],
)
def test_only_what_is_open_is_chosen(given, expected):
    assert spec(held_together(), **given).window_norm == expected


def test_without_room_for_a_seed_of_all_channels_no_level_is_read():
    rows = held_together()
    room = spec(rows, window_norm="last", channel_mode="independent")
    n_params = LOOKBACK * 2 + 2
    assert spec(rows, max_params=n_params) == room


def test_the_seed_is_the_regression_on_levels_and_past_changes():
    X, Y = windows_of(held_together())
    model = regressor(max_nodes=0, window_norm="level", channel_mode="mixed").fit(X, Y)
    level = X[:, -1:]
    rows = np.hstack([X[:, :-1] - level, level]).reshape(len(X), -1)
    ours = (model.predict(X) - level).reshape(len(X), -1)
    # What is affine in the rows is fitted without a rest, by coefficients that are the map's.
    of_ours = LinearRegression().fit(rows, ours)
    assert_allclose(of_ours.predict(rows), ours, atol=1e-4)
    targets = (Y - level).reshape(len(X), -1)
    least = LinearRegression().fit(rows, targets)
    errors = [np.mean((found - targets) ** 2) for found in (ours, least.predict(rows))]
    assert errors[1] < errors[0] < 1.05 * errors[1]
    without = regressor(max_nodes=0, window_norm="last", channel_mode="mixed").fit(X, Y)
    assert np.mean((without.predict(X) - Y) ** 2) > 1.1 * errors[1]


def test_the_level_of_a_covariate_is_its_own():
    shape = NetworkShape(3, LOOKBACK, 2, 2, (0, 1), n_covariates=1)
    norm, past = WindowNorm("level", shape), torch.from_numpy(normal(5, 3, LOOKBACK))
    normed, stats, _ = norm(past)
    read = norm.for_seed(normed, stats)
    assert torch.equal(read[..., -1], past[..., -1])
    assert torch.equal(read[..., :-1], normed[..., :-1])
    plain = WindowNorm("last", shape)
    assert plain.for_seed(normed, stats) is normed
    assert torch.equal(plain(past)[0], normed)


def test_what_goes_on_keeps_its_normalisation():
    X, Y = windows_of(held_together(400))
    model = regressor(max_nodes=0, channel_mode="auto", warm_start=True).fit(X[:300], Y[:300])
    for rows in (held_together(400), walks(400)):
        assert model.fit(*windows_of(rows)).module_.spec.window_norm == "level"
        assert model.partial_fit(*windows_of(rows)).module_.spec.window_norm == "level"


def test_a_distance_that_has_grown_is_forecast_to_shrink():
    Y = pd.DataFrame(held_together(400), columns=["a", "b"])
    model = GrowingDARTSForecaster(lookback=LOOKBACK, horizon=2, max_nodes=0, random_state=0)
    model.fit(Y[:300]).update(Y[300:])
    apart = Y.copy()
    apart.iloc[-1, 1] += 30.0
    moved = model.predict(Y=apart) - model.predict(Y=Y)
    assert moved["b"].iloc[0] < 20.0
    assert moved["b"].iloc[1] < moved["b"].iloc[0] / 1.5
    assert (moved["a"].abs() < 5.0).all()


def test_windows_near_and_far_read_the_same_levels(monkeypatch):
    planted, whole = [], _companions.plant

    def watched(problem, settings, until):
        planted.append((settings.window_norm, settings.channel_mode, problem.window_norm))
        return whole(problem, settings, until)

    monkeypatch.setattr(_companions, "plant", watched)
    monkeypatch.setattr("sknas.estimators._trainings.SHORTEST_NEAR", 3)
    monkeypatch.setattr("sknas.estimators._companions.MOST_WORSE", np.inf)
    monkeypatch.setattr(Stages, "is_better", lambda *args: False)
    cut = np.lib.stride_tricks.sliding_window_view(held_together(400), 26, axis=0)
    X, Y = cut[..., :24].swapaxes(1, 2), cut[..., 24:].swapaxes(1, 2)
    budget = {"search_epochs": 4, "max_epochs": 2, "hidden_size": 4, "channel_mode": "auto"}
    model = regressor(**budget).fit(X, Y)
    assert model.module_.spec.window_norm == "level"
    assert "far and near" in model.search_report_.stages.index
    assert planted == [("level", "mixed", "level")]


LOSSES = {  # of single channels, all, all with levels, single ones with their levels
    "levels win": ((1.0, 0.97, 0.95, 1.0), ("level", "mixed")),
    "by less than a percent": ((1.0, 0.97, 0.965, 1.0), ("last", "mixed")),
    "over single channels alone": ((0.95, 1.0, 0.93, 1.0), ("level", "mixed")),
    "worse than all without": ((1.0, 0.985, 0.98, 1.1), ("last", "independent")),
    "what each level tells itself": ((1.0, 1.0, 0.9, 0.91), ("last", "independent")),
    "all, but by too little": ((1.0, 0.99, 1.0, 1.0), ("last", "independent")),
}


@pytest.mark.parametrize("case", LOSSES)
def test_what_validates_best_by_enough_is_planted(case, monkeypatch):
    losses, expected = LOSSES[case]
    kinds = [("last", "independent"), ("last", "mixed"), ("level", "mixed")]
    of = dict(zip([*kinds, ("level", "independent")], losses, strict=True))
    monkeypatch.setattr(
        planting, "validation_losses", lambda _, task: of[task.window_norm, task.channel_mode]
    )
    monkeypatch.setattr(planting, "mean_loss", lambda loss, _: loss)
    found = spec(walks(100))
    assert (found.window_norm, found.channel_mode) == expected


@pytest.mark.parametrize(("covariates", "n_solved"), [(0, 4), (1, 1)])
def test_a_covariate_is_no_channel_that_tells_of_others(covariates, n_solved, monkeypatch):
    solved, whole = [], planting._planted
    monkeypatch.setattr(
        planting,
        "_planted",
        lambda *args, **changes: solved.append(changes) or whole(*args, **changes),
    )
    Y = pd.DataFrame(held_together(200)[:, : 2 - covariates])
    X = pd.DataFrame({"known": normal(210)}) if covariates else None
    model = GrowingDARTSForecaster(lookback=LOOKBACK, horizon=2, max_nodes=0, random_state=0)
    model.fit(Y, X=None if X is None else X[:200])
    assert len(solved) == n_solved


def test_a_warm_start_from_single_channels_does_not_turn_to_levels():
    model = regressor(max_nodes=0, channel_mode="auto", warm_start=True)
    assert model.fit(*windows_of(walks(300))).module_.spec.window_norm == "last"
    assert model.fit(*windows_of(held_together(300))).module_.spec.window_norm == "last"
