"""With `warm_start` a fit goes on from the network of the fit before."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sknas.exceptions import SearchWarning
from tests.small import (
    EAGER,
    GRU,
    LOOKBACK,
    MAKERS,
    SEARCH,
    classifier,
    data_for,
    futures,
    normal,
    product,
    regressor,
    search_rows,
)

pytestmark = pytest.mark.usefixtures("short_epochs")
FOUND = {"initial_genotype": "product", "search_epochs": 12, "max_epochs": 8, "max_nodes": 1}
LEARNS = {**FOUND, "hidden_size": 8, "learning_rate": 0.01}


def stages(model):
    return model.search_report_.stages.val_loss


@pytest.mark.parametrize("make", MAKERS)
def test_the_first_fit_is_like_any_other(make):
    X, y = data_for(make)
    cold, warm = make(**SEARCH).fit(X, y), make(**SEARCH, warm_start=True).fit(X, y)
    assert_array_equal(cold._outputs(X), warm._outputs(X))
    assert_array_equal(stages(cold), stages(warm))


@pytest.mark.parametrize("make", MAKERS)
def test_a_second_fit_starts_from_the_genotype_and_weights_of_the_first(make):
    X, y = data_for(make)
    model = make(**LEARNS, n_models=1, warm_start=True).fit(X, y)
    assert model.genotype_.branches
    loss = stages(model)[model.search_report_.chosen]
    model.fit(X, y)
    assert_allclose(stages(model)["previous"], loss, rtol=1e-9)
    # Growth goes on from the network: its first epoch is near its loss, and no race is run.
    first = model.search_history_["val_loss"].iloc[0]
    assert abs(first - loss) < 0.2 * (stages(model)["seed"] - loss)
    assert not [event for event in model.growth_events_ if event.epoch == 0]
    assert stages(model)[model.search_report_.chosen] <= loss * (1 + 1e-9)


def test_a_cold_fit_forgets_the_network_before():
    X, y = product()
    model = regressor(**LEARNS).fit(X, y)
    expected = model.predict(X)
    assert_array_equal(model.fit(X, y).predict(X), expected)
    assert "previous" not in stages(model)


def test_growth_goes_on_from_the_genotype_before():
    X, y = product()
    model = regressor(**{**EAGER, "max_nodes": 1}, linear_seed=False, warm_start=True).fit(X, y)
    n_nodes = model.genotype_.n_nodes
    model.set_params(max_nodes=3).fit(X, y)
    accepted = [event for event in model.growth_events_ if event.is_accepted]
    assert n_nodes == 1
    assert "AddNode" in " ".join(str(event.edit) for event in accepted)
    assert model.search_history_["n_nodes"].iloc[0] == n_nodes


@pytest.mark.parametrize("make", MAKERS)
def test_a_given_genotype_trains_on_with_its_weights(make):
    X, y = data_for(make)
    model = make(
        genotype="product", hidden_size=8, max_epochs=6, learning_rate=0.01, warm_start=True
    )
    model.fit(X, y)
    first = model.search_history_["val_loss"].to_numpy()
    model.fit(X, y)
    again = model.search_history_["val_loss"].to_numpy()
    assert again[0] < first[0]
    assert again.min() < 1.2 * first.min()


def test_the_scales_stay_those_that_the_weights_are_in():
    X, y = product()
    model = regressor(**FOUND, warm_start=True).fit(X, y)
    expected = model.predict(X)
    scaler = model._x_scaler
    model.set_params(max_nodes=0).fit(3 * X, y)
    assert_array_equal(model._x_scaler.center, scaler.center)
    assert_array_equal(model._x_scaler.scale, scaler.scale)
    assert expected.shape == model.predict(X).shape


def test_rows_in_time_order_start_warm():
    frame, y = futures()
    model = regressor(**GRU, lookback=LOOKBACK, warm_start=True).fit(frame.iloc[:90], y[:90])
    model.fit(frame, y)
    assert "previous" in stages(model)
    assert stages(model)[model.search_report_.chosen] <= stages(model)["previous"]


def test_a_model_that_went_on_starts_warm_from_there():
    X, y = product()
    model = regressor(**LEARNS, warm_start=True).fit(X, y).partial_fit(*product(seed=1))
    genotype = model.genotype_
    model.set_params(max_nodes=0).fit(X, y)
    assert model.genotype_ in (genotype, type(genotype)())
    assert "previous" in stages(model)


def test_a_network_beyond_the_bound_is_not_gone_on_from():
    X, y = product()
    model = regressor(**LEARNS, warm_start=True).fit(X, y)
    bound = model.n_params_ - 1
    model.set_params(max_params=bound, hidden_size=4)
    with pytest.warns(
        SearchWarning, match=f"max_params={bound} is less than the {bound + 1} "
    ) as told:
        model.fit(X, y)
    assert told[0].filename == __file__
    assert "previous" not in stages(model)
    assert (model.search_history_["n_params"] <= bound).all()
    assert model.n_params_ <= bound


def test_a_seed_that_went_on_is_refitted_on_all_rows():
    X = normal(120, 3, seed=1)
    y = X @ [1.0, 2.0, 3.0] - 30.0 * (X[:, 0] > 1.2)
    model = regressor(max_nodes=0, loss="mae", max_epochs=40, learning_rate=0.02)
    model.fit(X, y).partial_fit(X, y)
    assert model.search_report_.chosen == "trained (2)"
    before = model.predict(X)
    model.set_params(warm_start=True, refit_full=True).fit(X, y)
    assert model.search_report_.chosen == "previous"
    assert search_rows(model, "epoch", "refit").size == 1
    assert (model.predict(X) != before).any()


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_gives_the_same_bytes(seed):
    X, y = product()
    first, second = (regressor(**FOUND, random_state=seed, warm_start=True) for _ in range(2))
    first, second = first.fit(X, y).fit(X, y), second.fit(X, y).fit(X, y)
    assert first.predict(X).tobytes() == second.predict(X).tobytes()


@pytest.mark.parametrize(
    "change", [lambda X, y: (X[:, :1], y), lambda X, y: (X, normal(len(X), 2))]
)
def test_data_of_another_shape_are_an_error_that_changes_nothing(change):
    X, y = product()
    model = regressor(genotype="product", warm_start=True).fit(X, y)
    before = pickle.dumps(model)
    with pytest.raises(ValueError, match="warm_start needs data of the shape"):
        model.fit(*change(X, y))
    assert pickle.dumps(model) == before


def test_other_classes_are_an_error_that_changes_nothing():
    X, y = data_for(classifier)
    model = classifier(genotype="product", warm_start=True).fit(X, y)
    before = pickle.dumps(model)
    with pytest.raises(ValueError, match="warm_start needs the classes"):
        model.fit(X, np.where(y, "yes", "no"))
    assert pickle.dumps(model) == before


@pytest.mark.parametrize("make", MAKERS)
def test_the_network_before_is_judged_on_rows_that_it_was_not_trained_on(make):
    X, y = data_for(make)
    # Each fit draws another seed from it.
    model = make(**LEARNS, warm_start=True, random_state=np.random.RandomState(0)).fit(X, y)
    loss = stages(model)[model.search_report_.chosen]
    model.fit(X, y)
    assert_allclose(stages(model)["previous"], loss, rtol=1e-9)


def test_another_architecture_is_no_result_where_one_is_given():
    X, y = product()
    model = regressor(**LEARNS, warm_start=True).fit(X, y)
    assert model.genotype_.branches
    model.set_params(genotype="linear").fit(X, y)
    assert not model.genotype_.branches
    assert "previous" not in stages(model).index


@pytest.mark.parametrize("change", [{"hidden_size": 6}, {"max_epochs": 4}])
def test_a_given_architecture_goes_on_whatever_its_width(change):
    X, y = product()
    model = regressor(**{**LEARNS, "genotype": "product"}, warm_start=True).fit(X, y)
    assert model.genotype_.branches
    model.set_params(**change).fit(X, y)
    assert "previous" in stages(model).index


def test_rows_that_partial_fit_has_held_out_are_held_out_again():
    X, y = product()
    model = regressor(**LEARNS, warm_start=True, random_state=np.random.RandomState(0))
    model.fit(X, y).partial_fit(X, y)
    loss = stages(model)[model.search_report_.chosen]
    assert_allclose(stages(model.fit(X, y))["previous"], loss, rtol=1e-9)
