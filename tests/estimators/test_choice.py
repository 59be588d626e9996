"""Which of the stages of a fit becomes its result."""

import dataclasses
import math

import pytest
import torch

from sknas.estimators import _stages
from sknas.estimators._stages import Stages
from sknas.search.inheritance import derive
from sknas.supernet import Mixing, SigmoidRelaxation
from sknas.training import Phase, plant_seed
from sknas.training.runtime import TimeIsUpError
from tests.training.test_phases import problem


@pytest.fixture
def offered(monkeypatch):
    """Return a function that chooses between networks of given losses on each sample."""
    task = dataclasses.replace(problem(200), validation=torch.arange(100, 200), is_in_time=False)
    losses = {}
    monkeypatch.setattr(
        _stages, "validation_losses", lambda network, _, **by_target: losses[network]
    )
    noise = torch.rand(100, generator=torch.Generator().manual_seed(0)).double()

    def network(mean, scatter=0.0):
        supernet = plant_seed(task, Mixing(SigmoidRelaxation()), is_linear=True)
        derived = derive(supernet, generator=task.generator)
        # Roots of losses are compared: let their scatter leave the mean alone, too.
        roots = mean**0.5 + scatter * (noise - noise.mean())
        losses[derived] = mean * roots.square() / roots.square().mean()
        return derived

    def choose(*, is_cut_short=False, n_classes=0, **means):
        stages = Stages(task, network(1.0), 0.0)
        stages.problem = dataclasses.replace(task, n_classes=n_classes)
        for name, (mean, scatter) in means.items():
            derived = network(mean, scatter)
            cut = TimeIsUpError() if is_cut_short and name == "retrained" else None
            phase = Phase(derived, float(losses[derived].mean()), interruption=cut)
            stages.add_training(name, phase, 0.0)
        return stages.choose(0.0).name

    return choose


def test_the_least_loss_wins_if_it_is_clearly_less_than_the_seeds(offered):
    assert offered(trained=(0.9, 0.0), narrowed=(0.8, 0.0)) == "narrowed"
    assert offered(trained=(0.999, 0.0)) == "seed"
    assert offered(trained=(0.985, 0.3)) == "seed"
    assert offered(trained=(math.nan, 0.0)) == "seed"


def test_of_classes_what_is_likely_better_is_enough(offered):
    assert offered(trained=(0.985, 0.3)) == "seed"
    assert offered(trained=(0.985, 0.3), n_classes=2) == "trained"
    assert offered(trained=(0.985, 1.0), n_classes=2) == "seed"
    assert offered(trained=(0.996, 0.0), n_classes=2) == "seed"


def test_a_network_trained_anew_gives_way_only_to_what_is_clearly_better(offered):
    assert offered(trained=(0.90, 0.0), retrained=(0.91, 0.0)) == "trained"
    assert offered(trained=(0.90, 0.1), retrained=(0.91, 0.1)) == "trained"
    assert offered(trained=(0.90, 0.2), retrained=(0.9001, 0.0)) == "retrained"


def test_inherited_weights_stay_where_new_ones_are_no_clear_gain_over_the_seed(offered):
    # The new weights' losses scatter so much that neither difference tells anything.
    assert offered(trained=(0.98, 0.0), retrained=(0.985, 0.3)) == "trained"


def test_a_training_that_was_cut_short_is_not_preferred(offered):
    means = {"trained": (0.90, 0.2), "retrained": (0.9001, 0.0)}
    assert offered(**means) == "retrained"
    assert offered(**means, is_cut_short=True) == "trained"


# -- windows that overlap -------------------------------------------------------------------------


@pytest.fixture
def gained(monkeypatch):
    """Return a function that offers a network of given gains, in two stretches of two targets."""
    shape = dataclasses.replace(problem().shape, lookback=50, horizon=1)
    task = dataclasses.replace(problem(200), validation=torch.arange(100, 200))
    seed, network = (
        derive(
            plant_seed(task, Mixing(SigmoidRelaxation()), is_linear=True), generator=task.generator
        )
        for _ in range(2)
    )
    task = dataclasses.replace(task, shape=shape)
    monkeypatch.setattr(_stages, "_naive_loss", lambda _: 2.0)

    def choose(*gains):
        after = 1.0 - torch.tensor(gains, dtype=torch.float64).repeat_interleave(50, dim=0)
        losses = {seed: torch.ones_like(after), network: after}

        def of(network, _, *, by_target=False):
            return losses[network] if by_target else losses[network].mean(dim=1)

        monkeypatch.setattr(_stages, "validation_losses", of)
        stages = Stages(task, seed, 0.0)
        stages.add_training("trained", Phase(network, float(after.mean())), 0.0)
        return stages.choose(0.0).name

    return choose


def test_a_gain_of_most_targets_is_enough_though_two_stretches_can_make_none_clear(gained):
    # The means of the stretches, .06 and -.01, are less than one standard error of each other.
    assert gained([0.10, 0.02], [-0.03, 0.01]) == "trained"


def test_a_gain_that_targets_do_not_agree_on_is_not(gained):
    assert gained([0.12, -0.08], [-0.03, 0.03]) == "seed"
    assert gained([0.004, 0.004], [0.004, 0.004]) == "seed"  # less than half a percent
