"""mlforecast drives the regressor: many series, lags and dates, cross-validation, intervals."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("mlforecast", reason="tested by `make clients`")

from mlforecast import MLForecast
from mlforecast.utils import PredictionIntervals

from tests.clients.air import air, mean_error, regressor

pytestmark = pytest.mark.filterwarnings("ignore")


def panel(n_hours=400):
    """Return the channels as series of one long table."""
    frame = air(n_hours).rename_axis("ds").reset_index()
    return frame.melt("ds", var_name="unique_id", value_name="y")[["unique_id", "ds", "y"]]


def forecaster(**parameters):
    return MLForecast(
        {"sknas": regressor(**parameters)},
        freq="h",
        lags=[1, 2, 3, 24],
        date_features=["hour"],
    )


def test_a_search_over_all_series_beats_their_last_values():
    table = panel()
    times = np.sort(table["ds"].unique())
    known, truth = (table[table["ds"] <= times[-7]], table[table["ds"] > times[-7]])
    model = forecaster().fit(known, static_features=[])
    forecast = truth.merge(model.predict(6), on=["unique_id", "ds"])
    assert len(forecast) == len(truth)
    last = known.groupby("unique_id")["y"].last()
    naive = last.loc[truth["unique_id"]]
    assert mean_error(forecast["y"], forecast["sknas"]) < mean_error(truth["y"], naive)


@pytest.mark.parametrize("refit", [False, True])
def test_cross_validation_makes_a_forecast_of_every_window(refit):
    table = panel(300)
    folds = forecaster(genotype="product", max_epochs=2).cross_validation(
        table, n_windows=2, h=6, static_features=[], refit=refit
    )
    assert len(folds) == 2 * 6 * table["unique_id"].nunique()
    assert np.isfinite(folds["sknas"]).all()


def test_a_model_a_step_and_intervals():
    model = forecaster(genotype="linear")
    model.fit(
        panel(300),
        static_features=[],
        max_horizon=3,
        prediction_intervals=PredictionIntervals(n_windows=2, h=3),
    )
    forecast = model.predict(3, level=[90])
    assert (forecast["sknas-lo-90"] <= forecast["sknas"]).all()
    assert (forecast["sknas"] <= forecast["sknas-hi-90"]).all()


def test_weights_of_rows_reach_the_fit():
    table = panel(300)
    late = table["ds"] >= table["ds"].quantile(0.5)
    weighted = table.assign(weight=np.where(late, 10.0, 0.1))
    even = forecaster(genotype="linear").fit(table, static_features=[])
    uneven = forecaster(genotype="linear").fit(weighted, static_features=[], weight_col="weight")
    assert not np.allclose(even.predict(2)["sknas"], uneven.predict(2)["sknas"])


def test_series_that_came_later_are_forecast_too():
    table = panel(300)
    model = forecaster(genotype="linear").fit(
        table[table["unique_id"] != "pressure"], static_features=[]
    )
    new = table[table["unique_id"] == "pressure"]
    forecast = model.predict(3, new_df=new)
    assert list(forecast["unique_id"].unique()) == ["pressure"]
    ahead = pd.date_range(new["ds"].iloc[-1], periods=4, freq="h")[1:]
    assert list(forecast["ds"]) == list(ahead)
