"""Annealed gates on the units of a network's states: which of them it can do without."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from sknas.blocks import BranchStack
from sknas.derived import DerivedNetwork
from sknas.edits.geometry import projections, ways_out
from sknas.edits.narrowing import narrow_branch

__all__ = ["ChannelGates", "narrow_network"]

_OPEN, _CLOSED = 0.9, 0.1


class ChannelGates(nn.Module):
    """A network of fixed weights whose units pass gates ``sigmoid(scale * s)``.

    The channel pruning of DNAL (Guo et al. 2021, arXiv:2103.02126): one score s for each channel,
    0 at first, a scale that grows until the gates are steps, and a penalty on sigmoid(s), which is
    not scaled. There a gate multiplies a convolution's output channel. Ours is what that means in a
    recurrent cell: the gate multiplies unit i wherever a matrix reads it (the cells' weights on
    states, memories and nodes, the next layer's weights, the heads), so that a gate of zero is
    exactly a unit without a way out, which `Narrow` removes without effect. Products of a unit with
    itself stay as they are, since nobody else sees them. Unit i of all layers of a branch has one
    gate, for they share one width.

    Parameters
    ----------
    network : DerivedNetwork
        The network; its weights stay fixed.
    """

    def __init__(self, network: DerivedNetwork) -> None:
        super().__init__()
        self.network = network.requires_grad_(requires_grad=False)
        self.scale = 1.0
        branches = network.trunk.branches
        self.scores = nn.ParameterList(
            torch.zeros(b.hidden_size, dtype=b.heads[0].dtype, device=b.heads[0].device)
            for b in branches
        )
        gated = {id(weight): place for place, b in enumerate(branches) for weight in ways_out(b)}
        self._gated = [
            (name, weight, gated[id(weight)])
            for name, weight in network.named_parameters()
            if id(weight) in gated
        ]
        # A weight between two units counts half for each; all units of a branch are alike.
        self._shares = [_n_weights_of_units(b) / b.hidden_size / network.n_params for b in branches]

    def forward(self, past: Tensor) -> Tensor:
        """Predict from windows (batch, channels, lookback) through the gates."""
        gates = [torch.sigmoid(self.scale * score)[:, None] for score in self.scores]
        weights = {name: weight * gates[place] for name, weight, place in self._gated}
        output: Tensor = functional_call(self.network, weights, (past,))
        return output

    def size(self) -> Tensor:
        """Return the share of the network's weights that the scores keep, without the scale.

        Returns
        -------
        Tensor of shape ()
            ``sum_i n_i sigmoid(s_i) / n``, where n_i of all n weights are unit i's; a weight
            between two units counts half for each.
        """
        shares = zip(self._shares, self.scores, strict=True)
        return torch.stack([share * torch.sigmoid(score).sum() for share, score in shares]).sum()

    @torch.no_grad()
    def gates(self) -> list[Tensor]:
        """Return the gates of each branch's units."""
        return [torch.sigmoid(self.scale * score) for score in self.scores]

    def entropy(self) -> float:
        """Return the mean entropy of the gates, in nats: log 2 at first, 0 where all are steps."""
        gates = torch.cat(self.gates())
        return float((torch.special.entr(gates) + torch.special.entr(1.0 - gates)).mean())

    def open_units(self) -> list[tuple[int, ...]]:
        """Return the units of each branch whose gate is open (above 0.9), at least one."""
        return self._above(_OPEN)

    @torch.no_grad()
    def harden(self) -> None:
        """Make the gates of open units one and all others zero: the limit of the scale."""
        for score, units in zip(self.scores, self.open_units(), strict=True):
            score.fill_(-torch.inf)
            score[list(units)] = torch.inf

    def unclosed_units(self) -> list[tuple[int, ...]]:
        """Return the units of each branch whose gate is not closed (below 0.1), at least one."""
        return self._above(_CLOSED)

    def _above(self, limit: float) -> list[tuple[int, ...]]:
        kept = []
        for gate, score in zip(self.gates(), self.scores, strict=True):
            units = torch.nonzero(gate > limit).flatten().tolist()
            kept.append(tuple(units) or (int(score.detach().argmax()),))
        return kept


def narrow_network(network: DerivedNetwork, keep: list[tuple[int, ...]]) -> None:
    """Remove units from a derived network, and from its genotype.

    Parameters
    ----------
    network : DerivedNetwork
        Changed in place.
    keep : list of tuple of int
        For each branch the units that stay.
    """
    spec, branches = network.spec, []
    pairs = zip(network.trunk.branches, spec.genotype.branches, keep, strict=True)
    for stack, branch, units in pairs:
        narrow_branch(stack, units)
        branches.append(dataclasses.replace(branch, hidden_size=len(units)))
    genotype = dataclasses.replace(spec.genotype, branches=tuple(branches))
    network.spec = dataclasses.replace(spec, genotype=genotype)


def _n_weights_of_units(branch: BranchStack[Any]) -> int:
    weights = [p for part in projections(branch.layers) for p in part.parameters()]
    return sum(p.numel() for p in (*weights, *branch.heads, *branch.gains.parameters()))
