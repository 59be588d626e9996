"""Bad input gets an error that names the parameter, the rule and the value, and changes nothing."""

import re

import joblib
import numpy as np
import pytest

from tests.bad_inputs import CASES, X3, Y3, Absent, X, Y
from tests.small import classifier, regressor


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
@pytest.mark.filterwarnings(
    "ignore:X does not have valid feature names", "ignore:The number of unique classes"
)
def test_bad_input_is_told_and_changes_nothing(case):
    model = case.make()
    before, names = joblib.hash(model.get_params()), set(vars(model))
    state = joblib.hash(model) if names > set(model.get_params()) else None
    if case.error is None:
        case.call(model)
        return
    with pytest.raises(case.error) as raised:
        case.call(model)
    assert re.search(case.told, str(raised.value)), str(raised.value)
    assert joblib.hash(model.get_params()) == before
    assert set(vars(model)) == names
    assert state is None or joblib.hash(model) == state


def test_every_public_method_is_called_with_bad_input():
    called = {(type(case.make()), case.method) for case in CASES}
    kinds = {kind for kind, _ in called}
    taking = {
        "fit", "partial_fit", "predict", "predict_proba", "decision_function", "score",
        "predict_quantiles", "predict_interval", "update", "backtest", "to_onnx",
    }  # fmt: skip
    assert len(kinds) == 3
    for kind in kinds:
        assert {name for name in taking if hasattr(kind, name)} <= {
            m for k, m in called if k is kind
        }


def test_every_parameter_is_given_a_bad_value():
    named = {kind: set() for kind in {type(case.make()) for case in CASES}}
    for case in CASES:
        if case.method == "fit":
            named[type(case.make())].add(case.name.split("=")[0])
    for kind, names in named.items():
        assert set(kind().get_params(deep=False)) <= names | {"callbacks"}


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
