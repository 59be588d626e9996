"""Solve the other linear seeds: logistic regression, or a constant on codes; say which learn."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from sknas.blocks import LinearSeed, Trunk, WindowData

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
    *,
    final: Tensor | None = None,
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
    final : Tensor of int64 or None, default=None
        Samples to solve on once the penalty is chosen; None for `train`.

    Returns
    -------
    coef : ndarray of shape (n_features, n_classes)
        Coefficients of the logits.
    intercept : ndarray of shape (n_classes,)
        Intercepts of the logits.
    """
    best: tuple[float, float, LogisticRegression] | None = None
    rows = design(trunk, data, train)
    if len(np.unique(rows[1])) > 1:
        for strength in _LOGISTIC_STRENGTHS:
            model = _logistic(rows, strength)
            loss = _log_loss(model, design(trunk, data, validation), n_classes)
            if best is None or loss < best[0]:
                best = (loss, strength, model)
    if final is not None:
        rows = design(trunk, data, final)
    coef = np.zeros((rows[0].shape[1], n_classes))
    intercept = np.full(n_classes, -np.log(len(rows[1]) + 1.0))
    present = np.unique(rows[1])
    if len(present) == 1:
        intercept[present] = 0.0
        return coef, intercept
    strength = _LOGISTIC_STRENGTHS[len(_LOGISTIC_STRENGTHS) // 2] if best is None else best[1]
    model = best[2] if best is not None and final is None else _logistic(rows, strength)
    if len(present) == 2:
        coef[:, present] = np.stack([-model.coef_[0], model.coef_[0]], axis=1) / 2
        intercept[present] = np.array([-model.intercept_[0], model.intercept_[0]]) / 2
    else:
        coef[:, present] = model.coef_.T
        intercept[present] = model.intercept_
    return coef, intercept


def _logistic(
    rows: tuple[FloatArray, NDArray[np.int64], FloatArray], strength: float
) -> LogisticRegression:
    x, y, w = rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=strength, max_iter=300).fit(x, y, sample_weight=w)


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
