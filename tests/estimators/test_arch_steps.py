"""How architecture steps are taken can be chosen, and the history shows what came of it."""

from itertools import pairwise

import joblib
import numpy as np
import pytest

import sknas.search
import sknas.training.nets as nets
from sknas.estimators._settings import MAX_NORM
from sknas.search import (
    AdmmRegularizer,
    AlternateSchedule,
    ArchRegularizer,
    EveryKSchedule,
    InformationSchedule,
    ProximityRegularizer,
    ZeroOneRegularizer,
)
from tests.small import EAGER, FIXED, N_EPOCH_STEPS, history, product, regressor, search_rows
from tests.tiny import members

pytestmark = pytest.mark.usefixtures("short_epochs")
X, Y = product()
N_OPEN = 8  # epochs of it in which nothing is pruned yet


# -- the schedule ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "schedule",
    [
        AlternateSchedule(),
        EveryKSchedule(k=4),
        EveryKSchedule(k=7),
        InformationSchedule(frequency=4),
        InformationSchedule(frequency=1, momentum=0.0),
    ],
    ids=str,
)
def test_the_schedule_sets_the_share_of_architecture_steps(schedule):
    model = regressor(**FIXED, arch_schedule=schedule).fit(X, Y)
    n_steps = search_rows(model, "arch_steps")[:N_OPEN].sum()
    n_wanted = schedule.share * N_OPEN * N_EPOCH_STEPS
    slack = 0 if isinstance(schedule, AlternateSchedule) else 1
    if isinstance(schedule, InformationSchedule):
        slack = 0.25 * n_wanted + 2  # the threshold still follows gradients that fall
    assert abs(n_steps - n_wanted) <= slack


def test_by_default_each_step_has_an_architecture_step():
    default = regressor(**FIXED).fit(X, Y)
    assert (search_rows(default, "arch_steps")[:N_OPEN] == N_EPOCH_STEPS).all()
    named = regressor(**FIXED, arch_schedule="alternate").fit(X, Y)
    assert history(default).equals(history(named))
    assert np.array_equal(default.predict(X), named.predict(X))


@pytest.mark.parametrize(
    ("name", "schedule"),
    [("every_k", EveryKSchedule()), ("information", InformationSchedule())],
)
def test_the_name_of_a_schedule_means_it_with_its_defaults(name, schedule):
    twins = [regressor(**FIXED, arch_schedule=given).fit(X, Y) for given in (name, schedule)]
    assert history(twins[0]).equals(history(twins[1]))
    assert (search_rows(twins[0], "arch_steps")[:N_OPEN] < N_EPOCH_STEPS).all()


@pytest.mark.parametrize("schedule", [EveryKSchedule(k=3), InformationSchedule(frequency=3)])
def test_one_schedule_serves_several_fits_and_stays_as_it_was(schedule):
    before = joblib.hash(schedule)
    first = regressor(**FIXED, arch_schedule=schedule).fit(X, Y)
    second = regressor(**FIXED, arch_schedule=schedule).fit(X, Y)
    assert joblib.hash(schedule) == before
    assert history(first).equals(history(second))


def test_each_architecture_step_gets_a_fresh_batch(monkeypatch):
    seen = []
    whole = nets.arch_step

    def watched(learner, batch, *rest):
        seen.append(batch)
        return whole(learner, batch, *rest)

    monkeypatch.setattr(nets, "arch_step", watched)
    model = regressor(**FIXED, arch_schedule=InformationSchedule(frequency=2), batch_size=8).fit(
        X, Y
    )
    assert len(seen) == search_rows(model, "arch_steps").sum() > 20
    assert not any(before[1].equal(after[1]) for before, after in pairwise(seen))


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (EveryKSchedule(k=0), "'k'.*Got 0"),
        (EveryKSchedule(k=1.5), "'k'.*Got 1.5"),
        (InformationSchedule(frequency=0), "'frequency'.*Got 0"),
        (InformationSchedule(momentum=1.0), "'momentum'.*Got 1.0"),
        (InformationSchedule(rate=1.0), "'rate'.*Got 1.0"),
    ],
    ids=str,
)
def test_an_impossible_parameter_of_a_schedule_is_named(rule, told):
    with pytest.raises(ValueError, match=told):
        regressor(arch_schedule=rule).fit(X, Y)


def test_a_schedules_parameters_can_be_set_from_outside():
    model = regressor(arch_schedule=InformationSchedule())
    model.set_params(arch_schedule__frequency=3)
    assert model.arch_schedule.frequency == 3


# -- the regularizer ------------------------------------------------------------------------------

OPEN_GATES = {**FIXED, "operations": "default", "search_epochs": 16, "relaxation": "scaled_sigmoid"}


def entropies(regularizer, **changes):
    model = regressor(**{**OPEN_GATES, **changes}, arch_regularizer=regularizer).fit(X, Y)
    return search_rows(model, "gate_entropy")[:10]


@pytest.fixture(scope="module")
def entropy_without(short_epochs):
    return entropies(None)[-1]


@pytest.mark.parametrize(
    "rule", [r for r in members(ArchRegularizer, sknas.search) if r is not ZeroOneRegularizer]
)
def test_what_draws_to_one_candidate_lowers_the_entropy_of_the_gates(rule, entropy_without):
    assert entropies(rule(strength=1.0))[-1] < 0.95 * entropy_without


def test_the_zero_one_loss_changes_how_many_gates_stay_open(short_epochs):
    n_open, n_without = (
        np.exp([entropies(rule, random_state=seed)[-1] for seed in (3, 4)])
        for rule in (ZeroOneRegularizer(strength=3.0), None)
    )
    assert abs(n_open - n_open.round()).max() < 0.05  # each is zero or one
    assert abs(n_open - n_without).max() > 0.5


