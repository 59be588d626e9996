"""Newborn units of the largest gradient (GradMax), in any cell of the space."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Generator, Tensor

from sknas.blocks import BranchStack
from sknas.edits.base import ParameterChange
from sknas.edits.evidence import Evidence
from sknas.edits.newborn import NewbornUnits
from sknas.edits.units import Fans, Units, widen_branch
from sknas.genotype import MEMORY, STATE
from sknas.supernet import Supernet, TwoInputCell

__all__ = ["GradMaxUnits"]

_N_SAMPLES = 64
_N_PROBES = 256  # units that are tried in one pass
_STEP = 1e-6  # fan-out of a probe, in double precision


@dataclass(frozen=True)
class GradMaxUnits(NewbornUnits):
    """Weights that keep the function and make the gradient of the newborn units large.

    GradMax (Evci et al. 2022, arXiv:2201.05125): fan-in zero, and for the fan-out the k largest
    singular vectors of ``M = sum h (dL/dz)^T``, over a batch, where h is what the unit reads and
    dL/dz the gradient of what reads the unit. With phi(0) = 0 the output is what it was, and among
    all fan-outs of that length these maximise the norm of the gradient of the fan-in. Each is
    scaled to a share of the mean length of the old units' fan-outs.

    Ours is what M is for a unit of a recurrent cell, which is read at every step, through gates, by
    its own cell, the layer above and the head: the mixed second derivative of the loss by fan-out
    and fan-in of a unit for which both are zero. In a feed-forward layer that is the paper's M
    times phi'(0). It is measured by probe units, one for each entry of the fan-out.

    A unit with a fan-in of zero is silent (its state stays zero) in rnn, highway, GRU and LSTM
    cells, where the products of gates and zeros are zero. The nodes that are not, such as gates at
    sigmoid(0), get no fan-out. Where the state itself does not stay zero, the mirror image is
    taken, which is ours: fan-out zero, and for the fan-in the singular vectors of the other side,
    as long as the mean of the old units' fan-ins; to first order they maximise the gradient of the
    fan-out. Ours, too: as many units begin like that as have a singular value above what a random
    fan-in gets for its length (measured, in the mean square). The others keep the random fan-in
    that `Widen` draws; those are all units where M vanishes, because phi'(0) = 0 or because the
    unit is a product.

    Parameters
    ----------
    share : float, default=0.5
        Length of a newborn fan-out over the mean of the old ones; the authors' value.
    evidence : Evidence or None, default=None
        Samples to measure M on; an even selection of at most 64 of them is taken.
    """

    share: float = 0.5
    evidence: Evidence | None = field(default=None, repr=False, compare=False)
    name = "gradmax"

    def informed_by(self, evidence: Evidence) -> GradMaxUnits:
        """Return the same choice, measured on these samples."""
        return replace(self, evidence=evidence)

    def choose(
        self, supernet: Supernet, branch: int, n_units: int, generator: Generator
    ) -> Sequence[Fans]:
        """Choose singular vectors of each layer's M."""
        del generator
        evidence = self.evidence
        if evidence is None:
            raise ValueError("evidence must be given before units are chosen by it; got None.")
        stack = supernet.trunk.branches[branch]
        return [
            self._fans(_measure(supernet, branch, depth, evidence), stack, depth, n_units)
            for depth in range(len(stack.layers))
        ]

    def _fans(
        self, measured: _Measured, branch: BranchStack[TwoInputCell], depth: int, n_units: int
    ) -> Fans:
        units = Units(branch, depth, branch.hidden_size)
        old_in, old_out = units.fan_in(Tensor.detach), units.fan_out(Tensor.detach)
        ways_out, is_silent = measured.ways_out, measured.is_silent
        left, values, right = torch.linalg.svd(measured.matrix, full_matrices=False)
        n = min(n_units, int((values > measured.random).sum()))
        fan_in, fan_out = old_in.new_zeros(n, old_in.shape[1]), old_in.new_zeros(n, len(ways_out))
        if is_silent:
            length = self.share * float(old_out[:, ways_out].norm(dim=1).mean())
            fan_out[:, ways_out] = ((length or self.share) * left[:, :n].T).to(fan_out)
        else:
            length = float(old_in.norm(dim=1).mean())
            fan_in[:] = ((length or 1.0) * right[:n]).to(fan_in)
        return Fans(fan_in, fan_out)


@dataclass(frozen=True)
class _Measured:
    """M of a layer, and the conditions that it was measured under.

    `matrix` has shape (entries of the fan-out that `ways_out` marks, entries of the fan-in);
    `random` is what stands for a singular value where the fan-in is random.
    """

    matrix: Tensor
    ways_out: Tensor
    is_silent: bool
    random: float


