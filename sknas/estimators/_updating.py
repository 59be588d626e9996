"""A partial fit: move the seed, train on, and grow where the new samples ask for it."""

from __future__ import annotations

import copy
import dataclasses
import time
from dataclasses import dataclass

from sknas.derived import DerivedNetwork
from sknas.estimators._account import Account, Outcome, Stage, ValidationLoss
from sknas.estimators._planting import admitted, lift_network
from sknas.estimators._progress import Progress
from sknas.estimators._settings import Settings, make_plan, make_schedule, make_space
from sknas.estimators._short_phases import warn_of_short_phases
from sknas.genotype import Cell
from sknas.training import (
    Phase,
    Problem,
    Schedule,
    is_clear_gain,
    make_probe,
    mean_loss,
    move_seed,
    run_search,
    train_network,
    validation_losses,
)

__all__ = ["Past", "update_network"]

_PHASE = "partial"  # what all epochs of a call are named
_SEARCH_SHARE = 3  # a call searches for a third of the epochs of a fit at most,
_TRAIN_SHARE = 4  # and trains, before and after, for a quarter of them
_MIN_SEARCH_EPOCHS = 4  # an epoch, a trial, and the pruning of what was tried
_MIN_JUDGES = 20  # fewer validation samples cannot say that growth is needed
_MIN_RISE = 0.02  # share of the remembered loss that a loss has to stand above it


@dataclass(frozen=True)
class Past:
    """What earlier calls left behind.

    Parameters
    ----------
    memory : ValidationLoss
        Validation loss of the network when it was last trained.
    n_epochs : int
        Epochs so far.
    n_calls : int
        Calls of `fit` and `partial_fit` so far.
    """

    memory: ValidationLoss
    n_epochs: int
    n_calls: int


@dataclass
class _Update:
    """The best network so far in a call, and the account of how it was found."""

    problem: Problem
    network: DerivedNetwork
    call: int
    account: Account
    chosen: str = ""

    def __post_init__(self) -> None:
        self._each = validation_losses(self.network, self.problem)

    def consider(
        self, name: str, network: DerivedNetwork, start: float, share: float, n_errors: float
    ) -> bool:
        """Note a stage, and let its network take the best one's place if its gain is clear."""
        label = f"{name} ({self.call})"
        each = validation_losses(network, self.problem)
        loss = mean_loss(each, self.problem)
        seconds = time.monotonic() - start
        self.account.stages.append(Stage(label, network, loss, network.n_params, seconds))
        is_better = is_clear_gain(self._each, each, self.problem, share=share, n_errors=n_errors)
        if is_better or not self.chosen:
            self.network, self.chosen, self._each = network, label, each
        return is_better

    @property
    def memory(self) -> ValidationLoss:
        """Validation loss of the best network, and its error."""
        return ValidationLoss.of(self._each, self.problem)


def update_network(
    problem: Problem,
    settings: Settings,
    network: DerivedNetwork,
    past: Past,
    progress: Progress,
    start: float,
) -> Outcome:
    """Go on from a network with new samples; validation on them decides what stays.

    Parameters
    ----------
    problem : Problem
        The new samples and their split, in the units of the network.
    settings : Settings
        Resolved parameters.
    network : DerivedNetwork
        The present network, left as it is.
    past : Past
        What earlier calls left behind.
    progress : Progress
        Runs each phase before those who look on.
    start : float
        Reading of the monotonic clock when the call began.

    Returns
    -------
    Outcome
        Of this call alone. Its network is `network` itself where nothing was clearly better.
    """
    schedule = _short(make_schedule(problem, settings, start))
    n_train, n_search = schedule.max_epochs, schedule.search_epochs
    progress.expect([(_PHASE, n) for n in (n_train, n_search, n_train)], schedule.deadline)
    update = _Update(problem, network, past.n_calls + 1, Account(past.n_epochs))
    update.consider("before", network, time.monotonic(), 0.0, 0.0)
    account = update.account
    with account.interruptible():
        _train_on(update, schedule, settings, progress)
        if account.interruption is None and _asks_for_growth(update, settings, past.memory):
            _grow(update, schedule, settings, progress)
    return account.insist(lambda: account.outcome(update.network, update.chosen, update.memory))


