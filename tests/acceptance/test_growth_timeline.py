"""The events of a real fit: every growth keeps the function, and the accounts add up."""

import numpy as np
import pandas as pd
import pytest

from sknas import GrowingDARTSClassifier, GrowingDARTSRegressor
from sknas.datasets import make_coupled_oscillation, make_product

pytestmark = pytest.mark.slow


def product():
    X, y = make_product(600, random_state=0)
    return GrowingDARTSRegressor(random_state=0).fit(X, y)


def signs():
    X, y = make_product(600, noise=0.0, random_state=0)
    return GrowingDARTSClassifier(random_state=0, relaxation="softmax").fit(X, y > 0)


def oscillation():
    series = make_coupled_oscillation(500, random_state=0).to_numpy()
    y = np.stack([series[1:-3], series[2:-2], series[3:-1]], axis=1)
    model = GrowingDARTSRegressor(
        lookback=12,
        mode="sequential",
        initial_genotype="linear",
        operations=("hadamard", "lin_tanh", "gate", "add"),
        growth="periodic",
        max_nodes=4,
        hidden_size=16,
        search_epochs=24,
        max_epochs=8,
        batch_size=64,  # trained in single precision
        random_state=0,
    )
    return model.fit(series[:-4], y)


@pytest.fixture(scope="module", params=[product, signs, oscillation], ids=lambda f: f.__name__)
def model(request):
    return request.param()


def test_every_growth_leaves_the_output_unchanged(model):
    assert model.growth_events_
    assert max(event.output_change for event in model.growth_events_) <= 1e-6


def test_gains_are_what_the_losses_say(model):
    moves = model.search_report_.moves
    assert len(moves) == len(model.growth_events_)
    for event, (_, move) in zip(model.growth_events_, moves.iterrows(), strict=True):
        assert (event.epoch, str(event.edit)) == (move["epoch"], move["edit"])
        assert (event.n_params, event.is_accepted) == (move["n_params"], move["accepted"])
        assert event.val_loss == move["loss_after"]
        assert event.gain == pytest.approx(1.0 - move["loss_after"] / move["loss_before"])
        assert event.gain == move["gain"]


def test_a_move_after_birth_stays_only_if_it_pays(model):
    for event in model.growth_events_:
        if event.epoch > 0 and event.is_accepted:
            assert event.gain > 0


def test_events_stand_in_the_order_of_their_epochs_within_the_search(model):
    epochs = [event.epoch for event in model.growth_events_]
    assert epochs == sorted(epochs)
    n_search = int((model.search_history_["phase"] == "search").sum())
    assert all(0 <= epoch <= n_search for epoch in epochs)


def test_the_size_of_every_move_is_seen_in_the_epoch_after_it(model):
    history = model.search_history_.set_index("epoch")
    history = history[history["phase"] == "search"]
    for event in model.growth_events_:
        if event.epoch == 0:
            assert event.n_params in set(history["n_params"])
        elif event.epoch < len(history):
            assert history.loc[event.epoch + 1, "n_params"] == event.n_params


def test_what_was_refused_is_gone_and_what_was_accepted_is_there_at_the_end(model):
    stages = model.search_report_.stages
    accepted = [event for event in model.growth_events_ if event.is_accepted]
    last = model.search_history_[model.search_history_["phase"] == "search"].iloc[-1]
    if accepted:
        assert last["n_params"] > stages.n_params["seed"]
    if "derived" in stages.index:
        assert stages.n_params["derived"] <= stages.n_params["supernet"]
    if model.search_report_.chosen != "seed":
        assert any(event.is_accepted for event in model.growth_events_) or len(
            model.genotype_.branches
        )
        assert model.n_params_ > stages.n_params["seed"]


def test_the_losses_of_moves_are_losses_of_epochs(model):
    history = model.search_history_
    seen = history.loc[history["phase"] == "search", "val_loss"].to_numpy()
    for event in model.growth_events_:
        assert np.isclose(seen, event.val_loss, rtol=1e-12).any()


def test_events_read_as_records(model):
    table = pd.DataFrame([dict(event) for event in model.growth_events_])
    needed = {"epoch", "edit", "n_params", "val_loss", "output_change"}
    assert needed <= set(table.columns)
    assert table["n_params"].tolist() == [event["n_params"] for event in model.growth_events_]
    with pytest.raises(KeyError):
        model.growth_events_[0]["no_such_field"]


def test_the_stages_agree_with_the_network_that_predicts(model):
    stages = model.search_report_.stages
    chosen = model.search_report_.chosen
    assert model.n_params_ == stages.n_params[chosen]
    assert stages.val_loss[chosen] <= stages.val_loss["seed"]
    assert (stages["seconds"] >= 0).all()
    history = model.search_history_
    trained = history.loc[history["phase"] == "train", "val_loss"]
    if "trained" in stages.index and len(trained):
        # A mean over epochs may stand a hundredth above the luckiest of them.
        assert stages.val_loss["trained"] <= 1.01 * trained.min()
