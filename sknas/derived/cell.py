"""A fixed recurrent cell: one operation a node, one source an operand, its products fused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from sknas.blocks import Projection, RecurrentCell
from sknas.blocks.modules import ModuleDict, ModuleList
from sknas.derived.packing import ScanWeights, pack_weights
from sknas.derived.plan import CellPlan, plan_cell
from sknas.derived.scan import scan
from sknas.genotype import INPUT, STATE, Cell, Node
from sknas.ops import get_op

__all__ = ["DerivedCell", "DerivedNode"]

SIDES = ("left", "right")


class DerivedNode(nn.Module):
    """One operation, the projections it needs and a scale.

    Parameters
    ----------
    genotype : Node
        The operation and its operands.
    n_inputs, n_hidden : int
        Widths of the cell's input and state.
    generator : torch.Generator
        Source of the initial weights.
    dtype : torch.dtype
        Floating type.
    """

    def __init__(
        self,
        genotype: Node,
        n_inputs: int,
        n_hidden: int,
        *,
        generator: Generator,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.op = get_op(genotype.operation)
        self.operands = dict(zip(SIDES, (genotype.left, genotype.right), strict=True))
        self.scale = nn.Parameter(torch.ones((), dtype=dtype))
        projects = dict(zip(SIDES, (self.op.projects_left, self.op.projects_right), strict=True))
        reads = dict(zip(SIDES, (self.op.reads_left, self.op.reads_right), strict=True))
        terms = [
            f"input_{side}" if name == INPUT else side
            for side, name in self.operands.items()
            if projects[side] and name is not None
        ]
        # An operand that is the input itself enters through a projection of its own.
        entering = [side for side in SIDES if reads[side] and self.operands[side] == INPUT]
        self.projection = None
        if self.op.has_projection:
            self.projection = Projection(
                terms,
                n_inputs,
                n_hidden,
                generator=generator,
                dtype=dtype,
                n_pieces=self.op.n_projections,
            )
        self.entries = ModuleDict(
            {
                side: Projection(
                    [f"input_{side}"], n_inputs, n_hidden, generator=generator, dtype=dtype
                )
                for side in entering
            }
        )


@dataclass(frozen=True)
class _Step:
    """What one time step needs: the projected input by its reader, and the state's weights."""

    entering: dict[str, Tensor]
    state_weight: Tensor | None
    state_keys: tuple[str, ...]
    state_widths: tuple[int, ...]


