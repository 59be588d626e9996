"""Known codes get numbers in order, all others share one."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sknas.windows import fit_vocabulary


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(5))
def test_numbers_are_those_of_a_dictionary(seed, dtype):
    rng = np.random.default_rng(seed)
    known, asked = (rng.integers(0, 60, size=(30, 4)).astype(dtype) for _ in range(2))
    number = {code: k for k, code in enumerate(sorted(set(known.ravel())), start=1)}
    expected = [[number.get(code, 0) for code in row] for row in asked]
    vocabulary = fit_vocabulary(known)
    assert_array_equal(vocabulary.transform(asked), expected)
    assert vocabulary.n_categories == len(number) + 1


def test_missing_codes_stay_missing_and_are_not_counted():
    codes = np.array([[2.0, np.nan], [5.0, np.nan]])
    vocabulary = fit_vocabulary(codes)
    assert vocabulary.n_categories == 3
    assert_array_equal(vocabulary.transform(codes), [[1.0, np.nan], [2.0, np.nan]])


def test_codes_below_between_and_above_the_known_ones_share_number_zero():
    vocabulary = fit_vocabulary(np.array([3.0, 7.0]))
    assert_array_equal(vocabulary.transform(np.array([0.0, 4.0, 9.0, 1e15])), np.zeros(4))


def test_a_vocabulary_needs_a_code():
    with pytest.raises(ValueError, match="at least one code"):
        fit_vocabulary(np.array([np.nan]))
