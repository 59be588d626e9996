"""Same seed, same bytes, whatever else the process or another thread does."""

import hashlib
import random
import threading

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone

from sknas.training import torch_runtime
from tests.small import (
    SEARCH,
    classifier,
    data_for,
    flushes_denormals,
    futures,
    product,
    regressor,
    run_python,
)

pytestmark = pytest.mark.usefixtures("short_epochs")
ELSEWHERE = """
import sknas.estimators._settings
from tests.estimators.test_repeatability import cases, digest
from tests.small import N_EPOCH_STEPS
sknas.estimators._settings.MIN_EPOCH_STEPS = N_EPOCH_STEPS
for model, X, y in cases():
    print(digest(model.fit(X, y), X))
"""


def cases():
    """Return models to fit, and what to fit them to."""
    return [
        (regressor(**SEARCH), *data_for(regressor)),
        (classifier(**SEARCH), *data_for(classifier)),
        (regressor(**SEARCH, lookback=6, batch_size=32), *futures()),
    ]


def digest(model, X):
    what = model.predict(X).tobytes() + model.genotype_.to_json().encode()
    return hashlib.sha256(what).hexdigest()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_twice_and_in_another_process():
    first = [digest(model.fit(X, y), X) for model, X, y in cases()]
    again = [digest(clone(model).fit(X, y), X) for model, X, y in cases()]
    assert first == again
    elsewhere = run_python(ELSEWHERE, OMP_NUM_THREADS="2", PYTHONHASHSEED="123").split()
    assert first == elsewhere


def test_another_seed_gives_another_result():
    X, y = product()
    first, other = (
        regressor(genotype="gru", linear_seed=False, random_state=seed).fit(X, y).predict(X)
        for seed in (0, 1)
    )
    assert (first != other).any()


def test_a_random_state_object_is_drawn_from_once_a_fit():
    X, y = product()
    source = np.random.RandomState(3)
    model = regressor(genotype="gru", linear_seed=False, random_state=source)
    first, second = model.fit(X, y).predict(X), model.fit(X, y).predict(X)
    assert (first != second).any()
    assert_array_equal(clone(model).set_params(random_state=3).fit(X, y).predict(X), first)


def test_nothing_of_the_callers_state_enters_a_fit():
    X, y = product()
    expected = digest(regressor(**SEARCH).fit(X, y), X)
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    flushes = flushes_denormals()
    try:
        torch.set_num_threads(2)
        torch.set_default_dtype(torch.float64)
        torch.set_flush_denormal(not flushes)
        torch.manual_seed(99)
        np.random.seed(99)  # noqa: NPY002 (the caller may use it)
        random.seed(99)
        assert digest(regressor(**SEARCH).fit(X, y), X) == expected
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        torch.set_flush_denormal(flushes)


def test_a_fit_does_not_need_the_caller_to_allow_gradients():
    X, y = product()
    expected = digest(regressor(**SEARCH).fit(X, y), X)
    with torch.no_grad():
        assert digest(regressor(**SEARCH).fit(X, y), X) == expected


def test_each_thread_gets_its_own_number_of_threads_back_in_whatever_order_fits_end():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    others, is_in, may_go = [], threading.Event(), threading.Event()

    def work():
        with torch_runtime():
            is_in.set()
            may_go.wait(10)
            others.append(torch.get_num_threads())
        others.append(torch.get_num_threads())

    worker = threading.Thread(target=work)
    with torch_runtime():
        with torch_runtime():
            worker.start()
            is_in.wait(10)
            own = [torch.get_num_threads()]
        own.append(torch.get_num_threads())
    own.append(torch.get_num_threads())
    may_go.set()
    worker.join()
    own.append(torch.get_num_threads())
    torch.set_num_threads(before)
    assert own == [1, 1, 2, 2]
    assert others == [1, 2]


def test_concurrent_fits_find_what_they_find_alone():
    X, y = product()
    seeds = [0, 1, 2]
    alone = [digest(regressor(random_state=seed).fit(X, y), X) for seed in seeds]
    found = {}

    def work(seed):
        found[seed] = digest(regressor(random_state=seed).fit(X, y), X)

    before = torch.get_num_threads()
    workers = [threading.Thread(target=work, args=(seed,)) for seed in seeds]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [found[seed] for seed in seeds] == alone
    assert torch.get_num_threads() == before