class DerivedCell(RecurrentCell[_Step]):
    """The fixed cell of a genotype.

    All products with the input are made at once, before the loop over time; inside it, all
    products with the state are one. The loop is that of `scan`, whose gradient cannot be
    differentiated again; where torch traces the module, to compile or export it, and where an
    operation does not say its derivative, it is that of `RecurrentCell`, which computes the same.

    Parameters
    ----------
    genotype : Cell
        The cell.
    n_inputs, n_hidden : int
        Widths of input and state.
    generator : torch.Generator
        Source of the initial weights.
    dtype : torch.dtype
        Floating type.
    """

    def __init__(
        self,
        genotype: Cell,
        n_inputs: int,
        n_hidden: int,
        *,
        generator: Generator,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.genotype = genotype
        self.n_inputs, self.n_hidden = n_inputs, n_hidden
        self.has_memory = genotype.memory is not None
        self.plan = plan_cell(genotype)
        self.nodes = ModuleList(
            DerivedNode(node, n_inputs, n_hidden, generator=generator, dtype=dtype)
            for node in genotype.nodes
        )
        self.output_weights = nn.Parameter(
            torch.full((len(genotype.outputs),), genotype.output_weight, dtype=dtype)
        )
        self.carry = None
        if genotype.carry:
            self.carry = Projection(
                ("input_left", "right"), n_inputs, n_hidden, generator=generator, dtype=dtype
            )

    def forward(self, inputs: Tensor, present: Tensor | None = None) -> Tensor:
        """Run over a sequence, from a zero state; see `RecurrentCell`."""
        is_traced = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        # One step of few rows is over before the fast loop has begun.
        is_short = inputs.shape[0] == 1 and inputs.shape[1] < 64 and not torch.is_grad_enabled()
        if self.plan is None or is_short or is_traced or torch.compiler.is_compiling():
            return super().forward(inputs, present)
        weights = self._scan_weights(self.plan)
        return scan(self.plan, weights, inputs, self.n_hidden, present)

    def prepare(self, inputs: Tensor) -> list[_Step]:
        """Project the whole sequence once; see `RecurrentCell`."""
        state_keys, state_weights = self._on_state()
        state_weight = torch.cat(state_weights, dim=1) if state_weights else None
        state_widths = tuple(weight.shape[1] for weight in state_weights)
        keys: list[str] = []
        weights: list[Tensor] = []
        biases: list[Tensor] = []
        for key, projection in self._projections():
            if own := [w for term, w in projection.weights.items() if term.startswith("input_")]:
                keys.append(key)
                weights.append(sum(own[1:], start=own[0]))
                biases.append(projection.bias)
        if not keys:
            return [_Step({}, state_weight, state_keys, state_widths)] * len(inputs)
        flat = torch.addmm(torch.cat(biases), inputs.flatten(0, 1), torch.cat(weights, dim=1))
        flat = flat.view(*inputs.shape[:2], flat.shape[1])  # (n_steps, batch, n_pieces * hidden)
        widths = [weight.shape[1] for weight in weights]
        return [
            _Step(
                dict(zip(keys, step.split(widths, dim=1), strict=True)),
                state_weight,
                state_keys,
                state_widths,
            )
            for step in flat
        ]

    def update(self, values: dict[str, Tensor], prepared: _Step) -> tuple[Tensor, Tensor | None]:
        """Evaluate the nodes in order and carry the state; see `RecurrentCell`."""
        state = values[STATE]
        from_state: dict[str, Tensor] = {}
        if prepared.state_weight is not None:
            products = (state @ prepared.state_weight).split(prepared.state_widths, dim=1)
            for key, product in zip(prepared.state_keys, products, strict=True):
                from_state[key] = from_state[key] + product if key in from_state else product
        for index, node in enumerate(self.nodes):
            values[f"s{index}"] = self._evaluate(index, node, values, prepared.entering, from_state)
        terms = [
            weight * values[f"s{index}"]
            for weight, index in zip(self.output_weights, self.genotype.outputs, strict=True)
        ]
        proposal = sum(terms[1:], start=terms[0])
        memory = None if not self.has_memory else values[f"s{self.genotype.memory}"]
        if self.carry is None:
            return proposal, memory
        gate = torch.sigmoid(prepared.entering["carry"] + from_state["carry"])
        return torch.lerp(state, proposal, gate), memory

    def _evaluate(
        self,
        index: int,
        node: DerivedNode,
        values: dict[str, Tensor],
        entering: dict[str, Tensor],
        from_state: dict[str, Tensor],
    ) -> Tensor:
        operands = []
        for side, name in node.operands.items():
            if side in node.entries:
                operands.append(entering[f"{index}.{side}"])
            elif name is None or name == INPUT:
                operands.append(torch.zeros_like(values[STATE]))
            else:
                operands.append(values[name])
        left, right = operands
        if node.projection is None:
            return node.scale * node.op.combine(left, right, left)
        key = f"{index}"
        projected = entering.get(key, node.projection.bias)
        if key in from_state:
            projected = projected + from_state[key]
        for side, weight in node.projection.weights.items():
            if side in SIDES and node.operands[side] != STATE:
                projected = projected + operands[SIDES.index(side)] @ weight
        return node.scale * node.op.combine(left, right, projected)

    def _scan_weights(self, plan: CellPlan) -> ScanWeights:
        projections = dict(self._projections())
        return pack_weights(
            plan, projections, [node.scale for node in self.nodes], self.output_weights
        )

    def _projections(self) -> Iterator[tuple[str, Projection]]:
        for index, node in enumerate(self.nodes):
            if node.projection is not None:
                yield f"{index}", node.projection
            for side, entry in node.entries.items():
                yield f"{index}.{side}", entry
        if self.carry is not None:
            yield "carry", self.carry

    def _on_state(self) -> tuple[tuple[str, ...], list[Tensor]]:
        keys, weights = [], []
        for index, node in enumerate(self.nodes):
            if node.projection is not None:
                for side, weight in node.projection.weights.items():
                    if side in SIDES and node.operands[side] == STATE:
                        keys.append(f"{index}")
                        weights.append(weight)
        if self.carry is not None:
            keys.append("carry")
            weights.append(self.carry.weights["right"])
        return tuple(keys), weights