# -- stages -----------------------------------------------------------------------------------


def _short(schedule: Schedule) -> Schedule:
    return dataclasses.replace(
        schedule,
        search_epochs=max(_MIN_SEARCH_EPOCHS, -(-schedule.search_epochs // _SEARCH_SHARE)),
        max_epochs=-(-schedule.max_epochs // _TRAIN_SHARE),
    )


def _train_on(update: _Update, schedule: Schedule, settings: Settings, progress: Progress) -> None:
    """Move a solved seed, and train all weights; each stays only if it is clearly better."""
    # A seed that reads an embedding learns along with it.
    if settings.linear_seed and not update.problem.shape.is_embedded:
        begun = time.monotonic()
        moved = copy.deepcopy(update.network)
        move_seed(update.problem, moved.trunk)
        update.consider("moved", moved, begun, 0.0, 1.0)
    begun = time.monotonic()
    trained = copy.deepcopy(update.network)
    phase = _train(update.problem, schedule, trained, progress)
    update.account.phases.append((_PHASE, phase))
    update.consider("trained", trained, begun, 0.0, 1.0)


def _train(
    problem: Problem, schedule: Schedule, network: DerivedNetwork, progress: Progress
) -> Phase:
    if not len(network.trunk.branches):
        # Nothing else could learn.
        schedule = dataclasses.replace(schedule, linear_seed=False)
    return progress.run(
        _PHASE,
        schedule.max_epochs,
        lambda onlooker: train_network(
            problem,
            schedule,
            network,
            problem.train,
            validates=True,
            n_epochs=schedule.max_epochs,
            onlooker=onlooker,
        ),
        network.spec.genotype.n_nodes,
    )


def _asks_for_growth(update: _Update, settings: Settings, memory: ValidationLoss) -> bool:
    """Say whether training has ended clearly above the remembered loss, and growth is allowed."""
    is_grown = settings.genotype is None and settings.mode not in ("fixed", "random")
    if not is_grown or not settings.max_nodes or len(update.problem.validation) < _MIN_JUDGES:
        return False
    present = update.memory
    error = (present.error**2 + memory.error**2) ** 0.5
    return present.loss - memory.loss > max(_MIN_RISE * memory.loss, 2.0 * error)


def _grow(update: _Update, schedule: Schedule, settings: Settings, progress: Progress) -> None:
    """Offer moves to the lifted network; it stays grown only if validation clearly gains."""
    problem, begun = update.problem, time.monotonic()
    supernet = lift_network(update.network, problem, settings)
    if settings.max_params is not None and supernet.n_params >= settings.max_params:
        return
    space = make_space(problem, settings, supernet)
    cells: tuple[Cell, ...] = ()
    if not len(supernet.trunk.branches):
        cells = admitted(settings, problem, schedule, space, supernet)
        if not cells and not space.has_room(supernet, space.plain_cell):
            return
        cells = cells or (space.plain_cell,)
    plan = make_plan(schedule, settings)
    warn_of_short_phases(
        plan,
        settings.mixing.auxiliary_skip,
        has_contenders=bool(cells),
        starts_mixed=False,
        share=_SEARCH_SHARE,
        stacklevel=8,
    )
    phase = progress.run(
        _PHASE,
        plan.n_epochs,
        lambda onlooker: run_search(
            problem, schedule, supernet, plan, space, cells, onlooker=onlooker
        ),
    )
    phases, moves = update.account.phases, phase.moves
    # What was accepted in the search is so in the call if the grown network stays.
    phase.moves = [dataclasses.replace(move, is_accepted=False) for move in moves]
    phases.append((_PHASE, phase))
    grown = copy.deepcopy(phase.network)
    is_whole = update.account.interruption is None
    if is_whole and grown.spec.genotype != update.network.spec.genotype:
        phases.append((_PHASE, _train(problem, schedule, grown, progress)))
    n_errors = 2.0 if make_probe(problem).n_overlapping == 1 else 1.0
    if update.consider("grown", grown, begun, 0.005, n_errors):
        phase.moves = moves
