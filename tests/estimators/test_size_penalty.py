"""A size penalty makes a trained network as narrow as its loss allows, in three phases."""

import contextlib
import math

import numpy as np
import pytest

from sknas.datasets import make_gated_memory
from sknas.training.runtime import TimeIsUpError
from tests.small import EAGER, MAKERS, data_for, product, regressor, search_rows, trained

WIDTH, PENALTIES = 24, (0.0, 2.0, 4.0)


@pytest.fixture(scope="module")
def wide():
    """Fit a GRU that is too wide for its problem at several penalties, with the held-out error."""
    X, y = make_gated_memory(800, 3, noise=0.4, random_state=0)
    X_test, y_test = make_gated_memory(4000, 3, noise=0.4, random_state=1)
    common = {"genotype": "gru", "hidden_size": WIDTH, "segment_length": 1, "dropout": 0.0}
    common |= {"max_epochs": 8, "learning_rate": 0.01}
    models = [regressor(**common, size_penalty=penalty).fit(X, y) for penalty in PENALTIES]
    return [(model, float(np.square(model.predict(X_test) - y_test).mean())) for model in models]


@pytest.mark.slow
def test_a_network_twice_too_wide_loses_half_its_weights_and_no_accuracy(wide):
    (full, error), (narrow, narrow_error) = wide[:2]
    assert full.search_report_.chosen == "trained"
    assert narrow.search_report_.chosen == "narrowed"
    assert full.genotype_.branches[0].hidden_size == WIDTH
    assert narrow.genotype_.branches[0].hidden_size <= WIDTH / 2
    assert narrow.n_params_ <= full.n_params_ / 2
    assert narrow_error <= 1.01 * error


@pytest.mark.slow
def test_a_larger_penalty_makes_a_smaller_network(wide):
    sizes = [model.n_params_ for model, _ in wide]
    assert sizes[0] > sizes[1] > sizes[2]
    for model, _ in wide:
        assert sum(p.numel() for p in model.module_.parameters()) == model.n_params_


@pytest.mark.slow
def test_the_history_shows_gates_that_harden_and_weights_that_go(wide):
    assert list(wide[0][0].search_history_["phase"].unique()) == ["train"]
    for model, _ in wide[1:]:
        assert list(model.search_history_["phase"].unique()) == ["train", "narrow", "tune"]
        n_params = search_rows(model, "n_params", "narrow")
        assert (np.diff(n_params) <= 0).all()
        assert n_params[-1] == model.n_params_ < search_rows(model, "n_params", "train")[-1]
        entropy = search_rows(model, "gate_entropy", "narrow")
        assert entropy[0] > 0.4 * math.log(2)
        assert entropy[-2] < 0.3 * math.log(2)
        assert entropy[-1] == 0.0
        assert (search_rows(model, "n_params", "tune") == model.n_params_).all()


def test_without_a_penalty_a_fit_is_what_it_was():
    X, y = product()
    one = trained(genotype="dense").fit(X, y)
    other = trained(genotype="dense", size_penalty=0.0).fit(X, y)
    heavy = trained(genotype="dense", size_penalty=1e3).fit(X, y)
    assert np.array_equal(one.predict(X), other.predict(X))
    assert one.genotype_ == other.genotype_
    rows = len(one.search_history_)
    columns = ["train_loss", "val_loss", "n_params"]
    assert heavy.search_history_[columns][:rows].equals(one.search_history_[columns])
    n_params = heavy.search_report_.stages["n_params"]
    assert n_params["narrowed"] < n_params["trained"]


@pytest.mark.parametrize("make", MAKERS)
def test_what_a_search_found_is_narrowed_too(make):
    X, y = data_for(make)
    common = {**EAGER, "mode": "fixed", "max_nodes": 1, "search_epochs": 6, "linear_seed": False}
    common |= {"operations": ("hadamard", "add")}  # as large as each other
    model = make(**common, size_penalty=50.0, refit_full=True).fit(X, y)
    phases = list(model.search_history_["phase"].unique())
    assert phases[:5] == ["search", "train", "retrain", "narrow", "tune"]
    stages = model.search_report_.stages
    assert stages.loc["narrowed", "n_params"] < stages.loc["trained", "n_params"]
    n_params = search_rows(model, "n_params", "narrow")
    assert n_params[-1] == stages.loc["narrowed", "n_params"]
    assert len(model.predict(X)) == len(X)
    if model.search_report_.chosen == "narrowed":
        assert model.n_params_ == n_params[-1]


def test_a_negative_penalty_is_refused():
    with pytest.raises(ValueError, match=r"The 'size_penalty' parameter .* Got -1.0 instead"):
        regressor(size_penalty=-1.0).fit(*product())


@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeIsUpError])
def test_a_fit_that_ends_while_gates_learn_keeps_the_trained_network(monkeypatch, error):
    def end(net, batch, **fit_params):
        raise error

    monkeypatch.setattr("sknas.training.gate_net.GateNet.train_step", end)
    X, y = product()
    model = trained(genotype="dense", size_penalty=1.0, max_epochs=10)
    with contextlib.suppress(KeyboardInterrupt):
        model.fit(X, y)
    plain = trained(genotype="dense", max_epochs=10).fit(X, y)
    assert np.array_equal(model.predict(X), plain.predict(X))
    assert model.search_report_.stopped_by != "schedule"
