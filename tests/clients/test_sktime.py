"""sktime drives the forecaster: its own checks, its splitters, pipelines, grids and hierarchies."""

import inspect

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sktime", reason="tested by `make clients`")

from sktime.forecasting.base import ForecastingHorizon
from sktime.forecasting.compose import TransformedTargetForecaster
from sktime.forecasting.model_evaluation import evaluate
from sktime.forecasting.model_selection import ForecastingGridSearchCV
from sktime.forecasting.naive import NaiveForecaster
from sktime.performance_metrics.forecasting import MeanAbsoluteError
from sktime.split import ExpandingWindowSplitter
from sktime.transformations.boxcox import LogTransformer
from sktime.transformations.detrend import Detrender
from sktime.utils.estimator_checks import check_estimator

from sknas.forecasting import GrowingDARTSForecaster
from sknas.forecasting.adapters import SktimeGrowingDARTSForecaster

# sktime warns of its own deprecations, whose users here are its own classes.
pytestmark = pytest.mark.filterwarnings("ignore")

LINEAR = {"genotype": "linear", "random_state": 0}


def monthly(n=120, seed=0, noise=0.1):
    """Return a positive monthly series with a trend and a season."""
    t = np.arange(n)
    season = np.random.default_rng(7).normal(size=12)[t % 12]
    values = 10 + 0.03 * t + season + noise * np.random.default_rng(seed).normal(size=n)
    return pd.Series(values, pd.period_range("2010-01", periods=n, freq="M"), name="sales")


def test_sktime_finds_nothing_to_complain_about():
    results = check_estimator(SktimeGrowingDARTSForecaster, raise_exceptions=True, verbose=False)
    assert len(results) > 500
    assert set(results.values()) == {"PASSED"}


# -- the same forecaster ---------------------------------------------------------------------------


def test_its_parameters_are_those_of_the_forecaster():
    ours = inspect.signature(SktimeGrowingDARTSForecaster).parameters
    theirs = inspect.signature(GrowingDARTSForecaster).parameters
    assert list(ours) == list(theirs)
    assert {name for name in ours if ours[name] != theirs[name]} == {"horizon"}
    with pytest.raises(TypeError, match="lookbak"):
        SktimeGrowingDARTSForecaster(lookbak=3)


def test_a_parameter_out_of_its_range_is_named():
    with pytest.raises(ValueError, match="'lookback'"):
        SktimeGrowingDARTSForecaster(lookback=0).fit(monthly(), fh=1)


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("freq", ["M", "D", None])
def test_its_forecasts_are_those_of_the_forecaster(freq, absolute):
    y = monthly().to_frame().assign(returns=np.random.default_rng(1).normal(size=120))
    if freq == "D":
        y.index = pd.date_range("2020-01-01", periods=120, freq="D")
    elif freq is None:
        y.index = pd.RangeIndex(5, 125)
    parameters = {"lookback": 12, "max_nodes": 1, "search_epochs": 2, "max_epochs": 2}
    plain = GrowingDARTSForecaster(horizon=4, random_state=0, **parameters).fit(y[:110])
    wrapped = SktimeGrowingDARTSForecaster(random_state=0, **parameters)
    fh = ForecastingHorizon(y.index[[110, 113]], is_relative=False) if absolute else [1, 4]
    wrapped.fit(y[:110], fh=fh)
    for ours, theirs in [
        (wrapped.predict(), plain.predict()),
        (
            wrapped.predict_interval(coverage=[0.5, 0.9]),
            plain.predict_interval(coverage=[0.5, 0.9]),
        ),
        (wrapped.predict_quantiles(alpha=[0.1, 0.6]), plain.predict_quantiles(alpha=[0.1, 0.6])),
    ]:
        assert ours.index.equals(y.index[[110, 113]])
        assert list(ours.columns) == list(theirs.columns)
        np.testing.assert_array_equal(ours, theirs.iloc[[0, 3]])


