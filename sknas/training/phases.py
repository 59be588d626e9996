"""The phases of a fit: search and train. Each returns the best it has, whatever ends it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from sknas.derived import DerivedNetwork
from sknas.genotype import Cell
from sknas.search.arch_schedule import ArchClock
from sknas.search.collapse_watch import Collapse
from sknas.search.controller import Controller
from sknas.search.inheritance import derive
from sknas.search.learner import Learner, LearningRates
from sknas.search.plan import Plan
from sknas.search.rescue import Fault, Rescue
from sknas.search.space import SearchSpace
from sknas.search.state import Move
from sknas.supernet import Supernet
from sknas.training.feeds import Dropout, EndlessBatches, Feed, SearchFeed
from sknas.training.judging import (
    make_evidence,
    make_probe,
    make_watcher,
    mean_loss,
    validation_losses,
)
from sknas.training.keeping import NOTHING_KEPT, Keeper
from sknas.training.onlooker import NOBODY, Onlooker, Recorder
from sknas.training.problem import Problem, Schedule
from sknas.training.runtime import CutShortError
from sknas.training.seeding import (
    seed_learns,
)
from sknas.training.trainee import Trainee

__all__ = [
    "Phase",
    "run_search",
    "train_network",
]

_N_JUDGE_SAMPLES = 1024
_N_TRAINING_SEQUENCES = 8192  # that judge an epoch of a training
_FEWEST_TRAINING_SAMPLES = 512


@dataclass
class Phase:
    """What a phase leaves behind.

    Attributes
    ----------
    network : DerivedNetwork
        The best network of the phase.
    loss : float
        Its validation loss.
    seconds : float
        How long the phase took.
    rows : list of dict
        One record an epoch.
    moves : list of Move
        Moves tried.
    gates : list of dict
        Gates of what was mixed, a record an epoch and candidate.
    supernet_loss : float
        Best validation loss, mixed or not, of the supernet that the network was derived from.
    n_supernet_params : int
        Most weights that this supernet had.
    best_epoch : int
        Epoch of the best validation loss.
    interruption : BaseException or None
        What ended the phase early: the time budget, a callback, or the user's interrupt.
    collapses : list of Collapse
        What the search went back from; their epochs are those of this phase.
    runners_up : tuple of Cell
        Cells that were as good as the first branch's in the race for it, the best first.
    faults : list of Fault
        What was not finite; their epochs are those of this phase.
    """

    network: DerivedNetwork
    loss: float
    seconds: float = 0.0
    rows: list[dict[str, Any]] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    gates: list[dict[str, Any]] = field(default_factory=list)
    supernet_loss: float = math.nan
    n_supernet_params: int = 0
    best_epoch: int = 0
    interruption: BaseException | None = None
    collapses: list[Collapse] = field(default_factory=list)
    runners_up: tuple[Cell, ...] = ()
    faults: list[Fault] = field(default_factory=list)


def run_search(
    problem: Problem,
    schedule: Schedule,
    supernet: Supernet,
    plan: Plan,
    space: SearchSpace,
    cells: Sequence[Cell],
    *,
    onlooker: Onlooker = NOBODY,
    keeper: Keeper = NOTHING_KEPT,
) -> Phase:
    """Search, and derive the best settled supernet.

    Parameters
    ----------
    problem : Problem
        Data and split.
    schedule : Schedule
        How long and how fast.
    supernet : Supernet
        Where to start.
    plan : Plan
        Mode and rules.
    space : SearchSpace
        Bounds.
    cells : sequence of Cell
        Contenders for the first branch; empty to start with mixed nodes.
    onlooker : Onlooker, default=NOBODY
        Is told of each epoch.
    keeper : Keeper, default=NOTHING_KEPT
        Keeps each epoch's state, and may have one to go on from.

    Returns
    -------
    Phase
        The derived network, and what the search did.
    """
    from sknas.training.nets import SearchNet  # waits for skorch, as its own first lines say

    start = time.monotonic()
    rates = LearningRates(
        schedule.learning_rate, schedule.arch_learning_rate, schedule.weight_decay
    )
    probe, evidence = make_probe(problem, _N_JUDGE_SAMPLES), make_evidence(problem)
    feeds = [
        Feed(problem.data, index, schedule.batch_size, schedule.n_epoch_steps, problem.generator)
        for index in (problem.train, problem.weight, problem.arch)
    ]
    givens = {"plan": plan, "space": space, "probe": probe, "evidence": evidence, "feed": feeds[2]}
    kept = keeper.kept(givens)
    if kept is None:
        controller = Controller(
            Learner.start(supernet, rates, plan.arch_regularizer, plan.size_penalty),
            plan,
            space,
            probe,
            evidence,
            problem.generator,
            cells,
            watcher=make_watcher(problem, schedule, plan),
        )
        clock, arch_batches = ArchClock(plan.arch_schedule), EndlessBatches(feeds[2])
        kept = {
            "controller": controller,
            "clock": clock,
            "arch_batches": arch_batches,
            "rescue": Rescue(),
        }
    controller = kept["controller"]
    net = SearchNet(
        controller.learner.supernet,
        feed=SearchFeed(feeds[0], feeds[1], controller),
        **kept,
        objective=problem.objective,
        dropout=Dropout(schedule.dropout, problem.generator),
        max_norm=schedule.max_norm,
        deadline=schedule.deadline,
        onlooker=onlooker,
        keep=lambda state: keeper.keep(state, givens),
    )
    interruption: BaseException | None = None
    try:
        net.run(plan.n_epochs - controller.epoch)
    except (KeyboardInterrupt, CutShortError) as error:
        interruption = error

    def tell() -> Phase:
        best = controller.incumbent
        return Phase(
            derive(best.supernet, generator=problem.generator),
            mean_loss(validation_losses(best.supernet, problem), problem),
            time.monotonic() - start,
            controller.rows,
            controller.moves,
            controller.gates,
            controller.lineage.loss,
            controller.lineage.n_params,
            interruption=interruption,
            collapses=[] if controller.watcher is None else controller.watcher.collapses,
            runners_up=controller.runners_up,
            faults=net.rescue.faults,
        )

    return _told(tell)


def train_network(
    problem: Problem,
    schedule: Schedule,
    network: DerivedNetwork,
    index: Tensor,
    *,
    validates: bool,
    n_epochs: int,
    onlooker: Onlooker = NOBODY,
    keeper: Keeper = NOTHING_KEPT,
) -> Phase:
    """Train a derived network.

    Parameters
    ----------
    problem : Problem
        Data and split.
    schedule : Schedule
        How fast.
    network : DerivedNetwork
        Changed in place: it ends with its best averaged weights. Where a kept state is gone on
        from, it is left as it is.
    index : Tensor of int64
        Samples to train on.
    validates : bool
        Whether validation chooses the best epoch; otherwise the last is taken.
    n_epochs : int
        Most epochs.
    onlooker : Onlooker, default=NOBODY
        Is told of each epoch.
    keeper : Keeper, default=NOTHING_KEPT
        Keeps each epoch's state, and may have one to go on from.

    Returns
    -------
    Phase
        The trained network, and how training went.
    """
    from sknas.training.nets import DerivedNet  # as in `run_search`

    start = time.monotonic()
    recorder = Recorder(onlooker, n_params=network.n_params)
    n_judges = max(_FEWEST_TRAINING_SAMPLES, _N_TRAINING_SEQUENCES // problem.n_sequences_each)
    probe = make_probe(problem, n_judges) if validates else None
    givens = {"probe": probe} if validates else {}
    kept = keeper.kept(givens)
    if kept is None:
        network.requires_grad_(requires_grad=True)
        seed = network.trunk.seed
        seed.requires_grad_(seed_learns(seed, is_linear=schedule.linear_seed))
        rate, decay = schedule.learning_rate, schedule.weight_decay
        trainee = Trainee.start(network, probe, learning_rate=rate, weight_decay=decay)
        kept = {"trainee": trainee, "rescue": Rescue(), "rows": []}
    trainee, recorder.rows = kept["trainee"], kept["rows"]
    net = DerivedNet(
        trainee,
        feed=Feed(
            problem.data, index, schedule.batch_size, schedule.n_epoch_steps, problem.generator
        ),
        objective=problem.objective,
        dropout=Dropout(schedule.dropout, problem.generator),
        max_norm=schedule.max_norm,
        patience=schedule.patience if validates else None,
        deadline=schedule.deadline,
        onlooker=recorder,
        rescue=kept["rescue"],
        keep=lambda state: keeper.keep({**state, "rows": recorder.rows}, givens),
    )
    interruption: BaseException | None = None
    try:
        net.run(n_epochs - trainee.best.n_epochs)
    except (KeyboardInterrupt, CutShortError) as error:
        interruption = error

    def tell() -> Phase:
        trainee.best.settle()
        trained = trainee.network
        return Phase(
            trained,
            mean_loss(validation_losses(trained, problem), problem) if validates else math.nan,
            time.monotonic() - start,
            recorder.rows,
            best_epoch=trainee.best.best_epoch,
            interruption=interruption,
            faults=net.rescue.faults,
        )

    return _told(tell)


def _told(tell: Callable[[], Phase]) -> Phase:
    """Return what a phase leaves behind, also where the user interrupts only the telling."""
    try:
        return tell()
    except KeyboardInterrupt as error:
        phase = tell()
        phase.interruption = error
        return phase
