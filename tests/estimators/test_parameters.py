"""Every option does what it says, and a named column, or the genotype, shows that it did."""

import dataclasses
import inspect

import numpy as np
import pytest
from sklearn.model_selection import KFold, ShuffleSplit, TimeSeriesSplit

from sknas import Genotype, GrowingDARTSClassifier, GrowingDARTSRegressor
from sknas.genotype import NAMED_CELLS
from sknas.search import EffectPruning, MagnitudePruning, PeriodicGrowth, PlateauGrowth
from sknas.supernet import ScaledSigmoidRelaxation, SigmoidRelaxation, SoftmaxRelaxation
from tests.small import classifier, futures, product, regressor, search_rows, sequences

pytestmark = pytest.mark.usefixtures("short_epochs")
X, Y = product()
FEW = ("hadamard", "lin_tanh", "first")
# Grown from one mixed node, every few epochs, whatever it brings: what happens is known before.
EAGER = {
    "initial_genotype": "linear",
    "operations": FEW,
    "growth": PeriodicGrowth(period=2, min_gain=-1e9),
    "search_epochs": 14,
    "max_nodes": 3,
    "max_epochs": 1,
}


def events(model):
    return [event.epoch for event in model.growth_events_]


def trained(**parameters):
    """Fit a branch that surely wins, for the seed beside it starts at zero."""
    return regressor(linear_seed=False, **parameters)


# -- mode, growth, pruning, relaxation ------------------------------------------------------------


@pytest.fixture(scope="module")
def modes(short_epochs):
    names = ("sequential", "interleaved", "fixed")
    return {name: regressor(**EAGER, mode=name).fit(X, Y) for name in names}


@pytest.mark.slow
def test_a_fixed_search_has_all_nodes_from_the_start_and_grows_nothing(modes):
    model = modes["fixed"]
    assert set(search_rows(model, "n_nodes")) == {3}
    assert model.growth_events_ == []
    assert (search_rows(model, "n_branches") == 1).all()


@pytest.mark.slow
def test_a_fixed_search_decides_only_at_the_end(modes):
    n_candidates = search_rows(modes["fixed"], "n_candidates")
    n_rounds = EffectPruning().n_rounds
    assert (n_candidates[:-n_rounds] == n_candidates[0]).all()
    assert n_candidates[0] == 3 * len(FEW)
    assert (np.diff(n_candidates) <= 0).all()
    assert n_candidates[-1] < n_candidates[0]


@pytest.mark.slow
def test_a_sequential_search_grows_and_then_prunes(modes):
    changes = np.diff(search_rows(modes["sequential"], "n_candidates"))
    grown, pruned = np.flatnonzero(changes > 0), np.flatnonzero(changes < 0)
    assert len(grown)
    assert len(pruned)
    assert grown.max() < pruned.min()


@pytest.mark.slow
def test_an_interleaved_search_prunes_before_it_grows_again(modes):
    changes = np.diff(search_rows(modes["interleaved"], "n_candidates"))
    grown, pruned = np.flatnonzero(changes > 0), np.flatnonzero(changes < 0)
    assert len(grown) > 0
    assert pruned.min() < grown.max()


@pytest.mark.parametrize("name", ["sequential", "interleaved", "fixed"])
def test_a_search_of_any_mode_ends_with_a_settled_cell(modes, name):
    model = modes[name]
    last = model.search_history_.loc[model.search_history_.phase == "search"].iloc[-1]
    # The last round's removals come after the epoch is recorded.
    assert last["n_candidates"] < 2 * last["n_nodes"] * len(FEW)
    assert set(model.genotype_.operations) <= set(FEW)


@pytest.mark.parametrize("mode", ["sequential", "interleaved", "fixed"])
def test_what_a_search_settles_on_is_judged_and_kept_where_it_is_better(mode):
    model = regressor(**EAGER, mode=mode, learning_rate=0.02).fit(X, Y)
    stages = model.search_report_.stages.val_loss
    assert stages["supernet"] < 0.1 * stages["seed"]
    assert stages["derived"] < 0.5 * stages["seed"]
    assert model.genotype_.branches


