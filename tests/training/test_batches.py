"""The samples of a gradient step, and the precision that goes with them."""

import pytest
import torch

from sknas.training import float_type, samples_per_step


def test_a_given_number_is_taken():
    assert samples_per_step(7, n_samples=5000, n_sequences=50) == 7


@pytest.mark.parametrize(("n_samples", "n_sequences"), [(1, 1), (1024, 1), (1000, 8), (100, 81)])
def test_few_samples_make_one_batch(n_samples, n_sequences):
    assert samples_per_step("auto", n_samples, n_sequences) == n_samples


@pytest.mark.parametrize(
    ("n_sequences", "expected"), [(1, 64), (4, 64), (7, 36), (8, 32), (16, 16), (56, 8)]
)
def test_many_channels_make_batches_of_fewer_windows(n_sequences, expected):
    assert samples_per_step("auto", 5000, n_sequences) == expected


def test_few_windows_of_many_channels_are_not_one_batch():
    assert samples_per_step("auto", 640, n_sequences=56) == 8


def test_data_that_make_one_batch_are_trained_on_in_double_precision():
    assert float_type(100, 100) == torch.float64
    assert float_type(101, 100) == torch.float32
