"""A phase returns its best network, whatever ends it, and visits the samples it should."""

import dataclasses
import math
import time
from collections import Counter

import pytest
import torch
from torch import nn

import sknas.training.nets as nets
import sknas.training.phases as phases
from sknas.blocks import NetworkShape, WindowData
from sknas.blocks.objective import MeanSquared
from sknas.blocks.window_data import losses
from sknas.derived import DerivedNetwork, NetworkSpec
from sknas.genotype import NAMED_CELLS, Genotype
from sknas.search import EffectPruning, PeriodicGrowth
from sknas.search.plan import Plan
from sknas.search.space import SearchSpace
from sknas.supernet import Mixing, SoftmaxRelaxation
from sknas.training import (
    Problem,
    Schedule,
    mean_loss,
    plant_seed,
    run_search,
    torch_runtime,
    train_network,
    validation_losses,
)
from sknas.training.feeds import Feed, SearchFeed
from sknas.training.onlooker import NOBODY, Onlooker
from sknas.training.runtime import TimeIsUpError
from tests.tiny import generator, normal

SHAPE = NetworkShape(n_channels=2, lookback=4, n_targets=2, horizon=1, target_channels=(0, 1))


def problem(n=60, *, seed=0):
    past = normal(n, 2, 4, seed=seed)
    target = (past[:, :, -1:] * past[:, :, -2:-1] + past[:, :, :1]).contiguous()
    index = torch.arange(n)
    return Problem(
        WindowData(past, target, torch.ones(n, dtype=torch.float64)),
        SHAPE,
        train=index[:40],
        weight=index[:30],
        arch=index[30:40],
        validation=index[45:],
        everything=index,
        objective=MeanSquared(),
        window_norm="last",
        channel_mode="mixed",
        dtype=torch.float64,
        generator=generator(seed),
    )


def schedule(**changes):
    usual = {
        "search_epochs": 6,
        "max_epochs": 6,
        "fresh_epochs": 6,
        "n_epoch_steps": 10,
        "batch_size": 64,
        "learning_rate": 0.01,
        "weight_decay": 0.0,
        "arch_learning_rate": 0.01,
        "patience": None,
        "dropout": 0.0,
        "linear_seed": True,
        "max_norm": 1.0,
        "deadline": math.inf,
    }
    return Schedule(**{**usual, **changes})


def network(task, name="gru"):
    genotype = Genotype.named(name, hidden_size=4, segment_length=2)
    spec = NetworkSpec(genotype, task.shape, task.window_norm, task.channel_mode)
    return DerivedNetwork(spec, generator=task.generator, dtype=task.dtype)


class Listener(Onlooker):
    def __init__(self, seen):
        self.seen = seen

    def end_epoch(self, row, network):
        self.seen.append(row)


def train(task, net, plan=None, *, validates=True, n_epochs=6, onlooker=NOBODY):
    return train_network(
        task,
        plan or schedule(),
        net,
        task.train,
        validates=validates,
        n_epochs=n_epochs,
        onlooker=onlooker,
    )


def search(task, plan=None, *, mode="interleaved", cells=("highway",), onlooker=NOBODY):
    plan = plan or schedule()
    space = SearchSpace(("hadamard", "lin_tanh"), 3, None, 4, 2, (2, 1), "mixed", is_sequence=True)
    return run_search(
        task,
        plan,
        plant_seed(task, Mixing(SoftmaxRelaxation()), is_linear=True),
        Plan(mode, plan.search_epochs, PeriodicGrowth(period=1), EffectPruning(n_rounds=1)),
        space,
        [NAMED_CELLS[name] for name in cells],
        onlooker=onlooker,
    )


def score(net, task):
    return mean_loss(validation_losses(net, task), task)


# -- losses ---------------------------------------------------------------------------------------


def test_the_mean_loss_weighs_samples():
    task = problem()
    each = validation_losses(network(task), task)
    weight = torch.arange(len(each), dtype=torch.float64)
    task.data.weight[task.validation] = weight
    expected = sum(float(w * e) for w, e in zip(weight, each, strict=True)) / float(weight.sum())
    assert mean_loss(each, task) == pytest.approx(expected)
    task.data.weight[task.validation] = 0.0
    assert math.isnan(mean_loss(each, task))


def test_losses_are_those_of_one_sample_at_a_time():
    task = problem()
    net = network(task)
    each = losses(net, task.data, task.validation, task.objective)
    for loss, i in zip(each, task.validation, strict=True):
        past, target, _ = task.data.take(i[None])
        expected = (net(past) - target).square().mean().detach()
        assert float(loss) == pytest.approx(float(expected))


