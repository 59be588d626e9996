"""Rows are ordered and merged by their content, wherever they stand and however they are stored."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sknas.windows import (
    group_duplicates,
    grouping,
    hashed_order,
    hashing,
)
from tests.weighted_rows import SEEDS, counted_rows, weighted_rows


@pytest.fixture
def colliding_hashes(monkeypatch):
    """Give all rows the same hash."""

    def constant_hashes(arrays, seed):
        return np.zeros(len(arrays[0]), dtype=np.uint64)

    monkeypatch.setattr(grouping, "row_hashes", constant_hashes)


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
