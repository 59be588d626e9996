"""A node under search: the gated sum of its candidate operations on softly chosen operands."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

import torch
from torch import Generator, Tensor, nn

from sknas.blocks import Projection
from sknas.blocks.modules import ModuleDict
from sknas.genotype import INPUT
from sknas.ops import get_op, unitwise
from sknas.supernet.edge_choice import edge_weights
from sknas.supernet.mixing import Mixing
from sknas.supernet.node_plan import SLOTS, NodePlan
from sknas.supernet.search_node import SearchNode

__all__ = ["MixedNode"]

_CHAIN_BIAS = 1.0


class MixedNode(SearchNode):
    """Candidates o on operands a and b: ``s = sum_o g_o r_o o(a, b)``.

    The gates g come from the alphas by the relaxation; the birth scalars r are free weights, so
    that a candidate can be born at exactly zero and still have a gradient. The operands are
    ``a = sum_i p_i u_i`` over the sources u, with edge logits of their own. The cell's input x
    enters every consumer through that consumer's own weights, which are mixed before the product.
    Where there is an auxiliary skip, its weight times the left operand is added.

    Candidates that project the same operands share the projection, as all operations of a node do
    in DARTS (Liu et al. 2019, arXiv:1806.09055). One that wants fewer pieces of it than others
    reads the first ones; see `Op.projection_names`.

    Parameters
    ----------
    index : int
        The node's name within its cell; never used again after the node is dropped.
    operations : sequence of str
        Candidates.
    sources : pair of sequences of str
        Sources open to the left and the right operand; the first of each is favoured at birth.
    n_inputs, n_hidden : int
        Widths of the cell's input and state.
    mixing : Mixing
        Alphas and edge logits to mixing weights.
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
        sources: tuple[Sequence[str], Sequence[str]],
        n_inputs: int,
        n_hidden: int,
        *,
        mixing: Mixing,
        generator: Generator,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.index = index
        self.operations = list(operations)
        self.sources = list(dict.fromkeys([*sources[0], *sources[1]]))
        self.n_inputs, self.n_hidden = n_inputs, n_hidden
        self.mixing = mixing
        self.progress = 0.0
        self.age = 0
        self.is_output = True

        n_candidates = len(operations)
        self.sampler: Generator | None = None
        self.alphas = nn.Parameter(
            mixing.relaxation.initial_alphas(n_candidates, generator=generator, dtype=dtype)
        )
        self.births = nn.Parameter(torch.ones(n_candidates, dtype=dtype))
        self.output_weight = nn.Parameter(torch.ones((), dtype=dtype))
        is_open = torch.tensor([[name in side for name in self.sources] for side in sources])
        self.register_buffer("is_open", is_open)
        logits = torch.zeros(2, len(self.sources), dtype=dtype)
        for slot, side in enumerate(sources):
            if side:
                logits[slot, self.sources.index(side[0])] = _CHAIN_BIAS
        self.edge_logits = nn.Parameter(logits)
        self.projections: ModuleDict[Projection] = ModuleDict()
        self.entries: ModuleDict[Projection] = ModuleDict()
        for name in operations:
            self.add_weights(name, generator=generator)

    # -- what the node is ---------------------------------------------------------------------

    @property
    def is_settled(self) -> bool:
        """Whether one operation and at most one source an operand are left."""
        return len(self.operations) == 1 and int(self.is_open.sum(dim=1).max()) <= 1

    @property
    def n_candidates(self) -> int:
        """Number of operations."""
        return len(self.operations)

    def open_sources(self, slot: int) -> list[str]:
        """Return the sources open to an operand.

        Parameters
        ----------
        slot : int
            0 for the left operand, 1 for the right one.

        Returns
        -------
        list of str
            Their names.
        """
        return list(compress(self.sources, self.is_open[slot].tolist()))

    def mixing_weights(self) -> Tensor:
        """Return the gates of the candidates; exactly one where a single candidate is left."""
        if len(self.operations) == 1:
            return torch.ones_like(self.alphas)
        if self.sampler is not None:
            return self.relaxation.sample(self.alphas, self.progress, self.sampler)
        return self.relaxation.weights(self.alphas, self.progress)

    def gates(self) -> Tensor:
        """Return the mixing weights of the operations."""
        return self.mixing_weights()

    def gates_at(self, progress: float) -> Tensor:
        """Return the weights of the operations; exactly one where a single candidate is left."""
        if len(self.operations) == 1:
            return torch.ones_like(self.alphas)
        return self.relaxation.weights(self.alphas, progress)

    def candidate_sizes(self) -> Tensor:
        """Return the weights of the projection and of the entries that each operation reads."""
        sizes = []
        for op in map(get_op, self.operations):
            size = sum(_n_weights(self.projections[name]) for name in op.projection_names)
            for side, reads in zip(SLOTS, (op.reads_left, op.reads_right), strict=True):
                size += _n_weights(self.entries[side]) if reads and side in self.entries else 0
            sizes.append(size)
        return torch.tensor(sizes, dtype=self.alphas.dtype, device=self.alphas.device)

    @property
    def n_candidate_params(self) -> int:
        """Number of weights of all projections and entries."""
        return _n_weights(self.projections) + _n_weights(self.entries)

    @property
    def n_held_params(self) -> int:
        """Number of weights, those that operations share counted for each."""
        return int(self.candidate_sizes().sum())

    def arch_parameters(self) -> list[nn.Parameter]:
        """Return alphas and edge logits."""
        return [self.alphas, self.edge_logits]

    def free_arch_parameters(self) -> list[nn.Parameter]:
        """Return those of them that still decide something."""
        free = [self.alphas] if len(self.operations) > 1 else []
        return free + ([self.edge_logits] if int(self.is_open.sum(dim=1).max()) > 1 else [])

    def free_arch_units(self) -> list[float]:
        """Return the relaxation's unit for alphas, the share of the temperature for edge logits."""
        temperature = self.mixing.edge_choice.temperature
        units = {
            self.alphas: self.relaxation.unit(self.progress),
            self.edge_logits: temperature(self.progress) / temperature(0.0),
        }
        return [units[p] for p in self.free_arch_parameters()]

    def edge_mixing_weights(self) -> Tensor:
        """Return the weights of the sources, of shape (2, n_sources)."""
        temperature = self.mixing.edge_choice.temperature(self.progress)
        return edge_weights(self.edge_logits, self.is_open, temperature)

    def add_weights(self, operation: str, *, generator: Generator) -> list[nn.Parameter]:
        """Create the weights that an operation needs and the node lacks.

        Parameters
        ----------
        operation : str
            Name of the operation.
        generator : torch.Generator
            Source of the draws.

        Returns
        -------
        list of nn.Parameter
            The new weights.
        """
        op = get_op(operation)
        dtype = self.births.dtype
        new: list[nn.Parameter] = []
        sides = {"left": op.projects_left, "right": op.projects_right}
        terms: list[str] = []
        for slot, side in enumerate(SLOTS):
            names = self.open_sources(slot)
            if sides[side]:
                terms += [f"input_{side}"] if INPUT in names else []
                terms += [side] if set(names) - {INPUT} else []
        for name in op.projection_names:
            if name not in self.projections:
                self.projections[name] = Projection(
                    terms,
                    self.n_inputs,
                    self.n_hidden,
                    generator=generator,
                    dtype=dtype,
                    is_zero=op.is_modulation,
                )
                new += self.projections[name].parameters()
        reads = {"left": op.reads_left, "right": op.reads_right}
        for slot, side in enumerate(SLOTS):
            if reads[side] and INPUT in self.open_sources(slot) and side not in self.entries:
                self.entries[side] = Projection(
                    (f"input_{side}",),
                    self.n_inputs,
                    self.n_hidden,
                    generator=generator,
                    dtype=dtype,
                )
                new += self.entries[side].parameters()
        return new

    # -- what the node computes ---------------------------------------------------------------

    def plan(self) -> NodePlan:
        """Compute gates, edges and the projections' weights side by side."""
        edges = self.edge_mixing_weights()
        hidden = [name for name in self.sources if name != INPUT]
        open_ = [self.open_sources(slot) for slot in (0, 1)]
        left, right = ([name for name in side if name != INPUT] for side in open_)
        is_direct = max(map(len, open_)) <= 1
        operations = [get_op(name) for name in self.operations]
        pieces = list(self._read_pieces())
        return NodePlan(
            *self._on_input(edges),
            tuple(map(unitwise, operations)),
            tuple(tuple(map(pieces.index, op.projection_names)) for op in operations),
            self.mixing_weights() * self.births,
            edges,
            [self.sources.index(name) for name in hidden],
            self._on_hidden("left") if left else None,
            self._on_hidden("right") if right else None,
            len(pieces),
            len(self.entries) > 0,
            self.n_hidden,
            tuple(hidden),
            (next(iter(left), None), next(iter(right), None)) if is_direct else None,
            self.skip_weight,
        )

    def _read_pieces(self) -> dict[str, Projection]:
        """Return the pieces of the projections that some operation reads."""
        read = (get_op(name).projection_names for name in self.operations)
        return {piece: self.projections[piece] for names in read for piece in names}

    def _on_input(self, edges: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights on x and the biases of projections and entries, edges mixed in."""
        weights = [self.births.new_zeros(self.n_inputs, 0)]
        biases = [self.births.new_zeros(0)]
        place = self.sources.index(INPUT) if INPUT in self.sources else 0
        on_x = dict(zip(("input_left", "input_right"), edges[:, place], strict=True))
        zero = self.births.new_zeros(self.n_inputs, self.n_hidden)
        for piece in self._read_pieces().values():
            parts = [on_x[term] * piece.weights[term] for term in on_x if term in piece.weights]
            weights.append(sum(parts[1:], start=(parts or [zero])[0]))
            biases.append(piece.bias)
        for side, (term, edge) in zip(SLOTS, on_x.items(), strict=True):
            if side in self.entries:
                weights.append(edge * self.entries[side].weights[term])
                biases.append(edge * self.entries[side].bias)
            elif self.entries:
                weights.append(zero)
                biases.append(zero[0])
        return torch.cat(weights, dim=1), torch.cat(biases)

    def _on_hidden(self, side: str) -> Tensor | None:
        pieces = self._read_pieces().values()
        if not any(side in piece.weights for piece in pieces):
            return None
        zero = self.births.new_zeros(self.n_hidden, self.n_hidden)
        columns = [piece.weights.get(side, zero) for piece in pieces]
        return torch.cat(columns, dim=1) if len(columns) > 1 else columns[0]


def _n_weights(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())
