"""Mode, growth, pruning and relaxation do what they say, and the history shows that they did."""

import numpy as np
import pytest

from sknas.ops import DEFAULT_OPERATIONS
from sknas.search import (
    EffectPruning,
    GradMaxGrowth,
    MagnitudePruning,
    NorthGrowth,
    PeriodicGrowth,
    PlateauGrowth,
)
from sknas.supernet import (
    AnnealedEdges,
    ClampRelaxation,
    GumbelRelaxation,
    ScaledSigmoidRelaxation,
    SigmoidRelaxation,
    SoftmaxRelaxation,
)
from tests.small import EAGER, FEW, product, regressor, search_rows, trained

pytestmark = pytest.mark.usefixtures("short_epochs")
X, Y = product()


def events(model):
    return [event.epoch for event in model.growth_events_]


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
        "growth": {
            "periodic": PeriodicGrowth(),
            "gradmax": GradMaxGrowth(),
            "north": NorthGrowth(),
        },
        "pruning": {"magnitude": MagnitudePruning()},
        "relaxation": {
            "scaled_sigmoid": ScaledSigmoidRelaxation(),
            "clamp": ClampRelaxation(),
            "gumbel": GumbelRelaxation(),
        },
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
    "relaxation",
    [
        SoftmaxRelaxation(),
        SigmoidRelaxation(),
        ScaledSigmoidRelaxation(),
        ClampRelaxation(),
        GumbelRelaxation(),
    ],
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
        for name in ("softmax", "sigmoid", "scaled_sigmoid", "clamp", "gumbel")
    ]
    assert len(set(entropies)) == 5


def test_edges_that_cool_come_to_a_decision_and_others_do_not():
    common = {
        **EAGER,
        "mode": "fixed",
        "operations": "default",
        "max_nodes": 2,
        "arch_learning_rate": 1e-6,
    }
    first, last = {}, {}
    for choice in ("annealed", "softmax", AnnealedEdges(start=10.0, stop=0.02)):
        model = regressor(**{**common, "edge_choice": choice, "search_epochs": 12}).fit(X, Y)
        entropy, progress = (search_rows(model, name) for name in ("edge_entropy", "progress"))
        first[str(choice)], last[str(choice)] = entropy[0], entropy[int(progress.argmax())]
    assert max(first, key=first.get) == "AnnealedEdges(start=10.0, stop=0.02)"
    assert last["AnnealedEdges(start=10.0, stop=0.02)"] < 0.1
    assert last["annealed"] < 0.5 * first["annealed"]
    assert last["softmax"] > 0.9 * first["softmax"]


def test_clamped_candidates_die_before_anything_is_pruned():
    common = {**EAGER, "mode": "fixed", "operations": "default", "max_nodes": 1}
    common |= {"search_epochs": 8, "arch_learning_rate": 0.05}
    n_candidates = {}
    for name in ("clamp", "sigmoid"):
        model = regressor(**{**common, "relaxation": name}).fit(X, Y)
        n_candidates[name] = search_rows(model, "n_candidates")
    n_before_pruning = -EffectPruning().n_rounds - 1
    n_all = n_candidates["sigmoid"][0]
    assert n_candidates["sigmoid"][n_before_pruning] == n_all
    assert 1 <= n_candidates["clamp"][n_before_pruning] < n_all
    assert (np.diff(n_candidates["clamp"]) <= 0).all()


def test_gumbel_draws_come_from_the_random_state_alone():
    common = {**EAGER, "mode": "fixed", "max_nodes": 1, "search_epochs": 6}
    models = [
        regressor(**{**common, "relaxation": "gumbel", "random_state": seed}).fit(X, Y)
        for seed in (0, 0, 1)
    ]
    losses = [search_rows(model, "train_loss").tolist() for model in models]
    assert losses[0] == losses[1] != losses[2]
    assert np.array_equal(models[0].predict(X), models[1].predict(X))


def test_a_faster_architecture_rate_moves_the_gates_further():
    common = {**EAGER, "mode": "fixed", "operations": "default", "max_nodes": 1}
    start = np.log(len(DEFAULT_OPERATIONS))
    moved = []
    for rate in (1e-6, 0.1):
        model = regressor(
            **{**common, "relaxation": "softmax", "arch_learning_rate": rate, "search_epochs": 6}
        ).fit(X, Y)
        entropy = search_rows(model, "gate_entropy")[:3]
        moved.append(np.abs(entropy - start).max())
    assert moved[0] < 1e-2
    assert moved[1] > moved[0]
