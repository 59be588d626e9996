"""Losses are the named ones, measured on the samples that the validation rule holds out."""

import numpy as np
import pytest
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, TimeSeriesSplit

from sknas.estimators import searched
from sknas.estimators._fitting import fit_network
from tests.small import classifier, futures, product, regressor, sequences

pytestmark = pytest.mark.usefixtures("short_epochs")
X, Y = product()


def held_out_and_standardised(validation, **parameters):
    """Return validation losses of the naive forecast, by hand and as reported, for every loss."""
    train, held_out = next(iter(validation.split(X)))
    z = (Y[held_out] - Y[train].mean()) / Y[train].std()
    by_hand = {
        "mse": np.mean(z**2),
        "mae": np.mean(np.abs(z)),
        "huber": np.mean(np.where(np.abs(z) < 1, z**2 / 2, np.abs(z) - 0.5)),
    }
    reported = {
        loss: regressor(max_nodes=0, loss=loss, validation=validation, **parameters)
        .fit(X, Y)
        .search_report_.stages.val_loss["naive"]
        for loss in by_hand
    }
    return by_hand, reported


@pytest.mark.parametrize(
    "validation",
    [
        KFold(4),
        TimeSeriesSplit(3),
        ShuffleSplit(1, test_size=0.3, random_state=1),
    ],
)
def test_losses_are_measured_on_the_splitters_first_part(validation):
    by_hand, reported = held_out_and_standardised(validation)
    assert reported == pytest.approx(by_hand)


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_chronological_validation_is_the_last_share_with_a_gap_before_it(fraction):
    n_held = int(np.ceil(fraction * len(Y)))
    train, held_out = np.arange(len(Y) - n_held - 2), np.arange(len(Y) - n_held, len(Y))
    z = (Y[held_out] - Y[train].mean()) / Y[train].std()
    model = regressor(max_nodes=0, validation="chronological", validation_fraction=fraction)
    stages = model.fit(X, Y).search_report_.stages
    assert stages.val_loss["naive"] == pytest.approx(np.mean(z**2))


def test_rows_in_time_order_and_windows_are_validated_on_the_last_share():
    frame, future = futures()
    X3, y3 = sequences()
    for data, parameters in [((frame, future), {"lookback": 6}), ((X3, y3), {})]:
        scores = [
            regressor(max_nodes=0, validation=validation, **parameters)
            .fit(*data)
            .search_report_.stages.val_loss["naive"]
            for validation in ("auto", "chronological", "shuffle")
        ]
        assert scores[0] == scores[1] != scores[2]


def test_tabular_rows_are_validated_on_a_shuffle_and_classes_on_their_shares():
    y_class = np.repeat(["rare", "usual"], [12, 108])
    for make, y, rule in [(regressor, Y, "shuffle"), (classifier, y_class, "stratified")]:
        naive = [
            make(max_nodes=0, validation=validation)
            .fit(X, y)
            .search_report_.stages.val_loss["naive"]
            for validation in ("auto", rule)
        ]
        assert naive[0] == naive[1]
    shares = np.array([0.1, 0.9])
    # Of 24 samples, and one more that may be of either class.
    labels = (24 * shares + [0.5, 0.5]) / 25
    assert naive[0] == pytest.approx(-labels @ np.log(shares), rel=0.2)


def test_absolute_loss_is_less_drawn_by_outliers():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(300, 2))
    law = inputs[:, 0] * inputs[:, 1]
    spoilt = law.copy()
    spoilt[::10] += 30.0
    errors = {
        loss: np.abs(
            regressor(
                genotype="product",
                loss=loss,
                max_epochs=20,
                learning_rate=0.02,
                early_stopping=False,
            )
            .fit(inputs, spoilt)
            .predict(inputs)
            - law
        ).mean()
        for loss in ("mse", "mae", "huber")
    }
    assert errors["mae"] < errors["mse"]
    assert errors["huber"] < errors["mse"]


@pytest.mark.parametrize("is_in_time", [False, True])
def test_the_architecture_is_judged_by_samples_of_every_kind_or_by_the_last(
    is_in_time, monkeypatch
):
    problems = []

    def keep(problem, *rest):
        problems.append(problem)
        return fit_network(problem, *rest)

    monkeypatch.setattr("sknas.estimators.searched.fit_network", keep)
    y = np.repeat(["first", "last"], [60, 60])  # sorted, as tables often are
    splitter = TimeSeriesSplit(3) if is_in_time else StratifiedKFold(4)
    classifier(max_nodes=0, validation=splitter).fit(X, y)
    (problem,) = problems
    assert len(problem.arch) > 4
    if is_in_time:
        assert problem.weight.max() < problem.arch.min()
    else:
        assert set(y[problem.arch]) == set(y[problem.weight]) == {"first", "last"}


@pytest.mark.parametrize(
    ("validation", "is_in_time"),
    [
        ("auto", True),
        ("chronological", True),
        ("shuffle", False),
        (KFold(3, shuffle=True, random_state=0), False),
        (TimeSeriesSplit(2), True),
    ],
)
def test_sequences_are_taken_for_windows_of_one_series_where_they_are_split_in_time(
    validation, is_in_time, monkeypatch
):
    seen = []
    monkeypatch.setattr(
        searched,
        "fit_network",
        lambda problem, *rest: seen.append(problem) or fit_network(problem, *rest),
    )
    regressor(max_nodes=0, validation=validation).fit(*sequences(40, 5))
    assert [problem.is_in_time for problem in seen] == [is_in_time]


@pytest.mark.parametrize("horizon", [None, 2])
def test_the_linear_seed_of_the_absolute_error_has_half_of_the_truth_on_either_side(horizon):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 3))
    n_targets = horizon or 1
    noise = rng.exponential(size=(3000, n_targets)) * np.arange(1, n_targets + 1)
    y = X[:, :1] + noise
    shares = {
        loss: np.mean(y <= regressor(max_nodes=0, loss=loss).fit(X, y).predict(X), axis=0)
        for loss in ("mse", "mae")
    }
    np.testing.assert_allclose(shares["mae"], 0.5, atol=0.06)
    assert (shares["mse"] > 0.6).all()  # the mean of exponential errors lies above the median
