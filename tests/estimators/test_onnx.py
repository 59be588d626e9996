"""What an ONNX file tells is what the estimator predicts, in its own units and shapes."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

import sknas
from sknas import Genotype, GrowingDARTSForecaster
from tests.forecasting.makers import autoregressive, frame, panel
from tests.small import (
    LOOKBACK,
    TINY,
    classifier,
    futures,
    normal,
    product,
    regressor,
    sequences,
    trained,
)

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")


def windows_of(rows):
    windows = np.lib.stride_tricks.sliding_window_view(rows, LOOKBACK, axis=0)
    return windows.swapaxes(1, 2)  # (n_windows, lookback, n_channels)


def running(model, path):
    model.to_onnx(path)
    session = ort.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    return lambda **inputs: dict(zip(names, session.run(None, inputs), strict=True))


def table():
    X, y = product()
    return trained(genotype="product"), 1e3 + 50 * X, 1e-3 * y


def targets():
    X, y = product()
    return trained(genotype="darts"), X, np.stack([y, 5 - y], axis=1)


def seed():
    X, y = product()
    return regressor(max_nodes=0), X, y[:, None]


def steps():
    X, y = sequences()
    return trained(genotype="gru", window_norm="revin"), X, y


def channels():
    X, y = sequences()
    return trained(genotype="lstm", channels_first=True), X.swapaxes(1, 2), y


def continued():
    series = autoregressive(70, 2)
    X = windows_of(series)[:-2]
    y = np.stack([series[k : k + 2] for k in range(LOOKBACK, LOOKBACK + len(X))])
    return trained(genotype="gru", n_models=2, refit="scratch"), X * [3.0, 1e3], y * [3.0, 1e3]


def padded():
    X, y = sequences()
    X[::3, -2:] = X[1, -5:] = np.nan
    return trained(genotype="gru"), X, y


def quantiles():
    X, y = sequences()
    levels = (0.1, 0.5, 0.8)
    return trained(genotype="gru", loss="quantile", quantile_levels=levels), X, y


def labels():
    X, y = product()
    return classifier(genotype="product"), X, np.where(y > 0, "up", "down")


def three():
    X, y = sequences()
    return classifier(genotype="gru"), X, np.digitize(y, np.quantile(y, [0.3, 0.6])) * 7


def codes():
    X = np.random.default_rng(0).integers(0, 5, (80, 6, 1)) * 3.0
    return classifier(embedding_size=3, genotype="gru"), X, X[:, -1, 0] > 6


CASES = [table, targets, seed, steps, channels, continued, padded, quantiles, labels, three, codes]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_file_tells_what_the_estimator_predicts(case, tmp_path):
    model, X, y = case()
    run = running(model.fit(X, y), tmp_path / "model.onnx")
    for n in (1, 3, 64):
        some = X[:n] if case is not codes else np.where(X[:n] == 3.0, 4.0, X[:n])  # 4 is unknown
        told = run(X=some)
        if hasattr(model, "classes_"):
            assert (model.classes_[told["class_index"]] == model.predict(some)).all()
            expected = {"probabilities": model.predict_proba(some)}
        else:
            expected = {"prediction": model.predict(some)}
        if getattr(model, "loss", None) == "quantile":
            expected["quantiles"] = model.predict_quantiles(some)
        assert told.keys() - {"class_index"} == expected.keys()
        for name, values in expected.items():
            assert told[name].shape == values.shape
            np.testing.assert_allclose(told[name], values, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("make", [trained, classifier])
def test_rows_with_a_lookback_are_read_as_their_windows(make, tmp_path):
    X, y = futures(horizon=1)
    y = y[:, 0, 0] > 0 if make is classifier else y[:, 0]
    model = make(lookback=LOOKBACK, genotype="lstm").fit(X, y)
    run = running(model, tmp_path / "model.onnx")
    name = "probabilities" if make is classifier else "prediction"
    predict = model.predict_proba if make is classifier else model.predict
    expected = predict(X.reset_index(drop=True))[LOOKBACK - 1 :]
    for n in (1, 3, 64):
        told = run(X=windows_of(X.to_numpy())[:n])[name]
        np.testing.assert_allclose(told, expected[:n], rtol=1e-9, atol=1e-12)


def test_sequences_that_end_early_are_read_by_a_network_that_never_met_one(tmp_path):
    X, y = sequences()
    model = trained(genotype="gru").fit(X, y)
    short = X[:5].copy()
    short[1, -1:] = short[2, -6:] = short[4, 1:] = np.nan
    told = running(model, tmp_path / "model.onnx")(X=short)["prediction"]
    np.testing.assert_allclose(told, model.predict(short), rtol=1e-9, atol=1e-12)


def test_what_was_loaded_and_what_learned_on_is_written_too(tmp_path):
    X, y = product()
    model = trained(genotype="product").fit(X, y).partial_fit(X + 1, y - 1)
    told = running(model, tmp_path / "model.onnx")(X=X)["prediction"]
    np.testing.assert_allclose(told, model.predict(X), rtol=1e-9, atol=1e-12)


def metadata(model, path):
    model.to_onnx(path)
    written = onnx.load(path)
    assert (written.producer_name, written.producer_version) == ("sknas", sknas.__version__)
    return {entry.key: entry.value for entry in written.metadata_props}


def test_a_file_says_what_it_is(tmp_path):
    X, y = product()
    X = pd.DataFrame(X, columns=["width", "height"])
    model = classifier(genotype="product").fit(X, np.where(y > 0, "up", "down"))
    facts = metadata(model, tmp_path / "model.onnx")
    assert facts["sknas_version"] == sknas.__version__
    assert facts["estimator"] == "GrowingDARTSClassifier"
    assert json.loads(facts["classes"]) == ["down", "up"]
    assert json.loads(facts["feature_names"]) == ["width", "height"]
    assert Genotype.from_json(facts["genotype"]) == model.genotype_


def test_inputs_and_outputs_are_named_and_sized(tmp_path):
    model, X, y = quantiles()
    model.fit(X, y).to_onnx(str(tmp_path / "model.onnx"))
    session = ort.InferenceSession(tmp_path / "model.onnx")
    (given,) = session.get_inputs()
    assert (given.name, given.type, given.shape) == ("X", "tensor(double)", ["batch", 8, 3])
    told = {output.name: output.shape for output in session.get_outputs()}
    assert told == {"prediction": ["batch"], "quantiles": [3, "batch"]}


def test_onnx_that_is_missing_is_named_with_the_extra_that_brings_it(tmp_path, monkeypatch):
    X, y = product()
    model = regressor(max_nodes=0).fit(X, y)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"to_onnx needs onnx, .* pip install 'sknas\[export\]'"):
        model.to_onnx(tmp_path / "model.onnx")


def test_an_estimator_must_be_fitted_to_be_written(tmp_path):
    for model in (regressor(), GrowingDARTSForecaster(lookback=4)):
        with pytest.raises(ValueError, match="not fitted"):
            model.to_onnx(tmp_path / "model.onnx")


# -- forecasters ---------------------------------------------------------------------------------


def forecaster(**parameters):
    settings = {**TINY, "linear_seed": False, "genotype": "gru", **parameters}
    return GrowingDARTSForecaster(lookback=4, horizon=2, **settings)


@pytest.mark.parametrize("parameters", [{}, {"loss": "quantile"}, {"missing": "mask"}], ids=str)
def test_the_forecast_of_a_table_is_written(parameters, tmp_path):
    Y = frame(1e3 + autoregressive(120, 2) * [1.0, 50.0])
    model = forecaster(**parameters).fit(Y)
    run = running(model, tmp_path / "model.onnx")
    ends = [4, 50, 120]
    parts = [Y.iloc[end - 4 : end].copy() for end in ends]
    if "missing" in parameters:
        parts[1].iloc[1, 0] = parts[2].iloc[3, 1] = np.nan
    told = run(Y=np.stack([part.to_numpy() for part in parts]))
    for place, part in enumerate(parts):
        expected = model.predict(Y=part).to_numpy()
        np.testing.assert_allclose(told["forecast"][place], expected, rtol=1e-9)
        if "loss" in parameters:
            levels = model.predict_quantiles(Y=part, alpha=model.quantile_levels)
            by_level = told["quantiles"][:, place].transpose(1, 2, 0).reshape(2, -1)
            np.testing.assert_allclose(by_level, levels.to_numpy(), rtol=1e-9)


def test_the_forecasts_of_a_panel_are_in_the_units_of_each_series(tmp_path):
    Y = panel({key: frame(10.0**k * autoregressive(90, 1)) for k, key in enumerate("abc")})
    model = forecaster().fit(Y)
    run = running(model, tmp_path / "model.onnx")
    known = json.loads(metadata(model, tmp_path / "model.onnx")["series"])
    numbers = np.array([2, 0, 1, 2])
    told = run(Y=np.stack([Y.loc[known[n]].to_numpy()[-4:] for n in numbers]), series=numbers)
    for place, number in enumerate(numbers):
        expected = model.predict().loc[known[number]].to_numpy()
        np.testing.assert_allclose(told["forecast"][place], expected, rtol=1e-9)


def test_a_forecaster_of_covariates_is_refused_with_why(tmp_path):
    Y = frame(autoregressive(90, 1))
    for model in (
        forecaster(calendar_features=["day_of_week"], max_nodes=0).fit(Y),
        forecaster(max_nodes=0).fit(Y, Y * 2),
    ):
        with pytest.raises(ValueError, match=r"needs a forecaster without covariates, .*; got one"):
            model.to_onnx(tmp_path / "model.onnx")


def test_a_column_that_never_moved_is_read_in_its_own_units(tmp_path):
    X = np.column_stack([normal(60), np.full(60, 7.0)])
    model = regressor(max_nodes=0).fit(X, X[:, 0])
    told = running(model, tmp_path / "model.onnx")(X=X + 1)["prediction"]
    np.testing.assert_allclose(told, model.predict(X + 1), rtol=1e-9, atol=1e-12)
