"""Solve the linear seed of a regressor: ridge in closed form, for all targets or group by group.

Products are torch's, which a fit gives one thread: numpy's would take as many as there are, and
their last bits depend on how many.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sknas.blocks import Trunk, WindowData
from sknas.blocks.carrying import carried_forward
from sknas.blocks.window_norm import WindowStats

__all__ = ["Moments", "ridge_solutions", "side_by_side", "solve_ridge_seed", "target_groups"]

FloatArray = NDArray[np.float64]

# The last one leaves the mean alone, so that no outlier of the validation part is followed.
_RIDGE_PENALTIES = (*(10.0**k for k in range(-8, 3)), np.inf)
_CHUNK = 1024  # samples at once
_MOST_VALUES = 2**20  # at once
_N_RESIDUALS = 4096
_ROUNDING = 1e-13  # of sums over many rows
_MIN_SIZE = 1e-200  # of equal rows; the smallest penalty times it must not vanish


class Moments:
    """Weighted sums over the rows of a design matrix X and targets Y, gathered chunk by chunk.

    Parameters
    ----------
    trunk : Trunk
        Its window normalisation and the layout of its seed.
    data : WindowData
        All samples.
    index : Tensor of int64
        Which of them.
    targets : sequence of int or None, default=None
        The targets that Y holds, with their own weights; None for all of them.
    """

    def __init__(
        self,
        trunk: Trunk[Any],
        data: WindowData,
        index: Tensor,
        targets: Sequence[int] | None = None,
    ) -> None:
        self.weight = self.yy = 0.0
        sums: list[Tensor] = []
        for features, values, weights in _rows(trunk, data, index, targets):
            weighted = (features * weights[:, None]).T
            self.weight += float(weights.sum())
            self.yy += float((weights[:, None] * values.square()).sum())
            if not sums:
                n, k = features.shape[1], values.shape[1]
                sums = [features.new_zeros(shape) for shape in ((n,), (k,), (n, n), (n, k))]
            sums[0] += weighted.sum(dim=1)
            sums[1] += weights @ values
            sums[2].addmm_(weighted, features)
            sums[3].addmm_(weighted, values)
        sums = sums or [torch.zeros((), dtype=torch.float64)] * 4
        self.x, self.y, self.xx, self.xy = (part.numpy() for part in sums)

    def loss(self, coef: FloatArray, intercept: FloatArray) -> float:
        """Return the weighted sum of squared errors of a linear model, from the sums alone."""
        cross = np.sum(coef * (self.xy - np.outer(self.x, intercept)))
        square = np.sum(coef * _product(self.xx, coef))
        constant = self.yy - 2 * intercept @ self.y + self.weight * intercept @ intercept
        return float(constant - 2 * cross + square)

    def best_of(self, solutions: Sequence[tuple[FloatArray, FloatArray]]) -> int:
        """Return the place of the linear model with the least loss, the first of equals."""
        losses = [self.loss(*solution) for solution in solutions]
        return min(range(len(losses)), key=losses.__getitem__)


def solve_ridge_seed(
    trunk: Trunk[Any],
    data: WindowData,
    train: Tensor,
    validation: Tensor,
    *,
    final: Tensor | None = None,
    levels: Sequence[float] = (),
) -> tuple[FloatArray, FloatArray]:
    """Solve the ridge regression that a trunk is at birth.

    The squared error is that of the prediction after the window normalisation is undone, so a
    window's rows weigh by the square of its scale. Where a loss is least at quantiles, the median
    of the absolute error or those of the quantile loss, the regression is shifted, step by step,
    by the quantiles of its residuals on validation.

    Parameters
    ----------
    trunk : Trunk
        Its window normalisation and the layout of its seed.
    data : WindowData
        All samples.
    train : Tensor of int64
        Samples to solve on.
    validation : Tensor of int64
        Samples that choose the penalty; where there are none, the middle one is taken.
    final : Tensor of int64 or None, default=None
        Samples to solve on once the penalty is chosen; None for `train`.
    levels : sequence of float, default=()
        Probabilities of the quantiles to be shifted by, one an output of each target and step;
        none is no shift.

    Returns
    -------
    coef : ndarray of shape (n_features, n_outputs)
        Coefficients.
    intercept : ndarray of shape (n_outputs,)
        Intercepts.
    """
    groups = target_groups(trunk, data)
    judged, last = [], []
    for targets in groups:
        moments = Moments(trunk, data, train, targets)
        solutions = list(ridge_solutions(moments, np.zeros_like(moments.xy)))
        judge = Moments(trunk, data, validation, targets)
        place = judge.best_of(solutions) if judge.weight > 0 else (len(solutions) - 1) // 2
        judged.append(solutions[place])
        if final is not None:
            moments = Moments(trunk, data, final, targets)
            again = ridge_solutions(moments, np.zeros_like(moments.xy))
            last.append(next(itertools.islice(again, place, None)))
    solution = side_by_side(last or judged, groups, trunk)
    if not levels:
        return solution
    offsets = [
        _residual_quantiles(trunk, data, (validation, train), targets, mean, levels)
        for targets, mean in zip(groups, judged, strict=True)
    ]
    return _spread(trunk, solution, _in_order(offsets, groups, trunk))


def target_groups(trunk: Trunk[Any], data: WindowData) -> list[list[int] | None]:
    """Return which targets a seed is solved for at a time.

    Targets that share a design matrix share its weights, and are solved together. Where values are
    missing, these are targets that are known at the same steps.

    Parameters
    ----------
    trunk : Trunk
        Whose seed is solved.
    data : WindowData
        All samples.

    Returns
    -------
    list of list of int or None
        Targets of each group; None alone where there is one group.
    """
    shape = trunk.seed.shape
    if not shape.has_missing or trunk.seed.is_shared:
        return [None]
    generator = torch.Generator().manual_seed(0)
    sums = torch.zeros(shape.n_targets, dtype=torch.float64)
    for part in torch.arange(len(data.past)).split(_CHUNK):
        share = (~data.target[part].isnan()).double().mean(dim=2)  # (batch, targets)
        # Equal columns have equal sums, and others hardly ever.
        sums += torch.rand(len(part), generator=generator, dtype=torch.float64) @ share
    groups: dict[float, list[int]] = {}
    for target, value in enumerate(sums.tolist()):
        groups.setdefault(value, []).append(target)
    return list(groups.values()) if len(groups) > 1 else [None]


def side_by_side(
    solutions: Sequence[tuple[FloatArray, FloatArray]],
    groups: Sequence[Sequence[int] | None],
    trunk: Trunk[Any],
) -> tuple[FloatArray, FloatArray]:
    """Return the solutions for groups of targets as one for all of them.

    Parameters
    ----------
    solutions : sequence of (coef, intercept)
        One for each group.
    groups : sequence of sequence of int or None
        What `target_groups` returned.
    trunk : Trunk
        Whose seed was solved.

    Returns
    -------
    tuple of ndarray
        Coefficients (n_features, n_columns) and intercepts (n_columns,), targets in order.
    """
    coefs, intercepts = zip(*solutions, strict=True)
    return _in_order(coefs, groups, trunk), _in_order(intercepts, groups, trunk)


def _in_order(
    parts: Sequence[FloatArray], groups: Sequence[Sequence[int] | None], trunk: Trunk[Any]
) -> FloatArray:
    """Return the columns (..., n_columns) of groups of targets, the targets in order."""
    if groups[0] is None:
        return parts[0]
    order = np.argsort([target for group in groups for target in group or ()])
    columns = np.concatenate(parts, axis=-1)
    by_target = columns.reshape(*columns.shape[:-1], -1, trunk.seed.shape.horizon)
    return by_target[..., order, :].reshape(columns.shape)


def _residual_quantiles(
    trunk: Trunk[Any],
    data: WindowData,
    parts: Sequence[Tensor],
    targets: Sequence[int] | None,
    mean: tuple[FloatArray, FloatArray],
    levels: Sequence[float],
) -> FloatArray:
    """Return the weighted quantiles (n_levels, n_columns) of a ridge regression's residuals.

    They are those of the first part that has a known target. A column is a step, or a target's
    step.
    """
    coef, intercept = mean
    for index in parts:
        selected = index[:: max(1, len(index) // _N_RESIDUALS)]
        # The quantile loss is linear in the scale of a window.
        rows = [
            tuple(part.numpy() for part in parts)
            for parts in _rows(trunk, data, selected, targets, power=1)
        ]
        weights = np.concatenate([w for _, _, w in rows]) if rows else np.zeros(0)
        if weights.any():
            residuals = np.concatenate([y - x @ coef - intercept for x, y, _ in rows])
            found: FloatArray = np.quantile(
                residuals, levels, axis=0, weights=weights, method="inverted_cdf"
            )
            return found
    return np.zeros((len(levels), len(intercept)))


def _spread(
    trunk: Trunk[Any], mean: tuple[FloatArray, FloatArray], offsets: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return a solution for every quantile, in the order of the seed's outputs."""
    coef, intercept = mean
    shape = trunk.seed.shape

    def in_order(columns: FloatArray) -> FloatArray:
        """Return (..., n_quantiles, n_columns) as (..., n_outputs), target by target."""
        by_target = columns.reshape(*columns.shape[:-1], -1, shape.horizon)
        return by_target.swapaxes(-3, -2).reshape(*columns.shape[:-2], -1)

    repeated = np.repeat(coef[:, None], shape.n_quantiles, axis=1)
    return in_order(repeated), in_order(intercept + offsets)


