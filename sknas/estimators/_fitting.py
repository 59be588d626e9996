"""The stages of a fit, in order, and the choice between them on validation."""

from __future__ import annotations

import copy
import dataclasses
import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sknas.derived import DerivedNetwork, NetworkSpec
from sknas.edits import AddBranch
from sknas.estimators._settings import (
    Settings,
    contenders,
    make_schedule,
    make_space,
    resolve_genotype,
)
from sknas.exceptions import SearchWarning
from sknas.genotype import Cell, Genotype
from sknas.reporting import SearchReport
from sknas.search import Move
from sknas.search.discretization import discretize
from sknas.search.inheritance import copy_seed, derive
from sknas.search.lifting import lift
from sknas.search.plan import Plan
from sknas.search.space import SearchSpace
from sknas.supernet import Supernet
from sknas.training import (
    Phase,
    Problem,
    Schedule,
    grow_from,
    make_probe,
    mean_loss,
    narrow,
    plant_seed,
    run_search,
    seed_learns,
    solve_seed,
    train_network,
    validation_losses,
)

__all__ = ["Memory", "Outcome", "Progress", "fit_network"]

MAX_MIXED_FEATURES = 1500

Progress = Callable[[str, dict[str, Any]], None]


@dataclass(frozen=True)
class Memory:
    """What later training compares its losses with.

    Attributes
    ----------
    loss : float
        Validation loss of the chosen network.
    error : float
        Standard error of that mean.
    """

    loss: float
    error: float


@dataclass(frozen=True)
class Outcome:
    """What a fit leaves behind.

    Attributes
    ----------
    network : DerivedNetwork
        The network that validation chose.
    rows : list of dict
        One record an epoch, over all phases.
    moves : list of Move
        Moves tried.
    report : SearchReport
        Stages and moves.
    interrupt : KeyboardInterrupt or None
        The user's interrupt, to be raised again once the outcome is stored.
    memory : Memory
        Validation loss of the chosen network.
    """

    network: DerivedNetwork
    rows: list[dict[str, Any]]
    moves: list[Move]
    report: SearchReport
    interrupt: BaseException | None
    memory: Memory


@dataclass
class _Stage:
    name: str
    network: DerivedNetwork | None
    loss: float
    n_params: int
    seconds: float


def fit_network(
    problem: Problem,
    settings: Settings,
    progress: Progress,
    start: float,
    previous: DerivedNetwork | None = None,
) -> Outcome:
    """Run the stages: seed, search, train; let validation choose.

    Parameters
    ----------
    problem : Problem
        Data and split.
    settings : Settings
        Resolved parameters.
    progress : callable
        Gets the phase's name and each epoch's record.
    start : float
        Reading of the monotonic clock when the fit began.
    previous : DerivedNetwork or None, default=None
        A network to start from, in place of the linear seed.

    Returns
    -------
    Outcome
        The chosen network and what is to be told of it.
    """
    begun = time.monotonic()
    supernet, problem = _plant(problem, settings)
    schedule = make_schedule(problem, settings, start)
    space = make_space(problem, settings, supernet)
    seed = derive(supernet, inherit=True, generator=problem.generator)
    seed_losses = validation_losses(seed, problem)
    stages = [
        _Stage("naive", None, _naive_loss(problem), 0, 0.0),
        _Stage(
            "seed", seed, mean_loss(seed_losses, problem), seed.n_params, time.monotonic() - begun
        ),
    ]
    phases: list[tuple[str, Phase]] = []
    if previous is not None:
        loss = mean_loss(validation_losses(previous, problem), problem)
        stages.append(_Stage("previous", previous, loss, previous.n_params, 0.0))
        supernet = _lifted(previous, problem, settings) or supernet
    candidate = _first_candidate(
        problem, schedule, settings, space, supernet, stages, phases, progress
    )
    if candidate is not None and not _is_interrupted(phases):
        _train(problem, schedule, settings, candidate, stages, phases, progress)
        has_units = bool(candidate.spec.genotype.branches)
        if settings.size_penalty > 0 and has_units and not _is_interrupted(phases):
            _narrow(problem, schedule, settings, candidate, stages, phases, progress)
    chosen = _choose(stages, seed_losses, problem, settings.size_penalty)
    memory = _remember(chosen.network, problem)
    if settings.refit_full and not _is_interrupted(phases):
        _refit_full(problem, schedule, chosen, phases, progress)
    return _outcome(stages, chosen, phases, memory)