def test_a_given_horizon_goes_on_from_its_own_forecasts():
    y = monthly()
    wrapped = SktimeGrowingDARTSForecaster(lookback=12, horizon=2, **LINEAR).fit(y, fh=range(1, 8))
    plain = GrowingDARTSForecaster(lookback=12, horizon=2, **LINEAR).fit(y)
    np.testing.assert_array_equal(wrapped.predict(), plain.predict(7))


# -- covariates and missing values -----------------------------------------------------------------


def driven(n=160):
    """Return a series that is its covariate but for small noise, and the covariate."""
    rng = np.random.default_rng(3)
    index = pd.date_range("2021-01-01", periods=n, freq="D")
    X = pd.DataFrame({"price": rng.normal(size=n)}, index=index)
    return X["price"].rename("load") + 0.01 * rng.normal(size=n), X


def test_covariates_of_the_steps_ahead_are_read():
    y, X = driven()
    model = SktimeGrowingDARTSForecaster(lookback=3, **LINEAR).fit(y[:150], X[:150], fh=[1, 2, 5])
    forecast = model.predict(X=X[150:])
    assert np.abs(forecast - y.iloc[[150, 151, 154]]).max() < 0.1
    moved = model.predict(X=X[150:] + 1.0)
    np.testing.assert_allclose(moved - forecast, 1.0, atol=0.1)


def test_covariates_must_cover_every_step_up_to_the_furthest():
    y, X = driven()
    model = SktimeGrowingDARTSForecaster(lookback=3, **LINEAR).fit(y[:150], X[:150], fh=[1, 3])
    with pytest.raises(ValueError, match=f"{X.index[151].date()}"):
        model.predict(X=X.iloc[[150, 152]])
    with pytest.raises(ValueError, match="X must be given"):
        model.predict()


def test_missing_values_are_masked_where_the_parameter_says_so():
    y = monthly()
    y.iloc[[20, 21, 70]] = np.nan
    strict = SktimeGrowingDARTSForecaster(lookback=12, **LINEAR)
    lenient = SktimeGrowingDARTSForecaster(lookback=12, missing="mask", **LINEAR)
    assert not strict.get_tag("capability:missing_values")
    assert lenient.get_tag("capability:missing_values")
    assert strict.set_params(missing="mask").get_tag("capability:missing_values")
    with pytest.raises(ValueError, match="missing"):
        SktimeGrowingDARTSForecaster(lookback=12, **LINEAR).fit(y, fh=1)
    forecast = lenient.fit(y[:108], fh=range(1, 13)).predict()
    assert np.abs(forecast - y[108:]).mean() < 0.5 * np.abs(y[108:] - y.iloc[107]).mean()


def test_dates_with_gaps_have_the_frequency_that_the_parameter_gives():
    y = monthly()
    y.index = pd.date_range("2010-01-01", periods=120, freq="MS")
    full = SktimeGrowingDARTSForecaster(lookback=12, missing="mask", **LINEAR).fit(y, fh=[1, 14])
    gaps = SktimeGrowingDARTSForecaster(lookback=12, missing="mask", freq="MS", **LINEAR)
    forecast = gaps.fit(y.drop(y.index[[30, 31, 60]]), fh=[1, 14]).predict()
    assert forecast.index.equals(full.predict().index)
    assert np.abs(forecast - full.predict()).max() < 0.3


# -- going on --------------------------------------------------------------------------------------


def test_rows_wait_until_there_are_enough_of_them_to_learn_from():
    y = monthly()
    by_row, at_once = (
        SktimeGrowingDARTSForecaster(lookback=6, max_nodes=0, random_state=0).fit(y[:90], fh=[1, 2])
        for _ in range(2)
    )
    at_once.update(y[90:93])
    calls = [by_row.update(y[i : i + 1]).forecaster_.search_report_.stages for i in (90, 91, 92)]
    assert len(calls[0]) == len(calls[1]) < len(calls[2])
    np.testing.assert_array_equal(by_row.predict(), at_once.predict())
    np.testing.assert_array_equal(by_row.predict_interval(), at_once.predict_interval())


