"""The share of the training part that architecture parameters learn on can be set."""

import math

import numpy as np
import pytest

import sknas.estimators.base as base
from sknas.search import EveryKSchedule, InformationSchedule
from tests.small import (
    FIXED,
    LOOKBACK,
    classifier,
    futures,
    product,
    regressor,
    search_rows,
    sequences,
)

pytestmark = pytest.mark.usefixtures("short_epochs")
X, Y = product()
SHORT = {**FIXED, "search_epochs": 6}
N_OPEN = 3  # epochs of it in which nothing is pruned yet


@pytest.fixture
def parts(monkeypatch):
    """Return a function that fits a linear seed and tells the parts that the fit was split into."""
    problems = []
    whole = base.prepare

    def watched(*args, **kwargs):
        prepared = whole(*args, **kwargs)
        problems.append(prepared.problem)
        return prepared

    monkeypatch.setattr(base, "prepare", watched)

    def split(model, *data):
        model.set_params(max_nodes=0).fit(*data)
        problem = problems[-1]
        names = ("train", "weight", "arch", "validation")
        return tuple(getattr(problem, name).numpy() for name in names)

    split.problems = problems
    return split


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.8])
def test_in_time_order_it_is_the_last_share_of_the_training_part_behind_a_gap(parts, fraction):
    frame, future = futures(300)
    n_gap = LOOKBACK + future.shape[1]
    model = regressor(lookback=LOOKBACK, arch_fraction=fraction)
    train, weight, arch, validation = parts(model, frame, future)
    assert arch.tolist() == train[-math.ceil(fraction * len(train)) :].tolist()
    assert weight.tolist() == train[: len(weight)].tolist()
    assert arch[0] - weight[-1] - 1 == min(n_gap, len(train) - len(arch) - len(weight))
    n_before = len(train) - len(arch)
    assert len(weight) == max(n_before - n_gap, (n_before + 1) // 2)
    assert validation[0] - arch[-1] - 1 == n_gap


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.8])
def test_of_windows_too_the_past_alone_is_learnt_from(parts, fraction):
    _, weight, arch, validation = parts(regressor(arch_fraction=fraction), *sequences())
    assert weight.max() < arch.min() <= arch.max() < validation.min()


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.8])
def test_of_shuffled_rows_it_is_that_share_and_the_rest_is_for_weights(parts, fraction):
    train, weight, arch, _ = parts(regressor(arch_fraction=fraction), X, Y)
    assert abs(len(arch) - fraction * len(train)) <= 1
    assert sorted([*weight, *arch]) == sorted(train)


@pytest.mark.parametrize("fraction", [0.25, 0.5])
def test_of_classes_it_is_that_share_of_each(parts, fraction):
    labels = np.repeat(["rare", "usual"], [30, 90])
    train, weight, arch, _ = parts(classifier(arch_fraction=fraction), X, labels)
    assert sorted([*weight, *arch]) == sorted(train)
    classes = parts.problems[-1].data.target.numpy()
    for n_of_class, n_in_arch in zip(
        np.bincount(classes[train]), np.bincount(classes[arch]), strict=True
    ):
        assert abs(n_in_arch - fraction * n_of_class) <= 1


@pytest.mark.parametrize(
    ("schedule", "fraction"),
    [
        (InformationSchedule(frequency=4), 1 / 5),
        (InformationSchedule(), 1 / 11),
        ("information", 1 / 11),
        (EveryKSchedule(k=3), 1 / 3),
        ("every_k", 1 / 2),
        ("alternate", 1 / 2),
    ],
    ids=str,
)
def test_the_schedules_share_of_steps_is_a_share_of_the_samples(parts, schedule, fraction):
    by_name = parts(regressor(arch_schedule=schedule, arch_fraction="schedule"), X, Y)
    by_number = parts(regressor(arch_fraction=fraction), X, Y)
    for one, other in zip(by_name, by_number, strict=True):
        assert np.array_equal(one, other)
    assert len(by_name[2]) == pytest.approx(fraction * len(by_name[0]), abs=1)


def test_by_default_it_is_a_quarter_whatever_the_schedule(parts):
    for schedule in ("alternate", "every_k", "information"):
        default = parts(regressor(arch_schedule=schedule), X, Y)
        quarter = parts(regressor(arch_schedule=schedule, arch_fraction=0.25), X, Y)
        assert all(map(np.array_equal, default, quarter))


def test_the_history_shows_how_many_samples_are_held_out_while_something_is_undecided():
    models = [
        regressor(**SHORT, arch_schedule=InformationSchedule(frequency=2), arch_fraction=share).fit(
            X, Y
        )
        for share in ("auto", "schedule", 0.7)
    ]
    n_train = 0.8 * len(X)
    for model, fraction in zip(models, (1 / 4, 1 / 3, 0.7), strict=True):
        n_held_out = search_rows(model, "arch_samples")
        assert set(n_held_out[:N_OPEN]) == {n_held_out[0]}
        assert n_held_out[0] == pytest.approx(fraction * n_train, abs=1)
    settled = regressor(mode="random", max_nodes=2).fit(X, Y)
    assert (search_rows(settled, "arch_samples") == 0).all()
    losses = [search_rows(model, "train_loss")[0] for model in models]
    assert len(set(losses)) == len(losses)


def test_a_schedule_without_a_share_cannot_say_how_much():
    class Never(EveryKSchedule):
        share = 0.0

    with pytest.raises(ValueError, match=r"arch_fraction='schedule' needs .* Never\(.*share of 0"):
        regressor(arch_schedule=Never(), arch_fraction="schedule").fit(X, Y)
    regressor(arch_schedule=Never(), max_nodes=0).fit(X, Y)


@pytest.mark.parametrize("options", [{"genotype": "product"}, {"mode": "random"}], ids=str)
def test_where_nothing_is_undecided_it_changes_nothing(options):
    short = {"search_epochs": 6, "max_epochs": 4, "hidden_size": 4}
    one, other = (
        regressor(**short, **options, arch_fraction=share).fit(X, Y).predict(X)
        for share in (0.1, 0.6)
    )
    assert np.array_equal(one, other)
