"""What is saved in any format predicts the same bytes when loaded, and learns on the same."""

import copy
import pickle
import warnings

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknas import Genotype, GrowingDARTSForecaster
from sknas._version import __version__
from sknas.estimators import _kept
from sknas.exceptions import VersionWarning
from sknas.search import PeriodicGrowth
from sknas.supernet import SigmoidRelaxation
from tests.forecasting.makers import autoregressive, frame, panel
from tests.small import (
    SEARCH,
    TINY,
    classifier,
    futures,
    product,
    regressor,
    run_python,
    sequences,
    trained,
)

pytestmark = pytest.mark.usefixtures("short_epochs")


def tabular():
    X, y = product()
    return regressor(**SEARCH, growth=PeriodicGrowth(period=2), relaxation=SigmoidRelaxation()), (
        X,
        y,
    )


def rows():
    X, y = futures()
    return trained(lookback=6, genotype=Genotype.named("gru", hidden_size=4)), (X, y)


def unequal():
    X, y = sequences()
    X[::3, -2:] = np.nan
    return trained(genotype="lstm"), (X, y)


def quantiles():
    return trained(genotype="gru", lookback=6, loss="quantile"), futures()


def strings():
    X, y = product()
    return classifier(**SEARCH), (X, np.where(y > 0, "up", "down"))


def codes():
    X = np.random.default_rng(0).integers(0, 5, (80, 6, 1)) * 3.0
    return classifier(embedding_size=3, genotype="gru"), (X, X[:, -1, 0] > 6)


def pipeline():
    X, y = product()
    return make_pipeline(StandardScaler(), regressor(max_nodes=0)), (X, y)


def grid():
    X, y = product(60)
    return GridSearchCV(classifier(), {"max_nodes": [0], "hidden_size": [3]}, cv=2), (X, y > 0)


CASES = [tabular, rows, unequal, quantiles, strings, codes, pipeline, grid]


def by_skops(model):
    io = pytest.importorskip("skops.io")
    written = io.dumps(model)
    return io.loads(written, trusted=io.get_untrusted_types(data=written))


def by_joblib(model, folder):
    joblib.dump(model, folder / "model.joblib")
    return joblib.load(folder / "model.joblib", mmap_mode="r")


@pytest.fixture(scope="module")
def fitted(short_epochs):
    models = {}

    def fit(case):
        if case not in models:
            model, (X, y) = case()
            models[case] = model.fit(X, y), X, y
        return models[case]

    return fit


def tells(model, X):
    names = ("predict", "predict_proba", "predict_quantiles", "decision_function")
    is_quantile = getattr(model, "loss", None) == "quantile"
    wanted = [n for n in names if hasattr(model, n) and (is_quantile or n != "predict_quantiles")]
    return [np.asarray(getattr(model, name)(X)).tobytes() for name in wanted]


def hashes(model):
    """Return each of the parameters of the estimator that a pipeline or a grid holds."""
    own = getattr(model, "best_estimator_", model)
    own = own[-1] if hasattr(own, "steps") else own
    return {name: joblib.hash(value) for name, value in own.get_params().items()}


