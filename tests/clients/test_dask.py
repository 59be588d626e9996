"""dask carries our fits to two processes: a grid, a backtest, and one model for each group."""

import joblib
import numpy as np
import pytest

pytest.importorskip("distributed", reason="tested by `make clients`")

from dask.distributed import Client, LocalCluster
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_predict

from sknas import GrowingDARTSForecaster
from tests.clients.air import BUDGET, air, lagged, regressor

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def cluster():
    """Start two processes of one thread each."""
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as workers,
        Client(workers) as client,
    ):
        yield client


def grid(X, y):
    search = GridSearchCV(
        regressor(max_epochs=2),
        {"genotype": ["product", "gru"], "linear_seed": [False]},
        cv=TimeSeriesSplit(2),
        n_jobs=2,
    )
    return search.fit(X, y)


def test_a_grid_ends_as_it_does_here(cluster):
    X, y = lagged(300)
    here = grid(X, y)
    with joblib.parallel_backend("dask"):
        there = grid(X, y)
    assert there.best_params_ == here.best_params_
    for key in ("mean_test_score", "std_test_score"):
        np.testing.assert_array_equal(there.cv_results_[key], here.cv_results_[key])
    assert there.predict(X).tobytes() == here.predict(X).tobytes()


def test_folds_of_a_search_are_those_of_one_process(cluster):
    X, y = lagged(240)
    model = regressor(search_epochs=2, max_epochs=1)
    here = cross_val_predict(model, X, y, cv=2)
    with joblib.parallel_backend("dask"):
        there = cross_val_predict(model, X, y, cv=2, n_jobs=2)
    assert there.tobytes() == here.tobytes()


def test_a_model_for_each_group(cluster):
    frame = air(240)

    def forecast_of(name):
        model = GrowingDARTSForecaster(lookback=24, horizon=6, genotype="gru", **BUDGET)
        return model.fit(frame[[name]]).predict().to_numpy()

    there = cluster.gather(cluster.map(forecast_of, list(frame)))
    for name, forecast in zip(frame, there, strict=True):
        np.testing.assert_array_equal(forecast, forecast_of(name))


def test_origins_of_a_backtest_are_spread(cluster):
    series = air(300)["temperature"].to_frame()

    def error_from(origin):
        model = GrowingDARTSForecaster(lookback=24, horizon=6, genotype="linear", random_state=0)
        forecast = model.fit(series[:origin]).predict().to_numpy()
        return float(np.abs(forecast - series[origin : origin + 6].to_numpy()).mean())

    origins = [200, 230, 260]
    with joblib.parallel_backend("dask"):
        there = joblib.Parallel(n_jobs=2)(joblib.delayed(error_from)(n) for n in origins)
    assert there == [error_from(origin) for origin in origins]
