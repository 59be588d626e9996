"""Parameters are keywords, checked, documented and the same in both estimators."""

import inspect
import re

import pytest

from sknas import GrowingDARTSClassifier, GrowingDARTSRegressor
from sknas._validation import StrOptions


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


@pytest.mark.parametrize("estimator", [GrowingDARTSRegressor, GrowingDARTSClassifier])
def test_the_strings_that_a_parameter_takes_are_those_that_its_documentation_names(estimator):
    n_checked = 0
    for name, constraints in estimator._parameter_constraints.items():
        options = {o for c in constraints if isinstance(c, StrOptions) for o in c.options}
        if not options or name not in inspect.signature(estimator).parameters:
            continue
        section = re.search(
            rf"^    {name} : (.*?)(?=^    \w+ : |\Z)", estimator.__doc__, re.M | re.S
        )
        kind = section[1].replace("\\\n", "").split(", default=")[0]
        assert set(re.findall(r'"(\w+)"', section[1])) >= options, name
        assert set(re.findall(r'"(\w+)"', kind)) in (set(), options), name
        n_checked += 1
    assert n_checked > 15


def test_the_two_estimators_share_their_parameters_and_defaults():
    first, second = (
        inspect.signature(estimator).parameters
        for estimator in (GrowingDARTSRegressor, GrowingDARTSClassifier)
    )
    assert set(first) - set(second) == {
        "channel_gains",
        "target_channels",
        "loss",
        "quantile_levels",
    }
    assert set(second) - set(first) == {"class_weight"}
    for name in set(first) & set(second):
        assert first[name].default == second[name].default