def test_proximity_does_nothing_in_the_first_epoch_and_more_and_more_later():
    without, weak, strong = (
        entropies(ProximityRegularizer(strength=strength), relaxation="softmax", search_epochs=12)
        for strength in (0.0, 1.0, 5.0)
    )
    assert without[0] == weak[0] == strong[0]
    gaps = without[:N_OPEN] - weak[:N_OPEN]
    assert gaps[1] < gaps[3] < gaps[5]
    assert (strong[2:N_OPEN] < weak[2:N_OPEN]).all()


def test_without_a_regularizer_nothing_changes_and_a_strength_of_zero_is_none():
    default, none = regressor(**FIXED).fit(X, Y), regressor(**FIXED, arch_regularizer=None)
    idle = regressor(**FIXED, arch_regularizer=AdmmRegularizer(strength=0.0))
    for model in (none, idle):
        assert history(model.fit(X, Y)).equals(history(default))


@pytest.mark.parametrize(
    ("name", "regularizer"),
    [
        ("proximity", ProximityRegularizer()),
        ("admm", AdmmRegularizer()),
        ("zero_one", ZeroOneRegularizer()),
    ],
)
def test_the_name_of_a_regularizer_means_it_with_its_defaults(name, regularizer):
    before = joblib.hash(regularizer)
    twins = [regressor(**FIXED, arch_regularizer=given).fit(X, Y) for given in (name, regularizer)]
    assert history(twins[0]).equals(history(twins[1]))
    assert joblib.hash(regularizer) == before


@pytest.mark.slow
def test_a_regularizer_with_a_memory_serves_several_searches_in_which_nodes_come_and_go():
    rule = AdmmRegularizer(strength=1.0, period=3)
    grown = {**EAGER, "mode": "interleaved"}
    first, second = (regressor(**grown, arch_regularizer=rule).fit(X, Y) for _ in range(2))
    assert (np.diff(search_rows(first, "n_candidates")) < 0).any()
    assert len(first.growth_events_) > 1
    assert history(first).equals(history(second))
    assert not history(first).equals(history(regressor(**grown).fit(X, Y)))


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (ProximityRegularizer(strength=-1.0), "'strength'.*Got -1.0"),
        (AdmmRegularizer(strength="much"), "'strength'.*Got 'much'"),
        (AdmmRegularizer(period=0), "'period'.*Got 0"),
        (ZeroOneRegularizer(strength=np.nan), "'strength'.*Got nan"),
    ],
    ids=str,
)
def test_an_impossible_parameter_of_a_regularizer_is_named(rule, told):
    with pytest.raises(ValueError, match=told):
        regressor(arch_regularizer=rule).fit(X, Y)


# -- the order ------------------------------------------------------------------------------------


def test_the_second_order_takes_as_many_steps_and_other_ones():
    first, second = (
        regressor(**FIXED, arch_order=order, learning_rate=0.02).fit(X, Y) for order in (1, 2)
    )
    steps = [search_rows(model, "arch_steps")[:N_OPEN].tolist() for model in (first, second)]
    assert steps[0] == steps[1]
    gaps = np.abs(np.subtract(*(search_rows(m, "gate_entropy")[:N_OPEN] for m in (first, second))))
    assert (gaps > 1e-6).all()
    assert gaps.max() > 1e-3


def test_the_second_order_looks_ahead_on_the_batch_that_the_weights_take_next(monkeypatch):
    looked_at, taken = [], []
    whole = {name: getattr(nets, name) for name in ("arch_step", "weight_step")}

    def arch_step(learner, batch, objective, ahead):
        looked_at.append(ahead)
        return whole["arch_step"](learner, batch, objective, ahead)

    def weight_step(learner, batch, *rest):
        if len(taken) < len(looked_at):
            taken.append(batch)
        return whole["weight_step"](learner, batch, *rest)

    monkeypatch.setattr(nets, "arch_step", arch_step)
    monkeypatch.setattr(nets, "weight_step", weight_step)
    regressor(**{**FIXED, "search_epochs": 5}, arch_order=2, batch_size=16).fit(X, Y)
    assert len(looked_at) == len(taken) > N_EPOCH_STEPS
    assert all(a.batch is b for a, b in zip(looked_at, taken, strict=True))
    assert {a.max_norm for a in looked_at} == {MAX_NORM}


def test_all_options_of_architecture_steps_work_together():
    grown = {**EAGER, "mode": "interleaved", "search_epochs": 10}
    options = {"arch_schedule": EveryKSchedule(k=2), "arch_regularizer": "admm"}
    models = [
        regressor(**{**grown, **options, "arch_order": order}).fit(X, Y) for order in (1, 2, 2)
    ]
    assert not history(models[0]).equals(history(models[1]))
    assert history(models[1]).equals(history(models[2]))
    assert np.isfinite(models[1].predict(X)).all()


def test_a_schedule_begins_anew_with_every_mixed_phase(monkeypatch):
    begun, start = [], InformationSchedule.start

    def started(schedule):
        begun.append(schedule)
        return start(schedule)

    monkeypatch.setattr(InformationSchedule, "start", started)
    model = regressor(**{**EAGER, "search_epochs": 24}, arch_schedule="information").fit(X, Y)
    is_open = search_rows(model, "arch_samples") > 0
    n_phases = int(is_open[0]) + int((np.diff(is_open.astype(int)) == 1).sum())
    assert n_phases >= 2
    assert len(begun) == n_phases + int(not is_open[0])
