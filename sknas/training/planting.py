"""What a fit plants before it searches: the linear seed, solved, and branches put beside it."""

from __future__ import annotations

import math
from typing import Any

from sknas.blocks import Trunk
from sknas.genotype import Genotype
from sknas.search.space import SearchSpace
from sknas.supernet import Mixing, SigmoidRelaxation, Supernet
from sknas.training.judging import mean_loss, validation_losses
from sknas.training.problem import Problem
from sknas.training.ridge_seed import solve_ridge_seed
from sknas.training.seeding import seed_learns, solve_constant_seed, solve_logistic_seed

__all__ = ["grow_from", "plant_seed", "seed_loss", "solve_seed"]


def plant_seed(
    problem: Problem,
    mixing: Mixing,
    *,
    is_linear: bool,
    until: float = math.inf,
) -> Supernet:
    """Return the supernet at birth.

    Parameters
    ----------
    problem : Problem
        Data and split.
    mixing : Mixing
        How the nodes that it grows will mix.
    is_linear : bool
        Solve the linear seed; otherwise it starts at zero and learns along. A solved one learns
        along where all channels share its weights, or where it reads an embedding.
    until : float, default=inf
        Reading of the monotonic clock after which nothing is tried that it can do without.

    Returns
    -------
    Supernet
        The linear seed alone.
    """
    supernet = Supernet(
        problem.shape,
        mixing,
        window_norm=problem.window_norm,
        channel_mode=problem.channel_mode,
        dtype=problem.dtype,
        generator=problem.generator,
    )
    trunk = supernet.trunk
    if is_linear:
        solve_seed(problem, trunk, until=until)
    trunk.seed.requires_grad_(seed_learns(trunk.seed, is_linear=is_linear))
    return supernet


def seed_loss(problem: Problem) -> float:
    """Return the validation loss of the linear seed, solved for a problem.

    Parameters
    ----------
    problem : Problem
        Data and split.

    Returns
    -------
    float
        Mean loss.
    """
    seed = plant_seed(problem, Mixing(SigmoidRelaxation()), is_linear=True)
    return mean_loss(validation_losses(seed, problem), problem)


def solve_seed(
    problem: Problem, trunk: Trunk[Any], *, is_final: bool = False, until: float = math.inf
) -> None:
    """Solve the linear seed in place on the training part; validation chooses its penalty.

    Parameters
    ----------
    problem : Problem
        Data and split.
    trunk : Trunk
        Whose seed to solve.
    is_final : bool, default=False
        Solve it on everything, with the penalty that was best when the validation part was not
        solved on; its quantiles stay those of errors on that part.
    until : float, default=inf
        Reading of the monotonic clock after which no further penalty of a classifier is tried.
    """
    data, train, validation = problem.data, problem.train, problem.validation
    final = problem.everything if is_final else None
    if problem.shape.is_embedded:
        solution = solve_constant_seed(
            trunk, data, train if final is None else final, problem.n_classes
        )
    elif problem.n_classes:
        solution = solve_logistic_seed(
            trunk,
            data,
            train,
            validation,
            problem.n_classes,
            problem.judge,
            final=final,
            until=until,
        )
    else:
        solution = solve_ridge_seed(
            trunk, data, train, validation, final=final, levels=problem.objective.levels
        )
    trunk.seed.assign(*solution)


def grow_from(
    supernet: Supernet,
    genotype: Genotype | None,
    space: SearchSpace,
    n_mixed: int,
    problem: Problem,
) -> None:
    """Give a supernet its first branches before the search, where no race is to be run.

    Parameters
    ----------
    supernet : Supernet
        The linear seed; changed in place.
    genotype : Genotype or None
        The branches to begin with; None for one branch of mixed nodes.
    space : SearchSpace
        Width and candidates of the mixed nodes.
    n_mixed : int
        Number of mixed nodes.
    problem : Problem
        Source of the draws.
    """
    if genotype is None:
        space.mixed_branch(n_mixed).apply(supernet, problem.generator)
        return
    for branch in genotype.branches:
        supernet.trunk.branches.append(supernet.build_branch(branch, generator=problem.generator))