def _measure(supernet: Supernet, branch: int, depth: int, evidence: Evidence) -> _Measured:
    """Measure the mixed second derivative of the loss by a newborn unit's fan-out and fan-in."""
    probe = _Probe(supernet, branch, depth, evidence)
    units, n_old = probe.units, probe.units.n_old
    nothing = Fans(torch.zeros_like(probe.drawn.fan_in), torch.zeros_like(probe.drawn.fan_out))
    _, at_rest = probe.gradients(nothing)
    is_silent, silent = _silent_sources(units.cell, n_old)
    is_read = [not is_silent or silent.issuperset(r.sources) for r in units.readers()]
    columns = [r.n_columns for r in units.readers()]
    ways_out = torch.tensor(is_read).repeat_interleave(torch.tensor(columns)).to(at_rest.device)
    rows = []
    for ways in ways_out.nonzero().flatten().split(len(at_rest)):
        fan_out = nothing.fan_out.clone()
        fan_out[torch.arange(len(ways), device=ways.device), ways] = _STEP
        # With a fan-out of zero there is no gradient, so that nothing cancels.
        rows.append(probe.gradients(Fans(nothing.fan_in, fan_out))[0][: len(ways)] / _STEP)
    _, moved = probe.gradients(probe.drawn)
    gains = (moved - at_rest)[:, ways_out].norm(dim=1) / probe.drawn.fan_in.norm(dim=1)
    random = float(gains.square().mean().sqrt())
    return _Measured(torch.cat(rows).nan_to_num(0.0, 0.0, 0.0), ways_out, is_silent, random)


class _Probe:
    """A copy of the network, in double precision, one layer of which has units to try fans on.

    Attributes
    ----------
    units : Units
        The layer's; those to try are newborn.
    drawn : Fans
        Their random fan-ins, with fan-outs of zero.
    """

    def __init__(self, supernet: Supernet, branch: int, depth: int, evidence: Evidence) -> None:
        self.evidence = evidence.thinned(_N_SAMPLES)
        self.network = copy.deepcopy(supernet).double().requires_grad_(requires_grad=True)
        stack = self.network.trunk.branches[branch]
        n_old = stack.hidden_size
        self.units = Units(stack, depth, n_old)
        n_probes = min(self.units.fan_out(Tensor.detach).shape[1], _N_PROBES)
        generator = Generator().manual_seed(0)
        widen_branch(self.network, branch, n_probes, ParameterChange(), generator)
        self.drawn = _newborn(self.units)
        for layer in range(len(stack.layers)):
            units = Units(stack, layer, n_old)
            fans = _newborn(units)
            units.place(Fans(torch.zeros_like(fans.fan_in), torch.zeros_like(fans.fan_out)))

    def gradients(self, fans: Fans) -> tuple[Tensor, Tensor]:
        """Return the loss's gradients by the fan-ins and by the fan-outs of units that have these.

        Parameters
        ----------
        fans : Fans
            What each of the units has.

        Returns
        -------
        tuple of Tensor, shaped like the fans
            The gradients.
        """
        self.units.place(fans)
        parameters = list(self.network.parameters())
        found = torch.autograd.grad(
            self.evidence.loss(self.network), parameters, allow_unused=True, materialize_grads=True
        )
        of = {id(p): gradient for p, gradient in zip(parameters, found, strict=True)}
        gradients = _newborn(self.units, lambda p: of[id(p)])
        return gradients.fan_in, gradients.fan_out


def _newborn(units: Units, values: Callable[[Tensor], Tensor] = Tensor.detach) -> Fans:
    return Fans(*(fan(values)[units.n_old :] for fan in (units.fan_in, units.fan_out)))


@torch.no_grad()
def _silent_sources(cell: TwoInputCell, n_old: int) -> tuple[bool, set[str]]:
    """Say whether the units behind the old ones stay at zero, and which of their values do.

    Their fan-in is zero, so that one step from a state of zero tells it of all steps.
    """
    like = cell.nodes[0].output_weight
    values = {STATE: like.new_zeros(1, cell.n_hidden)}
    if cell.has_memory:
        values[MEMORY] = like.new_zeros(1, cell.n_hidden)
    (step,) = cell.plan(like.new_zeros(1, 1, cell.n_inputs)).steps()
    state, memory = step.update(values)
    stays = not state[:, n_old:].any() and (memory is None or not memory[:, n_old:].any())
    return bool(stays), {name for name, value in values.items() if not value[:, n_old:].any()}
