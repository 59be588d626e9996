"""Every check that scikit-learn has for estimators passes; none is skipped or expected to fail."""

import os

import pytest
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_estimator,
)

from tests.small import MAKERS

pytestmark = pytest.mark.usefixtures("short_epochs")
BUDGET = {"hidden_size": 4, "max_nodes": 2, "search_epochs": 3, "max_epochs": 3}
SHORT = {**BUDGET, "search_epochs": 1, "max_epochs": 1, "early_stopping": False}


@pytest.mark.slow
@pytest.mark.parametrize("budget", [BUDGET, SHORT], ids=["stopped early", "short"])
@pytest.mark.parametrize("make", MAKERS)
def test_every_check_of_scikit_learn_passes(make, budget):
    assert os.environ.get("SCIPY_ARRAY_API") == "1", (
        "scikit-learn skips its array API check unless SCIPY_ARRAY_API=1 is set before Python "
        "starts, as `make test` does."
    )
    model = make(**budget)
    results = check_estimator(model, on_fail=None, on_skip=None)
    assert len(results) > 40
    others = {
        result["check_name"]: (result["status"], repr(result["exception"]))
        for result in results
        if result["status"] != "passed"
    }
    assert others == {}


@pytest.mark.parametrize("make", MAKERS)
def test_column_names_are_checked_in_every_method(make):
    model = make(**BUDGET)
    check_dataframe_column_names_consistency(type(model).__name__, model)
