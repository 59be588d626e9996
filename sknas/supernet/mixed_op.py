"""A node under search: the gated sum of its candidate operations on softly chosen operands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor, nn

from sknas.blocks import Projection
from sknas.blocks.modules import ModuleDict
from sknas.genotype import INPUT
from sknas.ops import get_op
from sknas.supernet.edge_choice import edge_weights
from sknas.supernet.mixing import Mixing
from sknas.supernet.node_plan import SLOTS, NodePlan
from sknas.supernet.search_node import SearchNode

__all__ = ["MixedNode"]

_CHAIN_BIAS = 1.0


class MixedNode(SearchNode[NodePlan]):
    """Candidates o on operands a and b: ``s = sum_o g_o r_o o(a, b)``.

    The gates g come from the alphas by the relaxation; the birth scalars r are free weights, so
    that a candidate can be born at exactly zero and still have a gradient. The operands are
    ``a = sum_i p_i u_i`` over the sources u, with edge logits of their own. The cell's input x
    enters every consumer through that consumer's own weights, which are mixed before the product.
    Where there is an auxiliary skip, its weight times the left operand is added.

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
        return [name for name, open_ in zip(self.sources, self.is_open[slot], strict=True) if open_]

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
        """Return the weights of each operation's projection, and of the entries that it reads."""
        sizes = []
        for name in self.operations:
            op = get_op(name)
            size = _n_weights(self.projections[name]) if name in self.projections else 0
            for side, reads in zip(SLOTS, (op.reads_left, op.reads_right), strict=True):
                size += _n_weights(self.entries[side]) if reads and side in self.entries else 0
            sizes.append(size)
        return torch.tensor(sizes, dtype=self.alphas.dtype, device=self.alphas.device)

    @property
    def n_candidate_params(self) -> int:
        """Number of weights of all projections and entries."""
        return _n_weights(self.projections) + _n_weights(self.entries)

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
        if op.has_projection:
            self.projections[operation] = Projection(
                terms,
                self.n_inputs,
                self.n_hidden,
                generator=generator,
                dtype=dtype,
                is_zero=op.is_modulation,
                n_pieces=op.n_projections,
            )
            new += self.projections[operation].parameters()
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

    def input_weights(self) -> tuple[Tensor | None, Tensor | None]:
        """Return the weights on x of all projections and entries side by side, edges mixed in.

        Returns
        -------
        weight : Tensor of shape (n_inputs, n_pieces * hidden) or None
            Weights.
        bias : Tensor of shape (n_pieces * hidden,) or None
            Biases.
        """
        edges = self._edges_of_input()
        weights: list[Tensor] = []
        biases: list[Tensor] = []
        for projection in self._ordered_projections():
            weights.append(self._weight_on_input(projection, edges))
            biases.append(projection.bias)
        for side in self._entry_sides():
            edge, entry = edges[SLOTS.index(side)], self.entries[side]
            weights.append(edge * entry.weights[f"input_{side}"])
            biases.append(edge * entry.bias)
        return (torch.cat(weights, dim=1), torch.cat(biases)) if weights else (None, None)

    def plan(self) -> NodePlan:
        """Compute what stays the same over the time steps.

        Returns
        -------
        NodePlan
            Gates, edges and the fused weights.
        """
        hidden = [name for name in self.sources if name != INPUT]
        columns = [self.sources.index(name) for name in hidden]
        left, right = ([n for n in self.open_sources(slot) if n != INPUT] for slot in (0, 1))
        sides = tuple(slot for slot, names in enumerate((left, right)) if names)
        weight = None
        projections = self._ordered_projections()
        if projections and sides:
            columns_of = [self._weight_on_hidden(item, sides) for item in projections]
            weight = torch.cat(columns_of, dim=1)
        is_direct = all(len(self.open_sources(slot)) <= 1 for slot in (0, 1))
        direct = (next(iter(left), None), next(iter(right), None)) if is_direct else None
        return NodePlan(
            tuple(self.operations),
            self.mixing_weights() * self.births,
            self.edge_mixing_weights()[:, columns],
            weight,
            sum(projection.n_pieces for projection in projections) * self.n_hidden,
            self.n_hidden,
            tuple(self._entry_sides()),
            sides,
            tuple(hidden),
            direct,
            self.skip_weight,
        )

    def step(self, values: Mapping[str, Tensor], entering: Tensor | None, plan: NodePlan) -> Tensor:
        """Return the gated sum of the candidates, and the skip; see `NodePlan.value`."""
        return plan.value(values, entering)

    def _ordered_projections(self) -> list[Projection]:
        return [self.projections[name] for name in self.operations if name in self.projections]

    def _entry_sides(self) -> list[str]:
        return [
            side
            for slot, side in enumerate(SLOTS)
            if side in self.entries and INPUT in self.open_sources(slot)
        ]

    def _edges_of_input(self) -> tuple[Tensor, Tensor]:
        if INPUT not in self.sources:
            zero = self.edge_logits.new_zeros(())
            return zero, zero
        weights = self.edge_mixing_weights()[:, self.sources.index(INPUT)]
        return weights[0], weights[1]

    def _weight_on_input(self, projection: Projection, on_input: tuple[Tensor, Tensor]) -> Tensor:
        weight = projection.bias.new_zeros(self.n_inputs, len(projection.bias))
        for side, edge in zip(SLOTS, on_input, strict=True):
            if f"input_{side}" in projection.weights:
                weight = weight + edge * projection.weights[f"input_{side}"]
        return weight

    def _weight_on_hidden(self, projection: Projection, sides: tuple[int, ...]) -> Tensor:
        zero = projection.bias.new_zeros(self.n_hidden, len(projection.bias))
        names = [SLOTS[slot] for slot in sides]
        return torch.cat([projection.weights.get(name, zero) for name in names])


def _n_weights(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())
