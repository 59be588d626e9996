"""A fit, stage by stage: seed, search, train, narrow; validation chooses the result."""

from __future__ import annotations

import copy
import dataclasses
import time
import warnings

from sknas.derived import DerivedNetwork
from sknas.estimators._account import Outcome, Stage, ValidationLoss
from sknas.estimators._companions import average, look_nearer, mix_channels
from sknas.estimators._journal import Journal
from sknas.estimators._planting import (
    admitted,
    build_given,
    lift_network,
    plant,
    put_first_branches,
    seed_to_train,
)
from sknas.estimators._progress import Progress, planned_phases
from sknas.estimators._settings import (
    Settings,
    half_time,
    make_plan,
    resolve_genotype,
)
from sknas.estimators._short_phases import warn_of_short_phases
from sknas.estimators._stages import Stages
from sknas.estimators._trainer import Trainer
from sknas.estimators._trainings import near_lookback
from sknas.exceptions import SearchWarning
from sknas.genotype import Branch, Cell, Genotype
from sknas.search.inheritance import derive
from sknas.supernet import Supernet
from sknas.training import (
    Problem,
    narrow,
    run_search,
    solve_seed,
    train_network,
)
from sknas.training.narrowing import N_NARROWING_EPOCHS

__all__ = ["fit_network"]


def fit_network(
    problem: Problem,
    settings: Settings,
    progress: Progress,
    start: float,
    previous: DerivedNetwork | None = None,
    journal: Journal | None = None,
) -> Outcome:
    """Run the stages: seed, search, train; let validation choose.

    Parameters
    ----------
    problem : Problem
        Data and split.
    settings : Settings
        Resolved parameters.
    progress : Progress
        Runs each phase before those who look on.
    start : float
        Reading of the monotonic clock when the fit began.
    previous : DerivedNetwork or None, default=None
        A network to start from, in place of the linear seed.
    journal : Journal or None, default=None
        Keeps what phases have done, and may know of some that have ended.

    Returns
    -------
    Outcome
        The chosen network and what is to be told of it.
    """
    if settings.n_models not in ("auto", 1) and problem.shape.is_embedded:
        raise ValueError(
            "n_models must be 1 where codes are embedded, since networks that are averaged cannot "
            f"share a table; got {settings.n_models}."
        )
    begun = time.monotonic()
    supernet, problem, _ = plant(problem, settings, half_time(settings, start))
    seed = derive(supernet, generator=problem.generator)
    fit = _Fit(problem, settings, progress, journal or Journal(), start, supernet)
    fit.stages = stages = Stages(problem, seed, time.monotonic() - begun)
    account = stages.account
    reads_near = near_lookback(problem, settings) is not None
    planned = planned_phases(settings, fit.schedule, fit.trainings, reads_near=reads_near)
    progress.expect(planned, fit.schedule.deadline)
    if previous is not None:
        fit.start_from(previous)
    with account.interruptible():
        candidate = fit.first_candidate()
        if candidate is not None:
            fit.train(candidate)
            average(fit)
            mix_channels(fit)
            look_nearer(fit)
        has_units = candidate is not None and bool(candidate.spec.genotype.branches)
        may_narrow = has_units and account.interruption is None and len(stages.trainings)
        if settings.size_penalty > 0 and may_narrow:
            fit.narrow(stages.best_trained)
    chosen = account.insist(lambda: stages.choose(settings.size_penalty))
    network, judged = account.insist(lambda: chosen.own_network), None
    memory = account.insist(lambda: ValidationLoss.of(stages.losses(chosen.own_network), problem))
    with account.interruptible():
        if settings.refit_full and account.interruption is None:
            network, judged = fit.refit_full(chosen, copy.deepcopy(network)), network
    outcome = account.insist(lambda: account.outcome(network, chosen.name, memory))
    return dataclasses.replace(outcome, judged=judged)


