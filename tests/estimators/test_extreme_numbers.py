"""Neither steps that are far too long nor data at the edge make a prediction NaN."""

import numpy as np
import pytest

from tests.small import MAKERS, classifier, data_for, normal, product, regressor

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


# -- hostile scales -------------------------------------------------------------------------------


def linear_law(n_rows=80, seed=0):
    X = normal(n_rows, 3, seed=seed)
    return X, X @ [1.0, 2.0, -1.0] + 0.1 * normal(n_rows, seed=seed + 1)


def share_of_mean(X, y, predicted):
    """Return the squared error as a share of that of the mean predictor, safe from overflow."""
    unit = np.abs(y).max() or 1.0
    error, spread = (predicted - y) / unit, (y - y.mean()) / unit
    return (error**2).mean() / max((spread**2).mean(), 1e-30)


def one_at(values, place, value):
    changed = values.copy()
    changed.reshape(-1)[place] = value
    return changed


X, LAW = linear_law()
WALK = X.cumsum(axis=0)
INTEGERS = 2**53 + np.random.default_rng(0).integers(-50, 50, size=(80, 3))
SIGNS32 = np.where(X > 0, 1, -1) * np.finfo(np.float32).max
EXTREMES = {
    **{f"X times {s:.0e}": (X * s, LAW, 0.1) for s in (1e-300, 1e-30, 1e30, 1e300)},
    **{f"y times {s:.0e}": (X, LAW * s, 0.1) for s in (1e-300, 1e-30, 1e30, 1e300)},
    "columns of mixed scales": (X * [1e-30, 1.0, 1e30], LAW, 0.1),
    "a constant column": (np.c_[X, np.full(80, 1e300)], LAW, 0.1),
    "a column that hardly varies": (np.c_[X, 1e10 + 1e-6 * normal(80)], LAW, 0.1),
    "integers near 2**53": (INTEGERS, (INTEGERS - 2**53) @ [1.0, 2.0, -1.0], 0.1),
    "numbers at the end of float32": (SIGNS32.astype(np.float32), LAW, 0.6),
    "an outlier in X": (one_at(X, 7, 1e6), LAW, 1.2),
    "an outlier in y": (X, one_at(LAW, 7, 1e6), 1.2),
    "an outlier in the validation part of X": (one_at(X, -1, 1e6), LAW, 1.2),
    "an outlier in the validation part of y": (X, one_at(LAW, -1, 1e6), 1.2),
    "repeated rows": (np.repeat(X[:5], 16, axis=0), np.repeat(LAW[:5], 16), 0.5),
    "denormal X": (X * 1e-310, LAW, 1.2),
    "denormal y": (X, LAW * 1e-310, 1.2),
    "constant rows": (np.full((80, 3), 5.0), LAW, 1.2),
}


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("validation", ["auto", "chronological"])
@pytest.mark.parametrize("genotype", ["linear", "gru"])
@pytest.mark.filterwarnings("ignore:invalid value encountered in reduce:RuntimeWarning")
def test_no_extreme_is_predicted_much_worse_than_by_the_mean(name, validation, genotype):
    X, y, most = EXTREMES[name]
    predicted = regressor(genotype=genotype, validation=validation).fit(X, y).predict(X)
    assert np.isfinite(predicted).all()
    assert share_of_mean(X, y, predicted) < most


@pytest.mark.parametrize("window_norm", ["last", "level", "revin"])
@pytest.mark.parametrize(
    ("values", "most"),
    [
        *((WALK * scale, 0.3) for scale in (1e-30, 1e30)),
        (WALK * [1e-30, 1.0, 1e30], 0.3),
        (one_at(WALK, 7, 1e6), 3.0),
        (np.full((80, 3), 5.0), 1e-12),
        (2**53 + 2 * np.arange(240).reshape(80, 3), 0.01),
    ],
)
def test_no_extreme_series_is_continued_much_worse_than_by_the_mean(window_norm, values, most):
    X, y = values[:-1], values[1:]
    predicted = regressor(lookback=5, genotype="gru", window_norm=window_norm).fit(X, y).predict(X)
    assert np.isfinite(predicted).all()
    for column in range(3):
        assert share_of_mean(X, y[:, column], predicted[:, column]) < most


@pytest.mark.parametrize("name", [name for name in EXTREMES if "y" not in name.split()])
def test_extreme_columns_give_probabilities(name):
    X = EXTREMES[name][0]
    with np.errstate(invalid="ignore"):
        shares = classifier(genotype="gru").fit(X, LAW > 0).predict_proba(X)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)


def test_rows_far_from_all_that_fit_saw_are_predicted_or_refused():
    for model, y in ((regressor(genotype="product"), LAW), (classifier(genotype="gru"), LAW > 0)):
        model.fit(X, y)
        for far in (1e6, 1e20, 1e29):
            predicted = model.predict(one_at(X, 7, far))
            assert predicted.dtype == bool or np.isfinite(predicted).all()
        with pytest.raises(ValueError, match="standard deviations of the mean of the training"):
            model.predict(one_at(X, 7, 1e32))


@pytest.mark.parametrize("scale", [1e-310, 1e-30, 1.0, 2.0**52, 1e300, 1e308])
def test_only_the_proportions_of_weights_matter_where_they_count_nothing(scale):
    weights = np.random.default_rng(0).uniform(0.5, 1.5, size=80)
    plain = regressor(max_nodes=0).fit(X, LAW, sample_weight=weights).predict(X)
    scaled = regressor(max_nodes=0).fit(X, LAW, sample_weight=weights * scale).predict(X)
    np.testing.assert_allclose(scaled, plain, rtol=1e-6)


def test_rows_that_are_all_equal_are_predicted_by_their_mean():
    X, y = np.ones((30, 2)), np.arange(30.0)
    model = regressor().fit(X, y)
    assert np.isfinite(model.predict(X)).all()
    assert len(np.unique(model.predict(X))) == 1
