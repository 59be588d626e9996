"""Runs the trainings of a fit, and notes the stage that each one leads to."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable

from sknas.derived import DerivedNetwork, lengthened
from sknas.estimators._journal import Journal
from sknas.estimators._planting import build_fresh
from sknas.estimators._progress import Progress
from sknas.estimators._settings import Settings, make_schedule, make_space
from sknas.estimators._stages import Stages
from sknas.estimators._trainings import resolve_refit
from sknas.genotype import Genotype
from sknas.supernet import Supernet
from sknas.training import Keeper, Onlooker, Phase, Problem, Schedule, train_network
from sknas.training.runtime import TimeIsUpError

__all__ = ["Trainer"]


class Trainer:
    """Trains networks of one problem before those who look on.

    Parameters
    ----------
    problem : Problem
        Data and split.
    settings : Settings
        Resolved parameters.
    progress : Progress
        Runs each phase before those who look on.
    journal : Journal
        Keeps what phases have done, and may know of some that have ended.
    start : float
        Reading of the monotonic clock when the fit began.
    supernet : Supernet
        The seed at birth; left as it is.

    Attributes
    ----------
    stages : Stages
        What trainings have led to; set before the first of them.
    schedule : Schedule
        How long and how fast networks train.
    space : SearchSpace
        Bounds of what may be trained.
    trainings : Trainings
        How often what is found is trained.
    """

    stages: Stages

    def __init__(
        self,
        problem: Problem,
        settings: Settings,
        progress: Progress,
        journal: Journal,
        start: float,
        supernet: Supernet,
    ) -> None:
        self.problem = problem
        self.settings = settings
        self.progress = progress
        self.journal = journal
        self.supernet_at_birth = copy.deepcopy(supernet)
        self.start = start
        self.schedule = make_schedule(problem, settings, start)
        self.space = make_space(problem, settings, supernet)
        self.trainings = resolve_refit(problem, settings)

    @property
    def is_cut_short(self) -> bool:
        """Whether something has ended the fit early."""
        return self.stages.account.interruption is not None

    def check_time(self) -> None:
        """Raise if the time budget is spent."""
        if time.monotonic() > self.schedule.deadline:
            raise TimeIsUpError

    def fresh(self, network: DerivedNetwork, genotype: Genotype) -> DerivedNetwork:
        """Return a new network of a genotype, on the seed and of the shape of another.

        Parameters
        ----------
        network : DerivedNetwork
            Whose shape it is to have.
        genotype : Genotype
            The architecture.

        Returns
        -------
        DerivedNetwork
            With heads of zero.
        """
        spec = dataclasses.replace(network.spec, genotype=genotype)
        return build_fresh(spec, self.supernet_at_birth, self.problem)

    def train_stage(
        self,
        stage: str,
        phase_name: str,
        network: DerivedNetwork,
        n_epochs: int,
        schedule: Schedule | None = None,
        problem: Problem | None = None,
    ) -> None:
        """Train a network and note the stage, unless the fit is to end.

        Parameters
        ----------
        stage, phase_name : str
            Names of the stage and of the phase.
        network : DerivedNetwork
            What to train.
        n_epochs : int
            Most epochs.
        schedule : Schedule or None, default=None
            How fast; None for the fit's.
        problem : Problem or None, default=None
            The fit's, or the same with shorter windows, whose network is made one of the fit's.
        """
        if self.is_cut_short:
            return
        problem, schedule = problem or self.problem, schedule or self.schedule
        phase = self.run_training(phase_name, network, n_epochs, schedule, problem)
        if problem is not self.problem:
            phase.network = lengthened(phase.network, self.problem.shape.lookback)
        self.stages.account.phases.append((phase_name, phase))
        self.stages.add_training(stage, phase, phase.seconds)

    def run_training(
        self,
        phase_name: str,
        network: DerivedNetwork,
        n_epochs: int,
        schedule: Schedule,
        problem: Problem,
    ) -> Phase:
        """Train a network while validation judges it.

        Parameters
        ----------
        phase_name : str
            Name of the phase.
        network : DerivedNetwork
            What to train.
        n_epochs : int
            Most epochs.
        schedule : Schedule
            How fast.
        problem : Problem
            Data and split.

        Returns
        -------
        Phase
            The trained network, and how training went.
        """
        return self.run(
            phase_name,
            n_epochs,
            lambda onlooker, keeper: train_network(
                problem,
                schedule,
                network,
                problem.train,
                validates=True,
                n_epochs=n_epochs,
                onlooker=onlooker,
                keeper=keeper,
            ),
            network.spec.genotype.n_nodes,
        )

    def run(
        self,
        name: str,
        n_epochs: int,
        work: Callable[[Onlooker, Keeper], Phase],
        n_nodes: int | None = None,
    ) -> Phase:
        """Run a phase before those who look on, unless the journal knows how it ended.

        Parameters
        ----------
        name : str
            Name of the phase.
        n_epochs : int
            Most epochs.
        work : callable
            The phase; gets who is told of epochs, and who keeps them.
        n_nodes : int or None, default=None
            Nodes of what trains, where the records do not tell them.

        Returns
        -------
        Phase
            What the phase leaves behind.
        """
        return self.progress.run(
            name,
            n_epochs,
            lambda onlooker: self.journal.run(lambda keeper: work(onlooker, keeper)),
            n_nodes,
        )
