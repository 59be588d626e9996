"""Newborn units whose states are least like those that are there (NORTH-Select)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from torch import Generator, Tensor

from sknas.edits.base import ParameterChange
from sknas.edits.effective_rank import used_directions
from sknas.edits.evidence import Evidence
from sknas.edits.newborn import NewbornUnits
from sknas.edits.units import Fans, Units, widen_branch
from sknas.supernet import Supernet

__all__ = ["SelectUnits"]


@dataclass(frozen=True)
class SelectUnits(NewbornUnits):
    """The best of many random units by what they add to the rank of the states; fan-out zero.

    From NORTH* (Maile et al. 2022, arXiv:2202.08539), its initialisation "Select": candidates are
    drawn at random, with fan-ins as long as the mean of the old ones, and those are kept that raise
    the effective rank most. Ours is the order among candidates: one unit raises the rank by one at
    most, so they are taken one after the other by how far their states, over all steps of all
    samples, stand from what the old units and those already taken span.

    Parameters
    ----------
    n_candidates : int, default=256
        Units to draw, where that is more than those to add.
    evidence : Evidence or None, default=None
        Samples whose states are looked at.
    """

    n_candidates: int = 256
    evidence: Evidence | None = field(default=None, repr=False, compare=False)
    name = "select"

    def informed_by(self, evidence: Evidence) -> SelectUnits:
        """Return the same choice by the states of these samples."""
        return replace(self, evidence=evidence)

    def choose(
        self, supernet: Supernet, branch: int, n_units: int, generator: Generator
    ) -> Sequence[Fans]:
        """Choose among random fan-ins."""
        if self.evidence is None:
            raise ValueError("evidence must be given before units are chosen by it; got None.")
        probe = copy.deepcopy(supernet).double()
        stack = probe.trunk.branches[branch]
        n_old = stack.hidden_size
        layers = [Units(stack, depth, n_old) for depth in range(len(stack.layers))]
        n_ways = [units.fan_out(Tensor.detach).shape[1] for units in layers]
        widen_branch(probe, branch, max(self.n_candidates, n_units), ParameterChange(), generator)
        drawn = []
        for units, n in zip(layers, n_ways, strict=True):
            fan_in = units.fan_in(Tensor.detach)
            length = fan_in[:n_old].norm(dim=1).mean()
            fan_in = fan_in[n_old:] * (length / fan_in[n_old:].norm(dim=1, keepdim=True))
            drawn.append(fan_in)
            units.place(Fans(fan_in, fan_in.new_zeros(len(fan_in), n)))
        states = self.evidence.states(probe)
        like, chosen = supernet.trunk.branches[branch].heads[0], []
        for depth, fan_in in enumerate(drawn):
            old, candidates = states[branch, depth].tensor_split([n_old], dim=1)
            taken = fan_in[_farthest(old, candidates, n_units)].to(like)
            chosen.append(Fans(taken, taken.new_zeros(len(taken), n_ways[depth])))
        return chosen


def _farthest(old: Tensor, candidates: Tensor, n: int) -> list[int]:
    """Return the columns that stand farthest from the old span, one after the other."""
    if not bool(old.isfinite().all() and candidates.isfinite().all()):
        return []
    used = used_directions(old)
    rest = candidates / len(candidates) ** 0.5
    rest = rest - used @ (used.T @ rest)
    chosen: list[int] = []
    while len(chosen) < n:
        lengths = rest.norm(dim=0)
        lengths[chosen] = -1.0
        best = int(lengths.argmax())
        chosen.append(best)
        if lengths[best] > 0:
            direction = rest[:, best] / lengths[best]
            rest = rest - direction[:, None] * (direction @ rest)
    return chosen
