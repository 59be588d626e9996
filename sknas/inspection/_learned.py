"""What a display reads off a fitted estimator, or why it cannot."""

from __future__ import annotations

from typing import Any

from sklearn.exceptions import NotFittedError

from sknas.estimators.searched import SearchedNetwork

__all__ = ["learned"]


def learned(estimator: object, *names: str) -> list[Any]:
    """Return learned attributes.

    Parameters
    ----------
    estimator : estimator
        One of this package, fitted.
    *names : str
        Names of the attributes.

    Returns
    -------
    list
        Their values.

    Raises
    ------
    TypeError
        If it is no estimator of this package.
    NotFittedError
        If it is not fitted.
    """
    kind = type(estimator).__name__
    if not isinstance(estimator, SearchedNetwork):
        raise TypeError(
            f"estimator must be a fitted GrowingDARTS estimator; got {kind}. Of a pipeline give "
            "the last step, pipeline[-1]; of a grid search best_estimator_."
        )
    missing = [name for name in names if not hasattr(estimator, name)]
    if missing:
        raise NotFittedError(
            f"estimator must be fitted before it is drawn; this {kind} has no {missing[0]} yet. "
            "Call fit first."
        )
    return [getattr(estimator, name) for name in names]
