"""Neither steps that are far too long nor data at the edge make a prediction NaN."""

import numpy as np
import pytest

from tests.small import MAKERS, classifier, data_for, product, regressor

pytestmark = pytest.mark.usefixtures("short_epochs")


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
