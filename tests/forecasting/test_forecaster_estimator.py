"""The forecaster is an estimator of scikit-learn, and keeps its budget and its results."""

import pickle

import numpy as np
import pytest
from pandas.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from sknas import GrowingDARTSForecaster
from sknas.exceptions import SearchWarning
from sknas.search import PeriodicGrowth
from tests.faults import raise_at, raise_in_training_at
from tests.forecasting.makers import autoregressive, frame, linear, noise, recurrent
from tests.small import run_python

SEARCH = {
    "lookback": 6,
    "horizon": 2,
    "initial_genotype": "linear",
    "operations": ("hadamard", "lin_tanh"),
    "growth": PeriodicGrowth(period=1, min_gain=-1e9),
    "max_nodes": 1,
    "hidden_size": 4,
    "search_epochs": 2,
    "max_epochs": 1,
    "random_state": 0,
}


def seasonal(n=160, seed=0):
    wave = np.sin(np.arange(n)[:, None] * 2 * np.pi / 12) * [1.0, 3.0]
    return frame(wave + 0.1 * noise(n, 2, seed=seed), freq="MS")


@pytest.fixture(scope="module")
def searched():
    return GrowingDARTSForecaster(**SEARCH).fit(seasonal())


def test_a_search_leaves_its_record_and_forecasts(searched):
    history = searched.search_history_
    assert set(history["phase"]) >= {"search"}
    assert history["val_loss"].notna().any()
    assert searched.n_params_ == sum(p.numel() for p in searched.module_.parameters())
    stages = searched.search_report_.stages.val_loss
    assert stages[searched.search_report_.chosen] <= stages["seed"]
    assert searched.genotype_.to_json()
    assert np.isfinite(searched.predict(9).to_numpy()).all()
    assert searched.score(seasonal(200)[160:]) > 0.3


def test_the_same_state_gives_the_same_bytes(searched, tmp_path):
    again = GrowingDARTSForecaster(**SEARCH).fit(seasonal())
    assert again.predict(9).to_numpy().tobytes() == searched.predict(9).to_numpy().tobytes()
    assert again.genotype_ == searched.genotype_
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(searched))
    code = (
        "import pickle, sys; from pathlib import Path\n"
        "model = pickle.loads(Path(sys.argv[1]).read_bytes())\n"
        "print(model.predict(9).to_numpy().tobytes().hex())"
    )
    assert bytes.fromhex(run_python(code, path)) == searched.predict(9).to_numpy().tobytes()


@pytest.mark.parametrize("make", [linear, recurrent])
def test_a_pickle_is_small_and_gives_the_same_bytes(make):
    Y = frame(autoregressive(3000, 2))
    model = make(max_epochs=1).fit(Y) if make is recurrent else make().fit(Y)
    loaded = pickle.loads(pickle.dumps(model))
    assert_frame_equal(loaded.predict(9), model.predict(9), check_exact=True)
    assert pickle.dumps(pickle.loads(pickle.dumps(loaded))) == pickle.dumps(loaded)
    later = frame(autoregressive(3020, 2))[3000:]
    assert_frame_equal(loaded.update(later).predict(), model.update(later).predict())
    told = (model.calibration_.residuals, model.calibration_.further)
    n_residuals = sum(errors.recent.nbytes + errors.older.nbytes for errors in told)
    n_weights = 8 * model.n_params_
    assert len(pickle.dumps(model)) < n_residuals + n_weights + 20_000  # the rows take 48,000


def test_parameters_are_kept_as_they_came():
    levels = [0.1, 0.5, 0.9]
    model = GrowingDARTSForecaster(lookback=5, quantile_levels=levels, freq="D")
    assert model.quantile_levels is levels
    copied = clone(model)
    assert copied.get_params() == model.get_params()
    assert copied.set_params(horizon=7, growth=PeriodicGrowth(), growth__period=4).horizon == 7
    assert copied.growth.period == 4
    assert "lookback=5" in repr(model)


def test_a_grid_search_over_time_finds_the_better_lookback():
    Y = seasonal(200)
    grid = GridSearchCV(
        linear(horizon=3), {"lookback": [1, 13]}, cv=TimeSeriesSplit(3), n_jobs=1
    ).fit(Y)
    assert grid.best_params_ == {"lookback": 13}
    assert (np.array(grid.cv_results_["mean_test_score"]) > 0).any()
    assert_frame_equal(grid.best_estimator_.predict(), linear(13, 3).fit(Y).predict())
    assert grid.score(seasonal(230)[200:]) > 0.5


