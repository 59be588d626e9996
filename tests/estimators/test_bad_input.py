"""Bad input gets an error that names the parameter, the rule and the value, and changes nothing."""

import re

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from sknas.search import (
    EffectPruning,
    GradMaxGrowth,
    MagnitudePruning,
    NorthGrowth,
    PeriodicGrowth,
    PlateauGrowth,
)
from sknas.supernet import ScaledSigmoidRelaxation, SoftmaxRelaxation
from tests.small import MAKERS, classifier, data_for, product, regressor, sequences


class Absent:
    """A splitter that yields rows which are not there."""

    def split(self, X, y=None):
        yield np.arange(5), np.array([10**6])


# What is set, and what the message must hold besides the parameter's name.
IMPOSSIBLE = [
    ("backbone", "dag2", "two_input"),
    ("operations", ["no_such_op"], "no_such_op"),
    ("operations", [], "[]"),
    ("operations", "every", "every"),
    ("initial_genotype", "gruu", "gruu"),
    ("initial_genotype", 3, "3"),
    ("initial_nodes", 0, "0"),
    ("initial_nodes", 1.5, "1.5"),
    ("max_nodes", -1, "-1"),
    ("max_nodes", "many", "many"),
    ("hidden_size", 0, "0"),
    ("hidden_size", 2.5, "2.5"),
    ("n_layers", 0, "0"),
    ("genotype", "no/such/file.json", "no/such/file.json"),
    ("genotype", 7, "7"),
    ("lookback", 0, "0"),
    ("lookback", -3, "-3"),
    ("lookback", "week", "week"),
    ("embedding_size", 0, "0"),
    ("embedding_size", "wide", "wide"),
    ("embedding_size", 4, "lookback"),  # tabular rows are no sequences of codes
    ("segment_length", 0, "0"),
    ("segment_length", "long", "long"),
    ("segment_length", 5, "5"),  # tabular rows have one step
    ("channel_mode", "both", "both"),
    ("window_norm", "first", "first"),
    ("linear_seed", "yes", "yes"),
    ("channels_first", 2, "2"),
    ("mode", "parallel", "parallel"),
    ("growth", "fast", "fast"),
    ("growth", 3, "3"),
    ("pruning", "all", "all"),
    ("relaxation", "hard", "hard"),
    ("arch_schedule", "seldom", "seldom"),
    ("arch_schedule", 2, "2"),
    ("arch_fraction", 0.0, "0.0"),
    ("arch_fraction", 1.0, "1.0"),
    ("arch_fraction", "half", "half"),
    ("arch_order", 0, "0"),
    ("arch_order", 3, "3"),
    ("arch_order", "second", "second"),
    ("arch_regularizer", "l2", "l2"),
    ("arch_regularizer", 0.1, "0.1"),
    ("arch_learning_rate", 0.0, "0.0"),
    ("arch_learning_rate", -1.0, "-1.0"),
    ("max_params", 0, "0"),
    ("max_params", 1, "1"),  # below the linear seed's size
    ("search_epochs", 0, "0"),
    ("search_epochs", "few", "few"),
    ("max_epochs", 0, "0"),
    ("max_epochs", 2.0, "2.0"),
    ("time_budget", 0, "0"),
    ("time_budget", -5.0, "-5.0"),
    ("batch_size", 0, "0"),
    ("batch_size", "big", "big"),
    ("learning_rate", 0.0, "0.0"),
    ("learning_rate", np.nan, "nan"),
    ("learning_rate", "fast", "fast"),
    ("weight_decay", -0.1, "-0.1"),
    ("dropout", -0.1, "-0.1"),
    ("dropout", 1.5, "1.5"),
    ("dropout", "some", "some"),
    ("early_stopping", "auto", "auto"),
    ("validation_fraction", 0.0, "0.0"),
    ("validation_fraction", 1.0, "1.0"),
    ("validation_fraction", 20, "20"),
    ("validation", "last", "last"),
    ("validation", Absent(), "1000000"),
    ("refit", "never", "never"),
    ("refit_full", "yes", "yes"),
    ("device", 0, "0"),
    ("device", "mps" if torch.cuda.is_available() else "cuda", "'"),
    ("device", "no_such_device", "no_such_device"),
    ("random_state", -1, "-1"),
    ("random_state", "seed", "seed"),
    ("verbose", -1, "-1"),
]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(("name", "value", "told"), IMPOSSIBLE, ids=lambda v: str(v)[:20])
def test_an_impossible_parameter_is_named_with_its_value(make, name, value, told):
    X, y = data_for(make, 40)
    model = make(**{name: value})
    before = joblib.hash(model.get_params())
    with pytest.raises((ValueError, TypeError)) as raised:
        model.fit(X, y)
    message = str(raised.value)
    named = "cv" if isinstance(value, Absent) else name
    assert re.search(rf"\b{named}\b", message), message
    assert told in message
    assert joblib.hash(model.get_params()) == before
    assert not hasattr(model, "module_")


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("growth", PlateauGrowth(patience=0), r"'patience' parameter of PlateauGrowth.* Got 0"),
        ("growth", PeriodicGrowth(period=-1), r"'period' parameter of PeriodicGrowth.* Got -1"),
        ("growth", NorthGrowth(share=-3.0), r"'share' parameter of NorthGrowth.* Got -3"),
        ("growth", GradMaxGrowth(min_gain=2.0), r"'min_gain' parameter of GradMaxGrowth.* Got 2"),
        ("pruning", EffectPruning(n_rounds=0), r"'n_rounds' parameter of EffectPruning.* Got 0"),
        ("pruning", MagnitudePruning(scope="net"), r"'scope' .* MagnitudePruning.* Got 'net'"),
        (
            "relaxation",
            SoftmaxRelaxation(temperature=0.0),
            r"'temperature' parameter of SoftmaxRelaxation.* Got 0",
        ),
        (
            "relaxation",
            ScaledSigmoidRelaxation(final_scale=-1.0),
            r"'final_scale' parameter of ScaledSigmoidRelaxation.* Got -1",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_impossible_parameter_of_a_rule_is_named_with_its_value(name, given, message):
    X, y = product(40)
    with pytest.raises(ValueError, match=message):
        regressor(**{name: given}).fit(X, y)


def test_an_unknown_loss_or_class_weight_is_named():
    X, y = product(40)
    with pytest.raises(ValueError, match=r"loss.*'mape'"):
        regressor(loss="mape").fit(X, y)
    with pytest.raises(ValueError, match="class_weight"):
        classifier(class_weight="fair").fit(X, y > 0)


@pytest.mark.parametrize("channels", [[5], [0, 1], [-1], ["a"], [0.5]])
def test_impossible_target_channels_are_named(channels):
    X, y = product(40)
    with pytest.raises(ValueError, match="target_channels") as raised:
        regressor(target_channels=channels).fit(X, y)
    assert repr(channels) in str(raised.value)


def _with(value, shape=(40, 2)):
    X = np.random.default_rng(0).normal(size=shape)
    X.reshape(-1)[3] = value
    return X


X, Y = product(40)
X3, Y3 = sequences(40, 5)
BAD_DATA = {
    "NaN in X": (_with(np.nan), Y, {}, "X contains NaN"),
    "infinity in X": (_with(np.inf), Y, {}, "X contains infinity"),
    "too large for float": (_with(0).astype(object), Y * np.nan, {}, "y contains NaN"),
    "NaN in y": (X, np.where(np.arange(40) == 3, np.nan, Y), {}, "y contains NaN"),
    "infinity in y": (X, np.where(np.arange(40) == 3, np.inf, Y), {}, "y contains infinity"),
    "NaN in 3-D y": (X, _with(np.nan, (40, 3, 2)), {}, "NaN"),
    "a word in X": ([["a", 1.0]] * 40, Y, {}, "could not convert"),
    "a word in y": (X, ["a"] * 39 + [1.0], {}, "could not convert"),
    "complex X": (X + 1j, Y, {}, "Complex data not supported"),
    "sparse X": (sparse.csr_array(X), Y, {}, "[Ss]parse"),
    "1-D X": (X[:, 0], Y, {}, "Reshape your data"),
    "4-D X": (X3[None], Y3[:1], {}, "dim 4"),
    "no rows": (X[:0], Y[:0], {}, "0 sample"),
    "no columns": (X[:, :0], Y, {}, "0 feature"),
    "one row": (X[:1], Y[:1], {}, "1 sample"),
    "one sequence": (X3[:1], Y3[:1], {}, "1 sample"),
    "unequal lengths": (X, Y[:39], {}, "inconsistent numbers of samples"),
    "unequal lengths in 3-D": (X3, Y3[:39], {}, "inconsistent numbers of samples"),
    "no y": (X, None, {}, "requires y to be passed"),
    "4-D y": (X, np.zeros((40, 2, 2, 2)), {}, "dim 4"),
    "as many rows as the lookback": (X, Y, {"lookback": 40}, "more rows than lookback=40; got 40"),
    "fewer rows than the lookback": (X, Y, {"lookback": 99}, "more rows than lookback=99; got 40"),
    "another lookback than the steps": (X3, Y3, {"lookback": 4}, "lookback .* 5 steps.* got 4"),
    "longer segments than the steps": (X3, Y3, {"segment_length": 6}, "segment_length.* got 6"),
    "a hole in a sequence": (_with(np.nan, (40, 5, 3)), Y3, {}, "NaN"),
    "infinity in a sequence": (_with(np.inf, (40, 5, 3)), Y3, {}, "infinity"),
    "a sequence without steps": (
        np.where(np.arange(40)[:, None, None] == 2, np.nan, X3), Y3, {}, "at least one step"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_DATA)
def test_data_that_cannot_be_fitted_are_refused_with_the_reason(name):
    X_bad, y_bad, parameters, message = BAD_DATA[name]
    model = regressor(**parameters)
    before = joblib.hash(model.get_params())
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(X_bad, y_bad)
    assert joblib.hash(model.get_params()) == before
    assert not hasattr(model, "module_")


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.zeros(40), "zero"),
        (-np.ones(40), "[Nn]egative"),
        (np.full(40, np.nan), "NaN"),
        (np.full(40, np.inf), "infinity"),
        (np.ones(39), "sample_weight.*40"),
        (np.ones((40, 2)), "1D|1-D|2D"),
    ],
)
def test_impossible_weights_are_refused(make, weight, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        make().fit(*data_for(make, 40), sample_weight=weight)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(40), "one class"),
        (["only"] * 40, "one class"),
        (Y, "continuous"),
        (np.stack([Y > 0, Y > 1], axis=1), "multilabel|1d array|y should be a 1d"),
        ([None] * 40, "NoneType|None|Unknown label type"),
    ],
)
def test_labels_that_are_none_are_refused(y, message):
    model = classifier()
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(X, y)
    assert not hasattr(model, "module_")