FORMATS = {
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "deepcopy": lambda model, _: copy.deepcopy(model),
    "joblib": by_joblib,
    "skops": lambda model, _: by_skops(model),
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_is_loaded_predicts_the_same_bytes(case, form, fitted, tmp_path):
    model, X, _ = fitted(case)
    loaded = FORMATS[form](model, tmp_path)
    assert tells(loaded, X) == tells(model, X)
    assert hashes(loaded) == hashes(model)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", [rows, unequal, strings, codes], ids=lambda case: case.__name__)
def test_what_is_loaded_learns_on_as_the_original_does(case, form, fitted, tmp_path):
    model, X, y = fitted(case)
    loaded = FORMATS[form](model, tmp_path).partial_fit(X[:60], y[:60])
    assert tells(loaded, X) == tells(copy.deepcopy(model).partial_fit(X[:60], y[:60]), X)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", [tabular, rows, strings], ids=lambda case: case.__name__)
def test_what_is_loaded_tells_of_its_fit_what_the_original_does(case, form, fitted, tmp_path):
    model, _, _ = fitted(case)
    loaded = FORMATS[form](model, tmp_path)
    assert vars(loaded).keys() == vars(model).keys()
    assert loaded.genotype_ == model.genotype_
    assert loaded.growth_events_ == model.growth_events_
    assert str(loaded.search_report_) == str(model.search_report_)
    assert loaded.search_history_.equals(model.search_history_)
    assert loaded.search_history_.dtypes.equals(model.search_history_.dtypes)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_skops_asks_for_trust_in_the_estimator_alone(case, fitted):
    io = pytest.importorskip("skops.io")
    model, _, _ = fitted(case)
    kind = "classifier" if case in (strings, codes, grid) else "regressor"
    name = f"sknas.estimators.{kind}.GrowingDARTS{kind.capitalize()}"
    asked = io.get_untrusted_types(data=io.dumps(model))
    # Of a grid, skops asks about scikit-learn's own splitter and scorer too.
    theirs = [other for other in asked if other.startswith("sklearn.")]
    assert asked == [*theirs, name]
    assert not theirs or case is grid


def test_skops_loads_nothing_that_is_not_trusted(fitted):
    io = pytest.importorskip("skops.io")
    errors = pytest.importorskip("skops.io.exceptions")
    with pytest.raises(errors.UntrustedTypesFoundException, match="GrowingDARTSRegressor"):
        io.loads(io.dumps(fitted(tabular)[0]))


def test_an_estimator_that_is_not_fitted_is_saved_as_well(tmp_path):
    for load in FORMATS.values():
        loaded = load(regressor(growth=PeriodicGrowth(period=3)), tmp_path)
        assert not hasattr(loaded, "module_")
        assert loaded.growth.period == 3


# -- forecasters ---------------------------------------------------------------------------------


def forecaster(**parameters):
    settings = {**TINY, "linear_seed": False, "genotype": "gru", **parameters}
    return GrowingDARTSForecaster(lookback=4, horizon=2, **settings)


def series():
    return forecaster(), (frame(autoregressive(120, 2)), None, None)


def array():
    return forecaster(), (autoregressive(120, 2), None, None)


def gaps():
    Y = frame(autoregressive(120, 1))
    return forecaster(missing="mask", calendar_features="auto"), (
        Y.drop(Y.index[30:33]),
        None,
        None,
    )


def many():
    Y = panel({key: frame(autoregressive(90, 1, seed=ord(key))) for key in "ab"})
    static = Y.groupby("shop").first().assign(kind=["x", "y"])[["kind"]]
    return forecaster(loss="quantile"), (Y, Y * 2, static)


FORECASTS = [series, array, gaps, many]


def forecasts(model, Y, X):
    ahead = {"Y": Y.groupby("shop").head(-2), "X": X} if X is not None else {}
    told = [model.predict(**ahead), model.predict_interval(coverage=0.8, **ahead), model.history_]
    return [str(getattr(table, "index", "")) + np.asarray(table).tobytes().hex() for table in told]


@pytest.fixture(scope="module")
def fitted_forecaster(short_epochs):
    models = {}

    def fit(case):
        if case not in models:
            model, (Y, X, static) = case()
            models[case] = model.fit(Y[:-4] if X is None else Y, X, static=static), Y, X
        return models[case]

    return fit


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", FORECASTS, ids=lambda case: case.__name__)
def test_what_is_loaded_forecasts_the_same_bytes(case, form, fitted_forecaster, tmp_path):
    model, Y, X = fitted_forecaster(case)
    loaded = FORMATS[form](model, tmp_path)
    assert forecasts(loaded, Y, X) == forecasts(model, Y, X)
    assert str(loaded.cutoff) == str(model.cutoff)
    if X is None:
        twins = [copy.deepcopy(model), loaded]
        told = [forecasts(twin.update(Y[-4:], refit=True), Y, X) for twin in twins]
        assert told[0] == told[1] != forecasts(model, Y, X)


@pytest.mark.parametrize("case", FORECASTS, ids=lambda case: case.__name__)
def test_skops_asks_for_trust_in_the_forecaster_alone(case, fitted_forecaster):
    io = pytest.importorskip("skops.io")
    types = io.get_untrusted_types(data=io.dumps(fitted_forecaster(case)[0]))
    assert types == ["sknas.forecasting.forecaster.GrowingDARTSForecaster"]


# -- versions ------------------------------------------------------------------------------------


def test_a_file_of_another_version_is_loaded_with_a_warning(fitted, monkeypatch):
    model, X, _ = fitted(tabular)
    with monkeypatch.context() as patch:
        patch.setattr(_kept, "__version__", "0.0.7")
        files = [pickle.dumps(model), pickle.dumps(make_pipeline(model))]
    for file in files:
        message = (
            rf"^GrowingDARTSRegressor was written by sknas 0\.0\.7, and this is sknas {__version__}"
            r"\. .* Install sknas 0\.0\.7"
        )
        with pytest.warns(VersionWarning, match=message):
            loaded = pickle.loads(file)
        assert tells(loaded, X) == tells(model, X)


def test_a_file_of_this_version_is_loaded_without_one(fitted):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pickle.loads(pickle.dumps(fitted(tabular)[0]))


def test_a_file_of_a_later_format_is_refused_with_both_versions(fitted, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(_kept, "__version__", "9.1")
        patch.setattr(_kept, "FORMAT", 3)
        file = pickle.dumps(fitted(tabular)[0])
    message = rf"by sknas 9\.1 in the format 3, and this is sknas {__version__}, .* up to 1\. Inst"
    with pytest.raises(ValueError, match=message):
        pickle.loads(file)


def test_a_state_of_no_version_is_refused(fitted):
    state = fitted(tabular)[0].__getstate__()
    del state["_sknas_format"]
    with pytest.raises(ValueError, match="state of GrowingDARTSRegressor must name the format"):
        regressor().__setstate__(state)


def test_what_was_fitted_on_another_device_is_loaded_without_it(fitted):
    model, X, _ = fitted(strings)
    elsewhere = copy.deepcopy(model).set_params(device="cuda:7")
    assert tells(pickle.loads(pickle.dumps(elsewhere)), X) == tells(model, X)


@pytest.mark.slow
def test_skops_files_are_loaded_by_a_process_that_has_imported_nothing(fitted, tmp_path):
    io = pytest.importorskip("skops.io")
    model, X, _ = fitted(rows)
    io.dump(model, tmp_path / "model.skops")
    X.to_csv(tmp_path / "X.csv", index=False)
    code = (
        "import sys, pandas, skops.io\n"
        "name = 'sknas.estimators.regressor.GrowingDARTSRegressor'\n"
        "model = skops.io.load(sys.argv[1], trusted=[name])\n"
        "X = pandas.read_csv(sys.argv[2], float_precision='round_trip')\n"
        "print(model.predict(X).tobytes().hex())"
    )
    told = run_python(code, tmp_path / "model.skops", tmp_path / "X.csv")
    assert bytes.fromhex(told) == model.predict(X).tobytes()
