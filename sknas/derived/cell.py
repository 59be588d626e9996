"""A fixed recurrent cell: one operation a node, one source an operand, its products fused."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Generator, Tensor, nn

from sknas.blocks import Projection, RecurrentCell
from sknas.blocks.modules import ModuleDict, ModuleList
from sknas.genotype import INPUT, Cell, Node
from sknas.loops import CARRY, Pieces, ScanWeights, pack_weights, plan_cell, recorded, scan
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


class DerivedCell(RecurrentCell):
    """The fixed cell of a genotype.

    All products with the state are one, and so are those with the input. The loop is that of
    `scan`; where torch traces the module, to compile or export it, it is that of `recorded`, which
    computes the same.

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
        is_plain = is_short or is_traced or torch.compiler.is_compiling()
        loop = recorded if is_plain else scan
        return loop(self.plan, self.packed(), inputs, self.n_hidden, present)

    def packed(self) -> ScanWeights:
        """Lay out the weights for the loops.

        Returns
        -------
        ScanWeights
            As the plan has them.
        """
        pieces = {key: Pieces((projection,)) for key, projection in self._projections()}
        scales = [node.scale for node in self.nodes]
        return pack_weights(self.plan, pieces, scales, self.output_weights)

    def _projections(self) -> Iterator[tuple[str, Projection]]:
        for index, node in enumerate(self.nodes):
            if node.projection is not None:
                yield f"{index}", node.projection
            for side, entry in node.entries.items():
                yield f"{index}.{side}", entry
        if self.carry is not None:
            yield CARRY, self.carry
