"""The fixed network of a genotype: what `predict` uses, and nothing of the search in it."""

from __future__ import annotations

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
from sknas.derived.cell import DerivedCell
from sknas.genotype import Branch, Genotype

__all__ = ["DerivedNetwork", "NetworkSpec"]


@dataclass(frozen=True)
class NetworkSpec:
    """All that is needed to build a derived network again, weights excepted.

    Parameters
    ----------
    genotype : Genotype
        The architecture.
    shape : NetworkShape
        Sizes of input and output.
    window_norm : {"none", "last", "level", "revin"}
        Normalisation of each window.
    channel_mode : {"independent", "mixed"}
        How the linear seed reads channels.
    """

    genotype: Genotype
    shape: NetworkShape
    window_norm: str
    channel_mode: str


class DerivedNetwork(nn.Module):
    """The network of a genotype: linear seed plus branches with heads of zero.

    Parameters
    ----------
    spec : NetworkSpec
        What to build.
    generator : torch.Generator
        Source of the initial weights.
    dtype : torch.dtype, default=torch.float32
        Floating type.
    """

    def __init__(
        self, spec: NetworkSpec, *, generator: Generator, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.spec = spec
        embedding = None
        if spec.shape.is_embedded:
            embedding = CodeEmbedding(spec.shape, generator=generator, dtype=dtype)
        self.trunk = Trunk(
            WindowNorm(spec.window_norm, spec.shape),
            LinearSeed(spec.shape, spec.channel_mode, dtype=dtype),
            [
                _build_branch(spec.shape, branch, generator, dtype)
                for branch in spec.genotype.branches
            ],
            embedding,
        )

    @property
    def n_params(self) -> int:
        """Number of weights."""
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(self, past: Tensor) -> Tensor:
        """Predict.

        Parameters
        ----------
        past : Tensor of shape (batch, channels, lookback)
            Standardised windows, or numbered category codes, oldest step first.

        Returns
        -------
        Tensor of shape (batch, targets, horizon)
            Standardised predictions, or logits.
        """
        output: Tensor = self.trunk(past)
        return output


def _build_branch(
    shape: NetworkShape, branch: Branch, generator: Generator, dtype: torch.dtype
) -> BranchStack[DerivedCell]:
    segments = Segments(
        shape,
        branch.segment_length,
        branch.channel_mode,
        n_embedded=branch.n_embedded,
        generator=generator,
        dtype=dtype,
        reach=branch.reach,
    )
    n_inputs, cells = segments.n_inputs, []
    for cell in branch.layers:
        cells.append(
            DerivedCell(cell, n_inputs, branch.hidden_size, generator=generator, dtype=dtype)
        )
        n_inputs = branch.hidden_size
    return BranchStack(shape, segments, cells, generator=generator, dtype=dtype)
