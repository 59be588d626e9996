"""`partial_fit` keeps what was learned, learns what is new, and grows where that is needed."""

import pickle
from contextlib import nullcontext

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sknas.datasets import make_linear_law, make_product
from sknas.estimators import _updating, searched
from tests.faults import raise_in_training_at
from tests.oracles.windows import looped_windows
from tests.small import (
    EAGER,
    GRU,
    LOOKBACK,
    MAKERS,
    N_EPOCH_STEPS,
    classifier,
    data_for,
    futures,
    normal,
    product,
    regressor,
)

pytestmark = pytest.mark.usefixtures("short_epochs")
LINEAR = {"max_nodes": 3, "search_epochs": 12, "max_epochs": 8}
PRODUCT = {"genotype": "product", "hidden_size": 8, "max_epochs": 60, "learning_rate": 0.01}


def linear_law(seed, change=0.0):
    X, y = make_linear_law(200, 3, random_state=seed)
    return X, y + change * X[:, 0]


def product_law(seed, factor=1.0):
    X, y = make_product(300, 2, random_state=seed)
    return X, factor * y


def halves(X, y):
    middle = len(X) // 2
    return (X[:middle], y[:middle]), (X[middle:], y[middle:])


def error(model, X, y):
    return float(np.mean((model.predict(X) - y) ** 2))


def state_bytes(model):
    weights = [value.numpy().tobytes() for value in model.module_.state_dict().values()]
    return weights, model.genotype_.to_json()


def partial_stages(model, call=2):
    stages = model.search_report_.stages.val_loss
    return stages[[name.endswith(f"({call})") for name in stages.index]]


def continued(make, **parameters):
    """Return a model after two calls, on the two halves of the usual data."""
    first, second = halves(*data_for(make))
    model = make(**parameters)
    if make is classifier:
        return model.partial_fit(*first, classes=[False, True]).partial_fit(*second)
    return model.partial_fit(*first).partial_fit(*second)


# -- what a call learns ---------------------------------------------------------------------------


def test_the_first_call_of_a_regressor_is_a_fit():
    X, y = product()
    first, fitted = regressor().partial_fit(X, y), regressor().fit(X, y)
    assert state_bytes(first) == state_bytes(fitted)
    assert first.n_iter_ == fitted.n_iter_


def test_a_stationary_linear_stream_keeps_the_linear_genotype_and_the_old_error():
    old, held_out = halves(*linear_law(0))
    model = regressor(**LINEAR).partial_fit(*old)
    before = error(model, *held_out)
    for seed in (1, 2, 3):
        model.partial_fit(*linear_law(seed))
        assert not model.genotype_.branches
        assert error(model, *held_out) < 1.1 * before
    assert max(event.epoch for event in model.growth_events_) <= 12  # in the first call's search


def test_a_new_linear_regime_is_learned_without_growth():
    model = regressor(**LINEAR).partial_fit(*linear_law(0))
    learned, held_out = halves(*linear_law(1, change=-1.5))
    before, genotype = error(model, *held_out), model.genotype_
    model.partial_fit(*learned)
    assert error(model, *held_out) < 0.05 * before
    assert model.genotype_ == genotype
    assert model.search_report_.chosen == "moved (2)"


def test_growth_happens_when_a_nonlinearity_begins():
    model = regressor(max_nodes=3, hidden_size=8, search_epochs=60, max_epochs=40)
    model.set_params(learning_rate=0.01).partial_fit(*linear_law(0))
    assert not model.genotype_.branches
    n_events, n_epochs = len(model.growth_events_), model.n_iter_
    X, y = make_linear_law(400, 3, random_state=1)
    learned, held_out = halves(X, y + X[:, 0] * X[:, 1])
    before = error(model, *held_out)
    model.partial_fit(*learned)
    assert model.genotype_.is_multiplicative
    assert error(model, *held_out) < 0.3 * before
    accepted = [event for event in model.growth_events_[n_events:] if event.is_accepted]
    assert accepted
    assert all(n_epochs < event.epoch < model.n_iter_ for event in accepted)
    assert all(event.output_change < 1e-6 for event in accepted)
    assert model.search_report_.chosen == "grown (2)"


