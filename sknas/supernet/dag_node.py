"""A node of DARTS's recurrent cell under search: every earlier node on an edge of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from sknas.blocks import Projection
from sknas.blocks.modules import ModuleDict
from sknas.ops import Highway, get_op
from sknas.supernet.mixing import Mixing
from sknas.supernet.node_plan import Plan
from sknas.supernet.search_node import SearchNode

__all__ = ["DagNode", "DagPlan"]


@dataclass(frozen=True)
class DagPlan(Plan):
    """The mean of a node's mixed edges; see `DagNode`.

    Attributes
    ----------
    sources : tuple of str
        Sources with an operation left.
    gates : Tensor of shape (n_operations, n_edges, 1, 1)
        Weights of operation and edge, birth scalars and the mean over edges included.
    totals : Tensor of shape (n_edges, 1, 1)
        Sums of the gates of each edge.
    weight : Tensor of shape (hidden, 2 * hidden)
        The projection's, its gate piece before its activation piece.
    bias : Tensor of shape (2 * hidden,)
        Likewise.
    operations : tuple of Highway
        Operations that some edge has left.
    skip : float
        Weight of the auxiliary skip.
    """

    sources: tuple[str, ...]
    gates: Tensor
    totals: Tensor
    weight: Tensor
    bias: Tensor
    operations: tuple[Highway, ...]
    skip: float

    def value(self, values: Mapping[str, Tensor], entering: Tensor) -> Tensor:
        """Return the mean of the mixed edges.

        With m the gates of one edge and M their sum, ``sum_k m_k (s + sigma (phi_k - s))`` is
        ``M s + sigma (sum_k m_k phi_k - M s)``: one product for all edges, one gate an edge. An
        auxiliary skip adds its weight times the mean of the open edges' sources.
        """
        del entering
        stacked = torch.stack([values[name] for name in self.sources])  # (edges, batch, hidden)
        projected = torch.addmm(self.bias, stacked.flatten(0, 1), self.weight)
        gate, proposal = projected.unflatten(0, stacked.shape[:2]).chunk(2, dim=-1)
        mixed = torch.zeros_like(stacked)
        for operation, weight in zip(self.operations, self.gates, strict=True):
            mixed = torch.addcmul(mixed, weight, operation.activate(proposal))
        value = torch.lerp(self.totals * stacked, mixed, torch.sigmoid(gate)).sum(dim=0)
        return torch.add(value, stacked.mean(dim=0), alpha=self.skip) if self.skip else value


class DagNode(SearchNode):
    """A mixed edge from each earlier node: ``mean_j r_j sum_k p_jk highway_k(s_j)``.

    ``highway_k(s_j) = s_j + sigmoid(c_j) * (phi_k(e_j) - s_j)`` with ``[c_j, e_j] = s_j W + b``;
    all edges and operations of the node share W (Liu et al. 2019, arXiv:1806.09055, eq. 2 for its
    recurrent cell). The relaxation is taken over the operations of one edge and ``none``, the zero
    operation, which only takes weight from the others and is never chosen. DARTS sums over the
    edges and normalises the sum by batch statistics. Those are left out, since a derived network
    must equal its supernet; the mean over the open edges, the birth scalars r and the bias b are
    ours. Where an edge closes, the birth scalars of the others make up for the smaller number of
    edges, so that one of no weight closes without effect.

    A candidate is a pair of edge and operation. Once a single one is left, a settled two-input node
    takes this node's place.

    Parameters
    ----------
    index : int
        The node's name within its cell.
    operations : sequence of str
        Candidates of every edge, highway operations.
    sources : sequence of str
        The earlier nodes.
    n_inputs, n_hidden : int
        Widths of the cell's input and state.
    mixing : Mixing
        Whose relaxation makes mixing weights of the alphas of one edge.
    generator : torch.Generator
        Source of the initial weights.
    dtype : torch.dtype
        Floating type of the weights.
    """

    is_open: Tensor

    def __init__(
        self,
        index: int,
        operations: Sequence[str],
        sources: Sequence[str],
        n_inputs: int,
        n_hidden: int,
        *,
        mixing: Mixing,
        generator: Generator,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        _check_operations(operations)
        self.index = index
        self.operations = list(operations)
        self.sources = list(sources)
        self.n_inputs, self.n_hidden = n_inputs, n_hidden
        self.mixing = mixing
        self.progress = 0.0
        self.is_output = True
        shape = len(self.operations) + 1, len(self.sources)  # the last row is none's
        self.sampler = None
        alphas = [
            mixing.relaxation.initial_alphas(shape[0], generator=generator, dtype=dtype)
            for _ in self.sources
        ]
        self.alphas = nn.Parameter(torch.stack(alphas, dim=1))
        self.births = nn.Parameter(torch.ones(len(self.sources), dtype=dtype))
        self.output_weight = nn.Parameter(torch.ones((), dtype=dtype))
        self.register_buffer("is_open", torch.ones(shape[0] - 1, shape[1], dtype=torch.bool))
        self.projections: ModuleDict[Projection] = ModuleDict(
            {
                name: Projection(("left",), n_inputs, n_hidden, generator=generator, dtype=dtype)
                for name in get_op(operations[0]).projection_names
            }
        )

    # -- what the node is ---------------------------------------------------------------------

    @property
    def is_settled(self) -> bool:
        """Never: a node with one choice left is no longer of this kind."""
        return False

    @property
    def n_candidates(self) -> int:
        """Number of pairs of edge and operation."""
        return int(self.is_open.sum())

    def open_sources(self, slot: int) -> list[str]:
        """Return the sources with an operation left; there is a left operand only."""
        if slot:
            return []
        is_open = self.is_open.any(dim=0).tolist()
        return [name for name, open_ in zip(self.sources, is_open, strict=True) if open_]

    def pairs(self) -> list[tuple[str, str]]:
        """Return the open choices, (source, operation), in the order of `gates`."""
        return [
            (self.sources[edge], self.operations[row])
            for row, edge in self.is_open.nonzero().tolist()
        ]

    def mixing_weights(self) -> Tensor:
        """Return the weights of the operations, of shape (n_operations, n_edges); zero if closed.

        Relaxations take one choice at a time, here an edge's open operations and none.
        """
        return self._mixed_by(self._weights)

    def _mixed_by(self, weigh: Callable[[Tensor], Tensor]) -> Tensor:
        is_open = torch.cat([self.is_open, self.is_open.any(dim=0, keepdim=True)])
        columns = []
        for alphas, open_ in zip(self.alphas.unbind(1), is_open.unbind(1), strict=True):
            if bool(open_.all()):
                columns.append(weigh(alphas))
            elif not bool(open_.any()):
                columns.append(torch.zeros_like(alphas))
            else:
                own = weigh(alphas[open_])
                columns.append(torch.zeros_like(alphas).masked_scatter(open_, own))
        return torch.stack(columns, dim=1)[:-1]

    def _weights(self, alphas: Tensor) -> Tensor:
        if self.sampler is not None:
            return self.relaxation.sample(alphas, self.progress, self.sampler)
        return self.relaxation.weights(alphas, self.progress)

    def gates(self) -> Tensor:
        """Return the mixing weights of the open pairs."""
        return self.mixing_weights()[self.is_open]

    def gates_at(self, progress: float) -> Tensor:
        """Return the weights of the open pairs."""
        return self._mixed_by(lambda alphas: self.relaxation.weights(alphas, progress))[
            self.is_open
        ]

    def candidate_sizes(self) -> Tensor:
        """Return each pair's share of the common projection: that of its edge in the mean."""
        size = self.n_candidate_params / len(self.open_sources(0))
        return torch.full((self.n_candidates,), size, dtype=self.births.dtype).to(self.births)

    @property
    def n_candidate_params(self) -> int:
        """Number of weights of the projection."""
        return sum(p.numel() for p in self.projections.parameters())

    @property
    def n_held_params(self) -> int:
        """Number of weights: whatever pair is left holds all of them."""
        return self.n_candidate_params

    def strengths(self) -> Tensor:
        """Return the size of the weights of the open pairs, birth scalars included.

        They are told as with all edges open, so that nodes compare however many are left.
        """
        share = len(self.open_sources(0)) / len(self.sources)
        return (self.mixing_weights() * self.births).abs()[self.is_open] / share

    def arch_parameters(self) -> list[nn.Parameter]:
        """Return the alphas."""
        return [self.alphas]

    def free_arch_parameters(self) -> list[nn.Parameter]:
        """Return the alphas: something is always left to decide."""
        return [self.alphas]

    def free_arch_units(self) -> list[float]:
        """Return the relaxation's unit."""
        return [self.relaxation.unit(self.progress)]

    # -- what the node computes ---------------------------------------------------------------

    def plan(self) -> DagPlan:
        """Compute the weights of edges and operations."""
        edges = self.is_open.any(dim=0).nonzero().flatten()
        rows = self.is_open.any(dim=1).nonzero().flatten()
        gates = (self.mixing_weights() * self.births)[rows][:, edges] / len(edges)
        pieces = self.projections.values()
        return DagPlan(
            self.births.new_zeros(self.n_inputs, 0),  # x enters by the cell's first node alone
            self.births.new_zeros(0),
            tuple(self.open_sources(0)),
            gates[:, :, None, None],
            gates.sum(dim=0)[:, None, None],
            torch.cat([piece.weights["left"] for piece in pieces], dim=1),
            torch.cat([piece.bias for piece in pieces]),
            tuple(_highway(self.operations[row]) for row in rows.tolist()),
            self.skip_weight,
        )


def _highway(name: str) -> Highway:
    op = get_op(name)
    if not isinstance(op, Highway):
        raise ValueError(f"operations of a DAG's node must be highway operations; got {name!r}.")
    return op


def _check_operations(operations: Sequence[str]) -> None:
    for name in operations:
        _highway(name)