# -- predict --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tabular():
    frame = pd.DataFrame(X, columns=["first", "second"])
    return regressor(max_nodes=0).fit(frame, Y), frame


@pytest.fixture(scope="module")
def sequential():
    return regressor(max_nodes=0).fit(X3, Y3)


def test_predict_before_fit_says_so():
    from sklearn.exceptions import NotFittedError

    for model in (regressor(), classifier()):
        with pytest.raises(NotFittedError):
            model.predict(X)
    with pytest.raises(NotFittedError):
        classifier().predict_proba(X)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame[["second", "first"]], "same order"),
        (lambda frame: frame.rename(columns={"first": "1st"}), "unseen at fit time"),
        (lambda frame: frame[["first"]], "missing"),
        (lambda frame: frame.to_numpy()[:, :1], "X has 1 features, but .* expecting 2"),
        (lambda frame: frame.to_numpy()[:, 0], "Reshape your data"),
        (lambda frame: np.zeros((4, 5, 2)), "2-D"),
        (lambda frame: frame * np.nan, "NaN"),
        (lambda frame: frame + np.inf, "infinity"),
        (lambda frame: frame[:0], "0 sample"),
    ],
)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_rows_unlike_those_of_fit_are_refused(tabular, change, message):
    model, frame = tabular
    expected = model.predict(frame)
    with pytest.raises(ValueError, match=f"(?s){message}"):
        model.predict(change(frame))
    np.testing.assert_array_equal(model.predict(frame), expected)