@pytest.mark.slow
def test_periodic_growth_moves_at_its_period_and_plateau_growth_when_losses_are_flat():
    common = {**EAGER, "mode": "sequential", "operations": ("lin_tanh",), "search_epochs": 18}
    at = {}
    for period in (2, 3):
        rule = PeriodicGrowth(period=period, min_gain=-1e9)
        at[period] = events(regressor(**{**common, "growth": rule}).fit(X, Y))
        assert at[period][0] == period
        assert min(np.diff(at[period]), default=period) >= period
    # Any loss counts as progress, so there is no plateau until the last chance for a move.
    rule = PlateauGrowth(patience=2, min_gain=-1e9)
    never_flat = events(regressor(**{**common, "growth": rule}).fit(X, Y))
    # No loss counts as progress, so all is a plateau once the patience is over.
    rule = PlateauGrowth(patience=2, min_gain=1.0)
    always_flat = events(regressor(**{**common, "growth": rule}).fit(X, Y))
    assert always_flat[0] == rule.patience + 1
    assert not never_flat or never_flat[0] > 2 * always_flat[0]


def test_a_move_that_must_gain_everything_is_always_undone():
    rule = PlateauGrowth(patience=1, min_gain=1.0)
    model = regressor(initial_genotype="product", growth=rule, search_epochs=12).fit(X, Y)
    moves = [event for event in model.growth_events_ if event.epoch > 0]
    assert moves
    assert not any(event.is_accepted for event in moves)
    assert model.genotype_.n_nodes <= 1
    assert len(moves) <= rule.max_refusals


@pytest.mark.slow
def test_names_of_mechanisms_mean_the_rules_with_their_defaults():
    common = {"search_epochs": 6, "max_nodes": 2, "initial_genotype": "linear", "operations": FEW}
    for parameter, pairs in {
        "growth": {"periodic": PeriodicGrowth()},
        "pruning": {"magnitude": MagnitudePruning()},
        "relaxation": {"scaled_sigmoid": ScaledSigmoidRelaxation()},
    }.items():
        for name, rule in pairs.items():
            by_name = regressor(**common, **{parameter: name}).fit(X, Y)
            by_object = regressor(**common, **{parameter: rule}).fit(X, Y)
            drop = ["seconds"]
            assert by_name.search_history_.drop(columns=drop).equals(
                by_object.search_history_.drop(columns=drop)
            )


def test_a_growth_rules_patience_can_be_set_from_outside():
    model = regressor(growth=PlateauGrowth(), pruning=MagnitudePruning())
    model.set_params(growth__patience=1, pruning__n_rounds=2)
    assert (model.growth.patience, model.pruning.n_rounds) == (1, 2)
    assert {"growth__patience", "pruning__protection"} <= model.get_params().keys()


@pytest.mark.slow
def test_pruning_by_effect_and_by_magnitude_may_keep_different_candidates():
    common = {**EAGER, "mode": "fixed", "operations": "default", "max_nodes": 3}
    found = {
        name: [
            trained(
                **{
                    **common,
                    "pruning": name,
                    "search_epochs": 8,
                    "learning_rate": 0.02,
                    "random_state": seed,
                }
            )
            .fit(X, Y)
            .genotype_
            for seed in range(2)
        ]
        for name in ("effect", "magnitude")
    }
    assert found["effect"] != found["magnitude"]


def test_pruning_takes_at_most_as_many_rounds_as_the_rule_says():
    n_falls = []
    for n_rounds in (1, 3):
        rule = EffectPruning(n_rounds=n_rounds)
        common = {**EAGER, "mode": "fixed", "operations": FEW, "max_nodes": 1}
        model = regressor(**{**common, "pruning": rule, "search_epochs": 18}).fit(X, Y)
        counts = search_rows(model, "n_candidates")
        n_falls.append(int((np.diff(counts) < 0).sum()))
        assert n_falls[-1] <= n_rounds
        assert counts[-1] == 1
    assert n_falls[0] == 1 < n_falls[1]


@pytest.mark.parametrize(
    "relaxation", [SoftmaxRelaxation(), SigmoidRelaxation(), ScaledSigmoidRelaxation()]
)
def test_the_entropy_of_the_gates_is_that_of_an_open_choice_at_first(relaxation):
    common = {**EAGER, "mode": "fixed", "operations": "default", "max_nodes": 1}
    model = regressor(**{**common, "relaxation": relaxation, "search_epochs": 8}).fit(X, Y)
    entropy = search_rows(model, "gate_entropy")
    assert (entropy >= 0).all()
    assert entropy[0] > 0
    assert (search_rows(model, "arch_steps")[:4] > 0).all()


