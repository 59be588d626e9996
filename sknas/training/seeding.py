"""Solve the linear seed: ridge in closed form, logistic regression, or a constant on codes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from sknas.blocks import LinearSeed, Trunk, WindowData
from sknas.blocks.carrying import carried_forward
from sknas.blocks.window_norm import WindowStats

__all__ = [
    "Moments",
    "design",
    "ridge_solutions",
    "seed_learns",
    "solve_constant_seed",
    "solve_logistic_seed",
    "solve_ridge_seed",
    "spread_over_quantiles",
]

FloatArray = NDArray[np.float64]

_RIDGE_PENALTIES = tuple(10.0**k for k in range(-8, 3))
_LOGISTIC_STRENGTHS = (0.01, 0.1, 1.0, 10.0)
_CHUNK = 1024  # samples at once
_MOST_VALUES = 2**20  # at once
_N_RESIDUALS = 4096
_ROUNDING = 1e-13  # of sums over many rows
_MIN_SIZE = 1e-200  # of equal rows; the smallest penalty times it must not vanish


class Moments:
    """Weighted sums over the rows of a design matrix X and targets Y, gathered chunk by chunk."""

    def __init__(self, trunk: Trunk[Any], data: WindowData, index: Tensor) -> None:
        self.weight = 0.0
        self.x = self.y = self.xx = self.xy = np.zeros(())
        self.yy = 0.0
        for features, targets, weights in _rows(trunk, data, index):
            weighted = features * weights[:, None]
            self.weight += float(weights.sum())
            self.x = self.x + weighted.sum(axis=0)
            self.y = self.y + weights @ targets
            self.xx = self.xx + weighted.T @ features
            self.xy = self.xy + weighted.T @ targets
            self.yy += float((weights[:, None] * targets**2).sum())

    def loss(self, coef: FloatArray, intercept: FloatArray) -> float:
        """Return the weighted sum of squared errors of a linear model, from the sums alone."""
        cross = np.sum(coef * (self.xy - np.outer(self.x, intercept)))
        square = np.sum(coef * (self.xx @ coef))
        constant = self.yy - 2 * intercept @ self.y + self.weight * intercept @ intercept
        return float(constant - 2 * cross + square)


def seed_learns(seed: LinearSeed, *, is_linear: bool) -> bool:
    """Say whether the seed learns along with the branches.

    A solved seed with weights of its own for every channel is at its best already, and would only
    overfit. One that reads an embedding is solved for nothing but its constant.

    Parameters
    ----------
    seed : LinearSeed
        The seed.
    is_linear : bool
        Whether it was solved.

    Returns
    -------
    bool
        True where its weights are shared, or were never solved.
    """
    return seed.is_shared or seed.shape.is_embedded or not is_linear


def solve_ridge_seed(
    trunk: Trunk[Any], data: WindowData, train: Tensor, validation: Tensor
) -> tuple[FloatArray, FloatArray]:
    """Solve the ridge regression that a trunk is at birth.

    The squared error is that of the prediction after the window normalisation is undone, so a
    window's rows weigh by the square of its scale.

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

    Returns
    -------
    coef : ndarray of shape (n_features, n_outputs)
        Coefficients.
    intercept : ndarray of shape (n_outputs,)
        Intercepts.
    """
    moments = Moments(trunk, data, train)
    judge = Moments(trunk, data, validation) if len(validation) else None
    solutions = list(ridge_solutions(moments, np.zeros_like(moments.xy)))
    if judge is None:
        return solutions[len(solutions) // 2]
    return min(solutions, key=lambda solution: judge.loss(*solution))


def spread_over_quantiles(
    trunk: Trunk[Any], data: WindowData, index: Tensor, solution: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Shift the ridge regression by the quantiles of its residuals, step by step.

    Parameters
    ----------
    trunk : Trunk
        Its shape says which quantiles.
    data : WindowData
        All samples.
    index : Tensor of int64
        Samples that the residuals are of, or an even selection of them.
    solution : tuple of ndarray
        Coefficients (n_features, n_columns) and intercepts (n_columns,) of the mean, where a column
        is a step, or a target's step.

    Returns
    -------
    tuple of ndarray
        The same for every quantile, in the order of the seed's outputs.
    """
    coef, intercept = solution
    shape = trunk.seed.shape
    selected = index[:: max(1, len(index) // _N_RESIDUALS)]
    residuals = [
        (targets - features @ coef - intercept)[weights > 0]
        for features, targets, weights in _rows(trunk, data, selected)
    ]
    offsets = np.quantile(np.concatenate(residuals), shape.quantiles, axis=0)

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
    mean_x, mean_y = moments.x / moments.weight, moments.y / moments.weight
    gram = moments.xx / moments.weight - np.outer(mean_x, mean_x)
    cross = moments.xy / moments.weight - np.outer(mean_x, mean_y)
    values, vectors = np.linalg.eigh(gram)
    values = np.maximum(values, 0.0)
    rotated = vectors.T @ (cross - gram @ center)
    # Where the rows do not vary beyond rounding, they tell nothing: a straight line's windows.
    rotated[values <= _ROUNDING * np.trace(moments.xx) / moments.weight] = 0.0
    size = max(float(values.mean()), _MIN_SIZE)
    for penalty in _RIDGE_PENALTIES:
        coef = center + vectors @ (rotated / (values + penalty * size)[:, None])
        yield coef, mean_y - mean_x @ coef


def _rows(
    trunk: Trunk[Any], data: WindowData, index: Tensor
) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
    """Yield design rows, target rows and weights, in float64."""
    n_values = data.past[0].numel() + data.target[0].numel() if len(index) else 1
    for part in index.split(max(1, min(_CHUNK, _MOST_VALUES // n_values))):
        past, target, weight = (tensor.double() for tensor in data.take(part))
        normed, stats, _ = trunk.window_norm(past)
        target, scale = _normalised(target, stats, trunk.window_norm.target_channels)
        weight = weight[:, None] * scale.square()  # (batch, targets)
        if trunk.seed.shape.has_missing:
            # All steps share a design matrix, so a row weighs by how many of them are known.
            weight = weight * (~target.isnan()).double().mean(dim=2)
            target = carried_forward(target)
        features = trunk.seed.features(normed)
        if trunk.seed.is_shared:
            yield (
                features.flatten(0, 1).numpy(),
                target.flatten(0, 1).numpy(),
                weight.flatten().numpy(),
            )
        else:
            # Targets share one design matrix, so they share its weights too.
            yield features.numpy(), target.flatten(1).numpy(), weight.mean(dim=1).numpy()


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


def solve_constant_seed(
    trunk: Trunk[Any], data: WindowData, train: Tensor, n_classes: int
) -> tuple[FloatArray, FloatArray]:
    """Solve the constant that is the best a seed can say before its embedding has learned.

    With coefficients of zero the least cross entropy is that of the classes' relative frequencies
    (in language modelling, of the unigram model), and the least squared error that of the mean.
    One more sample, spread evenly over the classes, keeps those that `train` lacks possible.

    Parameters
    ----------
    trunk : Trunk
        Its seed has the layout of the result.
    data : WindowData
        All samples; with classes, targets are class indices.
    train : Tensor of int64
        Samples to solve on.
    n_classes : int
        Number of classes; 0 for regression.

    Returns
    -------
    coef : ndarray of shape (n_features, n_outputs)
        Zeros.
    intercept : ndarray of shape (n_outputs,)
        Logarithms of the frequencies, or means.
    """
    target, weight = data.target[train], data.weight[train].double()
    coef = np.zeros(tuple(trunk.seed.weight.shape))
    total = weight.sum()
    if n_classes:
        counts = torch.bincount(target, weight, minlength=n_classes) + 1.0 / n_classes
        return coef, (counts / (total + 1.0)).log().numpy()
    mean = (weight @ target.double().flatten(1)) / total.clamp_min(_MIN_SIZE)
    return coef, mean.numpy()


def solve_logistic_seed(
    trunk: Trunk[Any], data: WindowData, train: Tensor, validation: Tensor, n_classes: int
) -> tuple[FloatArray, FloatArray]:
    """Solve the multinomial logistic regression that a classifier's trunk is at birth.

    Parameters
    ----------
    trunk : Trunk
        Its window normalisation and the layout of its seed.
    data : WindowData
        All samples, targets being class indices.
    train, validation : Tensor of int64
        Samples to solve on, and samples that choose the penalty.
    n_classes : int
        Number of classes; those that `train` lacks get a small constant probability.

    Returns
    -------
    coef : ndarray of shape (n_features, n_classes)
        Coefficients of the logits.
    intercept : ndarray of shape (n_classes,)
        Intercepts of the logits.
    """
    x, y, w = design(trunk, data, train)
    n_features = x.shape[1]
    coef, intercept = np.zeros((n_features, n_classes)), np.full(n_classes, -np.log(len(y) + 1.0))
    present = np.unique(y)
    if len(present) == 1:
        intercept[present] = 0.0
        return coef, intercept
    best = None
    for strength in _LOGISTIC_STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=300)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x, y, sample_weight=w)
        loss = _log_loss(model, design(trunk, data, validation), n_classes)
        if best is None or loss < best[0]:
            best = (loss, model)
    if best is None:
        raise RuntimeError("internal error: no penalty was tried.")
    model = best[1]
    if len(present) == 2:
        coef[:, present] = np.stack([-model.coef_[0], model.coef_[0]], axis=1) / 2
        intercept[present] = np.array([-model.intercept_[0], model.intercept_[0]]) / 2
    else:
        coef[:, present] = model.coef_.T
        intercept[present] = model.intercept_
    return coef, intercept


def design(
    trunk: Trunk[Any], data: WindowData, index: Tensor
) -> tuple[FloatArray, NDArray[np.int64], FloatArray]:
    """Return a classifier's design matrix, class indices and weights.

    Parameters
    ----------
    trunk : Trunk
        Its window normalisation and the layout of its seed.
    data : WindowData
        All samples.
    index : Tensor of int64
        Which of them.

    Returns
    -------
    tuple of ndarray
        Features (n, n_features), classes (n,) and weights (n,).
    """
    past, target, weight = data.take(index)
    normed, _, _ = trunk.window_norm(past.double())
    return trunk.seed.features(normed).numpy(), target.numpy(), weight.double().numpy()


def _log_loss(
    model: LogisticRegression,
    rows: tuple[FloatArray, NDArray[np.int64], FloatArray],
    n_classes: int,
) -> float:
    x, y, w = rows
    column = np.full(n_classes, -1)
    column[model.classes_] = np.arange(len(model.classes_))
    loss = 0.0
    # Probabilities are as wide as there are classes, so never of all rows at once.
    for start in range(0, len(y), _CHUNK):
        part = slice(start, start + _CHUNK)
        place = column[y[part]]
        probability = model.predict_proba(x[part])[np.arange(len(place)), place]
        probability = np.where(place < 0, 0.0, probability)
        loss += float(w[part] @ -np.log(np.maximum(probability, 1e-12)))
    return loss
