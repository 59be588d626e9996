"""What a file computes before and after its network is what the estimators compute."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sknas.reporting.deployed import Sequences, Windows
from sknas.windows import align_right, fit_scaler, fit_vocabulary
from tests.small import normal

NUMBERS = st.one_of(st.just(np.nan), st.integers(-9, 9).map(float), st.floats(-9, 9))


@given(
    codes=st.lists(st.integers(-9, 9), min_size=1),
    values=st.lists(NUMBERS, min_size=1),
)
def test_codes_are_numbered_as_by_the_vocabulary(codes, values):
    vocabulary = fit_vocabulary(np.array(codes, dtype=np.float64))
    X = np.array(values).reshape(1, -1, 1)
    found = Windows(vocabulary)(torch.from_numpy(X)).numpy()
    np.testing.assert_array_equal(found[:, 0], vocabulary.transform(X)[:, :, 0])


@pytest.mark.parametrize("n_codes", [1, 2, 3, 7, 8, 9, 10_000])
def test_every_code_is_found_and_none_between(n_codes):
    codes = np.arange(n_codes) * 3.0
    vocabulary = fit_vocabulary(codes)
    X = np.concatenate([codes, codes + 1, [-1.0, np.inf, -np.inf]]).reshape(1, -1, 1)
    found = Windows(vocabulary)(torch.from_numpy(X)).numpy()
    np.testing.assert_array_equal(found[:, 0], vocabulary.transform(X)[:, :, 0])


@pytest.mark.parametrize("channels_first", [False, True])
def test_sequences_end_at_their_last_known_step(channels_first):
    X = normal(6, 5, 2)
    for sample, n_missing in enumerate([0, 1, 2, 3, 4, 0]):
        X[sample, 5 - n_missing :] = np.nan
    scaler = fit_scaler(X)
    expected = align_right(scaler.transform(X).swapaxes(1, 2), 5)
    given = X.swapaxes(1, 2).copy() if channels_first else X

    def read(has_padding):
        reader = Sequences(scaler, channels_first=channels_first, has_padding=has_padding)
        return reader(torch.from_numpy(given)).numpy()

    np.testing.assert_array_equal(read(True), expected)
    is_known = ~np.isnan(expected)
    np.testing.assert_array_equal(read(False)[is_known], expected[is_known])
    oldest = np.broadcast_to(scaler.transform(X)[:, 0, :, None], expected.shape)
    np.testing.assert_array_equal(read(False)[~is_known], oldest[~is_known])