def test_a_network_with_branches_is_offered_moves_of_its_own():
    settings = {**EAGER, "max_nodes": 1, "hidden_size": 8, "learning_rate": 0.01}
    model = regressor(**settings, linear_seed=False).partial_fit(*product_law(0))
    n_events, n_epochs, n_params = len(model.growth_events_), model.n_iter_, model.n_params_
    assert model.genotype_.n_nodes == 1
    X, y = product_law(1)
    model.set_params(max_nodes=3, search_epochs=24).partial_fit(X, y + 3 * np.abs(X[:, 0]))
    events = model.growth_events_[n_events:]
    assert "AddNode" in str(events[0].edit)  # to the lifted network; no race is run
    assert all(event.epoch > n_epochs for event in events)
    assert all(event.output_change < 1e-6 for event in events)
    assert any(event.is_accepted for event in events)
    assert model.n_params_ > n_params


def test_moves_of_a_grown_network_that_is_not_kept_are_told_as_undone(monkeypatch):
    settings = {**EAGER, "max_nodes": 1, "hidden_size": 8, "learning_rate": 0.01}
    model = regressor(**settings, linear_seed=False).partial_fit(*product_law(0))
    n_events, genotype = len(model.growth_events_), model.genotype_
    X, y = product_law(1)
    consider = _updating._Update.consider
    monkeypatch.setattr(
        _updating._Update,
        "consider",
        lambda self, name, *rest: name != "grown" and consider(self, name, *rest),
    )
    model.set_params(max_nodes=3, search_epochs=24).partial_fit(X, y + 3 * np.abs(X[:, 0]))
    events = model.growth_events_[n_events:]
    assert events
    assert not any(event.is_accepted for event in events)
    assert model.genotype_ == genotype


@pytest.mark.parametrize("bound", [{"max_nodes": 0}, {"genotype": "linear"}, {"max_params": 10}])
def test_growth_keeps_to_its_bounds(bound):
    model = regressor(**{**LINEAR, **bound})
    with pytest.warns(match="leaves no room") if "max_params" in bound else nullcontext():
        model.partial_fit(*linear_law(0))
    n_events = len(model.growth_events_)
    X, y = make_linear_law(200, 3, random_state=1)
    model.partial_fit(X, y + X[:, 0] * X[:, 1])
    assert not model.genotype_.branches
    assert len(model.growth_events_) == n_events


def test_a_similar_part_leaves_the_error_of_a_network_about_as_it_was():
    old, held_out = halves(*product_law(0))
    model = regressor(**PRODUCT).partial_fit(*old)
    before = error(model, *held_out)
    assert before < 0.2  # the network knows the law, whose own size is 1
    for seed in (1, 2):
        model.partial_fit(*product_law(seed))
        assert error(model, *held_out) < 1.25 * before


def test_a_changed_law_is_learned_by_the_branches():
    model = regressor(**PRODUCT).partial_fit(*product_law(0))
    learned, held_out = halves(*product_law(1, factor=1.6))
    before = error(model, *held_out)
    model.partial_fit(*learned)
    assert error(model, *held_out) < 0.6 * before
    assert model.search_report_.chosen == "trained (2)"


@pytest.mark.parametrize("loss", ["mae", "huber"])
def test_other_losses_learn_a_new_regime_too(loss):
    model = regressor(**LINEAR, loss=loss).partial_fit(*linear_law(0))
    learned, held_out = halves(*linear_law(1, change=-1.5))
    before = error(model, *held_out)
    assert error(model.partial_fit(*learned), *held_out) < 0.1 * before


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("genotype", [None, "product", "linear"])
def test_no_call_leaves_a_network_that_is_worse_on_its_validation_part(make, genotype):
    model = continued(make, genotype=genotype)
    stages = partial_stages(model)
    assert stages[model.search_report_.chosen] <= stages["before (2)"]