def test_relaxations_differ_in_the_entropy_of_the_gates():
    common = {**EAGER, "mode": "fixed", "operations": "default", "max_nodes": 1}
    entropies = [
        tuple(
            search_rows(
                regressor(**{**common, "relaxation": name, "search_epochs": 6}).fit(X, Y),
                "gate_entropy",
            )
        )
        for name in ("softmax", "sigmoid", "scaled_sigmoid")
    ]
    assert len(set(entropies)) == 3


def test_a_faster_architecture_rate_moves_the_gates_further():
    common = {**EAGER, "mode": "fixed", "operations": "default", "max_nodes": 1}
    start = np.log(len(regressor(**common)._settings().operations))
    moved = []
    for rate in (1e-6, 0.1):
        model = regressor(
            **{**common, "relaxation": "softmax", "arch_learning_rate": rate, "search_epochs": 6}
        ).fit(X, Y)
        entropy = search_rows(model, "gate_entropy")[:3]
        moved.append(np.abs(entropy - start).max())
    assert moved[0] < 1e-2
    assert moved[1] > moved[0]


# -- bounds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_nodes", [0, 1, 2, 4])
@pytest.mark.parametrize("initial", ["auto", "linear"])
def test_nodes_never_exceed_their_bound(max_nodes, initial):
    common = {**EAGER, "initial_genotype": initial, "max_nodes": max_nodes, "search_epochs": 12}
    model = regressor(**common).fit(X, Y)
    n_nodes = search_rows(model, "n_nodes")
    assert (n_nodes <= max_nodes).all()
    assert model.genotype_.n_nodes <= max_nodes
    if max_nodes == 0:
        assert model.genotype_ == Genotype.named("linear")
        assert model.growth_events_ == []
    elif initial == "linear":
        assert n_nodes.max() >= min(2, max_nodes)


def test_the_race_admits_cells_within_the_bound_only():
    X3, y3 = sequences()
    model = regressor(max_nodes=1, search_epochs=12).fit(X3, y3)
    cells = [event.edit.branch.layers[0] for event in model.growth_events_ if event.epoch == 0]
    assert cells
    assert all(len(cell.nodes) <= 1 for cell in cells)


@pytest.mark.parametrize("initial", ["auto", "linear", "product"])
@pytest.mark.parametrize("max_params", [3, 60, 200])
@pytest.mark.filterwarnings("ignore:max_params=.* leaves no room:sknas.exceptions.SearchWarning")
def test_weights_never_exceed_their_bound(initial, max_params):
    common = {**EAGER, "initial_genotype": initial, "search_epochs": 12}
    model = regressor(**common, max_params=max_params).fit(X, Y)
    assert (model.search_history_["n_params"] <= max_params).all()
    assert model.n_params_ <= max_params


@pytest.mark.parametrize("genotype", ["gru", "product"])
def test_a_given_genotype_beyond_the_bound_is_refused_or_not_returned(genotype):
    model = regressor(genotype=genotype, hidden_size=32, max_params=10)
    try:
        model.fit(X, Y)
    except ValueError as error:
        assert "max_params" in str(error)  # noqa: PT017 (either a clear error or a small model)
    else:
        assert model.n_params_ <= 10


def test_a_bound_that_leaves_no_room_for_a_branch_warns():
    from sknas.exceptions import SearchWarning

    with pytest.warns(SearchWarning, match="max_params=4 leaves no room"):
        model = regressor(max_params=4).fit(X, Y)
    assert model.genotype_ == Genotype.named("linear")


def test_a_bound_below_the_linear_seed_is_an_error():
    n_seed = regressor(max_nodes=0).fit(X, Y).n_params_
    assert n_seed == X.shape[1] + 1
    regressor(max_nodes=0, max_params=n_seed).fit(X, Y)
    with pytest.raises(ValueError, match=rf"max_params.* {n_seed} weights.*got {n_seed - 1}"):
        regressor(max_params=n_seed - 1).fit(X, Y)


