"""What was found for single channels is tried on all of them, and averaged where that is better."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sknas.estimators._stages import Stages
from sknas.genotype import Genotype
from tests.small import normal, trained

pytestmark = pytest.mark.usefixtures("short_epochs")
LOOKBACK, N_CHANNELS = 4, 3
FOUND = {
    "initial_genotype": "product",
    "hidden_size": 8,
    "segment_length": 2,
    "refit": "inherit",
    "max_epochs": 20,
    "learning_rate": 0.02,
}


def coupled(n_samples=400, coupling=1.0):
    """Return windows whose futures are products: of a channel's own past, and of its neighbours."""
    X = normal(n_samples, LOOKBACK, N_CHANNELS)
    last, before = X[:, -1], X[:, -2]
    own, others = last * before, np.roll(last, 1, axis=1) * np.roll(last, 2, axis=1)
    return X, (own + coupling * others + 0.1 * normal(n_samples, N_CHANNELS, seed=1))[:, None]


def modes(model):
    return {branch.channel_mode for branch in model.genotype_.branches}


def stages(model):
    return model.search_report_.stages


def test_where_channels_tell_of_each_other_both_are_averaged():
    X, Y = coupled()
    model = trained(**FOUND).fit(X, Y)
    table = stages(model)
    assert list(table.index)[-3:] == ["trained", "mixed", "blended"]
    assert table.val_loss["blended"] < table.val_loss["trained"]
    # The squared error is convex.
    assert table.val_loss["blended"] < (table.val_loss["trained"] + table.val_loss["mixed"]) / 2
    assert model.search_report_.chosen in ("mixed", "blended")
    assert "mixed" in modes(model)
    assert {"train", "mix"} <= set(model.search_history_["phase"])


def test_the_same_cells_read_all_channels_together():
    model = trained(**FOUND).fit(*coupled(coupling=0.5))
    alone, together = model.genotype_.branches
    assert (alone.channel_mode, together.channel_mode) == ("independent", "mixed")
    assert alone.layers == together.layers
    assert alone.hidden_size == together.hidden_size


def test_a_neighbour_matters_to_the_mean_and_not_to_what_was_found():
    X, Y = coupled(coupling=0.5)
    moved = X.copy()
    moved[:, -1, 1] += 1.0

    def change(model):
        return np.abs(model.predict(moved) - model.predict(X))[:, 0, 0].max()

    assert change(trained(**FOUND).fit(X, Y)) > 0.05
    assert change(trained(**FOUND, channel_mode="independent").fit(X, Y)) < 1e-6


def test_the_mean_is_half_of_each():
    X, Y = coupled(coupling=0.5)
    model = trained(**FOUND).fit(X, Y)
    found = model.predict(X)
    heads = [branch.heads[0] for branch in model.module_.trunk.branches]
    whole = [head.detach().clone() for head in heads]
    parts = []
    for own in range(2):
        with torch.no_grad():
            for place, head in enumerate(heads):
                head.copy_(2.0 * whole[place] if place == own else torch.zeros_like(head))
        model._set_module(model.module_)
        parts.append(model.predict(X))
    assert_allclose(np.mean(parts, axis=0), found, atol=1e-6)
    assert np.abs(parts[0] - parts[1]).max() > 0.1


def test_where_it_validates_worse_it_is_told_and_not_offered():
    X, Y = coupled(coupling=0.0)
    model = trained(**FOUND, dropout=0.0).fit(X, Y)
    table = stages(model)
    assert table.val_loss["blended"] >= table.val_loss["trained"]
    assert model.search_report_.chosen == "trained"
    assert modes(model) == {"independent"}


@pytest.mark.parametrize(
    ("ratio", "is_clearly_worse", "chosen"),
    [(1.004, False, "blended"), (1.004, True, "trained"), (1.006, False, "trained")],
)
def test_a_mean_is_offered_that_validates_a_hair_worse(
    monkeypatch, ratio, is_clearly_worse, chosen
):
    add_mean, is_better = Stages.add_mean, Stages.is_better

    def add(self, name, members):
        stage = add_mean(self, name, members)
        if name == "blended":
            stage.loss = members[0].loss * ratio
        return stage

    def compare(self, one, other, n_errors):
        if n_errors == 1.0 and other.name == "blended":
            return is_clearly_worse
        return is_better(self, one, other, n_errors)

    monkeypatch.setattr(Stages, "add_mean", add)
    monkeypatch.setattr(Stages, "is_better", compare)
    model = trained(**FOUND).fit(*coupled(coupling=0.5))
    assert model.search_report_.chosen == chosen


@pytest.mark.parametrize(
    "given",
    [
        {"channel_mode": "independent"},
        {"channel_mode": "mixed"},
        {"n_models": 1},
        {"n_models": 2},
        {"size_penalty": 0.1},
        {
            "genotype": Genotype.named(
                "product", hidden_size=8, segment_length=2, channel_mode="independent"
            )
        },
    ],
)
def test_what_is_given_is_not_mixed(given):
    model = trained(**{**FOUND, "max_epochs": 2, **given}).fit(*coupled())
    assert "mixed" not in stages(model).index


def test_nothing_is_mixed_where_there_is_one_channel_or_few_forecasts():
    X, Y = coupled()
    short = {**FOUND, "max_epochs": 2}
    assert "mixed" not in stages(trained(**short).fit(X[..., :1], Y[..., :1])).index
    assert "mixed" not in stages(trained(**short).fit(X[:36], Y[:36])).index
    assert "mixed" in stages(trained(**short).fit(X, Y)).index


def test_the_bound_is_kept():
    X, Y = coupled()
    alone = trained(**FOUND, channel_mode="independent").fit(X, Y)
    bounded = trained(**FOUND, max_params=alone.n_params_).fit(X, Y)
    assert bounded.n_params_ <= alone.n_params_
    assert "mixed" not in stages(bounded).index


def test_a_warm_start_and_partial_fit_go_on_from_the_mean():
    X, Y = coupled(coupling=0.5)
    model = trained(**FOUND, warm_start=True).fit(X, Y)
    genotype = model.genotype_
    before = float(np.mean((model.predict(X) - 2.0 * Y) ** 2))
    model.partial_fit(X, 2.0 * Y)
    assert model.genotype_ == genotype
    assert float(np.mean((model.predict(X) - 2.0 * Y) ** 2)) < before
    assert "mixed" not in stages(model.fit(X, Y)).index
