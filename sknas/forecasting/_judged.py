"""What the errors on the validation part were, which intervals are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sknas.derived import DerivedNetwork
from sknas.estimators.losses import median_of
from sknas.forecasting._calibration import movement
from sknas.training import Problem

__all__ = ["judged_errors"]

_N_RESIDUALS = 2000
_N_BATCH = 256


@torch.no_grad()
def judged_errors(
    network: DerivedNetwork, problem: Problem, times: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return errors (n, horizon, n_targets) and movement (n, n_targets) of validation windows.

    `times` of all validation windows put them in order.
    """
    shape = problem.shape
    step = max(1, -(-len(problem.validation) // _N_RESIDUALS))
    # Every so-many-th of each series: in the order of time they might be those of one series.
    judges, order = problem.validation[::step], np.argsort(times[::step], kind="stable")
    errors, moved = [], []
    for index in judges[torch.from_numpy(order).to(judges.device)].split(_N_BATCH):
        past, target, _ = (values.cpu().double() for values in problem.data.take(index))
        point = median_of(network(past).numpy(), shape.quantiles)
        errors.append((target.numpy() - point).swapaxes(1, 2))
        moved.append(movement(past[:, : shape.n_targets].numpy().swapaxes(1, 2)))
    return np.concatenate(errors), np.concatenate(moved)