# -- the linear seed ------------------------------------------------------------------------------


def test_the_planted_seed_is_the_whole_network_and_beats_the_zero_seed():
    task = problem()
    seed = plant_seed(task, Mixing(SoftmaxRelaxation()), is_linear=True)
    zero = plant_seed(task, Mixing(SoftmaxRelaxation()), is_linear=False)
    assert seed.n_nodes == zero.n_nodes == 0
    assert seed.n_params == zero.n_params
    assert score(seed, task) < score(zero, task)
    past = task.data.past
    torch.testing.assert_close(zero(past), past[:, :, -1:], rtol=0, atol=0)


# -- training -------------------------------------------------------------------------------------


def test_training_keeps_the_epoch_that_validated_best():
    task = problem()
    net = network(task)
    before = score(net, task)
    phase = train(task, net)
    assert phase.network is net
    assert phase.loss == pytest.approx(score(net, task), rel=1e-12)
    assert phase.loss == min(before, *(row["val_loss"] for row in phase.rows))
    assert phase.loss < before
    assert phase.best_epoch == 1 + min(range(6), key=lambda i: phase.rows[i]["val_loss"])


def test_training_that_only_harms_returns_the_weights_that_it_was_given():
    task = problem()
    net = network(task)
    given = {name: value.clone() for name, value in net.state_dict().items()}
    phase = train(task, net, schedule(learning_rate=1e4))
    if phase.best_epoch == 0:
        for name, value in net.state_dict().items():
            torch.testing.assert_close(value, given[name], rtol=0, atol=0)
    assert phase.loss == score(net, task)
    assert all(value.isfinite().all() for value in net.state_dict().values())


def test_training_without_validation_keeps_the_last_epoch():
    task = problem()
    net = network(task)
    phase = train(task, net, validates=False, n_epochs=3)
    assert phase.best_epoch == len(phase.rows) == 3
    assert all(math.isnan(row["val_loss"]) for row in phase.rows)


@pytest.mark.parametrize("patience", [1, 3])
def test_training_stops_after_as_many_epochs_without_progress(patience):
    task = problem()
    phase = train(task, network(task), schedule(patience=patience, learning_rate=1.0), n_epochs=200)
    assert len(phase.rows) == phase.best_epoch + patience


def test_records_count_epochs_and_carry_sizes():
    task = problem()
    net, seen = network(task), []
    phase = train(task, net, onlooker=Listener(seen))
    assert phase.rows == seen
    assert [row["epoch"] for row in seen] == list(range(1, 7))
    assert {row["n_params"] for row in seen} == {net.n_params}
    assert all(row["seconds"] > 0 for row in seen)
    assert sum(row["seconds"] for row in seen) <= phase.seconds


def test_a_spent_budget_ends_training_with_the_network_at_hand():
    task = problem()
    net = network(task)
    before = score(net, task)
    phase = train(task, net, schedule(deadline=time.monotonic() - 1.0))
    assert isinstance(phase.interruption, TimeIsUpError)
    assert phase.rows == []
    assert phase.loss == score(net, task) == before


@pytest.mark.parametrize("step", [0, 10, 35])
def test_an_interrupt_ends_training_with_the_best_epoch(step, monkeypatch):
    whole, count = nets.DerivedNet.train_step, iter(range(1000))

    def step_or_raise(*args, **kwargs):
        if next(count) == step:
            raise KeyboardInterrupt
        return whole(*args, **kwargs)

    monkeypatch.setattr(nets.DerivedNet, "train_step", step_or_raise)
    task = problem()
    net = network(task)
    phase = train(task, net)
    assert isinstance(phase.interruption, KeyboardInterrupt)
    assert len(phase.rows) == step // 10
    assert phase.loss == pytest.approx(score(net, task), rel=1e-12)