# -- stages -----------------------------------------------------------------------------------


def _plant(problem: Problem, settings: Settings) -> tuple[Supernet, Problem]:
    """Solve the seed; where the channel mode is open, let its validation loss decide."""
    if settings.channel_mode != "auto" or problem.channel_mode == "mixed":
        return plant_seed(problem, settings.relaxation, is_linear=settings.linear_seed), problem
    problem = dataclasses.replace(problem, channel_mode="independent")
    supernet = plant_seed(problem, settings.relaxation, is_linear=settings.linear_seed)
    n_features = problem.shape.n_channels * problem.shape.lookback
    if problem.shape.n_channels == 1 or n_features > MAX_MIXED_FEATURES or not settings.linear_seed:
        return supernet, problem
    mixed_problem = dataclasses.replace(problem, channel_mode="mixed")
    mixed = plant_seed(mixed_problem, settings.relaxation, is_linear=True)
    losses = [mean_loss(validation_losses(net, problem), problem) for net in (supernet, mixed)]
    return (mixed, mixed_problem) if losses[1] < 0.98 * losses[0] else (supernet, problem)


def _lifted(previous: DerivedNetwork, problem: Problem, settings: Settings) -> Supernet | None:
    """Return the supernet that growth goes on from; None where the solved seed serves as well."""
    if not previous.spec.genotype.branches and not problem.shape.is_embedded:
        return None
    supernet = lift(previous, settings.relaxation, generator=problem.generator)
    seed = supernet.trunk.seed
    seed.requires_grad_(seed_learns(seed, is_linear=settings.linear_seed))
    return supernet


def _first_candidate(
    problem: Problem,
    schedule: Schedule,
    settings: Settings,
    space: SearchSpace,
    supernet: Supernet,
    stages: list[_Stage],
    phases: list[tuple[str, Phase]],
    progress: Progress,
) -> DerivedNetwork | None:
    """Return the network to train: a given genotype's, or what the search derives."""
    if settings.genotype is not None:
        return _given_network(problem, settings, space, supernet)
    if settings.max_nodes == 0:
        return _seed_network(problem, supernet)
    is_grown = bool(len(supernet.trunk.branches))
    cells = () if is_grown else contenders(settings, problem)
    cells = tuple(cell for cell in cells if _has_room(supernet, space, cell))
    if not cells and not is_grown:
        _start_without_race(problem, settings, space, supernet)
    if not space.fits(supernet.n_params) or not (cells or len(supernet.trunk.branches)):
        warnings.warn(
            f"max_params={settings.max_params} leaves no room for a branch, so the linear seed "
            "is the result. Raise max_params, or lower hidden_size.",
            SearchWarning,
            stacklevel=6,
        )
        return _seed_network(problem, supernet)
    phase = run_search(
        problem,
        schedule,
        supernet,
        Plan(
            settings.mode,
            schedule.search_epochs,
            settings.growth,
            settings.pruning,
            settings.arch_schedule,
            settings.arch_regularizer,
            settings.arch_order,
        ),
        space,
        cells,
        inherit=settings.refit == "inherit",
        on_epoch=lambda row: progress("search", row),
    )
    phases.append(("search", phase))
    n_supernet = max((row["n_params"] for row in phase.rows), default=0)
    stages.append(_Stage("supernet", None, phase.supernet_loss, n_supernet, phase.seconds))
    if not (phase.network.spec.genotype.branches or problem.shape.is_embedded):
        return None
    if settings.refit == "inherit":
        stages.append(
            _Stage("derived", copy.deepcopy(phase.network), phase.loss, phase.network.n_params, 0.0)
        )
    return phase.network


