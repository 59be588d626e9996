"""Parameters are keywords, checked, documented and the same in both estimators."""

import inspect

import pytest

from sknas import GrowingDARTSClassifier, GrowingDARTSRegressor


@pytest.mark.parametrize("estimator", [GrowingDARTSRegressor, GrowingDARTSClassifier])
def test_every_parameter_is_keyword_only_checked_and_documented(estimator):
    signature = inspect.signature(estimator)
    constraints = estimator._parameter_constraints
    for name, parameter in signature.parameters.items():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert f"    {name} : " in estimator.__doc__
        assert name in constraints or name == "class_weight"
    with pytest.raises(TypeError):
        estimator("two_input")


def test_the_two_estimators_share_their_parameters_and_defaults():
    first, second = (
        inspect.signature(estimator).parameters
        for estimator in (GrowingDARTSRegressor, GrowingDARTSClassifier)
    )
    assert set(first) - set(second) == {"target_channels", "loss"}
    assert set(second) - set(first) == {"class_weight"}
    for name in set(first) & set(second):
        assert first[name].default == second[name].default
