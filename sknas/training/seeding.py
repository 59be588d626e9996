"""Solve the other linear seeds: logistic regression, or a constant on codes; say which learn."""

from __future__ import annotations

import math
import time
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from sknas.blocks import LinearSeed, Objective, Trunk, WindowData

__all__ = ["design", "seed_learns", "solve_constant_seed", "solve_logistic_seed"]

FloatArray = NDArray[np.float64]

_LOGISTIC_STRENGTHS = (0.01, 0.1, 1.0, 10.0)
_CHUNK = 1024  # samples at once
_LEAST_WEIGHT = 1e-200


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
    mean = (weight @ target.double().flatten(1)) / total.clamp_min(_LEAST_WEIGHT)
    return coef, mean.numpy()


def solve_logistic_seed(
    trunk: Trunk[Any],
    data: WindowData,
    train: Tensor,
    validation: Tensor,
    n_classes: int,
    judge: Objective,
    *,
    final: Tensor | None = None,
    until: float = math.inf,
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
        Number of classes; those that the samples lack get a small constant probability.
    judge : Objective
        The loss that the penalty is chosen by.
    final : Tensor of int64 or None, default=None
        Samples to solve on once the penalty is chosen; None for `train`.
    until : float, default=inf
        Reading of the monotonic clock after which no further penalty is tried.

    Returns
    -------
    coef : ndarray of shape (n_features, n_classes)
        Coefficients of the logits.
    intercept : ndarray of shape (n_classes,)
        Intercepts of the logits.
    """
    rows = design(trunk, data, train)
    strength = _LOGISTIC_STRENGTHS[len(_LOGISTIC_STRENGTHS) // 2]
    if len(np.unique(rows[1])) > 1:
        held_out = design(trunk, data, validation)
        solutions = {strength: _logistic(rows, strength, n_classes)}
        for other in _LOGISTIC_STRENGTHS:
            if other not in solutions and time.monotonic() <= until:
                solutions[other] = _logistic(rows, other, n_classes)
        judged = {c: _loss(solutions[c], held_out, judge) for c in sorted(solutions)}
        strength = min(judged, key=judged.__getitem__)
        if final is None:
            return solutions[strength]
    return _logistic(rows if final is None else design(trunk, data, final), strength, n_classes)


def _logistic(
    rows: tuple[FloatArray, NDArray[np.int64], FloatArray], strength: float, n_classes: int
) -> tuple[FloatArray, FloatArray]:
    """Return coefficients and intercepts of the logits of all classes."""
    from sklearn.linear_model import LogisticRegression  # slow, and for classifiers alone

    x, y, w = rows
    present = np.unique(y)
    coef = np.zeros((x.shape[1], n_classes))
    intercept = np.full(n_classes, -np.log(len(y) + 1.0))
    if len(present) == 1:
        intercept[present] = 0.0
        return coef, intercept
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=strength, max_iter=300).fit(x, y, sample_weight=w)
    if len(present) == 2:
        coef[:, present] = np.stack([-model.coef_[0], model.coef_[0]], axis=1) / 2
        intercept[present] = np.array([-model.intercept_[0], model.intercept_[0]]) / 2
    else:
        coef[:, present] = model.coef_.T
        intercept[present] = model.intercept_
    return coef, intercept


def _loss(
    solution: tuple[FloatArray, FloatArray],
    rows: tuple[FloatArray, NDArray[np.int64], FloatArray],
    judge: Objective,
) -> float:
    coef, intercept = solution
    x, y, w = (torch.from_numpy(part) for part in rows)
    loss = 0.0
    # Logits are as wide as there are classes, so never of all rows at once.
    for features, target, weight in zip(*(part.split(_CHUNK) for part in (x, y, w)), strict=True):
        logits = torch.from_numpy(features.numpy() @ coef + intercept)
        loss += float(weight @ judge.per_sample(logits.unsqueeze(2), target))
    return loss


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
    normed, stats, _ = trunk.window_norm(past.double())
    read = trunk.window_norm.for_seed(normed, stats)
    return trunk.seed.features(read).numpy(), target.numpy(), weight.double().numpy()
