"""The classes of all calls of `partial_fit`, and what a sample of each is worth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import column_or_1d, compute_class_weight

__all__ = ["first_classes", "in_worth_of_classes", "known_classes"]


def first_classes(classes: ArrayLike | None) -> NDArray[Any]:
    """Return the labels that a first call of `partial_fit` announces, sorted.

    Parameters
    ----------
    classes : array-like of shape (n_classes,) or None
        What the user passed.

    Returns
    -------
    ndarray of shape (n_classes,)
        Labels.

    Raises
    ------
    ValueError
        If there are none, or fewer than two, or one of them is missing.
    """
    if classes is None:
        raise ValueError(
            "classes must be passed on the first call to partial_fit, since its samples "
            "may lack some; got None."
        )
    if np.ndim(classes) != 1:
        raise ValueError(f"classes must be a 1-D array of labels; got {classes!r}.")
    labels: NDArray[Any] = np.unique(column_or_1d(classes))
    is_missing = labels.dtype.kind == "f" and not np.isfinite(labels).all()
    if len(labels) < 2 or is_missing:
        raise ValueError(
            "classes must hold at least two labels, and no NaN or infinity; "
            f"got {labels.tolist()!r}."
        )
    return labels


def known_classes(classes: ArrayLike | None, known: NDArray[Any]) -> NDArray[Any]:
    """Return the known labels, which a later call of `partial_fit` may repeat.

    Parameters
    ----------
    classes : array-like of shape (n_classes,) or None
        What the user passed.
    known : ndarray of shape (n_classes,)
        Labels of the first call.

    Returns
    -------
    ndarray of shape (n_classes,)
        The same.

    Raises
    ------
    ValueError
        If `classes` holds others.
    """
    if classes is not None and not np.array_equal(np.unique(column_or_1d(classes)), known):
        raise ValueError(
            f"classes must be those of the first call, {known.tolist()!r}; "
            f"got {np.unique(column_or_1d(classes)).tolist()!r}."
        )
    return known


def in_worth_of_classes(
    weights: NDArray[np.float64], codes: NDArray[Any], class_weight: Any, classes: NDArray[Any]
) -> NDArray[np.float64]:
    """Return sample weights times those of the samples' classes.

    Parameters
    ----------
    weights : ndarray of shape (n_samples,)
        Sample weights.
    codes : ndarray of shape (n_samples,)
        Place of each sample's label in `classes`.
    class_weight : dict, "balanced" or None
        The classifier's parameter.
    classes : ndarray of shape (n_classes,)
        All labels.

    Returns
    -------
    ndarray of shape (n_samples,)
        Weights; of the sum that they had, unless the classes count for whole numbers of samples.

    Raises
    ------
    ValueError
        If weights of classes are no weights.
    """
    if class_weight is None:
        return weights
    if class_weight == "balanced":
        return weights * _balanced(weights, codes)
    # Of all classes, since the samples of a call may lack some.
    by_class: NDArray[np.float64] = compute_class_weight(class_weight, classes=classes, y=classes)
    if not np.isfinite(by_class).all() or (by_class < 0).any() or not by_class.any():
        raise ValueError(
            "class_weight must be finite and not negative, and positive for some class; "
            f"got {class_weight!r}."
        )
    weighted = weights * by_class[codes]
    if (by_class == np.round(by_class)).all() or not weighted.any():
        return weighted
    rescaled: NDArray[np.float64] = weighted * (weights.sum() / weighted.sum())
    return rescaled


def _balanced(weights: NDArray[np.float64], codes: NDArray[Any]) -> NDArray[np.float64]:
    """Return n / (n_classes * n_own) of each sample's class, where a weight of k counts as k."""
    counts = np.bincount(codes, weights)
    is_present = counts > 0
    n_equal = is_present.sum() * counts
    shares = np.divide(counts.sum(), n_equal, out=np.zeros_like(counts), where=is_present)
    return shares[codes]
