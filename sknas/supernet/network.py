"""The supernet: the trunk with cells under search, and the architecture parameters it owns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from sknas.blocks import (
    BranchStack,
    CodeEmbedding,
    LinearSeed,
    NetworkShape,
    Segments,
    Trunk,
    WindowNorm,
)
from sknas.genotype import Branch
from sknas.supernet.mixed_op import MixedNode
from sknas.supernet.mixing import Mixing
from sknas.supernet.search_node import SearchNode
from sknas.supernet.two_input_cell import TwoInputCell

__all__ = ["NodePlace", "Supernet"]


@dataclass(frozen=True)
class NodePlace:
    """Where a node stands.

    Parameters
    ----------
    branch, layer : int
        The cell.
    node : int
        The node's name within the cell.
    """

    branch: int
    layer: int
    node: int

    def __str__(self) -> str:
        return f"s{self.node}, branch {self.branch}, layer {self.layer}"


class Supernet(nn.Module):
    """The relaxed network that a search grows and prunes.

    At birth it is the linear seed; everything else enters by edits.

    Parameters
    ----------
    shape : NetworkShape
        Sizes of input and output.
    mixing : Mixing
        How mixed nodes weigh what they choose from.
    window_norm : {"none", "last", "level", "revin"}, default="none"
        Normalisation of each window.
    channel_mode : {"independent", "mixed"}, default="mixed"
        How the linear seed reads channels.
    dtype : torch.dtype, default=torch.float32
        Floating type.
    generator : torch.Generator or None, default=None
        Source of the table that category codes are looked up in, where there is one; None means
        one seeded with 0.
    """

    def __init__(
        self,
        shape: NetworkShape,
        mixing: Mixing,
        *,
        window_norm: str = "none",
        channel_mode: str = "mixed",
        dtype: torch.dtype = torch.float32,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.mixing = mixing
        self.dtype = dtype
        embedding = None
        if shape.is_embedded:
            source = Generator().manual_seed(0) if generator is None else generator
            embedding = CodeEmbedding(shape, generator=source, dtype=dtype)
        self.trunk: Trunk[TwoInputCell] = Trunk(
            WindowNorm(window_norm, shape),
            LinearSeed(shape, channel_mode, dtype=dtype),
            embedding=embedding,
        )

    def forward(self, past: Tensor) -> Tensor:
        """Predict from windows (batch, channels, lookback); see `Trunk`."""
        return self.trunk(past)

    # -- its parts ----------------------------------------------------------------------------

    def cell(self, branch: int, layer: int) -> TwoInputCell:
        """Return a cell.

        Parameters
        ----------
        branch, layer : int
            Its place.

        Returns
        -------
        TwoInputCell
            The cell.
        """
        return self.trunk.branches[branch].layers[layer]

    def cells(self) -> Iterator[tuple[int, int, TwoInputCell]]:
        """Iterate over (branch, layer, cell)."""
        for b, branch in enumerate(self.trunk.branches):
            for depth, cell in enumerate(branch.layers):
                yield b, depth, cell

    def nodes(self) -> Iterator[tuple[NodePlace, SearchNode]]:
        """Iterate over every node with its place."""
        for b, depth, cell in self.cells():
            for node in cell.nodes:
                yield NodePlace(b, depth, node.index), node

    def node(self, place: NodePlace) -> SearchNode:
        """Return the node at a place.

        Parameters
        ----------
        place : NodePlace
            Its place.

        Returns
        -------
        SearchNode
            The node.
        """
        return self.cell(place.branch, place.layer).node(place.node)

    def build_branch(self, spec: Branch, *, generator: Generator) -> BranchStack[TwoInputCell]:
        """Build a branch of settled nodes, its heads at zero, without adding it.

        Parameters
        ----------
        spec : Branch
            What to build.
        generator : torch.Generator
            Source of the initial weights.

        Returns
        -------
        BranchStack
            The branch.
        """
        segments = Segments(
            self.shape,
            spec.segment_length,
            spec.channel_mode,
            n_embedded=spec.n_embedded,
            generator=generator,
            dtype=self.dtype,
            reach=spec.reach,
        )
        n_inputs, cells = segments.n_inputs, []
        for cell in spec.layers:
            cells.append(
                TwoInputCell(
                    cell,
                    n_inputs,
                    spec.hidden_size,
                    mixing=self.mixing,
                    generator=generator,
                    dtype=self.dtype,
                )
            )
            n_inputs = spec.hidden_size
        return BranchStack(self.shape, segments, cells, generator=generator, dtype=self.dtype)

    # -- its parameters -----------------------------------------------------------------------

    def arch_parameters(self) -> list[nn.Parameter]:
        """Return alphas and edge logits of every node, settled or not."""
        return [p for _, node in self.nodes() for p in node.arch_parameters()]

    def free_arch_parameters(self) -> list[nn.Parameter]:
        """Return the architecture parameters that still decide something."""
        return [p for _, node in self.nodes() for p in node.free_arch_parameters()]

    def weight_parameters(self) -> list[nn.Parameter]:
        """Return every trainable parameter that is not an architecture parameter."""
        arch = {id(p) for p in self.arch_parameters()}
        return [p for p in self.parameters() if id(p) not in arch and p.requires_grad]

    def advance(self, n_epochs_left: int) -> None:
        """Let the time of every mixed node go on by one epoch.

        Parameters
        ----------
        n_epochs_left : int
            Epochs to come before candidates are removed.
        """
        for _, node in self.nodes():
            node.advance(n_epochs_left)

    def end_skips(self) -> None:
        """Remove the auxiliary skips, as before candidates are."""
        for _, node in self.nodes():
            node.skip = None

    # -- its sizes ----------------------------------------------------------------------------

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to decide."""
        return all(node.is_settled for _, node in self.nodes())

    @property
    def n_params(self) -> int:
        """Number of weights, architecture parameters excluded."""
        arch = {id(p) for p in self.arch_parameters()}
        return sum(p.numel() for p in self.parameters() if id(p) not in arch)

    @property
    def n_held_params(self) -> int:
        """Number of weights, those that operations of a node share counted for each of them."""
        shared = sum(n.n_held_params - n.n_candidate_params for _, n in self.nodes())
        return self.n_params + shared

    @torch.no_grad()
    def expected_params(self) -> float:
        """Return the number of weights, those of undecided candidates times their gates."""
        total = float(self.n_params)
        for _, node in self.nodes():
            if node.n_candidates > 1:
                gates = node.gates_at(node.progress)
                total += float((gates * node.candidate_sizes()).sum()) - node.n_candidate_params
        return total

    def excess_params(self) -> Tensor | float:
        """Return how much larger gates let candidates be than the smallest of each open node.

        Of each candidate the weights that it has more than the smallest one are counted, times its
        gate, which is not hardened.

        Returns
        -------
        Tensor of shape (), or 0.0 where nothing is undecided
            The number of weights, differentiable in the architecture parameters.
        """
        total: Tensor | float = 0.0
        for _, node in self.nodes():
            if node.n_candidates > 1:
                sizes = node.candidate_sizes()
                total = total + ((sizes - sizes.min()) * node.gates_at(0.0)).sum()
        return total

    @property
    def n_nodes(self) -> int:
        """Number of nodes over all cells."""
        return sum(1 for _ in self.nodes())

    @property
    def n_candidates(self) -> int:
        """Number of candidates over all nodes: operations, or pairs of edge and operation."""
        return sum(node.n_candidates for _, node in self.nodes())

    @property
    def progress(self) -> float:
        """Mean share of the undecided nodes' time that is over; 1 where nothing is undecided."""
        shares = [node.progress for _, node in self.nodes() if not node.is_settled]
        return sum(shares) / len(shares) if shares else 1.0

    @property
    def skip_weight(self) -> float:
        """Largest weight of an auxiliary skip; 0 without any."""
        return max((node.skip_weight for _, node in self.nodes()), default=0.0)

    @torch.no_grad()
    def edge_entropy(self) -> float:
        """Return the mean entropy of operands with several sources left, in nats; 0 without any."""
        entropies: list[float] = []
        for _, node in self.nodes():
            if isinstance(node, MixedNode):
                is_undecided = node.is_open.sum(dim=1) > 1
                own = torch.special.entr(node.edge_mixing_weights()).sum(dim=1)
                entropies += own[is_undecided].tolist()
        return sum(entropies) / len(entropies) if entropies else 0.0

    def gate_entropy(self) -> float:
        """Return the mean entropy of the undecided nodes' gates, in nats; 0 without any."""
        entropies = []
        with torch.no_grad():
            for _, node in self.nodes():
                if node.n_candidates > 1:
                    weights = node.gates()
                    # Gates that have all closed to zero are equal; others do not notice the least.
                    weights = weights + torch.finfo(weights.dtype).tiny
                    entropies.append(float(torch.special.entr(weights / weights.sum()).sum()))
        return sum(entropies) / len(entropies) if entropies else 0.0