# -- budget ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_search", "n_train"), [(1, 1), (4, 2), (2, 5)])
def test_epochs_are_bounded_phase_by_phase(n_search, n_train):
    model = regressor(
        initial_genotype="product", search_epochs=n_search, max_epochs=n_train, early_stopping=False
    ).fit(X, Y)
    assert len(search_rows(model, "epoch")) <= n_search
    assert len(search_rows(model, "epoch", "train")) == n_train
    assert model.n_iter_ == len(model.search_history_)
    assert model.search_history_["epoch"].tolist() == list(range(1, model.n_iter_ + 1))


def test_training_stops_early_only_where_it_may():
    rng = np.random.default_rng(0)
    noise, target = rng.normal(size=(60, 6)), rng.normal(size=60)
    counts = {
        early: len(
            search_rows(
                trained(
                    genotype="dense", hidden_size=32, max_epochs=60, early_stopping=early,
                    learning_rate=0.02,
                ).fit(noise, target),
                "epoch",
                "train",
            )
        )
        for early in (True, False)
    }  # fmt: skip
    assert counts[False] == 60
    assert counts[True] < 60


def test_a_time_budget_ends_the_fit_and_the_report_says_so():
    model = regressor(search_epochs=10**6, max_epochs=10**6, time_budget=0.5).fit(X, Y)
    assert model.search_report_.stopped_by == "time_budget"
    assert np.isfinite(model.predict(X)).all()
    assert model.search_history_["seconds"].sum() < 5.0
    assert regressor(time_budget=1000.0).fit(X, Y).search_report_.stopped_by == "schedule"


def test_smaller_batches_make_more_steps_an_epoch():
    steps = {}
    for batch_size in ("auto", 2):
        model = regressor(
            **{**EAGER, "search_epochs": 2, "max_nodes": 1}, mode="fixed", batch_size=batch_size
        )
        steps[batch_size] = search_rows(model.fit(X, Y), "arch_steps").max()
    assert steps[2] > steps["auto"]
    n_train = len(X) * 0.8 * 0.75
    assert steps[2] == pytest.approx(n_train / 2, rel=0.1)


def test_a_faster_rate_learns_faster_at_first():
    first = [
        search_rows(
            trained(genotype="product", learning_rate=rate, dropout=0.0).fit(X, Y),
            "train_loss",
            "train",
        )
        for rate in (1e-6, 1e-2)
    ]
    assert first[1][-1] < first[0][-1]
    assert first[0][0] == pytest.approx(first[0][-1], rel=1e-3)


def test_dropout_disturbs_training_and_not_prediction():
    loss = {}
    for dropout in (0.0, 0.5):
        model = trained(genotype="product", dropout=dropout, max_epochs=8, learning_rate=0.02)
        model.fit(X, Y)
        np.testing.assert_array_equal(model.predict(X), model.predict(X))
        loss[dropout] = search_rows(model, "train_loss", "train")[-1]
    assert loss[0.0] < loss[0.5]


def test_refit_decides_whether_the_weights_are_taken_over():
    first = {}
    for refit in ("inherit", "scratch"):
        model = regressor(
            initial_genotype="product",
            max_nodes=1,
            search_epochs=12,
            refit=refit,
            learning_rate=0.02,
        ).fit(X, Y)
        first[refit] = search_rows(model, "train_loss", "train")[0]
        assert ("derived" in model.search_report_.stages.index) == (refit == "inherit")
    assert first["inherit"] < 0.5 * first["scratch"]


def test_refitting_on_all_rows_is_a_phase_of_its_own():
    for is_full in (False, True):
        model = trained(genotype="product", refit_full=is_full, learning_rate=0.02, max_epochs=8)
        model.fit(X, Y)
        assert ("refit" in set(model.search_history_["phase"])) == is_full
    assert (model.search_history_["phase"].iloc[-1]) == "refit"


def test_a_linear_result_can_be_refitted_on_all_rows():
    model = regressor(max_nodes=0, refit_full=True).fit(X, Y)
    assert np.isfinite(model.predict(X)).all()


def test_weight_decay_shrinks_the_weights():
    sizes = []
    for decay in (0.0, 1.0, 50.0):
        model = trained(
            genotype="dense", weight_decay=decay, max_epochs=12, learning_rate=0.01,
            early_stopping=False, refit_full=True,
        )  # fmt: skip
        weights = model.fit(X, Y).module_.parameters()
        sizes.append(sum(float(p.square().sum()) for p in weights))
    assert sizes[0] > sizes[1] > sizes[2]


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