def test_any_other_error_passes_through(monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("from inside")

    monkeypatch.setattr(nets.DerivedNet, "train_step", fail)
    task = problem()
    with pytest.raises(RuntimeError, match="from inside"):
        train(task, network(task))


# -- the search -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["sequential", "interleaved", "fixed"])
def test_a_search_never_returns_worse_than_the_seed(mode):
    task = problem()
    seed = score(plant_seed(task, Mixing(SoftmaxRelaxation()), is_linear=True), task)
    phase = search(task, mode=mode)
    assert phase.loss <= seed
    assert score(phase.network, task) == pytest.approx(phase.loss, rel=1e-9)
    assert len(phase.rows) <= 6
    if phase.network.spec.genotype.branches:
        assert phase.supernet_loss <= phase.loss * (1 + 1e-9)
        assert phase.n_supernet_params in [row["n_params"] for row in phase.rows]


def test_a_search_reports_each_epoch_once():
    seen = []
    phase = search(problem(), onlooker=Listener(seen))
    assert seen == phase.rows
    assert [row["epoch"] for row in seen] == list(range(1, len(seen) + 1))


@pytest.mark.parametrize("step", [0, 25])
def test_an_interrupt_ends_a_search_with_its_incumbent(step, monkeypatch):
    whole, count = nets.weight_step, iter(range(1000))

    def step_or_raise(*args):
        if next(count) == step:
            raise KeyboardInterrupt
        return whole(*args)

    monkeypatch.setattr(nets, "weight_step", step_or_raise)
    task = problem()
    phase = search(task)
    assert isinstance(phase.interruption, KeyboardInterrupt)
    assert len(phase.rows) == step // 10
    assert score(phase.network, task) == pytest.approx(phase.loss, rel=1e-9)


def test_a_spent_budget_ends_a_search_with_the_seed():
    task = problem()
    phase = search(task, schedule(deadline=time.monotonic() - 1.0))
    assert isinstance(phase.interruption, TimeIsUpError)
    assert phase.network.spec.genotype == Genotype.named("linear")


# -- feeds ----------------------------------------------------------------------------------------


def visited(feed):
    """Return, for each batch, the samples that it holds; their first value is their number."""
    return [[int(i) for i in past[:, 0, 0]] for past, _, _ in feed]


def numbered(n=20):
    number = torch.arange(n, dtype=torch.float64)
    return WindowData(number[:, None, None], number[:, None, None], torch.ones(n))


@pytest.mark.parametrize(("batch_size", "n_steps"), [(5, 4), (6, 9), (3, 2), (20, 3), (64, 2)])
def test_an_epoch_has_as_many_steps_as_told_and_visits_evenly(batch_size, n_steps):
    index = torch.arange(3, 20)
    batches = visited(Feed(numbered(), index, batch_size, n_steps, generator()))
    assert len(batches) == n_steps
    counts = Counter(i for batch in batches for i in batch)
    assert set(counts) <= set(index.tolist())
    assert all(len(set(batch)) == len(batch) for batch in batches)
    assert max(counts.values()) - min(counts.get(i, 0) for i in index.tolist()) <= max(
        2, n_steps * batch_size // len(index)
    )


def test_one_batch_is_never_reordered():
    index = torch.tensor([7, 3, 5])
    assert visited(Feed(numbered(), index, 3, 2, generator())) == [[7, 3, 5]] * 2


def test_the_order_comes_from_the_given_generator_alone():
    first, second, other = (
        visited(Feed(numbered(), torch.arange(20), 5, 8, generator(seed))) for seed in (0, 0, 1)
    )
    assert first == second != other


def test_a_search_trains_on_all_samples_until_something_is_undecided():
    class Stub:
        free = ()

        @property
        def learner(self):
            return self

        @property
        def supernet(self):
            return self

        def free_arch_parameters(self):
            return self.free

    data, stub = numbered(), Stub()
    feed = SearchFeed(
        Feed(data, torch.arange(20), 20, 1, generator()),
        Feed(data, torch.arange(15), 20, 1, generator()),
        stub,
    )
    assert len(visited(feed)[0]) == 20
    stub.free = (nn.Parameter(torch.zeros(1)),)
    assert len(visited(feed)[0]) == 15


# -- settings of the process ----------------------------------------------------------------------


def test_the_runtime_gives_back_what_it_borrowed_also_when_nested_or_broken():
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with torch_runtime():
            assert torch.get_num_threads() == 1
            with torch_runtime():
                assert torch.get_num_threads() == 1
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        with pytest.raises(ZeroDivisionError), torch_runtime():
            _ = 1 / 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("channel_mode", ["mixed", "independent"])
def test_an_epoch_is_judged_by_thousands_of_sequences_and_the_end_by_all(monkeypatch, channel_mode):
    task = dataclasses.replace(problem(20_045), channel_mode=channel_mode)
    judges = []

    def make_probe(task, n_samples=None):
        judges.append(genuine(task, n_samples))
        return judges[-1]

    genuine = phases.make_probe
    monkeypatch.setattr(phases, "make_probe", make_probe)
    net = network(task)
    phase = train(task, net, schedule(n_epoch_steps=1), n_epochs=1)
    n_each = 2 if channel_mode == "independent" else 1
    assert [5000 < len(probe.index) * n_each <= 8192 for probe in judges] == [True]
    assert phase.loss == mean_loss(validation_losses(net, task), task)
