"""Edits that keep the function: the output is what it was, and the newborn has a gradient.

Every recipe zeroes one side of the newborn only: its way out (output weight, birth scalar, head,
fan-out) or, for the Hadamard branch, its way in.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Generator, nn

from sknas.blocks.channel_gains import ChannelGains
from sknas.blocks.initialization import zero_parameter
from sknas.edits.base import Edit, ParameterChange, default_generator, two_input_node
from sknas.edits.evidence import Evidence
from sknas.edits.newborn import NewbornUnits, RandomUnits
from sknas.edits.units import Units, widen_branch
from sknas.genotype import Branch, Cell
from sknas.genotype.named import label_of
from sknas.ops import DEFAULT_OPERATIONS, get_op
from sknas.supernet import MixedNode, NodePlace, Supernet, TwoInputCell

__all__ = ["AddBranch", "AddHadamard", "AddLayer", "AddMixedBranch", "AddNode", "AddOp", "Widen"]


@dataclass(frozen=True)
class AddBranch(Edit):
    """Put a branch beside the seed and the other branches, with heads of zero.

    Parameters
    ----------
    branch : Branch
        Its cells, width, segment length and channel mode.
    """

    branch: Branch
    preserves_function = True

    def apply(self, supernet: Supernet, generator: Generator | None = None) -> ParameterChange:
        """Add the branch."""
        change = ParameterChange()
        branch = supernet.build_branch(self.branch, generator=default_generator(generator))
        supernet.trunk.branches.append(branch)
        change.add(branch.parameters())
        return change

    def __str__(self) -> str:
        cells = " / ".join(map(label_of, self.branch.layers))
        return f"AddBranch({cells}; segments of {self.branch.segment_length})"


@dataclass(frozen=True)
class AddMixedBranch(Edit):
    """Put a branch of mixed nodes beside the others, with heads of zero: plain DARTS's start.

    Parameters
    ----------
    branch : Branch
        Width, segment length and channel mode; of its one cell the carry alone is taken.
    n_nodes : int
        Mixed nodes.
    operations : tuple of str
        Candidates; by default all of the space.
    """

    branch: Branch
    n_nodes: int
    operations: tuple[str, ...] = DEFAULT_OPERATIONS
    preserves_function = True

    def apply(self, supernet: Supernet, generator: Generator | None = None) -> ParameterChange:
        """Add the branch."""
        generator = default_generator(generator)
        branch = supernet.build_branch(self.branch, generator=generator)
        cell = branch.layers[0]
        del cell.nodes[:]
        cell.memory_node = None
        for _ in range(self.n_nodes):
            sources = _sources(supernet, cell)
            node = cell.append_node(self.operations, (sources, sources), generator=generator)
            with torch.no_grad():
                node.output_weight.fill_(1.0 / self.n_nodes)
        supernet.trunk.branches.append(branch)
        change = ParameterChange()
        change.add(branch.parameters())
        return change

    def __str__(self) -> str:
        return f"AddMixedBranch({self.n_nodes} nodes; segments of {self.branch.segment_length})"


@dataclass(frozen=True)
class AddNode(Edit):
    """Append a mixed node to a cell, with output weight zero.

    Parameters
    ----------
    branch, layer : int, default=0
        The cell.
    operations : tuple of str
        Candidates; by default all of the space.
    """

    branch: int = 0
    layer: int = 0
    operations: tuple[str, ...] = DEFAULT_OPERATIONS
    preserves_function = True

    def apply(self, supernet: Supernet, generator: Generator | None = None) -> ParameterChange:
        """Append the node."""
        cell = supernet.cell(self.branch, self.layer)
        sources = _sources(supernet, cell)
        node = cell.append_node(
            self.operations, (sources, sources), generator=default_generator(generator)
        )
        with torch.no_grad():
            node.output_weight.zero_()
        change = ParameterChange()
        change.add(node.parameters())
        return change

    def __str__(self) -> str:
        return f"AddNode(branch {self.branch}, layer {self.layer})"


@dataclass(frozen=True)
class AddOp(Edit):
    """Give a node one more candidate, with birth scalar zero.

    Under a softmax the others' weights shrink by a common factor; their birth scalars grow by it.

    Parameters
    ----------
    place : NodePlace
        The node.
    operation : str
        The candidate; new to the node, and not one that is zero without an operand that the node
        lacks.
    """

    place: NodePlace
    operation: str
    preserves_function = True

    def apply(self, supernet: Supernet, generator: Generator | None = None) -> ParameterChange:
        """Add the candidate."""
        node = two_input_node(supernet, self.place)
        if self.operation in node.operations:
            raise ValueError(f"operation must be new to the node; got {self.operation!r} again.")
        _check_operands(node, self.operation)
        change = ParameterChange()
        n_before = len(node.operations)
        with torch.no_grad():
            before = node.mixing_weights()
            if node.is_settled:
                node.progress = 0.0
            if n_before == 1:
                # A settled node's alpha decides nothing; its gate may have closed long ago.
                change.remove([node.alphas])
                first = torch.full_like(node.alphas, node.relaxation.initial_alpha(2))
                second = torch.full_like(first, node.relaxation.newborn_alpha(first))
                node.alphas = nn.Parameter(torch.cat([first, second]))
                change.add([node.alphas])
            else:
                alpha = node.relaxation.newborn_alpha(node.alphas)
                grown = node.alphas.new_full((n_before + 1,), alpha)
                node.alphas = change.extend(node.alphas, grown)
            births = node.births
            node.births = change.extend(births, births.new_zeros(n_before + 1))
            node.operations.append(self.operation)
            after = node.mixing_weights()[:n_before]
            # A gate of zero is zero before and after, in float32 at least.
            change.rescale(births, torch.where(after > 0, before / after, 1.0))
        change.add(node.add_weights(self.operation, generator=default_generator(generator)))
        return change

    def __str__(self) -> str:
        return f"AddOp({self.operation} at {self.place})"


@dataclass(frozen=True)
class AddHadamard(Edit):
    """Put a Hadamard branch behind an output node: ``s' = s * 2 sigmoid(b V + v)``, V and v zero.

    The factor is 1 at birth and its gradient with respect to V is not zero, because s is not.

    Parameters
    ----------
    place : NodePlace
        A node that is an output of its cell.
    """

    place: NodePlace
    preserves_function = True

    def apply(self, supernet: Supernet, generator: Generator | None = None) -> ParameterChange:
        """Insert the modulation."""
        cell = supernet.cell(self.place.branch, self.place.layer)
        target = cell.node(self.place.node)
        if not target.is_output:
            raise ValueError(f"place must be an output of its cell; got node {self.place.node}.")
        others = [name for name in _sources(supernet, cell) if name != target.name]
        node = cell.append_node(
            ["modulate"], ((target.name,), others), generator=default_generator(generator)
        )
        target.is_output = False
        change = ParameterChange()
        # The target's output weight goes over, and with it its moments and its average.
        node.output_weight, target.output_weight = target.output_weight, node.output_weight
        change.add(p for p in node.parameters() if p is not node.output_weight)
        change.add([target.output_weight])
        return change

    def __str__(self) -> str:
        return f"AddHadamard(behind {self.place})"


@dataclass(frozen=True)
class AddLayer(Edit):
    """Stack a cell on a branch, with a head of zero.

    Parameters
    ----------
    branch : int
        The branch.
    cell : Cell
        The new layer's cell, every node settled.
    """

    branch: int
    cell: Cell
    preserves_function = True

    def apply(self, supernet: Supernet, generator: Generator | None = None) -> ParameterChange:
        """Stack the layer."""
        branch = supernet.trunk.branches[self.branch]
        n_hidden = branch.hidden_size
        source = default_generator(generator)
        layer = TwoInputCell(
            self.cell,
            n_hidden,
            n_hidden,
            mixing=supernet.mixing,
            generator=source,
            dtype=supernet.dtype,
        )
        head = zero_parameter(n_hidden, branch.heads[0].shape[1], dtype=supernet.dtype)
        branch.layers.append(layer)
        branch.heads.append(head)
        change = ParameterChange()
        change.add([*layer.parameters(), head])
        if len(branch.gains):
            n_channels = supernet.shape.n_targets
            gains = ChannelGains(n_channels, n_hidden, generator=source, dtype=supernet.dtype)
            branch.gains.append(gains)
            change.add(gains.parameters())
        return change

    def __str__(self) -> str:
        return f"AddLayer({label_of(self.cell)} on branch {self.branch})"


@dataclass(frozen=True)
class Widen(Edit):
    """Add units to the states of a branch, by default with random fan-in and zero fan-out.

    The old units, and the heads, do not see the new ones yet; the heads' new rows have a gradient.

    Parameters
    ----------
    branch : int
        The branch; all its layers share one width.
    n_units : int
        Units to add.
    newborn : NewbornUnits, default=RandomUnits()
        How they begin.
    """

    branch: int
    n_units: int
    newborn: NewbornUnits = field(default_factory=RandomUnits)
    preserves_function = True

    def informed_by(self, evidence: Evidence) -> Widen:
        """Return the same edit, its newborn units informed."""
        return replace(self, newborn=self.newborn.informed_by(evidence))

    def is_version_of(self, other: Edit) -> bool:
        """Say whether the other edit adds as many units to the same branch, or more."""
        if not isinstance(other, Widen) or other.branch != self.branch:
            return False
        return self.n_units <= other.n_units

    def apply(self, supernet: Supernet, generator: Generator | None = None) -> ParameterChange:
        """Widen every layer of the branch."""
        generator = default_generator(generator)
        change = ParameterChange()
        chosen = self.newborn.choose(supernet, self.branch, self.n_units, generator)
        branch = supernet.trunk.branches[self.branch]
        n_old = branch.hidden_size
        widen_branch(supernet, self.branch, self.n_units, change, generator)
        for depth, fans in enumerate(chosen):
            Units(branch, depth, n_old).place(fans)
        return change

    def __str__(self) -> str:
        how = f", {self.newborn.name}" if self.newborn.name else ""
        return f"Widen(branch {self.branch} by {self.n_units}{how})"


def _sources(supernet: Supernet, cell: TwoInputCell) -> list[str]:
    """Return what a newborn node may read; a state that never moves from zero is left out."""
    sources = cell.sources()
    return sources if supernet.shape.is_sequence else [s for s in sources if s not in ("h", "c")]


def _check_operands(node: MixedNode, operation: str) -> None:
    # Neither the newborn nor its gate would have a gradient.
    op = get_op(operation)
    for slot, (side, is_needed) in enumerate((("left", op.needs_left), ("right", op.needs_right))):
        if is_needed and not node.open_sources(slot):
            raise ValueError(
                f"operation must have the operands it needs; got {operation!r}, and {node.name} "
                f"has no {side} one."
            )
