"""Which lookback: the one whose linear model errs least, on the same targets in the same units."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from sknas.blocks.objective import Masked
from sknas.forecasting._problem import PreparedPanel
from sknas.forecasting._scales import PanelScales
from sknas.training import Problem, seed_loss, torch_runtime

__all__ = ["best_lookback"]

Prepare: TypeAlias = Callable[[int, PanelScales | None], tuple[PreparedPanel, Problem]]


def best_lookback(
    lengths: Sequence[int], prepare: Prepare, max_params: int | None, until: float = math.inf
) -> int:
    """Return the lookback whose linear model validates best.

    The targets are those that all candidates have windows for; one that has none in common with
    the shorter ones is left out. The units are those of the candidate that trains on the fewest
    rows, so that they tell none of its validation part.

    Parameters
    ----------
    lengths : sequence of int
        Candidates, ascending.
    prepare : callable
        Makes a panel's windows for a lookback, in given units or in its own.
    max_params : int or None
        Candidates whose linear model has more weights are left out, except the shortest.
    until : float, default=inf
        Reading of the monotonic clock after which no longer candidate is tried.

    Returns
    -------
    int
        One of the candidates.
    """
    if len(lengths) == 1:
        return lengths[0]
    drafts: list[_Draft] = []
    for lookback in lengths:
        if drafts and time.monotonic() > until:
            break
        draft = _Draft.of(lookback, *prepare(lookback, None))
        is_small = max_params is None or draft.n_weights <= max_params
        if not drafts or (is_small and len(_common([*drafts, draft]))):
            drafts.append(draft)
    if len(drafts) == 1:
        return drafts[0].lookback
    scales = min((draft.scales for draft in drafts), key=lambda scales: int(scales.n_rows.sum()))
    common = _common(drafts)
    losses: list[float] = []
    for draft in drafts:
        if losses and time.monotonic() > until:
            break
        prepared, problem = prepare(draft.lookback, scales)
        losses.append(_loss_on(common, prepared, problem))
    return drafts[int(np.argmin(losses))].lookback


@dataclass(frozen=True, eq=False)
class _Draft:
    """A candidate: numbers of the targets it is judged on, its own units, and its size."""

    lookback: int
    targets: NDArray[np.int64]
    scales: PanelScales
    n_weights: int

    @classmethod
    def of(cls, lookback: int, prepared: PreparedPanel, problem: Problem) -> _Draft:
        return cls(lookback, _judged(prepared), prepared.scales, _n_weights(problem))


def _judged(prepared: PreparedPanel) -> NDArray[np.int64]:
    """Return a number for each validation window, by the time and the series it predicts."""
    laid, part = prepared.laid, prepared.outer.validation
    numbers: NDArray[np.int64] = laid.times[part] * len(prepared.scales.n_rows) + laid.series[part]
    return numbers


def _common(drafts: Sequence[_Draft]) -> NDArray[Any]:
    return reduce(np.intersect1d, [draft.targets for draft in drafts])


def _n_weights(problem: Problem) -> int:
    """Return the weights of a problem's linear model."""
    shape = problem.shape
    if problem.channel_mode == "mixed":
        return (shape.n_channels * shape.lookback + 1) * shape.n_targets * shape.n_outputs
    return ((1 + shape.n_covariates) * shape.lookback + 1) * shape.n_outputs


def _loss_on(targets: NDArray[Any], prepared: PreparedPanel, problem: Problem) -> float:
    """Return the linear model's loss of some of the validation windows."""
    is_judge = torch.from_numpy(np.isin(_judged(prepared), targets)).to(problem.validation.device)
    objective = problem.objective
    if isinstance(objective, Masked):  # whose unit is the share that is known of its own windows
        objective = Masked(objective.objective, 1.0)
    judges = problem.validation[is_judge]
    with torch_runtime():
        return seed_loss(dataclasses.replace(problem, validation=judges, objective=objective))