@pytest.mark.parametrize(
    ("X_bad", "message"),
    [
        (X3[:, 0], "3-D"),
        (X3[:, :, :2], "X has 2 features.* expecting 3"),
        (_with(np.nan, (4, 5, 3)), "NaN"),
        (_with(np.inf, (4, 5, 3)), "infinity"),
        (X3[:0], "0 sample"),
        (np.full((2, 5, 3), np.nan), "at least one step"),
    ],
)
def test_sequences_unlike_those_of_fit_are_refused(sequential, X_bad, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        sequential.predict(X_bad)


@pytest.mark.parametrize(
    ("X_bad", "y_bad", "parameters"),
    [
        (X, np.stack([Y, Y], axis=1), {"target_channels": [7, 7]}),
        (X, np.stack([Y, Y], axis=1), {"max_params": 1}),
        (X[:1], Y[:1], {}),
        (X3, Y3, {"segment_length": 9}),
        (X, Y, {"lookback": 77}),
        (np.hstack([X, X]), Y, {"validation": Absent()}),
    ],
)
def test_a_fit_that_fails_leaves_the_regressor_as_it_was(X_bad, y_bad, parameters):
    model = regressor(max_nodes=0).fit(X, Y)
    expected = model.predict(X)
    with pytest.raises(ValueError, match=r"."):
        model.set_params(**parameters).fit(X_bad, y_bad)
    np.testing.assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize(
    ("X_bad", "y_bad", "parameters"),
    [
        (X, ["only"] * 40, {}),
        (X, np.arange(40) % 3, {"max_params": 1}),
        (X, np.where(Y > 0, "up", "down"), {"validation": Absent()}),
        (X3, Y3 > 0, {"segment_length": 9}),
    ],
)
def test_a_fit_that_fails_leaves_the_classifier_as_it_was(X_bad, y_bad, parameters):
    model = classifier(max_nodes=0).fit(X, Y > 0)
    expected = model.predict(X)
    with pytest.raises(ValueError, match=r"."):
        model.set_params(**parameters).fit(X_bad, y_bad)
    np.testing.assert_array_equal(model.predict(X), expected)
