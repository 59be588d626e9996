"""A table of vectors, one for each category code: what a network reads in place of the codes."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from sknas.blocks.initialization import uniform_parameter
from sknas.blocks.shape import NetworkShape

__all__ = ["CodeEmbedding"]


class CodeEmbedding(nn.Module):
    """Replace each code of a window by its row of a learned table (Bengio et al. 2003).

    The linear seed and all branches read the same vectors. Row 0 belongs to codes that training
    never saw: it starts at zero, so that such a code says nothing, and it learns only where
    later samples bring such codes. The other rows start uniform in [-1, 1], about the size of
    standardised values.

    Parameters
    ----------
    shape : NetworkShape
        Its `n_categories` are the rows, its `embedding_size` the columns.
    generator : torch.Generator
        Source of the initial rows.
    dtype : torch.dtype
        Floating type.
    """

    def __init__(self, shape: NetworkShape, *, generator: Generator, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = uniform_parameter(
            shape.n_categories, shape.embedding_size, fan_in=1, generator=generator, dtype=dtype
        )
        with torch.no_grad():
            self.weight[0] = 0.0

    def forward(self, codes: Tensor, present: Tensor | None) -> Tensor:
        """Look the codes up.

        Parameters
        ----------
        codes : Tensor of shape (batch, 1, lookback)
            Row numbers of the table, as floating or integer numbers.
        present : Tensor of shape (batch, lookback) or None
            Which steps are there; the others come out as zero.

        Returns
        -------
        Tensor of shape (batch, embedding_size, lookback)
            The vectors as channels.
        """
        vectors = functional.embedding(codes[:, 0].long(), self.weight)
        if present is not None:
            vectors = vectors * present[:, :, None]
        return vectors.swapaxes(1, 2)  # (batch, embedding_size, lookback)