def _given_network(
    problem: Problem, settings: Settings, space: SearchSpace, supernet: Supernet
) -> DerivedNetwork | None:
    """Build the network of the given genotype on the seed; None where nothing is to train."""
    genotype = resolve_genotype(settings.genotype or "linear", space, settings, problem)
    if not genotype.branches:
        return _seed_network(problem, supernet)
    if len(supernet.trunk.branches) and discretize(supernet) == genotype:
        return derive(supernet, inherit=True, generator=problem.generator)
    spec = NetworkSpec(genotype, problem.shape, problem.window_norm, problem.channel_mode)
    network = DerivedNetwork(spec, generator=problem.generator, dtype=problem.dtype)
    with torch.no_grad():
        copy_seed(supernet.trunk, network.trunk)
    if not space.fits(network.n_params):
        raise ValueError(
            f"max_params must be at least the {network.n_params} weights of the given "
            f"genotype; got {settings.max_params!r}."
        )
    return network


def _seed_network(problem: Problem, supernet: Supernet) -> DerivedNetwork | None:
    """Return the seed as a network to train; None where it is solved and nothing is left to learn.

    A seed that reads an embedding is solved for its constant alone.
    """
    if not problem.shape.is_embedded:
        return None
    return derive(supernet, inherit=True, generator=problem.generator)


def _has_room(supernet: Supernet, space: SearchSpace, cell: Cell) -> bool:
    grown = copy.deepcopy(supernet)
    AddBranch(space.branch(cell)).apply(grown)
    return space.fits(grown.n_params)


def _start_without_race(
    problem: Problem, settings: Settings, space: SearchSpace, supernet: Supernet
) -> None:
    """Put the branches that the search starts with beside the seed."""
    if settings.mode == "fixed":
        grow_from(supernet, None, space, settings.max_nodes, problem)
    elif settings.initial_genotype == "linear":
        n_mixed = min(settings.initial_nodes, settings.max_nodes)
        grow_from(supernet, None, space, n_mixed, problem)
    elif isinstance(settings.initial_genotype, Genotype):
        grow_from(supernet, settings.initial_genotype, space, 0, problem)


def _train(
    problem: Problem,
    schedule: Schedule,
    settings: Settings,
    network: DerivedNetwork,
    stages: list[_Stage],
    phases: list[tuple[str, Phase]],
    progress: Progress,
) -> None:
    phase = train_network(
        problem,
        schedule,
        network,
        problem.train,
        validates=True,
        n_epochs=schedule.max_epochs,
        on_epoch=lambda row: progress("train", row),
    )
    del settings
    phases.append(("train", phase))
    stages.append(_Stage("trained", network, phase.loss, network.n_params, phase.seconds))


def _narrow(
    problem: Problem,
    schedule: Schedule,
    settings: Settings,
    network: DerivedNetwork,
    stages: list[_Stage],
    phases: list[tuple[str, Phase]],
    progress: Progress,
) -> None:
    """Remove units that are not worth their weights from a trained network, and train it on."""
    gates = narrow(
        problem,
        schedule,
        network,
        settings.size_penalty,
        on_epoch=lambda row: progress("narrow", row),
    )
    phases.append(("narrow", gates))
    if gates.interruption is not None:
        return
    tuned = train_network(
        problem,
        schedule,
        gates.network,
        problem.train,
        validates=True,
        n_epochs=schedule.max_epochs,
        on_epoch=lambda row: progress("tune", row),
    )
    phases.append(("tune", tuned))
    seconds = gates.seconds + tuned.seconds
    stages.append(_Stage("narrowed", tuned.network, tuned.loss, tuned.network.n_params, seconds))


