"""darts drives the regressor: past and future covariates, several targets, backtests, saving."""

import numpy as np
import pytest

pytest.importorskip("darts", reason="tested by `make clients`")

from darts import TimeSeries
from darts.metrics import mae
from darts.models import NaiveSeasonal, SKLearnModel
from darts.utils.serialization import add_safe_globals
from darts.utils.serialization.base import UnpicklingError

from sknas import GrowingDARTSRegressor
from tests.clients.air import DAY, air, regressor

pytestmark = pytest.mark.filterwarnings("ignore")


def series(column, n_hours=400):
    return TimeSeries.from_series(air(n_hours)[column]).astype(np.float32)


def model(n_ahead=6, covariates=(), **parameters):
    return SKLearnModel(
        lags=24,
        lags_past_covariates=6 if "past" in covariates else None,
        lags_future_covariates=(3, n_ahead) if "future" in covariates else None,
        output_chunk_length=n_ahead,
        multi_models=True,
        model=regressor(**parameters),
    )


def test_a_search_beats_the_last_value():
    target = series("temperature")
    known, truth = target[:-6], target[-6:]
    found = model()
    found.fit(known)
    naive = NaiveSeasonal(K=1)
    naive.fit(known)
    assert mae(truth, found.predict(6)) < mae(truth, naive.predict(6))


def test_covariates_of_the_past_and_of_the_future_are_read():
    target, past, future = series("temperature"), series("pressure"), series("dew_point")
    fitted = model(covariates=("past", "future"), genotype="product")
    fitted.fit(target[:-6], past_covariates=past, future_covariates=future)
    told = fitted.predict(6, past_covariates=past, future_covariates=future)
    warmer = fitted.predict(6, past_covariates=past, future_covariates=future + 5.0)
    heavier = fitted.predict(6, past_covariates=past + 5.0, future_covariates=future)
    assert np.abs((told - warmer).values()).max() > 0.01
    assert np.abs((told - heavier).values()).max() > 0.01


def test_several_targets_are_one_fit():
    target = series("temperature").stack(series("dew_point"))
    fitted = model(genotype="product")
    fitted.fit(target[:-6])
    forecast = fitted.predict(6)
    assert forecast.n_components == 2
    assert fitted.model.predict(np.zeros((1, 48), np.float32)).shape == (1, 12)


def test_a_backtest_goes_over_the_series():
    target = series("temperature")
    fitted = model(genotype="product", max_epochs=2)
    fitted.fit(target[:300])
    forecasts = fitted.historical_forecasts(
        target, start=300, forecast_horizon=6, stride=DAY, retrain=False, last_points_only=False
    )
    assert len(forecasts) == 4
    assert all(np.isfinite(forecast.values()).all() for forecast in forecasts)


def test_a_saved_model_forecasts_the_same(tmp_path):
    target = series("temperature")
    fitted = model(genotype="linear")
    fitted.fit(target)
    path = str(tmp_path / "model.pkl")
    fitted.save(path)
    with pytest.raises(UnpicklingError, match="GrowingDARTSRegressor"):
        SKLearnModel.load(path)
    add_safe_globals([GrowingDARTSRegressor])  # all that there is to trust
    loaded = SKLearnModel.load(path)
    np.testing.assert_array_equal(fitted.predict(6).values(), loaded.predict(6).values())
