"""What is undecided in a supernet: architecture parameters, and the mixing weights they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from sknas.supernet import DagNode, MixedNode, Supernet

__all__ = ["Choice", "open_choices"]

KeptTensors = Mapping[nn.Parameter, dict[str, Tensor]]


@dataclass
class Choice:
    """An architecture parameter that still decides something, and the mixing weights it makes.

    Every tensor is shaped like the parameter: (n_candidates,) for a node's operations,
    (2, n_sources) for the sources of its two operands, of which one is to be chosen for each, and
    (n_operations + 1, n_edges) for the pairs of a graph's node, of which one is chosen in all. The
    last row is that of ``none``, which is never open: its weight counts as zero.

    Attributes
    ----------
    cell : tuple of int
        Branch and layer of the node's cell.
    kind : {"operations", "edges", "pairs"}
        What is chosen; a pair is one of edge and operation.
    parameter : nn.Parameter
        Alphas or edge logits.
    weights : Tensor
        Mixing weights without noise, also where training draws them; differentiable in the
        parameter.
    scale : Tensor
        What a weight is multiplied by where candidates are ranked: the size of their birth
        scalars, as in `MagnitudePruning`; ones for the sources of operands.
    is_open : Tensor of bool
        Candidates still in an open choice; those of an operand with one source are not.
    progress : float
        Share of the time for which the node is mixed that is over.
    memory : dict of str to Tensor
        What a regularizer keeps of this parameter from step to step.
    """

    cell: tuple[int, int]
    kind: str
    parameter: nn.Parameter
    weights: Tensor
    scale: Tensor
    is_open: Tensor
    progress: float
    memory: dict[str, Tensor] = field(default_factory=dict)

    def one_hot(self, values: Tensor) -> Tensor:
        """Return one at the candidate that would be kept, zero elsewhere.

        Parameters
        ----------
        values : Tensor
            Mixing weights, or values in their place.

        Returns
        -------
        Tensor
            Constant; zero everywhere where nothing is open.
        """
        worth = (values.detach() * self.scale).masked_fill(~self.is_open, -torch.inf)
        rows = worth.flatten() if self.kind == "pairs" else worth
        best = torch.zeros_like(rows).scatter_(-1, rows.argmax(dim=-1, keepdim=True), 1.0)
        return best.view_as(worth) * self.is_open


def open_choices(supernet: Supernet, memory: KeptTensors | None = None) -> list[Choice]:
    """List what is undecided: operations, sources of operands, and pairs of a graph's nodes.

    Parameters
    ----------
    supernet : Supernet
        The network.
    memory : mapping of nn.Parameter to dict, or None, default=None
        What is kept for each parameter.

    Returns
    -------
    list of Choice
        One for each free architecture parameter.
    """
    memory = {} if memory is None else memory
    choices = []
    for place, node in supernet.nodes():
        cell = (place.branch, place.layer)
        if isinstance(node, DagNode):
            choices.append(_pairs(cell, node, memory))
        elif isinstance(node, MixedNode):
            choices += _operations_and_edges(cell, node, memory)
    return choices


def _operations_and_edges(
    cell: tuple[int, int], node: MixedNode, memory: KeptTensors
) -> list[Choice]:
    choices, progress = [], node.progress
    if len(node.operations) > 1:
        births = node.births.detach().abs()
        is_open = torch.ones_like(births, dtype=torch.bool)
        gates, kept = node.gates_at(progress), memory.get(node.alphas, {})
        choices.append(
            Choice(cell, "operations", node.alphas, gates, births, is_open, progress, kept)
        )
    is_open = node.is_open & (node.is_open.sum(dim=1, keepdim=True) > 1)
    if bool(is_open.any()):
        weights, logits = node.edge_mixing_weights(), node.edge_logits
        ones, kept = torch.ones_like(weights), memory.get(logits, {})
        choices.append(Choice(cell, "edges", logits, weights, ones, is_open, progress, kept))
    return choices


def _pairs(cell: tuple[int, int], node: DagNode, memory: KeptTensors) -> Choice:
    """Return the one choice of a graph's node, with a row of zeros for ``none``."""
    gates = node.gates_at(node.progress)
    weights = gates.new_zeros(node.is_open.shape).masked_scatter(node.is_open, gates)
    none = torch.zeros_like(weights[:1])
    is_open = torch.cat([node.is_open, torch.zeros_like(node.is_open[:1])])
    births = node.births.detach().abs().expand_as(node.alphas)
    kept = memory.get(node.alphas, {})
    weights = torch.cat([weights, none])
    return Choice(cell, "pairs", node.alphas, weights, births, is_open, node.progress, kept)
