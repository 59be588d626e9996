"""Carry optimizer state and weight averages across an edit: the bug that everyone has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sknas.edits.base import ParameterChange, Replacement

__all__ = ["carry_averages", "carry_optimizer"]


def carry_optimizer(
    optimizer: Optimizer, change: ParameterChange, trainable: Iterable[nn.Parameter]
) -> None:
    """Make an optimizer follow an edit.

    Old entries keep their moments and their step count, and added parameters start a count of
    their own, so that Adam corrects their bias as it should. Newborn entries of a grown parameter
    share its count. Their first moment is zero, and the second one the mean of those that are
    there: at zero, which an old count would not correct, their first steps would be several times
    the rate.

    Parameters
    ----------
    optimizer : Optimizer
        The optimizer of the weights, or of the architecture parameters; changed in place.
    change : ParameterChange
        What the edit returned.
    trainable : iterable of nn.Parameter
        The parameters this optimizer is to hold after the edit.
    """
    wanted = {id(parameter): parameter for parameter in trainable}
    for replacement in change.replaced:
        for group in optimizer.param_groups:
            group["params"] = [
                replacement.new if parameter is replacement.old else parameter
                for parameter in group["params"]
            ]
        state = optimizer.state.pop(replacement.old, None)
        if state is not None:
            optimizer.state[replacement.new] = {
                key: _carried(key, value, replacement) for key, value in state.items()
            }
    held: set[int] = set()
    for group in optimizer.param_groups:
        group["params"] = [p for p in group["params"] if id(p) in wanted]
        held |= {id(p) for p in group["params"]}
    for parameter in [p for p in optimizer.state if id(p) not in wanted]:
        del optimizer.state[parameter]
    newborn = [parameter for key, parameter in wanted.items() if key not in held]
    for parameter in newborn:
        _group_for(parameter, optimizer)["params"].append(parameter)


def _group_for(parameter: nn.Parameter, optimizer: Optimizer) -> dict[str, Any]:
    """Return the first group for parameters with so many axes; the last, if none says so."""
    groups = optimizer.param_groups
    fitting = (group for group in groups if parameter.dim() >= group.get("least_dim", 0))
    return next(fitting, groups[-1])


def _carried(key: str, value: object, replacement: Replacement) -> object:
    """Return an entry of a grown parameter's state."""
    if not isinstance(value, Tensor) or not value.dim() or value.shape != replacement.old.shape:
        return value
    newborn = torch.zeros_like(replacement.new)
    if key == "exp_avg_sq" and value.numel():
        newborn += value.mean()
    return replacement.carry(value, newborn)


def carry_averages(
    averages: dict[nn.Parameter, Tensor],
    change: ParameterChange,
    trainable: Iterable[nn.Parameter],
) -> dict[nn.Parameter, Tensor]:
    """Make weight averages follow an edit; newborn entries start at their present value.

    Parameters
    ----------
    averages : dict of nn.Parameter to Tensor
        Averages before the edit.
    change : ParameterChange
        What the edit returned.
    trainable : iterable of nn.Parameter
        The parameters to average after the edit.

    Returns
    -------
    dict of nn.Parameter to Tensor
        Averages after the edit.
    """
    carried = dict(averages)
    for replacement in change.replaced:
        if replacement.old in carried:
            old = carried.pop(replacement.old)
            values = replacement.carry(old, replacement.new)
            if replacement.factor is not None:
                values[: len(replacement.factor)] *= replacement.factor
            carried[replacement.new] = values
    return {p: carried.get(p, p.detach().clone()) for p in trainable}