# -- losses and validation ------------------------------------------------------------------------


def held_out_and_standardised(validation, **parameters):
    """Return validation losses of the naive forecast, by hand and as reported, for every loss."""
    train, held_out = next(iter(validation.split(X)))
    z = (Y[held_out] - Y[train].mean()) / Y[train].std()
    by_hand = {
        "mse": np.mean(z**2),
        "mae": np.mean(np.abs(z)),
        "huber": np.mean(np.where(np.abs(z) < 1, z**2 / 2, np.abs(z) - 0.5)),
    }
    reported = {
        loss: regressor(max_nodes=0, loss=loss, validation=validation, **parameters)
        .fit(X, Y)
        .search_report_.stages.val_loss["naive"]
        for loss in by_hand
    }
    return by_hand, reported


@pytest.mark.parametrize(
    "validation",
    [
        KFold(4),
        TimeSeriesSplit(3),
        ShuffleSplit(1, test_size=0.3, random_state=1),
    ],
)
def test_losses_are_measured_on_the_splitters_first_part(validation):
    by_hand, reported = held_out_and_standardised(validation)
    assert reported == pytest.approx(by_hand)


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_chronological_validation_is_the_last_share_with_a_gap_before_it(fraction):
    n_held = int(np.ceil(fraction * len(Y)))
    train, held_out = np.arange(len(Y) - n_held - 2), np.arange(len(Y) - n_held, len(Y))
    z = (Y[held_out] - Y[train].mean()) / Y[train].std()
    model = regressor(max_nodes=0, validation="chronological", validation_fraction=fraction)
    stages = model.fit(X, Y).search_report_.stages
    assert stages.val_loss["naive"] == pytest.approx(np.mean(z**2))


def test_rows_in_time_order_and_windows_are_validated_on_the_last_share():
    frame, future = futures()
    X3, y3 = sequences()
    for data, parameters in [((frame, future), {"lookback": 6}), ((X3, y3), {})]:
        scores = [
            regressor(max_nodes=0, validation=validation, **parameters)
            .fit(*data)
            .search_report_.stages.val_loss["naive"]
            for validation in ("auto", "chronological", "shuffle")
        ]
        assert scores[0] == scores[1] != scores[2]


def test_tabular_rows_are_validated_on_a_shuffle_and_classes_on_their_shares():
    y_class = np.repeat(["rare", "usual"], [12, 108])
    for make, y, rule in [(regressor, Y, "shuffle"), (classifier, y_class, "stratified")]:
        naive = [
            make(max_nodes=0, validation=validation)
            .fit(X, y)
            .search_report_.stages.val_loss["naive"]
            for validation in ("auto", rule)
        ]
        assert naive[0] == naive[1]
    share = 0.1
    entropy = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert naive[0] == pytest.approx(entropy, rel=0.2)


def test_absolute_loss_is_less_drawn_by_outliers():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(300, 2))
    law = inputs[:, 0] * inputs[:, 1]
    spoilt = law.copy()
    spoilt[::10] += 30.0
    errors = {
        loss: np.abs(
            regressor(
                genotype="product",
                loss=loss,
                max_epochs=20,
                learning_rate=0.02,
                early_stopping=False,
            )
            .fit(inputs, spoilt)
            .predict(inputs)
            - law
        ).mean()
        for loss in ("mse", "mae", "huber")
    }
    assert errors["mae"] < errors["mse"]
    assert errors["huber"] < errors["mse"]


# -- the list of parameters -----------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [GrowingDARTSRegressor, GrowingDARTSClassifier])
def test_every_parameter_is_keyword_only_checked_and_documented(estimator):
    signature = inspect.signature(estimator)
    constraints = estimator._parameter_constraints
    for name, parameter in signature.parameters.items():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert f"    {name} : " in estimator.__doc__
        assert name in constraints or name == "class_weight"
    with pytest.raises(TypeError):
        estimator("two_input")


def test_the_two_estimators_share_their_parameters_and_defaults():
    first, second = (
        inspect.signature(estimator).parameters
        for estimator in (GrowingDARTSRegressor, GrowingDARTSClassifier)
    )
    assert set(first) - set(second) == {"target_channels", "loss"}
    assert set(second) - set(first) == {"class_weight"}
    for name in set(first) & set(second):
        assert first[name].default == second[name].default
