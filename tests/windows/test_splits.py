"""Splits keep time in order, or treat a row of weight k as k rows."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.model_selection import KFold, StratifiedShuffleSplit, TimeSeriesSplit

from sknas.windows import (
    chronological_split,
    group_duplicates,
    grouping,
    hashed_order,
    hashed_split,
    hashing,
    splitter_split,
    stratified_split,
)

FRACTIONS = st.floats(0.01, 0.99)
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def weighted_rows(draw):
    """Draw few small integers, so that rows are often equal, and their weights."""
    n_rows = draw(st.integers(1, 12))
    X = draw(arrays.arrays(float, (n_rows, 2), elements=st.integers(0, 2)))
    y = draw(arrays.arrays(int, n_rows, elements=st.integers(0, 1)))
    weights = draw(arrays.arrays(int, n_rows, elements=st.integers(0, 4)))
    assume(weights.any())
    return X, y, weights


@pytest.fixture
def colliding_hashes(monkeypatch):
    """Give all rows the same hash."""

    def constant_hashes(arrays, seed):
        return np.zeros(len(arrays[0]), dtype=np.uint64)

    monkeypatch.setattr(grouping, "row_hashes", constant_hashes)


def counted_rows(X, y, rows, weights=None):
    """Count how often each (x, y) is among `rows`, a weight counting as repetitions."""
    counts = {}
    for row in rows:
        key = (*X[row], y[row])
        counts[key] = counts.get(key, 0) + (1 if weights is None else weights[row])
    return counts


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


# --- the order by content ---


@given(data=weighted_rows(), seed=SEEDS)
def test_a_hashed_order_is_a_permutation_with_equal_rows_adjacent(data, seed):
    X, y, _ = data
    order = hashed_order([X, y], seed)
    np.testing.assert_array_equal(np.sort(order), np.arange(len(X)))
    keys = [(*X[row], y[row]) for row in order]
    n_runs = 1 + sum(keys[i] != keys[i - 1] for i in range(1, len(keys)))
    assert n_runs == len(set(keys))


@given(data=weighted_rows(), seed=SEEDS, shuffle=st.randoms())
def test_a_hashed_order_does_not_depend_on_position(data, seed, shuffle):
    X, y, _ = data
    moved = list(range(len(X)))
    shuffle.shuffle(moved)
    order, moved_order = hashed_order([X, y], seed), hashed_order([X[moved], y[moved]], seed)
    np.testing.assert_array_equal(X[order], X[moved][moved_order])
    np.testing.assert_array_equal(y[order], y[moved][moved_order])


@given(data=weighted_rows(), shuffle=st.randoms())
def test_colliding_hashes_are_told_apart_by_content(data, shuffle):
    X, y, _ = data
    moved = list(range(len(X)))
    shuffle.shuffle(moved)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "row_hashes", lambda arrays, seed: np.zeros(len(X), np.uint64))
        order, moved_order = hashed_order([X, y], 0), hashed_order([X[moved], y[moved]], 0)
        representatives, weights = group_duplicates([X, y], None, 0)
    np.testing.assert_array_equal(X[order], X[moved][moved_order])
    np.testing.assert_array_equal(y[order], y[moved][moved_order])
    groups = counted_rows(X, y, range(len(X)))
    merged = {(*X[row], y[row]): n for row, n in zip(representatives, weights, strict=True)}
    assert merged == groups


@pytest.mark.usefixtures("colliding_hashes")
def test_equal_rows_are_merged_and_others_are_not_whatever_the_hash():
    integers = np.array([2**53, 2**53 + 1, 2**53])  # the same as floats
    representatives, weights = group_duplicates([integers], None, 0)
    assert sorted(zip(integers[representatives].tolist(), weights.tolist(), strict=True)) == [
        (2**53, 2.0),
        (2**53 + 1, 1.0),
    ]


def test_large_integers_that_are_equal_as_floats_stay_apart():
    integers = np.array([2**53, 2**53 + 1])
    assert len(group_duplicates([integers], None, 0)[0]) == 2


def test_another_seed_gives_another_order():
    X = np.arange(100.0)
    assert not np.array_equal(hashed_order([X], 0), hashed_order([X], 1))


def test_a_hashed_order_looks_random():
    n_rows, n_seeds = 50, 2000
    X = np.arange(float(n_rows))
    orders = np.array([hashed_order([X], seed) for seed in range(n_seeds)])
    first = np.bincount(orders[:, 0], minlength=n_rows)
    # Chi-square with 49 degrees of freedom; 95 is beyond its 99.99 % quantile.
    assert ((first - n_seeds / n_rows) ** 2 / (n_seeds / n_rows)).sum() < 95
    positions = np.argsort(orders, axis=1)
    neighbours = np.corrcoef(positions[:, 10], positions[:, 11])[0, 1]
    assert abs(neighbours) < 4 / np.sqrt(n_seeds)


def test_columns_and_arrays_are_not_interchangeable():
    X = np.random.default_rng(0).normal(size=(40, 2))
    by_columns = hashed_order([X], 0)
    assert not np.array_equal(by_columns, hashed_order([X[:, ::-1]], 0))
    first, second = X.T
    assert not np.array_equal(hashed_order([first, second], 0), hashed_order([second, first], 0))


def test_zeros_of_both_signs_are_equal_and_so_are_all_nan():
    negative_nan = np.copysign(np.nan, -1.0)
    X = np.array([0.0, np.nan, 1.0, -0.0, negative_nan])
    representatives, weights = group_duplicates([X], None, 0)
    assert len(representatives) == 3
    assert sorted(weights) == [1.0, 2.0, 2.0]


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, "strided"])
def test_the_memory_layout_does_not_matter(layout):
    X = np.random.default_rng(1).normal(size=(30, 4, 3))
    laid_out = np.repeat(X, 2, axis=1)[:, ::2] if layout == "strided" else layout(X)
    np.testing.assert_array_equal(hashed_order([X], 5), hashed_order([laid_out], 5))


def test_the_chunks_in_which_rows_are_hashed_do_not_matter(monkeypatch):
    X = np.random.default_rng(2).integers(0, 3, size=(200, 3))
    whole = hashed_order([X], 0)
    monkeypatch.setattr(hashing, "_CHUNK", 7)
    np.testing.assert_array_equal(hashed_order([X], 0), whole)


@pytest.mark.parametrize(
    "entries",
    [
        np.array(["b", "a", "long word", "a", "b"]),
        np.array(["b", "a", "long word", "a", "b"], dtype=object),
        np.array([b"b", b"a", b"long word", b"a", b"b"]),
        np.array([True, False, True, True]),
        np.array(["2020-01-02", "2020-01-01", "2020-01-02"], dtype="M8[ns]"),
        np.array([3, 1, 255], dtype=np.uint8),
        np.array([3.0, 1.0, 3.0], dtype=np.float32),
        np.array([3.0, 1.0, 3.0], dtype=">f8"),
    ],
    ids=lambda entries: str(entries.dtype),
)
def test_every_kind_of_entry_is_grouped_by_equality(entries):
    representatives, weights = group_duplicates([entries], None, 0)
    values, counts = np.unique(entries, return_counts=True)
    order = np.argsort(entries[representatives])
    np.testing.assert_array_equal(entries[representatives][order], values)
    np.testing.assert_array_equal(weights[order], counts)


def test_strings_hash_alike_however_wide_they_are_stored():
    words = np.array(["one", "two", "three", "four"])
    wide = hashed_order([words.astype("U40")], 0)
    np.testing.assert_array_equal(hashed_order([words], 0), wide)
    np.testing.assert_array_equal(hashed_order([words.astype(object)], 0), wide)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "arrays must hold at least one array"),
        ([np.zeros(3), np.zeros(2)], r"arrays must have the same number of rows, .*\(3,\).*\(2,\)"),
        ([np.zeros((0, 2))], "arrays must have the same number of rows, at least 1"),
        ([np.array([1, "a"], dtype=object)], "arrays must hold numbers .* got dtype object"),
        ([np.zeros(2, dtype=complex)], "arrays must hold numbers .* got dtype complex128"),
    ],
)
def test_rows_that_cannot_be_compared_are_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        hashed_order(parts, 0)


# --- merging equal rows ---


@given(data=weighted_rows(), seed=SEEDS)
def test_weights_and_repeated_rows_merge_into_bitwise_the_same_rows(data, seed):
    X, y, weights = data
    repeated = np.repeat(np.arange(len(X)), weights)
    rows, row_weights = group_duplicates([X, y], weights, seed)
    again, again_weights = group_duplicates([X[repeated], y[repeated]], None, seed)
    assert X[rows].tobytes() == X[repeated][again].tobytes()
    assert y[rows].tobytes() == y[repeated][again].tobytes()
    assert row_weights.tobytes() == again_weights.tobytes()


@given(data=weighted_rows(), seed=SEEDS)
def test_merged_rows_are_distinct_and_keep_every_weight(data, seed):
    X, y, weights = data
    rows, row_weights = group_duplicates([X, y], weights, seed)
    merged = {(*X[row], y[row]): weight for row, weight in zip(rows, row_weights, strict=True)}
    assert len(merged) == len(rows)
    assert merged == counted_rows(X, y, np.flatnonzero(weights), weights)


@given(shuffle=st.randoms())
def test_sums_of_fractional_weights_do_not_depend_on_position(shuffle):
    X = np.zeros(7)
    weights = np.array([0.1, 0.2, 0.3, 1e-9, 1e9, 0.7, 1 / 3])
    moved = list(weights)
    shuffle.shuffle(moved)
    total = group_duplicates([X], weights, 0)[1]
    assert total.tobytes() == group_duplicates([X], np.array(moved), 0)[1].tobytes()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(2), r"weights must have one entry for each of 3 rows; got shape \(2,\)"),
        (np.array([1.0, -2.0, 1.0]), "weights must be finite and not negative; .* -2.0"),
        (np.array([1.0, np.nan, 1.0]), "weights must be finite"),
        (np.zeros(3), "weights must have a positive entry; got only zeros"),
    ],
)
def test_weights_that_make_no_sense_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        group_duplicates([np.arange(3.0)], weights, 0)


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
