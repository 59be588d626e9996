"""How architecture steps are taken can be chosen, and the history shows what came of it."""

from itertools import pairwise

import joblib
import numpy as np
import pytest

import sknas.training.nets as nets
from sknas.search import AlternateSchedule, EveryKSchedule, InformationSchedule
from tests.small import EAGER, FEW, N_EPOCH_STEPS, product, regressor, search_rows

pytestmark = pytest.mark.usefixtures("short_epochs")
X, Y = product()
FIXED = {**EAGER, "mode": "fixed", "operations": FEW, "max_nodes": 1, "search_epochs": 12}
N_OPEN = 8  # epochs of it in which nothing is pruned yet


def history(model):
    return model.search_history_.drop(columns="seconds")


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