def ridge_solutions(
    moments: Moments, center: FloatArray
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield the ridge regression of each penalty, the smallest penalty first.

    Parameters
    ----------
    moments : Moments
        Sums over the samples to solve on.
    center : ndarray of shape (n_features, n_outputs)
        The coefficients that the penalty pulls to.

    Yields
    ------
    tuple of ndarray
        Coefficients (n_features, n_outputs) and intercepts (n_outputs,).
    """
    total = max(moments.weight, _MIN_SIZE)
    mean_x, mean_y = moments.x / total, moments.y / total
    gram = moments.xx / total - np.outer(mean_x, mean_x)
    cross = moments.xy / total - np.outer(mean_x, mean_y)
    values, vectors = (part.numpy() for part in torch.linalg.eigh(torch.from_numpy(gram)))
    values = np.maximum(values, 0.0)
    rotated = _product(vectors.T, cross - _product(gram, center))
    # Where the rows do not vary beyond rounding, they tell nothing: a straight line's windows.
    rotated[values <= _ROUNDING * np.trace(moments.xx) / total] = 0.0
    size = max(float(values.mean()), _MIN_SIZE)
    for penalty in _RIDGE_PENALTIES:
        coef = center + _product(vectors, rotated / (values + penalty * size)[:, None])
        yield coef, mean_y - _product(mean_x, coef)


def _product(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return a product of matrices, computed by torch."""
    product: FloatArray = (torch.from_numpy(left) @ torch.from_numpy(right)).numpy()
    return product


def _rows(
    trunk: Trunk[Any],
    data: WindowData,
    index: Tensor,
    targets: Sequence[int] | None = None,
    power: int = 2,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield design rows, target rows and weights, in float64; of some targets or of all.

    A weight is multiplied by that power of the scale of its window.
    """
    n_values = data.past[0].numel() + data.target[0].numel() if len(index) else 1
    for part in index.split(max(1, min(_CHUNK, _MOST_VALUES // n_values))):
        past, target, weight = (tensor.double() for tensor in data.take(part))
        normed, stats, _ = trunk.window_norm(past)
        target, scale = _normalised(target, stats, trunk.window_norm.target_channels)
        weight = weight[:, None] * scale**power  # (batch, targets)
        if trunk.seed.shape.has_missing:
            # All steps share a design matrix, so a row weighs by how many of them are known.
            weight = weight * (~target.isnan()).double().mean(dim=2)
            target = carried_forward(target)
        features = trunk.seed.features(trunk.window_norm.for_seed(normed, stats))
        if trunk.seed.is_shared:
            yield features.flatten(0, 1), target.flatten(0, 1), weight.flatten()
            continue
        if targets is not None:
            target, weight = target[:, targets], weight[:, targets]
        # Targets share one design matrix, so they share its weights too.
        yield features, target.flatten(1), weight.mean(dim=1)


def _normalised(
    target: Tensor, stats: WindowStats, channels: Sequence[int] | None
) -> tuple[Tensor, Tensor]:
    """Return targets in the units of their normalised window, and that window's scale."""
    scale = torch.ones(target.shape[:2], dtype=target.dtype)
    if channels is None:
        return target, scale
    if stats.center is not None:
        target = target - stats.center[:, channels]
    if stats.scale is not None:
        scale = stats.scale[:, channels, 0]
        target = target / scale[..., None]
    return target, scale
