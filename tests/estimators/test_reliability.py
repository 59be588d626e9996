"""Same seed, same bytes; the caller's settings untouched; nothing lost when a fit is cut short."""

import copy
import hashlib
import io
import os
import pickle
import pickletools
import random
import sys
import threading
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone

import sknas.training.nets as nets
from tests.small import (
    N_EPOCH_STEPS,
    classifier,
    futures,
    predictions_in_a_fresh_process,
    product,
    regressor,
    run_python,
    search_rows,
    sequences,
)

pytestmark = pytest.mark.usefixtures("short_epochs")
MAKERS = [regressor, classifier]
SEARCH = {"max_nodes": 3, "search_epochs": 8, "max_epochs": 3}
CUT = """
import hashlib
import sknas.estimators._settings
from tests.small import N_EPOCH_STEPS, regressor, product, classifier, futures
sknas.estimators._settings.MIN_EPOCH_STEPS = N_EPOCH_STEPS
X, y = product()
frame, Y = futures()
settings = dict(max_nodes=3, search_epochs=8, max_epochs=3)
for model, X, y in [
    (regressor(**settings), X, y),
    (classifier(**settings), X, y > 0),
    (regressor(**settings, lookback=6, batch_size=32), frame, Y),
]:
    model.fit(X, y)
    what = model.predict(X).tobytes() + model.genotype_.to_json().encode()
    print(hashlib.sha256(what).hexdigest())
"""


def digest(model, X):
    what = model.predict(X).tobytes() + model.genotype_.to_json().encode()
    return hashlib.sha256(what).hexdigest()


def data_for(make):
    X, y = product()
    return (X, y > 0) if make is classifier else (X, y)


# -- repeatability --------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_twice_and_in_another_process():
    frame, future = futures()
    cases = [
        (regressor(**SEARCH), *data_for(regressor)),
        (classifier(**SEARCH), *data_for(classifier)),
        (regressor(**SEARCH, lookback=6, batch_size=32), frame, future),
    ]
    first = [digest(model.fit(X, y), X) for model, X, y in cases]
    again = [digest(clone(model).fit(X, y), X) for model, X, y in cases]
    assert first == again
    elsewhere = run_python(CUT, OMP_NUM_THREADS="2", PYTHONHASHSEED="123").split()
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


# -- the caller's settings ------------------------------------------------------------------------


def flushes_denormals():
    return float(torch.tensor(1e-310, dtype=torch.float64) * 0.5) == 0.0


def settings_of_the_process():
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 (the caller may use it)
    return {
        "python": random.getstate(),
        "numpy": (kind, keys.tolist(), *rest),
        "torch": torch.get_rng_state().tolist(),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "denormals": flushes_denormals(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warnings": list(warnings.filters),
        "numpy errors": np.geterr(),
        "folder": Path.cwd(),
        "environment": {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"},
        "recursion": sys.getrecursionlimit(),
    }


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads, denormals flushed"])
def unusual_settings(request):
    """Change settings that a fit borrows, and put the usual ones back at the end."""
    # The first optimizer of a process lets torch import sympy, which adds a filter of its own.
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0).step()
    threads, flushes = torch.get_num_threads(), flushes_denormals()
    torch.set_num_threads(request.param)
    torch.set_flush_denormal(request.param == 2)
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(flushes)


@pytest.mark.parametrize("make", MAKERS)
def test_fit_and_predict_leave_the_callers_settings_as_found(make, unusual_settings):
    found = settings_of_the_process()
    X, y = data_for(make)
    model = make(**SEARCH).fit(X, y)
    assert settings_of_the_process() == found
    model.predict(X)
    assert settings_of_the_process() == found
    pickle.loads(pickle.dumps(model)).predict(X)
    assert settings_of_the_process() == found


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, MemoryError])
def test_a_fit_that_raises_leaves_the_callers_settings_as_found(
    error, unusual_settings, monkeypatch
):
    found = settings_of_the_process()
    X, y = product()
    raise_at(monkeypatch, 5, error)
    with pytest.raises(error):
        regressor().fit(X, y)
    assert settings_of_the_process() == found
    with pytest.raises(ValueError, match="max_params"):
        regressor(max_params=1).fit(X, y)
    assert settings_of_the_process() == found


def test_a_fit_prints_nothing_unless_asked(capfd):
    X, y = product()
    regressor().fit(X, y).predict(X)
    quiet = capfd.readouterr()
    assert (quiet.out, quiet.err) == ("", "")
    regressor(verbose=1).fit(X, y)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "search" in shown.err


# -- interrupts -----------------------------------------------------------------------------------


