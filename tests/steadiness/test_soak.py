"""Estimators that come and go leave nothing behind."""

import pytest

from tests.steady import slope, soak

pytestmark = pytest.mark.usefixtures("tiny_epochs")
N_ROUNDS = 10
KIB = 2**10


@pytest.mark.slow
def test_memory_files_and_threads_stay_flat_over_many_fits():
    readings = soak(N_ROUNDS)
    values = {name: [reading[name] for reading in readings] for name in readings[0]}
    # An estimator of a round kept is tens of KiB; what caches and tables of types still take, less.
    assert slope(values["allocated"]) < 4 * KIB
    if None not in values["resident"]:
        assert slope(values["resident"]) < 64 * KIB
    if None not in values["files"]:
        assert max(values["files"]) == values["files"][0]
    assert max(values["threads"]) == values["threads"][0]


def test_a_leak_of_one_estimator_a_round_would_be_seen():
    assert slope([100.0 + 30 * KIB * n for n in range(10)]) > 4 * KIB
    assert slope([5.0, 5.0, 9.0, 5.0, 5.0]) == 0.0
