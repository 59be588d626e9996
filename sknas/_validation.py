"""The one door to scikit-learn's private validators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.validation import _check_sample_weight

__all__ = [
    "HasMethods",
    "Interval",
    "StrOptions",
    "check_weights",
    "validate_parameters",
]


def validate_parameters(estimator: BaseEstimator, constraints: Mapping[str, list[Any]]) -> None:
    """Raise if a constructor parameter breaks its constraint.

    Parameters
    ----------
    estimator : BaseEstimator
        Whose parameters to check.
    constraints : mapping of str to list
        Allowed types and values of each parameter.

    Raises
    ------
    ValueError
        ``sklearn.utils.InvalidParameterError``, naming the parameter, the rule and the value.
    """
    validate_parameter_constraints(
        dict(constraints),
        estimator.get_params(deep=False),
        caller_name=type(estimator).__name__,
    )


def check_weights(sample_weight: ArrayLike | None, X: NDArray[Any]) -> NDArray[np.float64]:
    """Return sample weights as an array; ones where there are none.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), scalar or None
        Weights.
    X : ndarray of shape (n_samples, ...)
        The samples.

    Returns
    -------
    ndarray of shape (n_samples,), float64
        The weights.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, or all are zero.
    """
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if not weights.any():
        raise ValueError("sample_weight must not be zero for every sample; got zeros only.")
    checked: NDArray[np.float64] = np.asarray(weights)
    return checked
