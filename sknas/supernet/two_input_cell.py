"""The growing cell: a recurrent cell of nodes under search with a bounded carry.

Its nodes are two-input nodes, or those of DARTS's graph, which become two-input nodes once they are
settled. The papers (Jie & Gao 2021) state that every candidate takes two inputs and that identity
mappings are preserved; the operand choice, the carry and the output weights are our reconstruction.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from sknas import loops
from sknas.blocks import Projection, RecurrentCell
from sknas.blocks.modules import ModuleList
from sknas.genotype import INPUT, MEMORY, STATE, Cell, Node
from sknas.ops import get_op
from sknas.supernet.cell_plan import CellPlan
from sknas.supernet.dag_node import DagNode
from sknas.supernet.mixed_op import MixedNode
from sknas.supernet.mixing import Mixing
from sknas.supernet.scan import scan
from sknas.supernet.search_node import SearchNode
from sknas.supernet.settled import fixed_cell, fixed_weights, live_nodes

__all__ = ["TwoInputCell"]


class TwoInputCell(RecurrentCell):
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
        self.nodes: ModuleList[SearchNode] = ModuleList()
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

    def node(self, index: int) -> SearchNode:
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

    def plan(self, inputs: Tensor) -> CellPlan:
        """Plan every node, and project the whole sequence once.

        Parameters
        ----------
        inputs : Tensor of shape (n_steps, batch, n_inputs)
            The sequence.

        Returns
        -------
        CellPlan
            What gives the next state at each step.
        """
        plans = {node.name: node.plan() for node in self.nodes}
        weights = [plan.input_weight for plan in plans.values()]
        biases = [plan.input_bias for plan in plans.values()]
        if self.carry is not None:
            weights.append(self.carry.weights["input_left"])
            biases.append(self.carry.bias)
        widths = [weight.shape[1] for weight in weights]
        outputs = [node for node in self.nodes if node.is_output]
        return CellPlan(
            plans,
            inputs,
            torch.cat(weights, dim=1),
            torch.cat(biases),
            (*widths, 0) if self.carry is None else tuple(widths),
            tuple(node.name for node in outputs),
            torch.stack([node.output_weight for node in outputs]),
            self._memory,
            None if self.carry is None else self.carry.weights["right"],
        )

    def live_nodes(self) -> list[MixedNode]:
        """Return, in order, the nodes of a settled cell that its state or memory depends on.

        Returns
        -------
        list of MixedNode
            The nodes that `genotype` keeps.
        """
        return live_nodes(self.nodes, self._memory)

    def genotype(self) -> Cell:
        """Return the fixed cell that a settled one is.

        Returns
        -------
        Cell
            Nodes renumbered, and those left out that nothing depends on.
        """
        return fixed_cell(self.live_nodes(), self._memory, has_carry=self.carry is not None)

    def forward(self, inputs: Tensor, present: Tensor | None = None) -> Tensor:
        """Run over a sequence, from a zero state, by the fast loop of a fixed cell if it is one."""
        if all(node.is_settled and not node.skip_weight for node in self.nodes):
            live = self.live_nodes()
            cell = fixed_cell(live, self._memory, has_carry=self.carry is not None)
            plan = loops.plan_cell(cell)
            weights = fixed_weights(plan, live, self.carry)
            return loops.scan(plan, weights, inputs, self.n_hidden, present)
        return scan(self.plan(inputs), inputs.new_zeros(inputs.shape[1], self.n_hidden), present)

    @property
    def _memory(self) -> str | None:
        return None if self.memory_node is None else f"s{self.memory_node}"

    def _append(self, node: SearchNode) -> None:
        if node.n_candidates > 1:
            node.skip = self.mixing.auxiliary_skip
        self.next_index += 1
        self.nodes.append(node)


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