def test_without_update_of_parameters_only_the_cutoff_moves():
    y = monthly()
    model = SktimeGrowingDARTSForecaster(lookback=6, **LINEAR).fit(y[:90], fh=[1, 2])
    weights = {k: v.clone() for k, v in model.forecaster_.module_.state_dict().items()}
    model.update(y[90:100], update_params=False)
    assert model.cutoff == y.index[[99]]
    assert model.predict().index.equals(y.index[100:102])
    for name, value in model.forecaster_.module_.state_dict().items():
        assert value.equal(weights[name])


def test_rows_that_are_known_already_change_nothing():
    y = monthly()
    model = SktimeGrowingDARTSForecaster(lookback=6, **LINEAR).fit(y[:90], fh=[1, 2])
    before = model.predict()
    pd.testing.assert_series_equal(model.update(y[80:90]).predict(), before)


def test_a_cutoff_before_known_rows_is_refused():
    y = monthly()
    model = SktimeGrowingDARTSForecaster(lookback=6, **LINEAR).fit(y[:90], fh=[1, 2])
    with pytest.raises(ValueError, match=r"after the last known row, 2017-06; got .* 2016-12"):
        model.update(y[80:84]).predict()


# -- real jobs -------------------------------------------------------------------------------------


def test_evaluate_rolls_it_over_expanding_windows():
    y = monthly()
    cv = ExpandingWindowSplitter(fh=[1, 2, 3, 4, 5, 6], initial_window=84, step_length=12)
    errors = {}
    for name, model in {
        "ours": SktimeGrowingDARTSForecaster(lookback=12, max_nodes=0, random_state=0),
        "last value": NaiveForecaster(),
    }.items():
        table = evaluate(model, cv, y, scoring=MeanAbsoluteError(), error_score="raise")
        assert len(table) == 3
        errors[name] = table["test_MeanAbsoluteError"].mean()
    assert errors["ours"] < 0.5 * errors["last value"]


def test_a_pipeline_goes_on_after_new_rows():
    y = monthly()
    model = TransformedTargetForecaster(
        [
            ("log", LogTransformer()),
            ("trend", Detrender()),
            ("forecast", SktimeGrowingDARTSForecaster(lookback=12, **LINEAR)),
        ]
    ).fit(y[:96], fh=[1, 2, 3])
    forecast = model.predict()
    assert np.abs(forecast - y[96:99]).mean() < 0.5 * np.abs(y[96:99] - y.iloc[95]).mean()
    later = model.update(y[96:108]).predict()
    assert later.index.equals(y.index[108:111])
    assert np.abs(later - y[108:111]).mean() < 0.5 * np.abs(y[108:111] - y.iloc[107]).mean()


def test_a_grid_search_prefers_a_lookback_that_holds_the_season():
    y = monthly()
    grid = ForecastingGridSearchCV(
        SktimeGrowingDARTSForecaster(**LINEAR),
        cv=ExpandingWindowSplitter(fh=[1, 2, 3], initial_window=90, step_length=9),
        param_grid={"lookback": [2, 12]},
        scoring=MeanAbsoluteError(),
        error_score="raise",
    ).fit(y, fh=[1, 2, 3])
    assert grid.best_params_ == {"lookback": 12}
    assert grid.predict().index[0] == pd.Period("2020-01", "M")


def test_each_series_of_a_hierarchy_is_forecast_as_if_alone():
    leaves = {("north", "a"): 0, ("north", "b"): 1, ("south", "a"): 2}
    y = pd.concat({key: monthly(seed=seed).to_frame() for key, seed in leaves.items()})
    y.index.names = ["region", "shop", "month"]
    model = SktimeGrowingDARTSForecaster(lookback=12, **LINEAR)
    forecast = model.fit(y, fh=[1, 2]).predict()
    assert forecast.index.names == y.index.names
    for key, seed in leaves.items():
        alone = SktimeGrowingDARTSForecaster(lookback=12, **LINEAR).fit(
            monthly(seed=seed), fh=[1, 2]
        )
        np.testing.assert_array_equal(forecast.loc[key]["sales"], alone.predict())
