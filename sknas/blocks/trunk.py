"""What the supernet and the derived network share: normalise, predict linearly, correct, undo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic

from torch import Tensor, nn

from sknas.blocks.branch import BranchStack, CellT
from sknas.blocks.embedding import CodeEmbedding
from sknas.blocks.linear_seed import LinearSeed
from sknas.blocks.modules import ModuleList
from sknas.blocks.window_norm import WindowNorm

__all__ = ["Trunk", "in_order"]


class Trunk(nn.Module, Generic[CellT]):
    """Window normalisation around a linear seed and the branches grown beside it.

    Parameters
    ----------
    window_norm : WindowNorm
        Normalisation of each window.
    seed : LinearSeed
        The network at birth.
    branches : sequence of BranchStack, default=()
        Corrections of the seed.
    embedding : CodeEmbedding or None, default=None
        What seed and branches read category codes through; None where windows are numbers.
    """

    def __init__(
        self,
        window_norm: WindowNorm,
        seed: LinearSeed,
        branches: Sequence[BranchStack[CellT]] = (),
        embedding: CodeEmbedding | None = None,
    ) -> None:
        super().__init__()
        self.window_norm = window_norm
        self.embedding = embedding
        self.seed = seed
        self.branches = ModuleList(branches)

    def forward(self, past: Tensor) -> Tensor:
        """Predict.

        Parameters
        ----------
        past : Tensor of shape (batch, channels, lookback)
            Standardised windows, or numbered category codes, oldest step first.

        Returns
        -------
        Tensor of shape (batch, targets, n_outputs)
            Standardised predictions, or logits. Quantiles are in order.
        """
        normed, stats, present = self.window_norm(past)
        if self.embedding is not None:
            normed = self.embedding(normed, present)
        output = self.seed(self.window_norm.for_seed(normed, stats))
        for branch in self.branches:
            output = output + branch(normed, present)
        return in_order(self.window_norm.undo(output, stats), self.seed.shape.n_quantiles)


def in_order(output: Tensor, n_quantiles: int) -> Tensor:
    """Put the quantiles of each target and step in order.

    That never takes one further from the truth (Chernozhukov, Fernandez-Val and Galichon 2010).

    Parameters
    ----------
    output : Tensor of shape (batch, targets, n_quantiles * horizon)
        All steps of the first quantile, then those of the next.
    n_quantiles : int
        How many there are.

    Returns
    -------
    Tensor of the same shape
        Ascending quantiles.
    """
    if n_quantiles == 1:
        return output
    return output.unflatten(2, (n_quantiles, -1)).sort(dim=2).values.flatten(2)
