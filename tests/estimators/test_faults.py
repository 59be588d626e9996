"""What is not finite in a fit is gone back from and told of; what stays so is given up."""

import logging
import math
import re
import warnings

import numpy as np
import pytest
import torch

from sknas.exceptions import SearchWarning
from sknas.ops import Op, register_op, unregister_op
from sknas.search import ArchRegularizer
from sknas.search.rescue import MOST_ROLLBACKS
from tests.faults import KINDS, Spoiler
from tests.forecasting.makers import autoregressive, frame, recurrent
from tests.small import EAGER, FIXED, MAKERS, classifier, data_for, history, product, regressor

pytestmark = pytest.mark.usefixtures("short_epochs")
ALWAYS = range(10**6)
GATED = {"genotype": "product", "size_penalty": 0.02}
# Settings that have a phase for sure, and what steps of it to spoil.
PHASES = {
    "search": {},
    "train": {"genotype": "product"},
    "retrain": {"refit": "scratch"},
    "narrow": GATED,
    "tune": GATED,
    "refit": {"genotype": "product", "linear_seed": False, "refit_full": True},
}
GRAPH = {**FIXED, "backbone": "dag", "operations": "default", "max_nodes": 2}
OPEN = [
    pytest.param(FIXED, id="mixed"),
    pytest.param(EAGER, id="grown", marks=pytest.mark.slow),
    pytest.param(GRAPH, id="graph", marks=pytest.mark.slow),
    pytest.param({**FIXED, "arch_order": 2}, id="second order", marks=pytest.mark.slow),
]
SEVERAL = pytest.mark.parametrize("kind", ["nan loss", "gradient"])


def assert_as_good_as_its_seed(model, X):
    predicted = model.predict_proba(X) if hasattr(model, "classes_") else model.predict(X)
    assert np.isfinite(predicted).all()
    report = model.search_report_
    assert report.stages.val_loss[report.chosen] <= report.stages.val_loss["seed"]


def fitted_in_spite(model, X, y):
    """Fit a model whose faults last; return it with the warning's text."""
    with pytest.warns(SearchWarning, match="not finite again and again") as caught:
        model.fit(X, y)
    assert [warning.filename for warning in caught] == [__file__]
    return model, str(caught[0].message)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(
    ("kind", "step"), [*((kind, 1) for kind in KINDS), ("nan loss", 0), ("gradient", 25)]
)
def test_one_faulty_batch_costs_its_own_step_and_is_told(phase, kind, step, monkeypatch):
    spoiler = Spoiler(monkeypatch, phase, kind, {step})
    X, y = product()
    model = regressor(**PHASES[phase]).fit(X, y)
    assert spoiler.n_spoiled == 1
    (fault,) = model.search_report_.faults.to_dict("records")
    assert (fault["phase"], fault["steps"], fault["rollbacks"]) == (phase, 1, 0)
    assert not fault["gave_up"]
    assert history(model).query("epoch == @fault['epoch']")["phase"].tolist() == [phase]
    assert_as_good_as_its_seed(model, X)


@pytest.mark.parametrize("phase", PHASES)
@SEVERAL
@pytest.mark.parametrize("first", [0, 25])
def test_a_fault_that_stays_ends_its_phase_with_a_warning(phase, kind, first, monkeypatch):
    Spoiler(monkeypatch, phase, kind, range(first, 10**6))
    X, y = product()
    model, message = fitted_in_spite(regressor(**PHASES[phase]), X, y)
    faults = model.search_report_.faults
    assert set(faults["phase"]) == {phase}
    assert faults["gave_up"].any()
    assert faults.loc[faults["gave_up"], "rollbacks"].max() == MOST_ROLLBACKS
    assert f"({phase})" in message
    assert faults["not_finite"].iloc[0] in message
    assert_as_good_as_its_seed(model, X)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("kind", ["weight", "moment"])
def test_poisoned_weights_and_moments_are_gone_back_from(phase, kind, monkeypatch):
    spoiler = Spoiler(monkeypatch, phase, kind, {25})
    X, y = product()
    model = regressor(**PHASES[phase]).fit(X, y)
    assert spoiler.n_spoiled == 1
    (fault,) = model.search_report_.faults.to_dict("records")
    assert fault["rollbacks"] == 1
    assert_as_good_as_its_seed(model, X)


