"""Nothing is lost when a fit is cut short, by its user or by its time budget."""

import importlib
import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sknas.training.runtime import TimeIsUpError
from tests.faults import raise_at, raise_in_training_at
from tests.small import (
    MAKERS,
    N_EPOCH_STEPS,
    SEARCH,
    classifier,
    data_for,
    product,
    regressor,
    search_rows,
)

pytestmark = pytest.mark.usefixtures("short_epochs")


# -- interrupts -----------------------------------------------------------------------------------


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


def raise_once(monkeypatch, owner, name):
    """Let a function raise an interrupt the first time that it is called."""
    module = importlib.import_module(owner)
    whole, calls = getattr(module, name), []

    def once(*args, **kwargs):
        calls.append(name)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return whole(*args, **kwargs)

    monkeypatch.setattr(module, name, once)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("sknas.training.phases", "derive"),
        ("sknas.estimators._trainer", "build_fresh"),
        ("sknas.estimators._stages", "is_clear_gain"),
        ("sknas.estimators._fitting", "make_plan"),
    ],
)
def test_an_interrupt_between_phases_keeps_what_was_found_until_then(owner, name, monkeypatch):
    X, y = product()
    model = regressor(initial_genotype="product", search_epochs=12, max_nodes=1, max_epochs=5)
    raise_once(monkeypatch, owner, name)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert_usable(model, X, y)
    assert bool(model.genotype_.branches) == (name != "make_plan")


def test_an_interrupt_before_there_is_a_result_leaves_the_estimator_as_it_was(monkeypatch):
    X, y = product()
    labels = np.where(y > 0, "b", "c")
    model = classifier(max_nodes=0).fit(X, labels)
    expected = model.predict(X)
    raise_once(monkeypatch, "sknas.estimators._fitting", "plant")
    with pytest.raises(KeyboardInterrupt):
        model.fit(np.hstack([X, X]), np.where(y > 1, "a", labels))
    assert_array_equal(model.predict(X), expected)
    assert list(model.classes_) == ["b", "c"]
    unfitted = classifier()
    monkeypatch.undo()
    raise_once(monkeypatch, "sknas.estimators._fitting", "plant")
    with pytest.raises(KeyboardInterrupt):
        unfitted.fit(X, labels)
    assert not [name for name in vars(unfitted) if name.endswith("_")]


def test_an_interrupt_of_a_warm_start_before_its_first_phase_keeps_the_network(monkeypatch):
    X, y = product()
    model = regressor(initial_genotype="product", search_epochs=12, max_nodes=1, warm_start=True)
    expected = model.fit(X, y).predict(X)
    assert model.genotype_.branches
    raise_once(monkeypatch, "sknas.estimators._fitting", "lift_network")
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert_array_equal(model.predict(X), expected)


def test_an_interrupt_is_raised_though_the_time_was_up_before(monkeypatch):
    X, y = product()
    raise_at(monkeypatch, 30, TimeIsUpError)
    raise_once(monkeypatch, "sknas.estimators._stages", "is_clear_gain")
    model = regressor(initial_genotype="product", search_epochs=12, max_nodes=1)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert_usable(model, X, y)


def test_an_interrupt_of_a_first_partial_fit_keeps_what_was_found(monkeypatch):
    X, y = product()
    raise_at(monkeypatch, 30)
    model = regressor(**SEARCH)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X, y)
    assert_usable(model, X, y)


def test_an_interrupt_while_the_seed_moves_keeps_the_network(monkeypatch):
    X, y = product()
    model = regressor(max_nodes=0).fit(X, y)
    raise_once(monkeypatch, "sknas.estimators._updating", "move_seed")
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X + 1.0, y)
    assert model.search_report_.stopped_by == "interrupt"
    assert np.isfinite(model.predict(X)).all()


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
