"""Which loss a regression learns by, and which quantiles it is of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sknas.blocks import REGRESSION_LOSSES
from sknas.blocks.objective import Pinball, RegressionObjective

__all__ = ["checked_quantiles", "make_objective", "median_of"]


def checked_quantiles(loss: str, levels: Sequence[float]) -> tuple[float, ...]:
    """Return the levels that a network has outputs for.

    Parameters
    ----------
    loss : str
        Parameter of the estimator.
    levels : sequence of float
        Parameter `quantile_levels` of the estimator.

    Returns
    -------
    tuple of float
        Empty unless the loss is that of quantiles.

    Raises
    ------
    ValueError
        If the levels do not ascend within (0, 1), or 0.5 is not one of them.
    """
    if loss != "quantile":
        return ()
    try:
        found = tuple(float(level) for level in levels)
    except (TypeError, ValueError):
        found = ()  # no numbers, or nested ones
    ascends = all(low < high for low, high in pairwise(found))
    if not (ascends and 0.5 in found and found[0] > 0.0 and found[-1] < 1.0):
        raise ValueError(
            "quantile_levels must ascend within (0, 1), with 0.5 among them, for the point "
            f"forecast; got {list(levels)!r}."
        )
    return found


def make_objective(loss: str, quantiles: Sequence[float]) -> RegressionObjective:
    """Return the loss of a name.

    Parameters
    ----------
    loss : str
        Parameter of the estimator.
    quantiles : sequence of float
        Levels, for the loss of quantiles.

    Returns
    -------
    RegressionObjective
        The loss.
    """
    return Pinball(quantiles) if loss == "quantile" else REGRESSION_LOSSES[loss]()


def median_of(outputs: NDArray[np.float64], quantiles: Sequence[float]) -> NDArray[np.float64]:
    """Return point predictions from a network's outputs.

    Parameters
    ----------
    outputs : ndarray of shape (n_samples, n_targets, n_outputs)
        Points, or all steps of one quantile after the other.
    quantiles : sequence of float
        Levels; empty for points.

    Returns
    -------
    ndarray of shape (n_samples, n_targets, horizon)
        Points, or medians.
    """
    if not quantiles:
        return outputs
    by_level = outputs.reshape(*outputs.shape[:2], len(quantiles), -1)
    return by_level[:, :, list(quantiles).index(0.5)]