@pytest.mark.parametrize("parameters", OPEN)
@pytest.mark.parametrize("kind", ["nan loss", "gradient", "output", "weight", "moment"])
def test_a_faulty_architecture_step_is_left_out(parameters, kind, monkeypatch):
    spoiler = Spoiler(monkeypatch, "search", kind, {5}, level="architecture")
    X, y = product()
    model = regressor(**parameters).fit(X, y)
    assert spoiler.n_spoiled == 1
    (fault,) = model.search_report_.faults.to_dict("records")
    assert fault["steps"] >= 1
    assert fault["rollbacks"] == (kind in ("weight", "moment"))
    assert_as_good_as_its_seed(model, X)


@pytest.mark.parametrize("parameters", OPEN)
@SEVERAL
@pytest.mark.parametrize("level", ["weights", "architecture"])
def test_a_mixed_phase_whose_steps_all_fail_ends_in_the_seed_or_better(
    parameters, kind, level, monkeypatch
):
    Spoiler(monkeypatch, "search", kind, ALWAYS, level=level)
    X, y = product()
    model, message = fitted_in_spite(regressor(**parameters), X, y)
    assert ("architecture" in message) == (level == "architecture")
    assert_as_good_as_its_seed(model, X)


@pytest.mark.parametrize("make", MAKERS)
def test_where_nothing_can_be_trained_the_linear_seed_is_the_result(make, monkeypatch):
    for phase in ("search", "retrain", "train"):
        Spoiler(monkeypatch, phase, "output", ALWAYS)
    X, y = data_for(make)
    model, message = fitted_in_spite(make(), X, y)
    assert model.search_report_.chosen == "seed"
    assert "the linear seed is the result" in message
    assert_as_good_as_its_seed(model, X)


def test_the_rest_of_a_race_goes_on_without_a_contender_that_fails(monkeypatch):
    Spoiler(monkeypatch, "search", "output", range(10))
    X, y = product()
    model, _ = fitted_in_spite(regressor(search_epochs=12), X, y)
    faults = model.search_report_.faults
    assert faults["epoch"].tolist() == [1]
    assert len(history(model).query("phase == 'search'")) > 1
    assert np.isfinite(history(model)["train_loss"].iloc[1:]).all()
    assert model.genotype_.branches
    assert_as_good_as_its_seed(model, X)


def test_rollbacks_halve_the_rate_each_time(monkeypatch):
    Spoiler(monkeypatch, "train", "nan loss", {*range(2), *range(10, 12)})
    X, y = product()
    model = regressor(genotype="product", learning_rate=0.016).fit(X, y)
    (fault,) = model.search_report_.faults.to_dict("records")
    assert fault["rollbacks"] == 2
    assert fault["learning_rate"] == pytest.approx(0.004)


def test_a_fit_without_faults_says_nothing_of_them(caplog):
    X, y = product()
    with caplog.at_level(logging.WARNING, "sknas"):
        report = regressor().fit(X, y).search_report_
    assert not len(report.faults)
    assert not caplog.records
    assert "not_finite" not in str(report) + report._repr_html_()


def test_faults_stand_in_the_report_and_in_the_log(monkeypatch, caplog):
    Spoiler(monkeypatch, "search", "gradient", {3})
    X, y = product()
    with caplog.at_level(logging.WARNING, "sknas"):
        report = regressor().fit(X, y).search_report_
    assert [record.getMessage() for record in caplog.records] == [
        "epoch 1: the gradient was not finite; 1 step(s) not taken"
    ]
    for text in (str(report), report._repr_html_()):
        assert re.search(r"search.*the gradient", text, re.DOTALL)


def test_the_same_faults_give_the_same_result(monkeypatch):
    X, y = product()
    results = []
    for _ in range(2):
        with monkeypatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore", SearchWarning)
            Spoiler(patch, "search", "nan loss", range(7, 12))
            results.append(regressor(**EAGER).fit(X, y))
    one, other = results
    assert np.array_equal(one.predict(X), other.predict(X))
    assert history(one).equals(history(other))
    assert one.search_report_.faults.equals(other.search_report_.faults)


