"""sktime makes forecasters of the regressor: from tables of lags, and from windows as series."""

import numpy as np
import pytest

pytest.importorskip("sktime", reason="tested by `make clients`")

from sktime.forecasting.compose import make_reduction
from sktime.forecasting.model_evaluation import evaluate
from sktime.performance_metrics.forecasting import MeanAbsoluteError
from sktime.split import SlidingWindowSplitter

from tests.clients.air import DAY, air, flat, mean_error, regressor

pytestmark = pytest.mark.filterwarnings("ignore")


def temperature(n_hours=400):
    return air(n_hours)["temperature"]


@pytest.mark.parametrize("scitype", ["tabular-regressor", "time-series-regressor"])
@pytest.mark.parametrize("strategy", ["recursive", "direct", "multioutput"])
def test_every_reduction_beats_the_last_value(scitype, strategy):
    series = temperature()
    known, truth = series[:-6], series[-6:]
    forecaster = make_reduction(
        regressor(genotype="product"), strategy=strategy, window_length=DAY, scitype=scitype
    )
    forecast = forecaster.fit(known, fh=range(1, 7)).predict()
    assert list(forecast.index) == list(truth.index)
    assert mean_error(truth, forecast) < mean_error(truth, flat(known, 6))


def test_a_search_inside_a_reduction_reads_covariates():
    frame = air(400)
    known, ahead = frame[:-6], frame[-6:]
    forecaster = make_reduction(regressor(), strategy="recursive", window_length=6)
    forecaster.fit(known["temperature"], X=known[["dew_point"]], fh=range(1, 7))
    told = forecaster.predict(X=ahead[["dew_point"]])
    assert np.isfinite(told).all()
    assert len(told) == 6


def test_a_reduction_is_evaluated_over_sliding_windows():
    series = temperature(300)
    splitter = SlidingWindowSplitter(
        fh=range(1, 7), window_length=200, step_length=40, start_with_window=True
    )
    forecaster = make_reduction(regressor(genotype="linear"), window_length=DAY)
    table = evaluate(forecaster, splitter, series, scoring=MeanAbsoluteError())
    assert len(table) == splitter.get_n_splits(series)
    assert table["test_MeanAbsoluteError"].between(0.0, 5.0).all()
