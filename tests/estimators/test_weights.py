"""A row of weight k is k rows, and a class weight is the weight of its rows."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils import compute_sample_weight

from sknas.blocks import REGRESSION_LOSSES, WindowData
from sknas.training.feeds import Feed
from tests.small import (
    GRU,
    LOOKBACK,
    MAKERS,
    classifier,
    data_for,
    futures,
    product,
    regressor,
    sequences,
)

pytestmark = pytest.mark.usefixtures("short_epochs")


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


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"max_nodes": 0},
        {"genotype": "product"},
        {"max_nodes": 0, "class_weight": "balanced"},
        {"max_nodes": 0, "class_weight": {"down": 3.0}},
    ],
)
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


@pytest.mark.parametrize("class_weight", ["balanced", {"down": 3.0, "up": 1.0}])
def test_class_weights_are_sample_weights(class_weight):
    X, y = product(80)
    y = np.where(y > 0.7, "up", "down")
    by_class = classifier(class_weight=class_weight).fit(X, y)
    by_sample = classifier().fit(X, y, sample_weight=compute_sample_weight(class_weight, y))
    assert_allclose(by_class.predict_proba(X), by_sample.predict_proba(X), rtol=0, atol=1e-6)
    assert (by_class.predict_proba(X) != classifier().fit(X, y).predict_proba(X)).any()


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("unit", [1e-3, 1 / 119, 7.5])
def test_weights_that_are_no_counts_have_no_unit(make, unit):
    X, y = data_for(make, 119)
    settings = {"initial_genotype": "product", "max_nodes": 1, "search_epochs": 8}
    expected = make(**settings).fit(X, y)._outputs(X)
    weighted = make(**settings).fit(X, y, sample_weight=np.full(len(y), unit))
    assert_allclose(weighted._outputs(X), expected, rtol=0, atol=1e-6)


def test_batches_of_weighted_rows_average_to_their_weighted_mean():
    generator = torch.Generator().manual_seed(0)
    past, target = (torch.randn(60, 1, 1, generator=generator).double() for _ in range(2))
    weight = torch.where(torch.arange(60) % 20 == 0, 30.0, 1.0).double()
    index = torch.arange(0, 60)
    objective = REGRESSION_LOSSES["mse"]()
    feed = Feed(WindowData(past, target, weight), index, 10, 6, generator)
    batches = [objective.estimate(past, target, weight) for past, target, weight in feed]
    expected = objective.mean(past, target, weight)
    torch.testing.assert_close(torch.stack(batches).mean(), expected)


@pytest.mark.parametrize("part", ["trained", "validated"])
@pytest.mark.parametrize("is_mapped", [True, False])
def test_a_part_without_weight_is_an_error_that_names_it(part, is_mapped):
    frame, y = futures()
    is_late = np.arange(len(y)) >= 0.75 * len(y)
    weight = is_late if part == "trained" else ~is_late
    targets = y if is_mapped else y[:, 0, 0]
    with pytest.raises(ValueError, match=f"sample_weight must be positive .* {part} on"):
        regressor(lookback=LOOKBACK).fit(frame, targets, sample_weight=weight.astype(float))


def test_a_weight_of_a_class_holds_in_calls_that_lack_the_class():
    X, y = product(90)
    labels = np.array(["a", "b", "c"])[np.digitize(y, [-0.3, 0.3])]
    model = classifier(max_nodes=0, class_weight={"b": 5.0}).fit(X, labels)
    is_other = labels != "b"
    model.partial_fit(X[is_other], labels[is_other])
    assert np.isfinite(model.predict_proba(X)).all()