def raise_at(monkeypatch, step, error=KeyboardInterrupt):
    """Let the search's gradient step of that number raise."""
    whole, count = nets.weight_step, iter(range(10**6))

    def step_or_raise(*args):
        if next(count) == step:
            raise error
        return whole(*args)

    monkeypatch.setattr(nets, "weight_step", step_or_raise)


def raise_in_training_at(monkeypatch, step):
    whole, count = nets.DerivedNet.train_step, iter(range(10**6))

    def step_or_raise(*args, **kwargs):
        if next(count) == step:
            raise KeyboardInterrupt
        return whole(*args, **kwargs)

    monkeypatch.setattr(nets.DerivedNet, "train_step", step_or_raise)


def assert_usable(model, X, y):
    expected = model.predict(X)
    assert np.isfinite(model.predict_proba(X) if hasattr(model, "classes_") else expected).all()
    assert model.search_report_.stopped_by == "interrupt"
    assert len(model.search_history_) == model.n_iter_
    assert model.n_params_ == sum(p.numel() for p in model.module_.parameters())
    assert model.search_report_.chosen in model.search_report_.stages.index
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), expected)
    stages = model.search_report_.stages.val_loss
    assert stages[model.search_report_.chosen] <= stages["seed"]
    str(model.search_report_)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("step", [0, 7, 2 * N_EPOCH_STEPS, 7 * N_EPOCH_STEPS - 1])
def test_an_interrupt_in_the_search_leaves_a_usable_estimator(make, step, monkeypatch):
    X, y = data_for(make)
    raise_at(monkeypatch, step)
    model = make(**SEARCH)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert_usable(model, X, y)
    assert len(search_rows(model, "epoch")) == step // N_EPOCH_STEPS
    assert not len(search_rows(model, "epoch", "train"))


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("step", [0, N_EPOCH_STEPS + 3])
def test_an_interrupt_in_the_training_leaves_a_usable_estimator(make, step, monkeypatch):
    X, y = data_for(make)
    raise_in_training_at(monkeypatch, step)
    model = make(genotype="product", refit_full=True)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert_usable(model, X, y)
    assert len(search_rows(model, "epoch", "train")) == step // N_EPOCH_STEPS
    assert not len(search_rows(model, "epoch", "refit"))


def test_a_fit_after_an_interrupt_is_a_fit_like_any_other(monkeypatch):
    X, y = product()
    raise_at(monkeypatch, 30)
    model = regressor()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    monkeypatch.undo()
    assert model.fit(X, y).search_report_.stopped_by == "schedule"
    assert_array_equal(model.predict(X), regressor().fit(X, y).predict(X))


def test_an_interrupt_keeps_what_was_found_until_then(monkeypatch):
    X, y = product()
    settings = {"initial_genotype": "product", "search_epochs": 40, "growth": "periodic"}
    raise_at(monkeypatch, 15 * N_EPOCH_STEPS + 3)
    model = regressor(**settings, max_nodes=1)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    stages = model.search_report_.stages.val_loss
    assert model.search_report_.chosen == "derived"
    assert stages["derived"] < 0.5 * stages["seed"]
    assert model.genotype_.branches


# -- the time budget ------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("budget", [1e-9, 0.6])
def test_a_fit_without_time_still_predicts_and_says_so(make, budget):
    X, y = data_for(make)
    model = make(time_budget=budget, search_epochs=100_000, max_epochs=100_000).fit(X, y)
    assert model.search_report_.stopped_by == "time_budget"
    assert "time_budget" in str(model.search_report_)
    predicted = model.predict_proba(X) if make is classifier else model.predict(X)
    assert np.isfinite(predicted).all()
    stages = model.search_report_.stages.val_loss
    assert stages[model.search_report_.chosen] <= stages["seed"]


# -- persistence ----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS)
def test_copies_and_pickles_predict_the_same_bytes(make, tmp_path):
    X, y = data_for(make)
    model = make(**SEARCH).fit(X, y)
    expected = model.predict(X).tobytes()
    joblib.dump(model, tmp_path / "model.joblib")
    for twin in (
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        copy.copy(model),
        joblib.load(tmp_path / "model.joblib"),
        clone(model).fit(X, y),
    ):
        assert twin.predict(X).tobytes() == expected
        assert twin.genotype_ == model.genotype_
        assert str(twin.search_report_.moves) == str(model.search_report_.moves)
        assert joblib.hash(twin.get_params()) == joblib.hash(model.get_params())


@pytest.mark.slow
def test_a_pickle_predicts_the_same_bytes_in_a_fresh_process(tmp_path):
    frame, y = futures()
    model = regressor(lookback=6, genotype="lstm", linear_seed=False).fit(frame, y)
    follows = futures(140)[0].iloc[120:]
    for X in (frame, follows):
        assert predictions_in_a_fresh_process(model, X, tmp_path) == model.predict(X).tobytes()


