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
    """

    supernet: Supernet
    problem: Problem

    @property
    def is_mixed(self) -> bool:
        """Whether it reads all channels at once."""
        return self.problem.channel_mode == "mixed"

    @property
    def loss(self) -> float:
        """Its validation loss."""
        return mean_loss(validation_losses(self.supernet, self.problem), self.problem)


def plant(problem: Problem, settings: Settings, until: float) -> Planted:
    """Solve the seed; where channel mode or window normalisation are open, let its loss decide.

    That is its validation loss. A mixed seed that is larger than `max_params`, or for which no time
    is left, is not in question.

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
    may_mix = settings.channel_mode == "auto" and problem.channel_mode != "mixed"
    if may_mix:
        problem = dataclasses.replace(problem, channel_mode="independent")
    plain = mixed = _planted(problem, settings, until)
    n_features = problem.shape.n_channels * problem.shape.lookback
    is_open = problem.shape.n_channels > 1 and n_features <= MAX_MIXED_FEATURES
    if not is_open or not settings.linear_seed or time.monotonic() > until:
        return plain
    if may_mix:
        mixed = _planted(dataclasses.replace(problem, channel_mode="mixed"), settings, until)
    if not mixed.is_mixed or (settings.max_params or math.inf) < mixed.supernet.n_params:
        return plain
    best = mixed if not may_mix or mixed.loss < MIXED_LOSS * plain.loss else plain
    if settings.window_norm != "auto" or problem.window_norm != "last":
        return best
    levels = _levels(problem, settings, until)
    return levels if levels is not None and levels.loss < LEVEL_LOSS * best.loss else best


def _levels(problem: Problem, settings: Settings, until: float) -> Planted | None:
    """Return the seed that reads all channels and their levels, if that tells more than its own.

    A seed that reads the level of its own channel alone learns how it returns to its mean, which
    changes sooner than how channels stand to each other.
    """
    own, joint = (
        dataclasses.replace(problem, window_norm="level", channel_mode=mode)
        for mode in ("independent", "mixed")
    )
    found = _planted(joint, settings, until)
    is_clear = found.loss < MIXED_LOSS * _planted(own, settings, until).loss
    return found if is_clear and time.monotonic() < until else None


def _planted(problem: Problem, settings: Settings, until: float) -> Planted:
    linear = settings.linear_seed
    return Planted(plant_seed(problem, settings.mixing, is_linear=linear, until=until), problem)


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