@pytest.mark.parametrize(("steps", "is_lasting"), [({3}, False), (ALWAYS, True)])
def test_a_partial_fit_with_faults_leaves_a_network_that_is_no_worse(
    steps, is_lasting, monkeypatch
):
    X, y = product(200)
    model = regressor(genotype="product", linear_seed=False).fit(X[:120], y[:120])
    n_epochs = model.n_iter_
    Spoiler(monkeypatch, "partial", "nan loss", steps)
    if is_lasting:
        with pytest.warns(SearchWarning, match="again and again") as caught:
            model.partial_fit(X[120:], y[120:])
        assert [warning.filename for warning in caught] == [__file__]
    else:
        model.partial_fit(X[120:], y[120:])
    report = model.search_report_
    assert set(report.faults["phase"]) == {"partial"}
    assert report.faults["epoch"].iloc[0] == n_epochs + 1
    assert report.stages.val_loss[report.chosen] <= report.stages.val_loss["before (2)"]
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("phase", ["train", "partial"])
@pytest.mark.parametrize(("steps", "is_lasting"), [({3}, False), (ALWAYS, True)])
def test_a_forecaster_gets_over_faults_as_well(phase, steps, is_lasting, monkeypatch):
    Y = frame(autoregressive(160, 2))
    Spoiler(monkeypatch, phase, "output", steps)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = recurrent().fit(Y[:120]).update(Y[120:], refit=True)
    assert [warning.filename for warning in caught] == [__file__] * is_lasting
    assert set(model.search_report_.faults["phase"]) == {phase}
    assert np.isfinite(model.predict().to_numpy()).all()


# -- what callers bring ---------------------------------------------------------------------------


class _Broken(Op):
    """Tells NaN."""

    has_projection = False

    def combine(self, left, right, projected):
        del projected
        return (left + right) * math.nan


class _Raising(_Broken):
    def combine(self, left, right, projected):
        raise OverflowError("mine")


@pytest.fixture
def own_operation():
    """Register an operation by the name of ``own`` for the time of a test."""

    def register(op_class):
        register_op("own")(op_class)

    yield register
    unregister_op("own")


class _NanPenalty(ArchRegularizer):
    is_ramped = False

    def penalty(self, choices):
        return sum(choice.weights.sum() for choice in choices) * math.nan


class _RaisingPenalty(ArchRegularizer):
    is_ramped = False

    def penalty(self, choices):
        raise OverflowError("mine")


def test_an_operation_that_tells_nan_never_gets_into_the_result(own_operation):
    own_operation(_Broken)
    X, y = product()
    model = regressor(**{**EAGER, "operations": ("hadamard", "own")})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SearchWarning)
        model.fit(X, y)
    assert len(model.search_report_.faults)
    assert "an output" in set(model.search_report_.faults["not_finite"])
    assert_as_good_as_its_seed(model, X)


def test_a_penalty_that_is_nan_is_named():
    X, y = product()
    _, message = fitted_in_spite(regressor(**{**FIXED, "arch_regularizer": _NanPenalty()}), X, y)
    assert "the architecture penalty" in message


@pytest.mark.parametrize("part", ["operation", "penalty"])
def test_an_error_of_the_callers_own_part_passes_through_a_clean_estimator(part, own_operation):
    own_operation(_Raising)
    parameters = {"operations": ("hadamard", "own")} if part == "operation" else {}
    if part == "penalty":
        parameters = {"arch_regularizer": _RaisingPenalty()}
    model = regressor(**{**FIXED, **parameters})
    before = set(vars(model))
    with pytest.raises(OverflowError, match=r"^mine$"):
        model.fit(*product())
    assert set(vars(model)) == before


# -- numbers that are too large by themselves ------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("rate", [1e3, 1e30, 1e300])
def test_steps_of_any_length_end_in_a_result_as_good_as_the_seed(make, rate):
    X, y = data_for(make)
    model = make(learning_rate=rate, arch_learning_rate=rate, search_epochs=6, max_nodes=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SearchWarning)
        model.fit(X, y)
    assert_as_good_as_its_seed(model, X)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("place", [3, 60, -2])
def test_one_target_far_out_leaves_a_finite_result(dtype, place):
    X, y = product()
    y[place] = 1e30
    X, y = X.astype(dtype), y.astype(dtype)
    model = regressor()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SearchWarning)
        model.fit(X, y)
    assert_as_good_as_its_seed(model, X)


def test_classes_are_told_apart_as_surely_after_a_fault(monkeypatch):
    Spoiler(monkeypatch, "search", "nan loss", {4})
    X, y = data_for(classifier)
    model = classifier().fit(X, y)
    torch.testing.assert_close(model.predict_proba(X).sum(axis=1), np.ones(len(X)))
    assert_as_good_as_its_seed(model, X)
