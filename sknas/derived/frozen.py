"""What predicts in a derived network's place: the same function, with less to do for each call."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sknas.blocks import BranchStack, Segments
from sknas.blocks.trunk import in_order
from sknas.derived.cell import DerivedCell
from sknas.derived.frozen_cell import FrozenCell
from sknas.derived.network import DerivedNetwork

__all__ = ["FrozenNetwork"]

_N_BATCH = 512


class FrozenNetwork:
    """A `DerivedNetwork` at its present weights.

    Of a single row, a derived network spends most of its time on looking up weights and on joining
    them, so that products are few. Weights that rest are joined once.

    Parameters
    ----------
    network : DerivedNetwork
        What to compute. It stays as it is, and what it learns later does not come here.
    """

    @torch.no_grad()
    def __init__(self, network: DerivedNetwork) -> None:
        trunk = copy.deepcopy(network).eval().requires_grad_(requires_grad=False).trunk
        self.shape = network.spec.shape
        self.window_norm, self.embedding = trunk.window_norm, trunk.embedding
        self.features, self.weight, self.bias = (
            trunk.seed.features,
            trunk.seed.weight.detach(),
            trunk.seed.bias.detach(),
        )
        # Branches that are averaged read the same segments, where these are not embedded.
        self.readings: list[Segments] = []
        alike: dict[tuple[int, object], list[BranchStack[DerivedCell]]] = {}
        for branch in trunk.branches:
            own = branch.segments
            same = [n for n, other in enumerate(self.readings) if own.reads_as(other)]
            place = same[0] if same else len(self.readings)
            self.readings += [] if same else [own]
            alike.setdefault((place, _kind(branch)), []).append(branch)
        self.branches = tuple(_FrozenBranch(group) for group in alike.values())
        self.read_by = [place for place, _ in alike]

    def __call__(self, past: Tensor) -> Tensor:
        """Predict.

        Parameters
        ----------
        past : Tensor of shape (batch, channels, lookback)
            What the network takes.

        Returns
        -------
        Tensor of shape (batch, targets, n_outputs)
            What the network returns.
        """
        normed, stats, present = self.window_norm(past)
        if self.embedding is not None:
            normed = self.embedding(normed, present)
        features = self.features(self.window_norm.for_seed(normed, stats)).flatten(0, -2)
        output = torch.addmm(self.bias, features, self.weight)
        read = [segments(normed) for segments in self.readings]
        for branch, place in zip(self.branches, self.read_by, strict=True):
            states = branch.last_states(read[place], present)
            # Whether rows are those of windows or of their targets, numbers lie in one order.
            before = output.view(states.shape[0], branch.heads.shape[1])
            output = torch.addmm(before, states, branch.heads)
        output = output.view(-1, self.shape.n_targets, self.shape.n_outputs)
        return in_order(self.window_norm.undo(output, stats), self.shape.n_quantiles)

    def outputs(
        self, past: NDArray[Any], reduce: Callable[[Tensor], Tensor] | None = None
    ) -> NDArray[Any]:
        """Predict a batch at a time.

        Parameters
        ----------
        past : ndarray of shape (n_samples, channels, lookback)
            Windows, perhaps a view.
        reduce : callable or None, default=None
            What to keep of each batch of outputs; None keeps all of it.

        Returns
        -------
        ndarray of shape (n_samples, targets, n_outputs), or of what `reduce` returns
            Outputs.
        """

        def made(start: int) -> NDArray[Any]:
            # A copy, since a view may repeat its rows and may not be writable.
            batch = self(torch.from_numpy(past[start : start + _N_BATCH].copy()))
            kept: NDArray[Any] = (batch if reduce is None else reduce(batch)).numpy()
            return kept

        first = made(0)
        if len(first) == len(past):
            return first
        # Written to their place at once: a list of parts would lie scattered among the memory that
        # batches leave behind, which then no batch fits into again.
        result = np.empty((len(past), *first.shape[1:]), first.dtype)
        result[:_N_BATCH] = first
        for start in range(_N_BATCH, len(past), _N_BATCH):
            result[start : start + _N_BATCH] = made(start)
        return result


def _kind(branch: BranchStack[DerivedCell]) -> object:
    """Return what branches share that are computed side by side, at no cost but for more units."""
    cell, *others = branch.layers
    if others or branch.segments.n_steps > 1 or len(branch.gains):
        return id(branch)
    return cell.genotype


class _FrozenBranch:
    """A `BranchStack` of frozen cells, or several side by side, less the product with the heads."""

    def __init__(self, branches: Sequence[BranchStack[DerivedCell]]) -> None:
        self.segments = branches[0].segments
        layers = zip(*(branch.layers for branch in branches), strict=True)
        self.cells = [FrozenCell(cells) for cells in layers]
        self.heads = torch.cat([heads for branch in branches for heads in branch.heads])
        self.gains = tuple(branches[0].gains)

    def last_states(self, inputs: Tensor, present: Tensor | None) -> Tensor:
        """Return the last states of all layers, (batch or batch * targets, layers * hidden)."""
        mask = None if present is None else self.segments.presence(present)
        states = self.cells[0].states(inputs, mask)
        last = [states[-1]]
        for cell in self.cells[1:]:
            states = cell.states(torch.stack(states), mask)
            last.append(states[-1])
        if self.gains:
            last = [gains(state) for gains, state in zip(self.gains, last, strict=True)]
        return last[0] if len(last) == 1 else torch.cat(last, dim=1)
