"""What is trained beside the network that was found, for the mean of both: each errs elsewhere."""

from __future__ import annotations

import dataclasses
import warnings

from sknas.derived import NetworkSpec
from sknas.estimators._account import Stage
from sknas.estimators._planting import build_fresh, plant
from sknas.estimators._settings import make_schedule
from sknas.estimators._trainer import Trainer
from sknas.estimators._trainings import mixed_version, near_lookback, near_versions
from sknas.exceptions import SearchWarning

__all__ = ["average", "look_nearer", "mix_channels"]

MOST_WORSE = 0.005  # that a mean may validate


def average(fit: Trainer) -> None:
    """Offer the mean of several trained networks; train those that are missing.

    Parameters
    ----------
    fit : Trainer
        What has trained, and is to train.
    """
    wanted = _n_models(fit)
    if wanted == 1 or not fit.stages.trainings:
        return
    best = fit.stages.best_trained
    genotype = best.spec.genotype
    if not genotype.branches:
        return
    n_models = _n_within_bounds(fit, wanted)
    for number in range(len(fit.stages.trainings) + 1, n_models + 1):
        fresh = fit.fresh(best, genotype)
        fit.train_stage(f"retrained {number}", "retrain", fresh, fit.schedule.fresh_epochs)
    members = sorted(fit.stages.trainings, key=lambda stage: stage.loss)[:n_models]
    if len(members) > 1:
        fit.stages.add_mean("averaged", members)


def mix_channels(fit: Trainer) -> None:
    """Train what was found for single channels on all of them; offer the mean of both.

    Both err in different places, and so their mean is taken unless it validates worse by half a
    percent, or by a standard error: what channels tell of each other may be nothing.

    Parameters
    ----------
    fit : Trainer
        What has trained, and is to train.
    """
    stages = fit.stages
    if stages.has_previous or fit.is_cut_short or not stages.trainings:
        return
    best = stages.best_trained
    mixed = mixed_version(best.spec.genotype, fit.problem, fit.settings)
    if mixed is None:
        return
    fresh = fit.fresh(best, mixed)
    alone = stages.mean_or_best
    if not fit.space.fits(alone.n_params + fresh.n_params - stages.seed.n_params):
        return
    problem = dataclasses.replace(fit.problem, channel_mode="mixed")
    schedule = make_schedule(problem, fit.settings, fit.start)
    fit.train_stage("mixed", "mix", fresh, schedule.fresh_epochs, schedule)
    _offer_mean(fit, "blended", alone, stages.trainings[-1])


def look_nearer(fit: Trainer) -> None:
    """Train what was found on the newest steps of each window alone; offer the mean of both.

    The mean is one network: of it some branches reach back less far than others.

    Parameters
    ----------
    fit : Trainer
        What has trained, and is to train.
    """
    stages = fit.stages
    if stages.has_previous or fit.is_cut_short or not stages.trainings:
        return
    far = stages.mean_or_best
    found = far.own_network.spec.genotype
    lookback = near_lookback(fit.problem, fit.settings)
    if lookback is None or not found.branches:
        return
    alike = dataclasses.replace(
        fit.settings,
        channel_mode=fit.problem.channel_mode,
        window_norm=fit.problem.window_norm,
    )
    planted, problem, _ = plant(fit.problem.shortened(lookback), alike, fit.schedule.deadline)
    near = [
        build_fresh(
            NetworkSpec(genotype, problem.shape, problem.window_norm, problem.channel_mode),
            planted,
            problem,
        )
        for genotype in near_versions(found, problem)
    ]
    n_branches = sum(network.n_params - planted.n_params for network in near)
    if not fit.space.fits(far.n_params + n_branches):
        return
    for number, network in enumerate(near, start=1):
        mode = network.spec.genotype.branches[0].channel_mode
        read = dataclasses.replace(problem, channel_mode=mode)
        schedule = make_schedule(read, fit.settings, fit.start)
        name = "near" if number == 1 else f"near {number}"
        fit.train_stage(name, "near", network, schedule.fresh_epochs, schedule, problem)
    members = stages.trainings[-len(near) :]
    if not fit.is_cut_short:
        both = members[0] if len(members) == 1 else stages.add_mean("nearer", members)
        _offer_mean(fit, "far and near", far, both)


def _offer_mean(fit: Trainer, name: str, one: Stage, other: Stage) -> None:
    """Offer the mean of two networks unless it validates worse than the first."""
    stages = fit.stages
    if fit.is_cut_short:
        return
    mean = stages.add_mean(name, [one, other])
    is_as_good = mean.loss <= (1.0 + MOST_WORSE) * one.loss
    if not is_as_good or stages.is_better(one, mean, 1.0):
        mean.network = None


def _n_models(fit: Trainer) -> int:
    """Return how many networks to average; by default those that are trained anyway."""
    if fit.settings.n_models != "auto":
        return int(fit.settings.n_models)
    if fit.is_cut_short or not fit.trainings.are_averaged:
        return 1
    return max(1, len(fit.stages.trainings))


def _n_within_bounds(fit: Trainer, wanted: int) -> int:
    """Return how many trained networks may be averaged, `max_params` being the mean's."""
    seed = fit.stages.seed.n_params
    branches = max(stage.n_params for stage in fit.stages.trainings) - seed
    n_models = wanted
    while n_models > 1 and not fit.space.fits(seed + n_models * branches):
        n_models -= 1
    if n_models < wanted and fit.settings.n_models != "auto":
        warnings.warn(
            f"max_params={fit.settings.max_params} leaves room for {n_models} of n_models="
            f"{wanted} networks. Raise max_params, or lower hidden_size.",
            SearchWarning,
            stacklevel=8,
        )
    return n_models
