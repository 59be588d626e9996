"""The estimators work inside scikit-learn's tools: pipelines, grids, routing, output settings."""

import html
import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingRegressor
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sknas import Genotype
from sknas.search import PlateauGrowth
from tests.small import (
    MAKERS,
    classifier,
    data_for,
    futures,
    predictions_in_a_fresh_process,
    product,
    regressor,
)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:hidden_size=4 is without effect")
def test_a_grid_over_a_pipeline_searches_sizes_rules_and_genotypes(tmp_path):
    X, y = product(90)
    pipeline = Pipeline([("scale", StandardScaler()), ("net", regressor(growth=PlateauGrowth()))])
    grid = GridSearchCV(
        pipeline,
        [
            {"net__max_nodes": [0, 2], "net__growth__patience": [1, 2]},
            {"net__genotype": ["linear", "product", Genotype.named("dense", hidden_size=3)]},
        ],
        cv=TimeSeriesSplit(2),
        n_jobs=2,
        error_score="raise",
    )
    grid.fit(X, y)
    assert np.isfinite(grid.cv_results_["mean_test_score"]).all()
    assert len(grid.cv_results_["params"]) == 7
    best = grid.best_estimator_
    expected = best.predict(X)
    np.testing.assert_array_equal(grid.predict(X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(best)).predict(X), expected)
    assert predictions_in_a_fresh_process(best, X, tmp_path) == expected.tobytes()


@pytest.mark.slow
def test_workers_find_what_one_process_finds():
    X, y = product(90)
    scores = [
        cross_validate(regressor(max_nodes=2), X, y, cv=2, n_jobs=n_jobs)["test_score"].tobytes()
        for n_jobs in (None, 2)
    ]
    assert scores[0] == scores[1]


def test_a_rule_given_as_an_object_is_a_parameter_and_stays_as_it_was():
    rule = PlateauGrowth(patience=3)
    X, y = product(60)
    model = regressor(growth=rule, search_epochs=8).set_params(growth__patience=1)
    assert model.get_params()["growth__patience"] == 1
    model.fit(X, y)
    assert model.growth is rule
    assert vars(rule) == vars(PlateauGrowth(patience=1))


@pytest.mark.parametrize("make", MAKERS)
def test_sample_weights_are_routed_through_a_pipeline(make):
    X, y = data_for(make, 60)
    weight = np.arange(60) % 3
    with config_context(enable_metadata_routing=True):
        model = make(genotype="product").set_fit_request(sample_weight=True)
        scale = StandardScaler().set_fit_request(sample_weight=True)
        routed = make_pipeline(scale, model).fit(X, y, sample_weight=weight)
    scaled = StandardScaler().fit_transform(X, sample_weight=weight)
    direct = make(genotype="product").fit(scaled, y, sample_weight=weight)
    np.testing.assert_array_equal(routed.predict(X), direct.predict(scaled))
    unweighted = make(genotype="product").fit(scaled, y)
    assert (
        unweighted.search_report_.stages.val_loss["seed"]
        != (direct.search_report_.stages.val_loss["seed"])
    )


def test_predictions_stay_arrays_when_frames_are_asked_for():
    X, y = product(60)
    with config_context(transform_output="pandas"):
        model = make_pipeline(StandardScaler(), regressor(max_nodes=0)).fit(X, y)
        assert type(model.predict(X)) is np.ndarray
        labelled = make_pipeline(StandardScaler(), classifier(max_nodes=0)).fit(X, y > 0)
        assert type(labelled.predict_proba(X)) is np.ndarray
    assert hasattr(model[-1], "feature_names_in_")


def test_a_frame_keeps_its_context_behind_a_transformer_that_keeps_the_index():
    frame, y = futures()
    rows = make_pipeline(
        StandardScaler().set_output(transform="pandas"),
        regressor(lookback=6, max_nodes=0, target_channels=[]),
    ).fit(frame.iloc[:90], y[:90])
    whole = rows.predict(frame)[90:]
    np.testing.assert_allclose(rows.predict(frame.iloc[90:]), whole, rtol=0, atol=1e-12)


def test_the_estimators_can_be_wrapped_and_bagged():
    X, y = product(60)
    wrapped = TransformedTargetRegressor(
        regressor(max_nodes=0), transformer=FunctionTransformer(np.arcsinh, np.sinh)
    ).fit(X, y)
    assert wrapped.predict(X).shape == y.shape
    bagged = BaggingRegressor(regressor(max_nodes=0), n_estimators=2, random_state=0).fit(X, y)
    assert np.isfinite(bagged.predict(X)).all()


def test_a_sequence_can_be_scored_by_cross_validation():
    frame, y = futures()
    scores = cross_validate(
        regressor(lookback=6, max_nodes=0),
        frame,
        y,
        cv=TimeSeriesSplit(2),
        scoring=lambda model, X, y: model.score(X, y),
    )["test_score"]
    assert (scores > 0).all()
    model = regressor(lookback=6, max_nodes=0).fit(frame, y)
    predicted, truth = model.predict(frame), y
    residual = ((truth - predicted) ** 2).sum(axis=0)
    total = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    assert model.score(frame, y) == pytest.approx(np.mean(1 - residual / total))


@pytest.mark.parametrize("make", MAKERS)
def test_a_fitted_estimator_shows_itself_as_html(make):
    model = make(max_nodes=2).fit(*data_for(make, 60))
    page = model._repr_html_()
    assert type(model).__name__ in page
    assert "genotype_" in page
    assert "hidden_size" in page
    found = f"<pre>{html.escape(str(model.genotype_))}</pre>"
    assert page.count(found) == model._repr_mimebundle_()["text/html"].count(found) == 1
    assert "<pre>linear seed" not in make()._repr_html_()
    with config_context(display="text"):
        assert not hasattr(model, "_repr_html_")
        assert list(model._repr_mimebundle_()) == ["text/plain"]
