"""The growing cell: a recurrent cell of nodes under search with a bounded carry.

Its nodes are two-input nodes, or those of DARTS's graph, which become two-input nodes once they are
settled. The papers (Jie & Gao 2021) state that every candidate takes two inputs and that identity
mappings are preserved; the operand choice, the carry and the output weights are our reconstruction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from sknas.blocks import Projection, RecurrentCell
from sknas.blocks.modules import ModuleList
from sknas.genotype import INPUT, MEMORY, STATE, Cell, Node
from sknas.ops import get_op
from sknas.supernet.dag_node import DagNode
from sknas.supernet.mixed_op import MixedNode
from sknas.supernet.mixing import Mixing
from sknas.supernet.search_node import SearchNode

__all__ = ["TwoInputCell"]


@dataclass(frozen=True)
class _Step:
    """What one time step needs: every node's plan and its part of the projected input.

    The last piece belongs to the carry.
    """

    plans: list[Any]
    pieces: list[Tensor | None]


class TwoInputCell(RecurrentCell[_Step]):
    """Nodes in order; ``v = sum_j w_j s_j``; ``h' = h + sigmoid(z(x, h)) * (v - h)``.

    Parameters
    ----------
    genotype : Cell
        The cell to start from, every node settled on its one operation. Nodes that neither state
        nor memory depends on are left out.
    n_inputs, n_hidden : int
        Widths of input and state.
    mixing : Mixing
        How the nodes added later mix their candidates.
    generator : torch.Generator
        Source of the initial weights.
    dtype : torch.dtype
        Floating type of the weights.
    """

    def __init__(
        self,
        genotype: Cell,
        n_inputs: int,
        n_hidden: int,
        *,
        mixing: Mixing,
        generator: Generator,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.n_inputs, self.n_hidden = n_inputs, n_hidden
        self.mixing = mixing
        self.memory_node = genotype.memory
        self.dtype = dtype
        self.next_index = 0
        self.nodes: ModuleList[SearchNode[Any]] = ModuleList()
        for index, spec in _live_nodes(genotype):
            self.next_index = index
            right = () if spec.right is None else (spec.right,)
            node = self.append_node([spec.operation], ((spec.left,), right), generator=generator)
            node.is_output = index in genotype.outputs
            if node.is_output:
                nn.init.constant_(node.output_weight, genotype.output_weight)
        self.carry = None
        if genotype.carry:
            self.carry = Projection(
                ("input_left", "right"), n_inputs, n_hidden, generator=generator, dtype=dtype
            )

    def sources(self) -> list[str]:
        """Return what a new node may read, the newest node first, to continue the chain."""
        memory = [] if self.memory_node is None else [MEMORY]
        newest, *older = [node.name for node in reversed(self.nodes)] or [STATE]
        return [newest, INPUT, *([STATE] if newest != STATE else []), *memory, *older]

    def append_node(
        self,
        operations: Sequence[str],
        sources: tuple[Sequence[str], Sequence[str]],
        *,
        generator: Generator,
    ) -> MixedNode:
        """Put a node behind the others, with output weight one.

        Parameters
        ----------
        operations : sequence of str
            Candidates.
        sources : pair of sequences of str
            Sources open to the two operands.
        generator : torch.Generator
            Source of the initial weights.

        Returns
        -------
        MixedNode
            The new node.
        """
        node = MixedNode(
            self.next_index,
            operations,
            sources,
            self.n_inputs,
            self.n_hidden,
            mixing=self.mixing,
            generator=generator,
            dtype=self.dtype,
        )
        self._append(node)
        return node

    def append_dag_node(self, operations: Sequence[str], *, generator: Generator) -> DagNode:
        """Put a node behind the others that has an edge from each of them, with output weight one.

        Parameters
        ----------
        operations : sequence of str
            Candidates of every edge, highway operations.
        generator : torch.Generator
            Source of the initial weights.

        Returns
        -------
        DagNode
            The new node.
        """
        node = DagNode(
            self.next_index,
            operations,
            [earlier.name for earlier in self.nodes],
            self.n_inputs,
            self.n_hidden,
            mixing=self.mixing,
            generator=generator,
            dtype=self.dtype,
        )
        self._append(node)
        return node

    def node(self, index: int) -> SearchNode[Any]:
        """Return the node of that index.

        Parameters
        ----------
        index : int
            The node's own name, not its place.

        Returns
        -------
        SearchNode
            The node.

        Raises
        ------
        ValueError
            If no node has the index.
        """
        for node in self.nodes:
            if node.index == index:
                return node
        raise ValueError(f"node must be one of {[n.index for n in self.nodes]}; got {index!r}.")

    @property
    def has_memory(self) -> bool:  # type: ignore[override]
        """Whether a second state is carried."""
        return self.memory_node is not None

    def prepare(self, inputs: Tensor) -> list[_Step]:
        """Plan every node, and project the whole sequence once; see `RecurrentCell`."""
        plans = [node.plan() for node in self.nodes]
        pieces = self._enter(inputs)
        return [
            _Step(plans, [None if piece is None else piece[t] for piece in pieces])
            for t in range(len(inputs))
        ]

    def update(self, values: dict[str, Tensor], prepared: _Step) -> tuple[Tensor, Tensor | None]:
        """Evaluate the nodes in order and carry the state; see `RecurrentCell`."""
        proposal: Tensor | None = None
        for node, plan, entering in zip(self.nodes, prepared.plans, prepared.pieces, strict=False):
            value = values[node.name] = node.step(values, entering, plan)
            if node.is_output:
                term = node.output_weight * value
                proposal = term if proposal is None else proposal + term
        if proposal is None:
            raise RuntimeError("internal error: a cell lost its last output.")
        memory = None if self.memory_node is None else values[f"s{self.memory_node}"]
        entering = prepared.pieces[-1]
        if self.carry is None or entering is None:
            return proposal, memory
        gate = torch.sigmoid(torch.addmm(entering, values[STATE], self.carry.weights["right"]))
        return torch.lerp(values[STATE], proposal, gate), memory

    def _append(self, node: SearchNode[Any]) -> None:
        if node.n_candidates > 1:
            node.skip = self.mixing.auxiliary_skip
        self.next_index += 1
        self.nodes.append(node)

    def _enter(self, inputs: Tensor) -> list[tuple[Tensor, ...] | None]:
        """Project the whole sequence once: for each node, and for the carry, its pieces by step."""
        parts = [node.input_weights() for node in self.nodes]
        if self.carry is not None:
            parts.append((self.carry.weights["input_left"], self.carry.bias))
        else:
            parts.append((None, None))
        weights = [weight for weight, _ in parts if weight is not None]
        if not weights:
            return [None] * len(parts)
        biases = torch.cat([bias for _, bias in parts if bias is not None])
        flat = torch.addmm(biases, inputs.flatten(0, 1), torch.cat(weights, dim=1))
        flat = flat.view(*inputs.shape[:2], -1)  # (n_steps, batch, all pieces)
        pieces = iter(flat.split([weight.shape[1] for weight in weights], dim=-1))
        return [None if weight is None else next(pieces).unbind(0) for weight, _ in parts]


def _live_nodes(genotype: Cell) -> list[tuple[int, Node]]:
    """Return, with their places, the nodes that the cell's state or memory depends on.

    Where an operation ignores an operand whose node is left out, the other operand takes its place.
    """
    wanted = {f"s{index}" for index in (*genotype.outputs, genotype.memory)}
    live = []
    for index, node in reversed(list(enumerate(genotype.nodes))):
        if f"s{index}" in wanted:
            wanted.update(_read_operands(node))
            live.append((index, node))
    gone = {f"s{index}" for index in range(len(genotype.nodes))} - wanted
    return [(index, _without(gone, node)) for index, node in reversed(live)]


def _read_operands(node: Node) -> tuple[str, ...]:
    op = get_op(node.operation)
    reads_left, reads_right = op.projects_left or op.reads_left, op.projects_right or op.reads_right
    if node.right is None or not reads_right:
        return (node.left,)
    return (node.left, node.right) if reads_left else (node.right,)


def _without(gone: set[str], node: Node) -> Node:
    if node.left in gone and node.right is not None:
        return Node(node.operation, node.right, node.right)
    return Node(node.operation, node.left, node.left if node.right in gone else node.right)