def test_a_clone_is_not_fitted_and_its_copy_is():
    X, y = product()
    model = regressor().fit(X, y)
    assert not [name for name in vars(clone(model)) if name.endswith("_")]
    assert vars(copy.deepcopy(model)).keys() == vars(model).keys()


@pytest.mark.parametrize("make", MAKERS)
def test_the_state_holds_no_torch_objects(make):
    X, y = data_for(make)
    model = make(**SEARCH).fit(X, y)
    mentioned = [
        str(argument)
        for _, argument, _ in pickletools.genops(pickle.dumps(model))
        if isinstance(argument, str)
    ]
    assert not [name for name in mentioned if name.split(".")[0] == "torch"]
    assert not [name for name in mentioned if "lambda" in name]
    state = model.__getstate__()
    assert not [name for name, value in state.items() if isinstance(value, torch.nn.Module)]


@pytest.mark.parametrize("kind", ["tabular", "sequences", "rows", "frame"])
def test_a_pickle_does_not_grow_with_the_rows(kind):
    sizes = []
    for n in (100, 800):
        if kind == "tabular":
            X, y = product(n)
        elif kind == "sequences":
            X, y = sequences(n)
        else:
            frame, y = futures(n)
            X = frame if kind == "frame" else frame.to_numpy()
        lookback = 6 if kind in ("rows", "frame") else None
        model = regressor(lookback=lookback, max_nodes=0)
        sizes.append(len(pickle.dumps(model.fit(X, y))))
    assert abs(sizes[1] - sizes[0]) < 200


def test_only_the_last_lookback_less_one_rows_are_kept():
    frame, y = futures()
    frame = frame.set_axis(pd.date_range("2024", periods=len(frame), freq="h"))
    model = regressor(lookback=6, max_nodes=0).fit(frame, y)
    assert len(model._trailing.rows) == 5
    held = io.BytesIO(pickle.dumps(model)).getvalue()
    row = model._x_scaler.transform(frame.to_numpy())
    assert row[-1].tobytes() in held
    assert row[-6].tobytes() not in held
    assert frame.to_numpy()[50].tobytes() not in held


@pytest.mark.parametrize("make", MAKERS)
def test_predict_leaves_the_estimator_as_it_was(make):
    X, y = data_for(make)
    model = make().fit(X, y)
    before, held = vars(model).copy(), pickle.dumps(model)
    model.predict(X)
    model.score(X, y)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())
    assert pickle.dumps(model) == held


def test_the_module_is_ready_to_use():
    X, y = product()
    model = regressor(genotype="product").fit(X, y)
    assert not model.module_.training
    assert not any(p.requires_grad for p in model.module_.parameters())
    assert {p.dtype for p in model.module_.parameters()} == {torch.float64}


# -- arithmetic that goes wrong -------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("mode", ["interleaved", "fixed"])
def test_steps_that_are_far_too_long_do_not_make_nan(make, mode):
    X, y = data_for(make)
    model = make(learning_rate=1e3, arch_learning_rate=1e3, mode=mode, max_nodes=3, search_epochs=6)
    model.fit(X, y)
    predicted = model.predict_proba(X) if make is classifier else model.predict(X)
    assert np.isfinite(predicted).all()
    stages = model.search_report_.stages.val_loss
    assert stages[model.search_report_.chosen] <= stages["seed"]


@pytest.mark.parametrize("factor", [1e-30, 1e30])
@pytest.mark.parametrize("scaled", ["X", "y"])
def test_the_unit_of_the_data_does_not_matter(factor, scaled):
    X, y = product()
    model = regressor(genotype="product", validation="chronological")
    plain = model.fit(X, y).predict(X)
    x_factor, y_factor = (factor, 1.0) if scaled == "X" else (1.0, factor)
    predicted = model.fit(X * x_factor, y * y_factor).predict(X * x_factor)
    np.testing.assert_allclose(predicted / y_factor, plain, rtol=1e-6, atol=1e-6)


def test_constant_columns_and_constant_targets_are_predicted():
    X, y = product(40)
    X[:, 1] = 7.0
    assert np.isfinite(regressor().fit(X, y).predict(X)).all()
    constant = regressor().fit(X, np.full(40, 3.0))
    np.testing.assert_allclose(constant.predict(X), 3.0, atol=1e-6)


def test_rows_that_are_all_equal_are_predicted_by_their_mean():
    X, y = np.ones((30, 2)), np.arange(30.0)
    model = regressor().fit(X, y)
    assert np.isfinite(model.predict(X)).all()
    assert len(np.unique(model.predict(X))) == 1
