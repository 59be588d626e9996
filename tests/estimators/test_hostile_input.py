"""Whatever numbers come, in whatever container: finite predictions, or an error that tells."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from sknas.exceptions import InputWarning, SearchWarning
from tests.forecasting.makers import days, linear
from tests.small import classifier, regressor

polars = pytest.importorskip("polars")

N_ROWS = 30
PARAMETERS = {
    "backbone": ["two_input", "dag"],
    "mode": ["interleaved", "sequential", "fixed", "random"],
    "genotype": [None, "linear", "gru", "product", "dense"],
    "window_norm": ["auto", "none", "last", "revin"],
    "channel_mode": ["auto", "independent", "mixed"],
    "linear_seed": [True, False],
    "validation": ["auto", "chronological", "shuffle"],
    "validation_fraction": [0.01, 0.2, 0.99],
    "batch_size": ["auto", 1, 7, 10**6],
    "learning_rate": [1e-12, 0.002, 1e6],
    "max_params": [None, 30, 10**9],
    "refit_full": [False, True],
    "n_models": ["auto", 2],
    "size_penalty": [0.0, 10.0],
}
BUDGET = {
    "max_nodes": 2,
    "hidden_size": 2,
    "search_epochs": 2,
    "max_epochs": 1,
    "random_state": 0,
}
DTYPES = [np.float16, np.float32, np.float64, np.int8, np.int64, np.uint16, np.bool_, object]
LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "negative strides": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "read-only": lambda X: _frozen(X.copy()),
    "broadcast": lambda X: np.broadcast_to(X[:1], X.shape),
    "lists": lambda X: X.tolist(),
}
FRAMES = {
    "pandas": pd.DataFrame,
    "polars": lambda X: polars.DataFrame({str(k): X[:, k].tolist() for k in range(X.shape[1])}),
}
repeatable = settings(
    derandomize=True,
    deadline=None,
    max_examples=75,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    monkeypatch.setattr("sknas.estimators._settings.MIN_EPOCH_STEPS", 2)


def _frozen(X):
    X.flags.writeable = False
    return X


def parameters(draw):
    """Draw values of a few parameters; the others stay at their defaults."""
    names = draw(st.lists(st.sampled_from(sorted(PARAMETERS)), max_size=4, unique=True))
    return {**BUDGET, **{name: draw(st.sampled_from(PARAMETERS[name])) for name in names}}


def numbers(draw, *shape):
    """Draw numbers of any scale, constant columns and outliers among them."""
    values = np.random.default_rng(draw(st.integers(0, 99))).normal(size=shape)
    if draw(st.booleans()):
        values = values * 10.0 ** draw(st.integers(-4, 4))
    kind = draw(st.sampled_from(["as they are", "constant", "outlier", "repeated", "hostile"]))
    if kind == "constant":
        values[..., -1] = 3.0
    elif kind == "outlier":
        values.reshape(-1)[draw(st.integers(0, values.size - 1))] *= 1e6
    elif kind == "repeated":
        values = values[np.arange(len(values)) % 3]
    elif kind == "hostile":
        odd = draw(st.sampled_from([np.nan, np.inf, -np.inf, 1e308, -1e39, 5e-324, -0.0]))
        values.reshape(-1)[draw(st.integers(0, values.size - 1))] = odd
    return values


@st.composite
def data(draw):
    """Draw input of any kind in any container, and the parameters that read it."""
    kind = draw(st.sampled_from(["tabular", "rows", "sequences"]))
    n_rows = draw(st.sampled_from([1, 2, 3, 7, N_ROWS, N_ROWS, N_ROWS]))
    n_channels = draw(st.integers(1, 3))
    shape = (n_rows, 4, n_channels) if kind == "sequences" else (n_rows, n_channels)
    X = numbers(draw, *shape)
    dtype = draw(st.sampled_from(DTYPES))
    with np.errstate(all="ignore"):
        X = X.astype(dtype)
    given_parameters = parameters(draw)
    if kind == "rows":
        given_parameters["lookback"] = draw(st.sampled_from([1, 2, 3, 6, 40]))
    if kind != "sequences" and draw(st.booleans()):
        return FRAMES[draw(st.sampled_from(sorted(FRAMES)))](X), n_rows, given_parameters
    layouts = sorted(set(LAYOUTS) - ({"negative strides"} if kind == "sequences" else set()))
    return LAYOUTS[draw(st.sampled_from(layouts))](X), n_rows, given_parameters


def works_or_tells(call):
    """Return what a call returns, or None where it raises an error that a user may get."""
    with warnings.catch_warnings():
        # The check that numbers are finite sums them; what a fit warns of is no matter here.
        warnings.simplefilter("ignore", InputWarning)
        warnings.simplefilter("ignore", SearchWarning)
        warnings.filterwarnings("ignore", "invalid value encountered in reduce", RuntimeWarning)
        warnings.filterwarnings("ignore", "overflow encountered in reduce", RuntimeWarning)
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        try:
            result, told = call(), "nothing but a result"
        except (ValueError, TypeError) as error:
            result, told = None, str(error)
    event("told" if result is None else "worked")
    assert len(told) > 10
    return result


@repeatable
@given(
    drawn=data(),
    tail=st.sampled_from([(), (1,), (2,), (3,), (2, 1), (3, 2)]),
    target=st.data(),
    loss=st.sampled_from(["mse", "mae", "huber", "quantile"]),
)
def test_a_regressor_predicts_finite_numbers_or_tells(drawn, tail, target, loss):
    X, n_rows, settings_ = drawn
    y = numbers(target.draw, n_rows, *tail)
    predicted = works_or_tells(lambda: regressor(**settings_, loss=loss).fit(X, y).predict(X))
    if predicted is not None:
        assert predicted.shape == y.shape
        assert predicted.dtype == np.float64
        assert np.isfinite(predicted).all()


@repeatable
@given(drawn=data(), n_classes=st.integers(1, 4), seed=st.integers(0, 9), as_words=st.booleans())
def test_a_classifier_predicts_probabilities_or_tells(drawn, n_classes, seed, as_words):
    X, n_rows, settings_ = drawn
    labels = np.random.default_rng(seed).integers(n_classes, size=n_rows)
    y = np.array(["none", "one", "two", "three"])[labels] if as_words else labels
    model = works_or_tells(lambda: classifier(**settings_).fit(X, y))
    if model is not None:
        shares = model.predict_proba(X)
        assert shares.shape == (n_rows, len(np.unique(y)))
        np.testing.assert_allclose(shares.sum(axis=1), 1.0)
        assert set(model.predict(X)) <= set(y)


@repeatable
@given(draw=st.data(), n_rows=st.sampled_from([1, 5, 12, 40]), n_targets=st.integers(1, 3))
def test_a_forecaster_forecasts_finite_numbers_or_tells(draw, n_rows, n_targets):
    values = numbers(draw.draw, n_rows, n_targets)
    with np.errstate(all="ignore"):
        values = values.astype(draw.draw(st.sampled_from(DTYPES)))
    index = draw.draw(st.sampled_from([days(n_rows), pd.RangeIndex(n_rows)]))
    holes = draw.draw(st.sampled_from([[], [2], list(range(n_rows // 2))]))
    Y = pd.DataFrame(values, index=index).drop(index=index[holes] if n_rows > 4 else [])
    model = linear(
        lookback=draw.draw(st.sampled_from([1, 4, 50])),
        horizon=draw.draw(st.integers(1, 9)),
        missing=draw.draw(st.sampled_from(["error", "mask"])),
    )
    steps = draw.draw(st.sampled_from([None, 1, 20]))
    forecast = works_or_tells(lambda: model.fit(Y).predict(steps))
    if forecast is not None:
        assert forecast.shape == (steps or model.horizon, n_targets)
        assert np.isfinite(forecast.to_numpy()).all()