@pytest.mark.parametrize(
    ("freq", "season"), [("h", 24), ("15min", 96), ("1min", 60), ("D", 7), ("B", 5), ("MS", 12)]
)
def test_auto_picks_a_lookback_that_sees_the_season(freq, season):
    pattern = noise(season, 1)
    Y = frame(np.tile(pattern, (20, 1)) + 0.1 * noise(20 * season, 1, seed=1), freq=freq)
    model = linear("auto", 4).fit(Y)
    assert model.lookback_ >= season
    assert model.lookback_ % season == 0
    assert model.lookback == "auto"
    blind = linear(max(1, season // 4), 4).fit(Y)
    truth = np.tile(pattern, (3, 1))
    errors = [np.abs(m.predict(3 * season).to_numpy() - truth).mean() for m in (model, blind)]
    assert errors[0] < 0.2
    assert errors[0] < 0.5 * errors[1]


def test_auto_takes_short_windows_too_where_the_last_row_says_all():
    models = [
        GrowingDARTSForecaster(horizon=2, max_nodes=0).fit(frame(autoregressive(200, seed=seed)))
        for seed in range(4)
    ]
    assert min(model.lookback_ for model in models) == 7  # the shortest of 7, 14 and 28


def test_auto_copes_with_a_handful_of_rows():
    for n in range(3, 30):
        model = linear("auto", 1).fit(autoregressive(n))
        assert 1 <= model.lookback_ <= n
        assert np.isfinite(model.predict(3)).all()


# -- cut short ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [raise_at, raise_in_training_at])
def test_an_interrupt_keeps_the_best_so_far(fault, monkeypatch):
    Y = seasonal()
    fault(monkeypatch, 3)
    model = GrowingDARTSForecaster(**SEARCH) if fault is raise_at else recurrent()
    with pytest.raises(KeyboardInterrupt):
        model.fit(Y)
    assert model.search_report_.stopped_by == "interrupt"
    assert np.isfinite(model.predict(5).to_numpy()).all()
    assert np.isfinite(model.predict_interval(5, coverage=0.5).to_numpy()).all()
    assert_frame_equal(pickle.loads(pickle.dumps(model)).predict(5), model.predict(5))


@pytest.mark.parametrize("budget", [1e-9, 0.5])
def test_a_time_budget_is_kept(budget):
    settings = {**SEARCH, "search_epochs": 100_000, "max_epochs": 100_000, "max_nodes": 5}
    model = GrowingDARTSForecaster(**{**settings, "time_budget": budget}).fit(seasonal())
    assert model.search_report_.stopped_by == "time_budget"
    assert np.isfinite(model.predict(5).to_numpy()).all()


def test_a_bound_on_weights_is_kept():
    free = GrowingDARTSForecaster(**{**SEARCH, "hidden_size": 4, "max_nodes": 3})
    most = int(free.fit(seasonal()).search_history_["n_params"].max())
    bound = most - 1
    model = clone(free).set_params(max_params=bound)
    with pytest.warns(SearchWarning, match=f"max_params={bound} leaves no room"):
        model.fit(seasonal())
    assert model.n_params_ <= bound
    with pytest.raises(ValueError, match=r"^max_params must .*; got 1"):
        GrowingDARTSForecaster(**{**SEARCH, "max_params": 1}).fit(seasonal())


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lookback", 0),
        ("lookback", "long"),
        ("lookback", 2.5),
        ("horizon", 0),
        ("horizon", None),
        ("missing", "fill"),
        ("calendar_features", "hour"),
        ("validation", "shuffle"),
        ("validation_fraction", 1.5),
        ("loss", "mape"),
        ("freq", 2.5),
        ("channel_mode", "both"),
        ("window_norm", "first"),
    ],
)
def test_a_parameter_out_of_its_range_is_named(name, value):
    model = GrowingDARTSForecaster(**{"max_nodes": 0, name: value})
    with pytest.raises(ValueError, match=rf"'?{name}'? .*must be.*[Gg]ot {value!r}"):
        model.fit(frame(autoregressive(60)))
    assert not hasattr(model, "module_")


def test_a_frequency_that_does_not_fit_is_told_at_fit():
    Y = frame(autoregressive(60))
    with pytest.raises(ValueError, match=r"^freq must be a frequency of pandas.*'often'"):
        linear(freq="often").fit(Y)
    with pytest.raises(ValueError, match=r"^freq must be given where most steps.*got None"):
        linear().fit(Y.iloc[np.cumsum([1, 2, 4, 1, 3, 7, 5, 9])])
    with pytest.raises(ValueError, match=r"^Y's index must be in increasing order"):
        linear().fit(Y[::-1])
    with pytest.raises(TypeError, match=r"^Y's index must be a DatetimeIndex"):
        linear().fit(Y.set_axis([f"day {i}" for i in range(60)]))


@pytest.mark.parametrize("n_rows", [1, 2, 3])
def test_too_few_rows_are_told(n_rows):
    with pytest.raises(ValueError, match=r"^Y must hold at least 2 windows of lookback=.*got [01]"):
        linear(5, 2).fit(autoregressive(n_rows))


@pytest.mark.parametrize("call", ["predict", "predict_interval", "predict_quantiles"])
def test_nothing_is_forecast_before_a_fit(call):
    with pytest.raises(NotFittedError):
        getattr(linear(), call)()
    for attribute in ("history_", "cutoff"):
        with pytest.raises(NotFittedError):
            getattr(linear(), attribute)


def test_what_came_is_left_as_it_was():
    Y, X = seasonal(), frame(noise(160, 1), freq="MS").add_prefix("x")
    before = Y.copy(), X.copy()
    model = linear(missing="mask").fit(Y, X[:160])
    model.update(Y[150:], X)
    assert_frame_equal(Y, before[0])
    assert_frame_equal(X, before[1])
