"""Widths, segments, starts and given architectures are those of the genotype that comes out."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sknas import Genotype
from sknas.genotype import NAMED_CELLS
from tests.small import EAGER, FEW, futures, product, regressor, search_rows, sequences, trained

pytestmark = pytest.mark.usefixtures("short_epochs")
X, Y = product()


# -- sizes of the network -------------------------------------------------------------------------


def test_widths_layers_and_segments_are_those_of_the_genotype():
    frame, future = futures()
    for width, n_layers, length in [(3, 1, 1), (5, 2, 2), (6, 3, 4)]:
        model = trained(
            genotype="highway",
            hidden_size=width,
            n_layers=n_layers,
            segment_length=length,
            lookback=8,
            learning_rate=0.02,
        ).fit(frame, future)
        (branch,) = model.genotype_.branches
        assert branch.hidden_size == width
        assert branch.segment_length == length
        assert branch.layers == (NAMED_CELLS["highway"],) * n_layers


@pytest.mark.parametrize("channel_mode", ["independent", "mixed"])
def test_the_channel_mode_is_the_branches_and_the_seeds(channel_mode):
    frame, future = futures()
    model = trained(genotype="gru", lookback=6, channel_mode=channel_mode)
    model.fit(frame.to_numpy(), future)
    assert {branch.channel_mode for branch in model.genotype_.branches} == {channel_mode}
    assert model.module_.spec.channel_mode == channel_mode
    values = frame.to_numpy().copy()
    values[:, 1] += np.random.default_rng(0).normal(size=len(values))
    moved = (model.predict(values) != model.predict(frame.to_numpy()))[:, :, 0].any()
    assert moved == (channel_mode == "mixed")


def test_targets_that_continue_no_channel_read_all_channels():
    frame, future = futures()
    model = trained(genotype="gru", channel_mode="independent", lookback=8, learning_rate=0.02)
    model.fit(frame, future[:, 0, 0])
    assert {branch.channel_mode for branch in model.genotype_.branches} == {"mixed"}


@pytest.mark.parametrize("parameter", ["segment_length", "channel_mode"])
def test_auto_picks_something_that_could_be_given(parameter):
    frame, future = futures()
    model = trained(genotype="gru", lookback=12).fit(frame, future)
    given = getattr(model.genotype_.branches[0], parameter)
    twin = trained(genotype="gru", lookback=12, **{parameter: given}).fit(frame, future)
    np.testing.assert_array_equal(twin.predict(frame), model.predict(frame))


def test_without_the_linear_seed_the_network_starts_as_the_naive_forecast():
    frame, future = futures()
    for parameters in ({"window_norm": "last"}, {"window_norm": "revin"}, {"window_norm": "none"}):
        model = regressor(linear_seed=False, max_nodes=0, lookback=6, **parameters)
        predicted = model.fit(frame, future).predict(frame)
        if parameters["window_norm"] == "last":
            expected = np.repeat(frame.to_numpy()[:, None], future.shape[1], axis=1)
            np.testing.assert_allclose(predicted, expected, rtol=0, atol=1e-9)
            stages = model.search_report_.stages.val_loss
            assert stages["seed"] == pytest.approx(stages["naive"])
        if parameters["window_norm"] == "none":
            assert np.ptp(predicted.reshape(-1, 2), axis=0) == pytest.approx(0.0, abs=1e-12)
    seeded = regressor(max_nodes=0, lookback=6).fit(frame, future).search_report_.stages.val_loss
    assert seeded["seed"] < seeded["naive"]


def test_window_norms_are_three_models():
    frame, future = futures()
    predictions = [
        regressor(max_nodes=0, lookback=6, window_norm=norm).fit(frame, future).predict(frame)
        for norm in ("none", "last", "revin")
    ]
    for first, second in [(0, 1), (0, 2), (1, 2)]:
        assert not np.allclose(predictions[first], predictions[second])


# -- where growth starts --------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(NAMED_CELLS))
def test_growth_starts_from_the_named_cell(name):
    X3, y3 = sequences()
    model = regressor(initial_genotype=name).fit(X3, y3)
    assert [event.epoch for event in model.growth_events_][:1] == [0]
    assert model.growth_events_[0].edit.branch.layers == (NAMED_CELLS[name],)
    assert search_rows(model, "n_nodes")[0] == len(NAMED_CELLS[name].nodes)
    assert search_rows(model, "n_branches")[0] == 1


def test_growth_starts_from_a_given_genotype():
    cells = (NAMED_CELLS["gru"], NAMED_CELLS["highway"])
    start = Genotype.named("gru", hidden_size=3, segment_length=2)
    start = Genotype((dataclasses.replace(start.branches[0], layers=cells),) * 2)
    X3, y3 = sequences()
    model = regressor(initial_genotype=start).fit(X3, y3)
    assert search_rows(model, "n_nodes")[0] == start.n_nodes
    assert search_rows(model, "n_branches")[0] == 2


@pytest.mark.parametrize("n_nodes", [1, 3])
def test_growth_from_the_linear_seed_starts_with_mixed_nodes(n_nodes):
    model = regressor(initial_genotype="linear", initial_nodes=n_nodes, operations=FEW)
    model.fit(X, Y)
    assert search_rows(model, "n_nodes")[0] == n_nodes
    assert search_rows(model, "n_candidates")[0] == n_nodes * len(FEW)


def test_more_initial_nodes_than_nodes_are_cut_with_a_warning():
    from sknas.exceptions import SearchWarning

    model = regressor(initial_genotype="linear", initial_nodes=5, max_nodes=2, operations=FEW)
    with pytest.warns(SearchWarning, match="initial_nodes=5 exceeds max_nodes=2"):
        model.fit(X, Y)
    assert search_rows(model, "n_nodes").max() == 2


@pytest.mark.parametrize("operations", [["hadamard", "lin_tanh"], ("gate", "add"), ["modulate"]])
def test_grown_nodes_use_the_given_operations_only(operations):
    parameters = {**EAGER, "operations": operations, "mode": "fixed", "search_epochs": 8}
    model = regressor(**parameters, linear_seed=False).fit(X, Y)
    assert search_rows(model, "n_candidates")[0] == EAGER["max_nodes"] * len(operations)
    assert set(model.genotype_.operations) <= set(operations)


# -- a given genotype -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["linear", *sorted(NAMED_CELLS)])
def test_a_named_genotype_is_trained_without_a_search(name):
    X3, y3 = sequences()
    model = trained(genotype=name, segment_length=2, max_epochs=5).fit(X3, y3)
    assert "search" not in set(model.search_history_["phase"])
    assert model.growth_events_ == []
    expected = Genotype.named(name, hidden_size=4, segment_length=2)
    assert model.genotype_ in (expected, Genotype.named("linear"))
    if name != "linear":
        trained_stage = model.search_report_.stages.n_params["trained"]
        assert trained_stage > model.search_report_.stages.n_params["seed"]
        assert len(search_rows(model, "epoch", "train"))


def test_a_genotype_may_come_as_an_object_or_as_a_file(tmp_path):
    genotype = Genotype.named("gru", hidden_size=5)
    path = tmp_path / "found.json"
    path.write_text(genotype.to_json(), encoding="utf-8")
    X3, y3 = sequences()
    by_object, by_path, by_name = (
        trained(genotype=given, hidden_size=5, segment_length=1, max_epochs=8).fit(X3, y3)
        for given in (genotype, str(path), "gru")
    )
    assert by_object.genotype_ == by_path.genotype_ == by_name.genotype_
    np.testing.assert_array_equal(by_object.predict(X3), by_path.predict(X3))
    np.testing.assert_array_equal(by_object.predict(X3), by_name.predict(X3))


def test_a_found_genotype_can_be_trained_again():
    found = regressor(initial_genotype="product", max_nodes=1, search_epochs=12).fit(X, Y).genotype_
    assert found.branches
    again = regressor(genotype=found, max_epochs=12, learning_rate=0.02).fit(X, Y)
    assert again.genotype_ == found
    assert "search" not in set(again.search_history_["phase"])


def test_a_genotype_without_branches_is_the_linear_start():
    X, y = product()
    named, given = (
        regressor(**{**EAGER, "initial_genotype": start}).fit(X, y)
        for start in ("linear", Genotype())
    )
    assert_array_equal(named.predict(X), given.predict(X))
    assert len(given.growth_events_) == len(named.growth_events_) > 0


@pytest.mark.parametrize("parameter", ["genotype", "initial_genotype"])
def test_a_genotype_of_single_channels_is_refused_where_targets_continue_none(parameter):
    independent = Genotype.named("gru", hidden_size=4, segment_length=1, channel_mode="independent")
    with pytest.raises(ValueError, match=f"^{parameter} must .* channel_mode='mixed'"):
        regressor(**{parameter: independent}).fit(*product())
