"""The stages of a fit, and the choice between them on validation."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from statistics import NormalDist

import torch
from torch import Tensor, nn

from sknas.blocks import NetworkShape
from sknas.blocks.carrying import carried_forward
from sknas.blocks.window_data import losses
from sknas.derived import DerivedNetwork, average_networks
from sknas.estimators._account import Account, Stage
from sknas.training import (
    Phase,
    Problem,
    is_clear_gain,
    is_likely_gain,
    make_probe,
    mean_loss,
    validation_losses,
)

__all__ = ["Stages"]

MEANS = ("averaged", "blended", "far and near")  # each of the one before and of more


class Stages:
    """The account of a fit, from the naive prediction and the seed on, and the choice at its end.

    Parameters
    ----------
    problem : Problem
        Data and split.
    seed : DerivedNetwork
        The linear seed.
    seconds : float
        How long it took to solve.

    Attributes
    ----------
    account : Account
        Stages and phases so far.
    """

    def __init__(self, problem: Problem, seed: DerivedNetwork, seconds: float) -> None:
        self.problem = problem
        self._known: dict[tuple[DerivedNetwork, bool], Tensor] = {}
        self.seed = Stage("seed", seed, self._mean_loss(seed), seed.n_params, seconds)
        naive = Stage("naive", None, _naive_loss(problem), 0, 0.0)
        self.account = Account(stages=[naive, self.seed])

    def add_previous(self, network: DerivedNetwork) -> None:
        """Note the network that a warm start goes on from.

        Parameters
        ----------
        network : DerivedNetwork
            What the fit before left.
        """
        loss = self._mean_loss(network)
        self.account.stages.append(Stage("previous", network, loss, network.n_params, 0.0))

    @property
    def has_previous(self) -> bool:
        """Whether the fit is a warm start."""
        return any(stage.name == "previous" for stage in self.account.stages)

    @property
    def trainings(self) -> list[Stage]:
        """Stages that a training led to."""
        return [stage for stage in self.account.stages if stage.phase is not None]

    @property
    def best_trained(self) -> DerivedNetwork:
        """The trained network with the least validation loss."""
        return min(self.trainings, key=lambda stage: stage.loss).own_network

    @property
    def mean_or_best(self) -> Stage:
        """The last mean that is offered, or the best training where there is none."""
        offered = [stage for stage in self.account.stages if stage.network is not None]
        means = [stage for stage in offered if stage.name in MEANS]
        return means[-1] if means else min(self.trainings, key=lambda stage: stage.loss)

    def add_training(self, name: str, phase: Phase, seconds: float) -> None:
        """Note a stage whose network a training left behind.

        Parameters
        ----------
        name : str
            Of the stage.
        phase : Phase
            The training.
        seconds : float
            How long the stage took.
        """
        network = phase.network
        stage = Stage(name, network, phase.loss, network.n_params, seconds, phase, phase.best_epoch)
        self.account.stages.append(stage)

    def add_mean(self, name: str, members: Sequence[Stage]) -> Stage:
        """Note the network whose output is the mean of some trained ones.

        Parameters
        ----------
        name : str
            Of the stage.
        members : sequence of Stage
            Of networks with branches, at least two.

        Returns
        -------
        Stage
            The mean's.
        """
        begun = time.monotonic()
        network = average_networks([stage.own_network for stage in members])
        loss = self._mean_loss(network)
        best_epoch = round(statistics.mean(stage.best_epoch for stage in members))
        seconds = time.monotonic() - begun
        stage = Stage(name, network, loss, network.n_params, seconds, None, best_epoch)
        self.account.stages.append(stage)
        return stage

    def choose(self, size_penalty: float) -> Stage:
        """Take the stage with the least validation loss, and the seed unless the gain is clear.

        Inherited weights have been validated over the whole search, and what is chosen often is
        flattered by it: a network trained anew gives way to them only if they are better by a
        standard error of the paired differences, or if it is not clearly better than the seed. So
        do single trainings to the mean of several, by two errors: the best of them is flattered.

        With a size penalty what the weights cost is added to the loss when networks are compared
        with each other, and not when the seed is: the seed has no units to choose from.

        A gain is clear where it exceeds half a percent and two standard errors of the paired
        differences of roots of the losses, whose tails are lighter; more than two where the best
        of several networks is offered, so that chance passes no more often (Bonferroni). Where
        samples overlap, validation holds few windows that do not, and half a percent has to be
        gained at odds of two to one. So it has of classes, where the judge holds what is too sure
        of itself for wrong already.

        Parameters
        ----------
        size_penalty : float
            What all weights of the largest network cost, in units of the loss.

        Returns
        -------
        Stage
            One with a network.
        """
        offers = [stage for stage in self.account.stages[2:] if stage.network is not None]
        if not offers:
            return self.seed
        n_most = max(stage.n_params for stage in offers)

        def price(stage: Stage) -> float:
            loss = stage.loss if math.isfinite(stage.loss) else math.inf
            return loss + size_penalty * stage.n_params / n_most

        best = min(offers, key=price)
        n_errors = _n_errors(len(offers))
        preferred = (self._unflattered(best, has_prices=size_penalty > 0), best)
        return next((stage for stage in preferred if self._is_clear(stage, n_errors)), self.seed)

    def _is_clear(self, stage: Stage, n_errors: float) -> bool:
        """Say whether a network is clearly better than the seed."""
        problem, share = self.problem, 0.005
        overlaps = make_probe(problem).n_overlapping > 1
        networks = (self.seed.own_network, stage.own_network)
        before, after = (self.losses(network, by_target=overlaps) for network in networks)
        if overlaps or problem.n_classes:
            return is_likely_gain(before, after, problem, share=share)
        return is_clear_gain(before, after, problem, share=share, n_errors=n_errors)

    def _unflattered(self, best: Stage, *, has_prices: bool) -> Stage:
        """Return the mean of trainings, or what was trained anew, for one not clearly better.

        Where weights have prices, those of a mean, which has the most, must have been worth it.
        """
        stages = {stage.name: stage for stage in self.account.stages}
        means = [stages[name] for name in reversed(MEANS) if name in stages]
        mean = next((stage for stage in means if stage.network is not None), None)
        fresh = stages.get("retrained")
        if mean is not None and not has_prices:
            return best if best is not mean and self.is_better(best, mean, 2.0) else mean
        if fresh is None or best.name not in ("derived", "trained"):
            return best
        if fresh.phase is not None and fresh.phase.interruption is not None:
            return best  # cut short, it has not shown what it can
        return best if self.is_better(best, fresh, 1.0) else fresh

    def is_better(self, one: Stage, other: Stage, n_errors: float) -> bool:
        """Say whether one network is better than another by so many standard errors.

        Parameters
        ----------
        one, other : Stage
            Of networks.
        n_errors : float
            Standard errors of the paired differences of their validation losses.

        Returns
        -------
        bool
            Whether the first is better.
        """
        before, after = self.losses(other.own_network), self.losses(one.own_network)
        return is_clear_gain(before, after, self.problem, share=0.0, n_errors=n_errors)

    def losses(self, network: DerivedNetwork, *, by_target: bool = False) -> Tensor:
        """Return the validation losses of a stage's network, which are computed once.

        Parameters
        ----------
        network : DerivedNetwork
            It must not change any more.
        by_target : bool, default=False
            Whether to keep the losses of a sample's targets apart.

        Returns
        -------
        Tensor of shape (n_validation,), or (n_validation, targets)
            Losses, unweighted.
        """
        key = (network, by_target)
        if key not in self._known:
            self._known[key] = validation_losses(network, self.problem, by_target=by_target)
        return self._known[key]

    def _mean_loss(self, network: DerivedNetwork) -> float:
        return mean_loss(self.losses(network), self.problem)


def _n_errors(n_offers: int) -> float:
    """Return how many standard errors the best of some networks has to gain by."""
    normal = NormalDist()
    return normal.inv_cdf(1.0 - (1.0 - normal.cdf(2.0)) / n_offers)


def _naive_loss(problem: Problem) -> float:
    """Return the loss of the last value (targets that continue a channel), or of the mean."""
    if problem.n_classes:
        target, weight = (
            values[problem.validation] for values in (problem.data.target, problem.data.weight)
        )
        counts = torch.bincount(
            problem.data.target[problem.train],
            problem.data.weight[problem.train],
            minlength=problem.n_classes,
        )
        shares = (counts + 1e-9).log().to(weight.dtype).log_softmax(dim=0)
        outputs = shares.expand(len(target), -1).unsqueeze(2)
        return float(problem.judge.mean(outputs, target, weight))
    last_value = _LastValue(problem.shape)
    return mean_loss(losses(last_value, problem.data, problem.validation, problem.judge), problem)


class _LastValue(nn.Module):
    """Predicts that nothing changes; of targets that continue no channel, the mean."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, past: Tensor) -> Tensor:
        """Repeat the last known value."""
        shape = self.shape
        if shape.target_channels is None:
            return past.new_zeros(len(past), shape.n_targets, shape.n_outputs)
        own = past[:, list(shape.target_channels)]
        own = carried_forward(own) if shape.has_missing else own
        return own[..., -1:].expand(-1, -1, shape.n_outputs)
