"""What a search or a training starts from: the seed, and the branches put beside it."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import NamedTuple

import torch

from sknas.derived import DerivedNetwork, NetworkSpec
from sknas.estimators._settings import (
    Settings,
    are_few,
    check_channel_modes,
    resolve_genotype,
)
from sknas.genotype import NAMED_CELLS, Cell, Genotype
from sknas.search.discretization import discretize
from sknas.search.drawn_cells import draw_cells
from sknas.search.inheritance import copy_seed, derive
from sknas.search.lifting import lift
from sknas.search.race import n_contenders
from sknas.search.space import SearchSpace
from sknas.supernet import Supernet
from sknas.training import (
    Problem,
    Schedule,
    grow_from,
    mean_loss,
    plant_seed,
    seed_learns,
    validation_losses,
)

__all__ = [
    "admitted",
    "build_fresh",
    "build_given",
    "lift_network",
    "plant",
    "put_first_branches",
    "seed_to_train",
]

MAX_MIXED_FEATURES = 1500
MIXED_LOSS = 0.98  # of that of single channels, at most
LEVEL_LOSS = 0.99  # of that without levels, at most
MOST_DRAWN = 64  # with more epochs than they need, drawn cells train longer


class Planted(NamedTuple):
    """A solved seed.

    Attributes
    ----------
    supernet : Supernet
        The linear seed alone.
    problem : Problem
        What it was solved for.
    loss : float
        Its validation loss; NaN where nothing is compared.
    """

    supernet: Supernet
    problem: Problem
    loss: float


def plant(problem: Problem, settings: Settings, until: float) -> Planted:
    """Solve the seed; where channel mode or window normalisation are open, let its loss decide.

    That is its validation loss. A mixed seed that is larger than `max_params` is not in question,
    and none is begun for which no time is left.

    Parameters
    ----------
    problem : Problem
        Data and split.
    settings : Settings
        Resolved parameters.
    until : float
        Reading of the monotonic clock after which nothing is tried that a seed can do without.

    Returns
    -------
    Planted
        The linear seed alone, and the problem, in the channel mode and with the normalisation that
        were chosen.
    """
    shape, may_mix = problem.shape, settings.channel_mode == "auto"
    may_mix = may_mix and problem.channel_mode != "mixed"
    may_level = settings.window_norm == "auto" and problem.window_norm == "last"
    if may_mix:
        problem = dataclasses.replace(problem, channel_mode="independent")
    is_compared = (
        settings.linear_seed
        and (may_mix or (may_level and problem.channel_mode == "mixed"))
        and shape.n_channels - shape.n_covariates > 1
        and shape.n_channels * shape.lookback <= MAX_MIXED_FEATURES
    )
    best = plain = mixed = _planted(problem, settings, until, is_judged=is_compared)
    if not is_compared or time.monotonic() > until:
        return best
    if may_mix:
        mixed = _planted(problem, settings, until, channel_mode="mixed")
        best = mixed if mixed.loss < MIXED_LOSS * plain.loss else plain
    if (settings.max_params or math.inf) < mixed.supernet.n_params:
        return plain
    if not may_level or time.monotonic() > until:
        return best
    levels = _planted(problem, settings, until, channel_mode="mixed", window_norm="level")
    if levels.loss >= LEVEL_LOSS * min(plain.loss, mixed.loss) or time.monotonic() > until:
        return best
    # The level of its own channel alone says how that returns to its mean, which changes sooner
    # than how channels stand to each other.
    own = _planted(problem, settings, until, channel_mode="independent", window_norm="level")
    return levels if levels.loss < MIXED_LOSS * own.loss else best


def _planted(
    problem: Problem, settings: Settings, until: float, *, is_judged: bool = True, **changes: str
) -> Planted:
    problem = dataclasses.replace(problem, **changes)  # type: ignore[arg-type]
    linear = settings.linear_seed
    supernet = plant_seed(problem, settings.mixing, is_linear=linear, until=until)
    loss = mean_loss(validation_losses(supernet, problem), problem) if is_judged else math.nan
    return Planted(supernet, problem, loss)


def lift_network(network: DerivedNetwork, problem: Problem, settings: Settings) -> Supernet:
    """Return the supernet that growth goes on from.

    Parameters
    ----------
    network : DerivedNetwork
        What earlier training left.
    problem : Problem
        Source of the draws.
    settings : Settings
        Resolved parameters.

    Returns
    -------
    Supernet
        The same function, settled.
    """
    supernet = lift(network, settings.mixing, generator=problem.generator)
    seed = supernet.trunk.seed
    seed.requires_grad_(seed_learns(seed, is_linear=settings.linear_seed))
    return supernet


def admitted(
    settings: Settings,
    problem: Problem,
    schedule: Schedule,
    space: SearchSpace,
    supernet: Supernet,
) -> tuple[Cell, ...]:
    """Return the cells, made by hand or drawn, that race for the first branch within the bounds.

    Parameters
    ----------
    settings : Settings
        Resolved parameters.
    problem : Problem
        Data and split.
    schedule : Schedule
        How long the search is.
    space : SearchSpace
        Bounds.
    supernet : Supernet
        The seed that a branch is to be added to.

    Returns
    -------
    tuple of Cell
        Empty where the start is given, or nothing has room.
    """
    if settings.mode == "random":
        return _drawn_contenders(problem, schedule, space, supernet)
    cells = _contenders(settings, problem)
    return tuple(cell for cell in cells if space.has_room(supernet, cell))


def _contenders(settings: Settings, problem: Problem) -> tuple[Cell, ...]:
    """Return the cells that race for the first branch; none where the start is given.

    Ties go to the first. Where validation holds so few forecasts that share no step that all cells
    tie, that is the GRU, whichever is first elsewhere.
    """
    if settings.mode == "fixed" or settings.initial_genotype != "auto":
        initial = settings.initial_genotype
        if isinstance(initial, str) and initial in NAMED_CELLS and settings.mode != "fixed":
            return (NAMED_CELLS[initial],)
        return ()
    cells = settings.backbone.contenders(is_sequence=problem.shape.is_sequence)
    if are_few(problem):
        cells = sorted(cells, key=lambda cell: cell != NAMED_CELLS["gru"])
    return tuple(cell for cell in cells if len(cell.nodes) <= settings.max_nodes)


def _drawn_contenders(
    problem: Problem, schedule: Schedule, space: SearchSpace, supernet: Supernet
) -> tuple[Cell, ...]:
    """Return as many cells, drawn at random, as can race within the epochs of the search."""
    n_cells = n_contenders(MOST_DRAWN, schedule.search_epochs, is_whole_search=True)
    return draw_cells(space, supernet, n_cells, problem.generator)


def put_first_branches(
    problem: Problem, settings: Settings, space: SearchSpace, supernet: Supernet
) -> None:
    """Put the branches that a search without a race starts with beside the seed.

    Parameters
    ----------
    problem : Problem
        Source of the draws.
    settings : Settings
        Resolved parameters.
    space : SearchSpace
        Width and candidates of mixed nodes.
    supernet : Supernet
        The seed alone; changed in place.
    """
    if settings.mode == "fixed":
        grow_from(supernet, None, space, settings.max_nodes, problem)
    elif settings.initial_genotype == "linear":
        n_mixed = min(settings.initial_nodes, settings.max_nodes)
        grow_from(supernet, None, space, n_mixed, problem)
    elif isinstance(settings.initial_genotype, Genotype):
        check_channel_modes(settings.initial_genotype, problem, "initial_genotype")
        grow_from(supernet, settings.initial_genotype, space, 0, problem)


def build_given(
    problem: Problem, settings: Settings, space: SearchSpace, supernet: Supernet
) -> DerivedNetwork | None:
    """Build the network of the given genotype on the seed.

    Parameters
    ----------
    problem : Problem
        Source of the draws.
    settings : Settings
        Resolved parameters.
    space : SearchSpace
        Bounds.
    supernet : Supernet
        The seed, or what a warm start goes on from.

    Returns
    -------
    DerivedNetwork or None
        None where nothing is to train: the seed alone, if it is solved.
    """
    genotype = resolve_genotype(settings.genotype or "linear", space, settings, problem)
    if not genotype.branches:
        return seed_to_train(problem, supernet)
    if len(supernet.trunk.branches) and discretize(supernet) == genotype:
        return derive(supernet, generator=problem.generator)
    spec = NetworkSpec(genotype, problem.shape, problem.window_norm, problem.channel_mode)
    network = build_fresh(spec, supernet, problem)
    if not space.fits(network.n_params):
        raise ValueError(
            f"max_params must be at least the {network.n_params} weights of the given "
            f"genotype; got {settings.max_params!r}."
        )
    return network


def seed_to_train(problem: Problem, supernet: Supernet) -> DerivedNetwork | None:
    """Return the seed as a network to train, where it reads an embedding.

    Such a seed is solved for its constant alone; any other is at its best already.

    Parameters
    ----------
    problem : Problem
        Source of the draws.
    supernet : Supernet
        The seed.

    Returns
    -------
    DerivedNetwork or None
        None where nothing is left to learn.
    """
    if not problem.shape.is_embedded:
        return None
    return derive(supernet, generator=problem.generator)


def build_fresh(spec: NetworkSpec, supernet: Supernet, problem: Problem) -> DerivedNetwork:
    """Return a network whose branches are new, on the seed as it was planted.

    Parameters
    ----------
    spec : NetworkSpec
        What to build.
    supernet : Supernet
        The seed at birth.
    problem : Problem
        Source of the draws.

    Returns
    -------
    DerivedNetwork
        Its weights are those that a given genotype starts with.
    """
    network = DerivedNetwork(spec, generator=problem.generator, dtype=problem.dtype)
    with torch.no_grad():
        copy_seed(supernet.trunk, network.trunk)
    return network