def _choose(
    stages: Sequence[_Stage], seed_losses: Tensor, problem: Problem, size_penalty: float
) -> _Stage:
    """Take the stage with the least validation loss, and the seed unless the gain is clear.

    With a size penalty what the weights cost is added to the loss when networks are compared with
    each other, and not when the seed is: the seed has no units to choose from.

    A gain is clear where it exceeds half a percent and two standard errors of the paired
    differences. Where samples overlap, the error is that of blocks as long as a window, which
    overstates it, so one is asked for.
    """
    seed = stages[1]
    networks = [stage for stage in stages[2:] if stage.network is not None]
    if not networks:
        return seed
    n_most = max(stage.n_params for stage in networks)

    def price(stage: _Stage) -> float:
        loss = stage.loss if math.isfinite(stage.loss) else math.inf
        return loss + size_penalty * stage.n_params / n_most

    best = min(networks, key=price)
    if best.network is None:
        return seed
    gains = seed_losses - validation_losses(best.network, problem)
    probe = make_probe(problem)
    n_errors = 2.0 if probe.n_overlapping == 1 else 1.0
    gain = mean_loss(gains, problem)
    is_clear = gain > max(0.005 * seed.loss, n_errors * probe.standard_error(gains))
    return best if is_clear else seed


def _remember(network: DerivedNetwork | None, problem: Problem) -> Memory:
    if network is None:
        return Memory(math.nan, math.nan)
    each = validation_losses(network, problem)
    return Memory(mean_loss(each, problem), make_probe(problem).standard_error(each))


def _refit_full(
    problem: Problem,
    schedule: Schedule,
    chosen: _Stage,
    phases: list[tuple[str, Phase]],
    progress: Progress,
) -> None:
    """Train the chosen network on over all samples, as long as validation found best."""
    if chosen.network is None:
        return
    trained = dict(phases).get({"trained": "train", "narrowed": "tune"}.get(chosen.name, ""))
    n_epochs = trained.best_epoch if trained is not None else 0
    everything = torch.cat([problem.train, problem.validation]).unique()
    if chosen.name == "seed" and schedule.linear_seed:
        solve_seed(problem, chosen.network.trunk, everything)
        return
    phase = train_network(
        problem,
        schedule,
        chosen.network,
        everything,
        validates=False,
        n_epochs=max(1, n_epochs),
        on_epoch=lambda row: progress("refit", row),
    )
    phases.append(("refit", phase))


def _outcome(
    stages: list[_Stage], chosen: _Stage, phases: list[tuple[str, Phase]], memory: Memory
) -> Outcome:
    rows = [{"phase": name, **row} for name, phase in phases for row in phase.rows]
    moves = [move for _, phase in phases for move in phase.moves]
    ended = next((phase.interruption for _, phase in phases if phase.interruption), None)
    stopped_by = "schedule"
    if ended is not None:
        stopped_by = "interrupt" if isinstance(ended, KeyboardInterrupt) else "time_budget"
    report = SearchReport.build(
        [
            {
                "stage": stage.name,
                "val_loss": stage.loss,
                "n_params": stage.n_params,
                "seconds": stage.seconds,
            }
            for stage in stages
        ],
        moves,
        chosen.name,
        stopped_by,
    )
    if chosen.network is None:
        raise RuntimeError("internal error: a stage without a network was chosen.")
    interrupt = ended if isinstance(ended, KeyboardInterrupt) else None
    return Outcome(chosen.network, rows, moves, report, interrupt, memory)


def _is_interrupted(phases: Sequence[tuple[str, Phase]]) -> bool:
    return any(phase.interruption is not None for _, phase in phases)


def _naive_loss(problem: Problem) -> float:
    """Return the loss of the last value (targets that continue a channel), or of the mean."""
    past, target, weight = problem.data.take(problem.validation)
    if problem.n_classes:
        counts = torch.bincount(
            problem.data.target[problem.train],
            problem.data.weight[problem.train],
            minlength=problem.n_classes,
        )
        shares = (counts + 1e-9).log().to(weight.dtype).log_softmax(dim=0)
        total = weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)
        return float(-(shares[target] * weight).sum() / total)
    guess = torch.zeros_like(target)
    if problem.shape.target_channels is not None:
        guess = guess + past[:, list(problem.shape.target_channels), -1:]
    return float(problem.objective.mean(guess, target, weight))