def test_where_nothing_is_better_not_a_bit_of_the_network_changes():
    X, y = product()
    model = regressor(max_nodes=0, linear_seed=False, learning_rate=1e-12)
    weights = state_bytes(model.fit(X, y))
    model.partial_fit(*product(seed=1))
    assert model.search_report_.chosen == "before (2)"
    assert state_bytes(model) == weights


@pytest.mark.parametrize("make", MAKERS)
def test_the_same_seed_gives_the_same_bytes(make):
    assert state_bytes(continued(make)) == state_bytes(continued(make))


@pytest.mark.parametrize("make", MAKERS)
def test_a_pickled_model_goes_on_as_the_model_itself(make):
    (X, y), _ = halves(*data_for(make))
    model = make(genotype="product").fit(X, y)
    twin = pickle.loads(pickle.dumps(model))
    more = data_for(make, 80)
    assert state_bytes(model.partial_fit(*more)) == state_bytes(twin.partial_fit(*more))


@pytest.mark.parametrize("make", MAKERS)
def test_a_weight_of_two_is_two_samples(make):
    first, (X, y) = halves(*data_for(make))
    model = make(genotype="product").fit(*first)
    doubled = clone(model).fit(*first)
    model.partial_fit(X, y, sample_weight=np.full(len(X), 2.0))
    doubled.partial_fit(np.repeat(X, 2, axis=0), np.repeat(y, 2))
    assert_allclose(model._outputs(X), doubled._outputs(X), rtol=0, atol=1e-9)


@pytest.mark.parametrize("make", MAKERS)
def test_two_samples_are_enough_for_a_later_call(make):
    X, y = data_for(make)
    model = make(genotype="product").fit(X, y)
    places = [int(np.argmin(y)), int(np.argmax(y))]
    assert np.isfinite(model.partial_fit(X[places], y[places])._outputs(X)).all()


def test_rows_of_zero_weight_teach_nothing():
    frame, y = futures()
    model = regressor(max_nodes=0, lookback=LOOKBACK).partial_fit(frame.iloc[:70], y[:70])
    weights = state_bytes(model)
    sample_weight = np.zeros(50)
    sample_weight[-1] = 1.0  # the last row is held out
    model.partial_fit(frame.iloc[70:], y[70:] + 1.0, sample_weight=sample_weight)
    assert state_bytes(model) == weights


# -- rows in time order ---------------------------------------------------------------------------


def seen_windows(monkeypatch, model, X, y):
    """Return the windows that a call trains on."""
    seen = []
    whole = searched.update_network

    def recording(problem, *args):
        seen.append(problem.data.past.numpy().copy())
        return whole(problem, *args)

    monkeypatch.setattr(searched, "update_network", recording)
    model.partial_fit(X, y)
    return seen[0]


def test_rows_that_follow_read_the_earlier_ones_as_history(monkeypatch):
    frame, y = futures()
    model = regressor(**GRU, lookback=LOOKBACK).partial_fit(frame.iloc[:70], y[:70])
    past = seen_windows(monkeypatch, model, frame.iloc[70:], y[70:])
    scaled = model._x_scaler.transform(frame.to_numpy())
    assert_allclose(past, looped_windows(scaled, LOOKBACK)[70:], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("n_left_out", "as_given"), [(1, lambda f: f), (0, lambda f: f.to_numpy())]
)
def test_rows_that_do_not_follow_begin_without_history(monkeypatch, n_left_out, as_given):
    frame, y = futures()
    model = regressor(**GRU, lookback=LOOKBACK)
    model.partial_fit(as_given(frame.iloc[:70]), y[:70])
    start = 70 + n_left_out
    rows = as_given(frame.iloc[start:])
    past = seen_windows(monkeypatch, model, rows, y[start:])
    scaled = model._x_scaler.transform(frame.to_numpy()[start:])
    assert_allclose(past, looped_windows(scaled, LOOKBACK), rtol=0, atol=1e-12)


