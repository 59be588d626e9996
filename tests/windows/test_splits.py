"""Splits keep time in order, or treat a row of weight k as k rows."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, StratifiedShuffleSplit, TimeSeriesSplit

from sknas.windows import (
    chronological_split,
    hashed_order,
    hashed_split,
    splitter_split,
    stratified_split,
)
from tests.weighted_rows import SEEDS, counted_rows, weighted_rows

FRACTIONS = st.floats(0.01, 0.99)


def n_distinct(X, y, weights):
    return len(counted_rows(X, y, np.flatnonzero(weights)))


# --- in time order ---


@given(n=st.integers(2, 500), fraction=FRACTIONS, gap=st.integers(0, 600))
def test_the_chronological_validation_part_is_exactly_the_last_share(n, fraction, gap):
    split = chronological_split(n, fraction, gap)
    n_validation = min(math.ceil(fraction * n), n - 1)
    np.testing.assert_array_equal(split.validation, np.arange(n)[-n_validation:])


@given(n=st.integers(2, 500), fraction=FRACTIONS, gap=st.integers(0, 600))
def test_the_gap_comes_off_the_training_end_and_shrinks_on_little_data(n, fraction, gap):
    split = chronological_split(n, fraction, gap)
    n_before = n - len(split.validation)
    np.testing.assert_array_equal(split.train, np.arange(len(split.train)))
    assert len(split.train) >= max(1, n_before / 2)
    has_room = n_before - gap >= max(1, n_before / 2)
    if has_room:
        assert len(split.train) == n_before - gap


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 0.2, 0), "n must be at least 2 rows"),
        ((10, 0.0, 0), "fraction must be larger than 0 and less than 1; got 0.0"),
        ((10, 1.0, 0), "fraction must be larger than 0 and less than 1; got 1.0"),
        ((10, 0.2, -1), "gap must not be negative; got -1"),
    ],
)
def test_a_chronological_split_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        chronological_split(*arguments)


# --- splitting by content ---


@given(data=weighted_rows(), fraction=FRACTIONS, seed=SEEDS)
def test_a_weight_of_k_splits_like_k_rows(data, fraction, seed):
    X, y, weights = data
    repeated = np.repeat(np.arange(len(X)), weights)
    weighted = hashed_split([X, y], weights, fraction, seed)
    copied = hashed_split([X[repeated], y[repeated]], None, fraction, seed)
    for side in ("train", "validation"):
        by_weight = counted_rows(X, y, getattr(weighted, side), weights)
        assert by_weight == counted_rows(X, y, repeated[getattr(copied, side)])


@given(data=weighted_rows(), fraction=FRACTIONS, seed=SEEDS)
def test_a_weight_of_k_splits_classes_like_k_rows(data, fraction, seed):
    X, y, weights = data
    repeated = np.repeat(np.arange(len(X)), weights)
    weighted = stratified_split([X], y, weights, fraction, seed)
    copied = stratified_split([X[repeated]], y[repeated], None, fraction, seed)
    for side in ("train", "validation"):
        by_weight = counted_rows(X, y, getattr(weighted, side), weights)
        assert by_weight == counted_rows(X, y, repeated[getattr(copied, side)])


@given(data=weighted_rows(), fraction=FRACTIONS, seed=SEEDS, is_stratified=st.booleans())
def test_the_parts_hold_every_weighted_row_once_and_share_no_content(
    data, fraction, seed, is_stratified
):
    X, y, weights = data
    if is_stratified:
        split = stratified_split([X], y, weights, fraction, seed)
    else:
        split = hashed_split([X, y], weights, fraction, seed)
    both = np.concatenate([split.train, split.validation])
    np.testing.assert_array_equal(np.sort(both), np.flatnonzero(weights))
    assert (np.diff(split.train) > 0).all()
    assert (np.diff(split.validation) > 0).all()
    train, validation = counted_rows(X, y, split.train), counted_rows(X, y, split.validation)
    assert not train.keys() & validation.keys()


@given(data=weighted_rows(), fraction=FRACTIONS, seed=SEEDS)
def test_two_different_rows_are_enough_for_both_parts(data, fraction, seed):
    X, y, weights = data
    split = hashed_split([X, y], weights, fraction, seed)
    assert len(split.train) > 0
    assert (len(split.validation) > 0) == (n_distinct(X, y, weights) >= 2)


@given(n_rows=st.integers(2, 300), fraction=FRACTIONS, seed=SEEDS)
def test_the_validation_part_has_the_asked_share_of_distinct_rows(n_rows, fraction, seed):
    X = np.arange(float(n_rows))
    split = hashed_split([X], None, fraction, seed)
    assert len(split.validation) == min(math.ceil(fraction * n_rows), n_rows - 1)


@settings(suppress_health_check=[HealthCheck.filter_too_much])  # often one row trains
@given(data=weighted_rows(), fraction=FRACTIONS, seed=SEEDS)
def test_one_distinct_row_less_would_miss_the_asked_share_of_weight(data, fraction, seed):
    X, y, weights = data
    split = hashed_split([X, y], weights, fraction, seed)
    assume(len(counted_rows(X, y, split.train)) > 1)
    validation = counted_rows(X, y, split.validation, weights)
    ordered = [(*X[row], y[row]) for row in hashed_order([X, y], seed)]
    last = [key for key in ordered if key in validation][-1]
    total = weights.sum()
    assert sum(validation.values()) >= fraction * total
    assert sum(validation.values()) - validation[last] < fraction * total


@given(data=weighted_rows(), fraction=FRACTIONS, seed=SEEDS)
def test_every_class_trains_and_classes_of_two_rows_validate(data, fraction, seed):
    X, y, weights = data
    split = stratified_split([X], y, weights, fraction, seed)
    for label in np.unique(y[weights > 0]):
        members = weights * (y == label)
        assert label in y[split.train]
        assert (label in y[split.validation]) == (n_distinct(X, y, members) >= 2)


@given(fraction=FRACTIONS, seed=SEEDS)
def test_each_class_gives_its_share_to_validation(fraction, seed):
    labels = np.repeat(["few", "some", "many"], [5, 20, 100])
    X = np.arange(125.0)
    split = stratified_split([X], labels, None, fraction, seed)
    for label, n_rows in (("few", 5), ("some", 20), ("many", 100)):
        n_validation = np.count_nonzero(labels[split.validation] == label)
        assert n_validation == min(math.ceil(fraction * n_rows), n_rows - 1)


def test_the_names_of_the_classes_do_not_decide_their_number_of_rows():
    X, y = np.arange(60.0), np.repeat([0, 1, 2], 20)
    by_number = stratified_split([X], y, None, 0.25, 0)
    by_word = stratified_split([X], np.array(["c", "a", "b"], dtype=object)[y], None, 0.25, 0)
    assert len(by_number.validation) == len(by_word.validation) == 15


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, math.nan])
def test_a_fraction_outside_zero_to_one_is_refused(fraction):
    X, y = np.arange(4.0), np.array([0, 0, 1, 1])
    for split in (
        lambda: hashed_split([X], None, fraction, 0),
        lambda: stratified_split([X], y, None, fraction, 0),
    ):
        with pytest.raises(ValueError, match="fraction must be larger than 0"):
            split()


# --- scikit-learn's splitters ---


@pytest.mark.parametrize(
    "cv",
    [
        KFold(4),
        TimeSeriesSplit(3, gap=1),
        StratifiedShuffleSplit(2, random_state=0),
    ],
    ids=lambda cv: type(cv).__name__,
)
def test_the_first_split_of_a_splitter_is_taken(cv):
    X, y = np.zeros((20, 1)), np.arange(20) % 2
    train, validation = next(iter(cv.split(X, y)))
    split = splitter_split(cv, X, y)
    np.testing.assert_array_equal(split.train, np.sort(train))
    np.testing.assert_array_equal(split.validation, np.sort(validation))


def test_pairs_of_numbers_or_masks_are_splits_too():
    X = np.zeros((4, 1))
    is_train = np.array([True, True, False, True])
    for cv in ([([3, 0, 1], [2])], iter([(is_train, ~is_train)])):
        split = splitter_split(cv, X, None)
        np.testing.assert_array_equal(split.train, [0, 1, 3])
        np.testing.assert_array_equal(split.validation, [2])


@pytest.mark.parametrize(
    ("cv", "error", "message"),
    [
        (5, TypeError, "cv must be a splitter .* got 5"),
        ("kfold", TypeError, "cv must be a splitter .* got 'kfold'"),
        ([], ValueError, "cv must yield at least one split"),
        ([([], [0])], ValueError, "cv must yield non-empty lists"),
        ([([0.5], [1])], ValueError, "cv must yield non-empty lists .* dtype float64"),
        ([([0, 1], [1])], ValueError, "cv must yield parts that do not overlap"),
        ([([0, 4], [1])], ValueError, "cv must yield row numbers from 0 to 3; got 0 to 4"),
        ([([0, -1], [1])], ValueError, "cv must yield row numbers from 0 to 3; got -1 to 0"),
    ],
)
def test_what_is_no_split_is_refused(cv, error, message):
    with pytest.raises(error, match=message):
        splitter_split(cv, np.zeros((4, 1)), None)
