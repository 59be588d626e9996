"""How strongly what an edit has added wants to learn: the norm of its gradient."""

from __future__ import annotations

import torch
from torch import nn

from sknas.edits.base import ParameterChange
from sknas.edits.evidence import Evidence
from sknas.supernet import Supernet

__all__ = ["newborn_gradient"]


def newborn_gradient(supernet: Supernet, change: ParameterChange, evidence: Evidence) -> float:
    """Return the norm of the loss's gradient by all newborn weights together.

    Its square is what the loss falls by, to first order, for each unit of step size if gradient
    descent moves the newborn alone. It is what GradMax makes large (Evci et al. 2022).

    Parameters
    ----------
    supernet : Supernet
        The network after an edit.
    change : ParameterChange
        What the edit has returned; of parameters that grew, the entries behind the old ones count.
        Architecture parameters do not.
    evidence : Evidence
        The samples.

    Returns
    -------
    float
        The norm.
    """
    weights = {id(p) for p in supernet.weight_parameters()}
    old = {id(r.new): r.old.shape for r in change.replaced}
    grown = [*change.added, *(r.new for r in change.replaced)]
    newborn: list[nn.Parameter] = [p for p in grown if id(p) in weights]
    if not newborn:
        return 0.0
    gradients = torch.autograd.grad(
        evidence.loss(supernet), newborn, allow_unused=True, materialize_grads=True
    )
    total = 0.0
    for parameter, gradient in zip(newborn, gradients, strict=True):
        square = gradient.double().square()
        if id(parameter) in old:
            square[tuple(slice(0, size) for size in old[id(parameter)])] = 0.0
        total += float(square.sum())
    return total**0.5