class _Fit(Trainer):
    """The steps of a fit; each leaves its stage and its phase behind."""

    def __init__(
        self,
        problem: Problem,
        settings: Settings,
        progress: Progress,
        journal: Journal,
        start: float,
        supernet: Supernet,
    ) -> None:
        super().__init__(problem, settings, progress, journal, start, supernet)
        self.supernet = supernet
        self.runners_up: tuple[Cell, ...] = ()

    def start_from(self, previous: DerivedNetwork) -> None:
        """Put a network in the place of the seed that growth starts from, if it fits the bounds."""
        if not self.space.fits(previous.n_params):
            warnings.warn(
                f"max_params={self.settings.max_params} is less than the {previous.n_params} "
                "weights of the network before, so the fit starts from the linear seed. Raise "
                "max_params to go on from that network.",
                SearchWarning,
                stacklevel=7,
            )
            return
        given = self.settings.genotype
        if given is not None:
            wanted = resolve_genotype(given, self.space, self.settings, self.problem)
            if previous.spec.genotype.branches and not _is_same(previous.spec.genotype, wanted):
                return  # another architecture is no result where one is given
        self.stages.add_previous(previous)
        if previous.spec.genotype.branches or self.problem.shape.is_embedded:
            self.supernet = lift_network(previous, self.problem, self.settings)

    def first_candidate(self) -> DerivedNetwork | None:
        """Return the network to train: a given genotype's, or what the search derives."""
        self.check_time()
        if self.settings.genotype is not None:
            return build_given(self.problem, self.settings, self.space, self.supernet)
        if self.settings.max_nodes == 0:
            return seed_to_train(self.problem, self.supernet)
        return self._search()

    def _search(self) -> DerivedNetwork | None:
        settings, problem, supernet, space = self.settings, self.problem, self.supernet, self.space
        is_grown = bool(len(supernet.trunk.branches))
        cells = () if is_grown else admitted(settings, problem, self.schedule, space, supernet)
        if not cells and not is_grown:
            put_first_branches(problem, settings, space, supernet)
        if not space.fits(supernet.n_params) or not (cells or len(supernet.trunk.branches)):
            warnings.warn(
                f"max_params={settings.max_params} leaves no room for a branch, so the linear "
                "seed is the result. Raise max_params, or lower hidden_size.",
                SearchWarning,
                stacklevel=8,
            )
            if not is_grown:
                del supernet.trunk.branches[:]
            return seed_to_train(problem, supernet)
        plan = make_plan(self.schedule, settings)
        warn_of_short_phases(
            plan,
            settings.mixing.auxiliary_skip,
            has_contenders=bool(cells),
            starts_mixed=not supernet.is_settled,
            share=1,
            stacklevel=8,
        )
        phase = self.run(
            "search",
            plan.n_epochs,
            lambda onlooker, keeper: run_search(
                problem,
                self.schedule,
                supernet,
                plan,
                space,
                cells,
                onlooker=onlooker,
                keeper=keeper,
            ),
        )
        self.stages.account.phases.append(("search", phase))
        self.runners_up = phase.runners_up
        n_params = phase.n_supernet_params
        told = Stage("supernet", None, phase.supernet_loss, n_params, phase.seconds)
        self.stages.account.stages.append(told)
        network = phase.network
        if not (network.spec.genotype.branches or problem.shape.is_embedded):
            return None
        if self.trainings.inherits:
            derived = Stage("derived", copy.deepcopy(network), phase.loss, network.n_params, 0.0)
            self.stages.account.stages.append(derived)
        return network

    def train(self, network: DerivedNetwork) -> None:
        """Train the network that a search derived with its weights, anew, or both; or a given one.

        A warm start keeps its weights unless it is told to begin anew.
        """
        trainings, most_fresh = self.trainings, self.schedule.fresh_epochs
        found = network.spec.genotype
        is_found = self.settings.genotype is None and bool(found.branches)
        if trainings.inherits or not is_found:
            most = self.schedule.max_epochs if is_found else most_fresh
            self.train_stage("trained", "train", network, most)
        if not is_found or (trainings.inherits and self.stages.has_previous):
            return
        tied = [Genotype((self.space.branch(cell),)) for cell in self.runners_up]
        for name, genotype in trainings.fresh(found, tied):
            self.train_stage(name, "retrain", self.fresh(network, genotype), most_fresh)

    def narrow(self, network: DerivedNetwork) -> None:
        """Remove units that are not worth their weights from a trained network; train it on."""
        gates = self.run(
            "narrow",
            N_NARROWING_EPOCHS,
            lambda onlooker, keeper: narrow(
                self.problem,
                self.schedule,
                network,
                self.settings.size_penalty,
                onlooker=onlooker,
                keeper=keeper,
            ),
            network.spec.genotype.n_nodes,
        )
        self.stages.account.phases.append(("narrow", gates))
        if gates.interruption is not None:
            return
        n_epochs = self.schedule.max_epochs
        tuned = self.run_training("tune", gates.network, n_epochs, self.schedule, self.problem)
        self.stages.account.phases.append(("tune", tuned))
        self.stages.add_training("narrowed", tuned, gates.seconds + tuned.seconds)

    def refit_full(self, chosen: Stage, network: DerivedNetwork) -> DerivedNetwork:
        """Train the chosen network on over all samples, as long as validation found best."""
        self.check_time()
        problem, everything, schedule = self.problem, self.problem.everything, self.schedule
        if chosen is self.stages.seed and schedule.linear_seed:
            solve_seed(problem, network.trunk, is_final=True)
            return network
        if not len(network.trunk.branches):
            # Nothing else could learn.
            schedule = dataclasses.replace(schedule, linear_seed=False)
        n_epochs = max(1, chosen.best_epoch)
        phase = self.run(
            "refit",
            n_epochs,
            lambda onlooker, keeper: train_network(
                problem,
                schedule,
                network,
                everything,
                validates=False,
                n_epochs=n_epochs,
                onlooker=onlooker,
                keeper=keeper,
            ),
            network.spec.genotype.n_nodes,
        )
        self.stages.account.phases.append(("refit", phase))
        return phase.network


def _is_same(one: Genotype, other: Genotype) -> bool:
    """Say whether two genotypes are alike but for their widths."""

    def of_any_width(genotype: Genotype) -> list[Branch]:
        branches = genotype.branches
        return [dataclasses.replace(branch, hidden_size=1, n_embedded=1) for branch in branches]

    return of_any_width(one) == of_any_width(other)