@pytest.mark.parametrize("ends", [(70, 100), (70, 73), (70, 73, 75), (70, 90, 92)])
def test_the_context_of_predictions_moves_on_with_the_rows(ends):
    frame, y = futures()
    model = regressor(**GRU, lookback=LOOKBACK)
    for start, end in zip((0, *ends), ends, strict=False):
        model.partial_fit(frame.iloc[start:end], y[start:end])
    expected = model.predict(frame)[ends[-1] :]
    assert_allclose(model.predict(frame.iloc[ends[-1] :]), expected, rtol=0, atol=1e-12)


def test_sequences_are_learned_in_parts():
    X, y = normal(90, 5, 2), normal(90, 2, seed=1)
    model = regressor(**GRU).partial_fit(X[:50], y[:50]).partial_fit(X[50:], y[50:])
    assert model.predict(X).shape == y.shape
    with pytest.raises(ValueError, match="X must be 3-D"):
        model.partial_fit(X[:, 0], y)


# -- the account ----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS)
def test_history_and_report_go_on_where_the_last_call_ended(make):
    first, second = halves(*data_for(make))
    model = make().fit(*first)
    history, report, n_iter = model.search_history_, model.search_report_, model.n_iter_
    n_events = len(model.growth_events_)
    model.partial_fit(*second)
    assert model.n_iter_ == len(model.search_history_) > n_iter
    assert_array_equal(model.search_history_["epoch"], np.arange(1, model.n_iter_ + 1))
    assert (model.search_history_["phase"][n_iter:] == "partial").all()
    assert_array_equal(model.search_history_["val_loss"][:n_iter], history["val_loss"])
    assert len(model.search_report_.moves) == len(model.growth_events_) >= n_events
    assert_array_equal(
        model.search_report_.stages.val_loss[: len(report.stages)], report.stages.val_loss
    )
    assert model.search_report_.chosen in model.search_report_.stages.index
    assert model.n_params_ == sum(p.numel() for p in model.module_.parameters())
    assert model.module_.spec.genotype == model.genotype_
    str(model.search_report_)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("step", [0, N_EPOCH_STEPS + 3])
def test_an_interrupt_keeps_the_best_so_far(make, step, monkeypatch):
    first, second = halves(*data_for(make))
    model = make(genotype="product", max_epochs=12).fit(*first)
    n_iter = model.n_iter_
    raise_in_training_at(monkeypatch, step)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(*second)
    assert model.search_report_.stopped_by == "interrupt"
    assert model.n_iter_ == n_iter + step // N_EPOCH_STEPS
    stages = partial_stages(model)
    assert stages[model.search_report_.chosen] <= stages["before (2)"]
    assert np.isfinite(model._outputs(second[0])).all()
    monkeypatch.undo()
    assert model.partial_fit(*second).search_report_.stopped_by == "schedule"


@pytest.mark.parametrize("make", MAKERS)
def test_a_call_without_time_keeps_the_network(make):
    first, second = halves(*data_for(make))
    model = make(genotype="product").fit(*first)
    model.set_params(time_budget=1e-9).partial_fit(*second)
    assert model.search_report_.stopped_by == "time_budget"
    stages = partial_stages(model)
    assert stages[model.search_report_.chosen] <= stages["before (2)"]


# -- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X[:, :1], y), "X has 1 features, but"),
        (lambda X, y: (X, np.stack([y, y], axis=1)), "y must have the shape"),
        (lambda X, y: (X[:1], y[:1]), "at least 2 samples"),
        (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
        (lambda X, y: (np.where(X > 1, np.nan, X), y), "contains NaN"),
        (lambda X, y: (X[:, None], y), "X must be 2-D"),
    ],
)
def test_a_call_that_raises_leaves_the_estimator_as_it_was(change, message):
    X, y = product()
    model = regressor(genotype="product").fit(X, y)
    before = pickle.dumps(model)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(*change(X, y))
    assert pickle.dumps(model) == before


def test_column_names_have_to_be_those_of_the_first_call():
    frame, y = futures()
    model = regressor(**GRU, lookback=LOOKBACK).partial_fit(frame, y)
    with pytest.raises(ValueError, match="feature names should match"):
        model.partial_fit(frame.rename(columns={"slow": "quick"}), y)
