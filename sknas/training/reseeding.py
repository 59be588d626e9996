"""Move the linear seed of a trained network to new samples, with a penalty that pulls it back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sknas._torch import LBFGS
from sknas.blocks import Objective, Trunk, WindowData
from sknas.blocks.window_data import outputs
from sknas.training.problem import Problem
from sknas.training.ridge_seed import Moments, ridge_solutions, side_by_side, target_groups
from sknas.training.seeding import design

__all__ = ["move_seed"]

FloatArray = NDArray[np.float64]

_LOGISTIC_PENALTIES = (1.0, 0.1, 0.01, 0.001)
_MAX_ITERATIONS = 50


def move_seed(problem: Problem, trunk: Trunk[Any]) -> None:
    """Solve the seed again in place, around its present weights and beside the branches.

    Where no sample to solve on has weight it stays as it is, and so do quantiles, which have no
    closed form.

    A penalty on the distance to the present weights makes the step gentle; validation chooses it,
    and may choose not to move. The branches stay as they are, and the seed explains what they
    leave. This is ours; the papers do not say how an old network meets new samples.

    Parameters
    ----------
    problem : Problem
        New samples and their split.
    trunk : Trunk
        Whose seed moves.
    """
    data, seed = problem.data, trunk.seed
    if problem.shape.quantiles or not data.weight[problem.train].any():
        return
    rest = _part_of_branches(trunk, data)
    old = (seed.weight.detach().double().numpy(), seed.bias.detach().double().numpy())
    if problem.n_classes:
        seed.assign(*_moved_logistic(problem, trunk, rest[:, :, 0].double(), old))
        return
    left = dataclasses.replace(data, target=data.target - rest)
    groups, moved = target_groups(trunk, data), []
    for targets in groups:
        own = (_columns(old[0], targets, trunk), _columns(old[1], targets, trunk))
        judge = Moments(trunk, left, problem.validation, targets)
        moments = Moments(trunk, left, problem.train, targets)
        solutions = [own, *ridge_solutions(moments, own[0])]
        moved.append(solutions[judge.best_of(solutions)])
    seed.assign(*side_by_side(moved, groups, trunk))


def _columns(values: FloatArray, targets: Sequence[int] | None, trunk: Trunk[Any]) -> FloatArray:
    """Return the columns (..., n_columns) that are of some targets."""
    if targets is None:
        return values
    by_target = values.reshape(*values.shape[:-1], -1, trunk.seed.shape.horizon)
    return by_target[..., list(targets), :].reshape(*values.shape[:-1], -1)


def _part_of_branches(trunk: Trunk[Any], data: WindowData) -> Tensor:
    """Return what the branches add to each output: (n_samples, targets, horizon)."""
    every = torch.arange(len(data.past))
    seed_alone: Trunk[Any] = Trunk(trunk.window_norm, trunk.seed)
    return outputs(trunk, data.past, every) - outputs(seed_alone, data.past, every)


def _moved_logistic(
    problem: Problem, trunk: Trunk[Any], rest: Tensor, old: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Return the logits' coefficients that validate best among those of several penalties."""
    train, validation = (
        (torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(w), rest[index])
        for index in (problem.train, problem.validation)
        for x, y, w in [design(trunk, problem.data, index)]
    )
    start = [torch.from_numpy(part.copy()) for part in old]
    present = [part.clone() for part in start]
    best, best_loss = start, float(_cross_entropy(problem.judge, validation, start))
    for penalty in _LOGISTIC_PENALTIES:
        # A weaker penalty goes on from where the stronger one ended.
        present = _descend(problem, train, start, present, penalty)
        loss = float(_cross_entropy(problem.judge, validation, present))
        if loss < best_loss:
            best, best_loss = present, loss
    return best[0].numpy(), best[1].numpy()


def _descend(
    problem: Problem,
    samples: tuple[Tensor, ...],
    center: list[Tensor],
    start: list[Tensor],
    penalty: float,
) -> list[Tensor]:
    moving = [part.clone().requires_grad_() for part in start]
    optimizer: torch.optim.LBFGS = LBFGS(
        moving, max_iter=_MAX_ITERATIONS, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        distance = sum(
            ((now - then).square().sum() for now, then in zip(moving, center, strict=True)),
            start=torch.zeros((), dtype=torch.float64),
        )
        loss = _cross_entropy(problem.objective, samples, moving) + penalty / 2 * distance
        loss.backward()
        return loss

    optimizer.step(closure)
    return [part.detach() for part in moving]


def _cross_entropy(
    objective: Objective, samples: tuple[Tensor, ...], weights: list[Tensor]
) -> Tensor:
    features, target, weight, rest = samples
    logits = features @ weights[0] + weights[1] + rest
    return objective.mean(logits[:, :, None], target, weight)
