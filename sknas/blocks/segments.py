"""Fold a window into a short sequence of embedded segments, the recurrent network's steps."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from sknas.blocks.channels import target_windows
from sknas.blocks.initialization import uniform_parameter, zero_parameter
from sknas.blocks.shape import NetworkShape

__all__ = ["Segments"]


class Segments(nn.Module):
    """Cut windows into segments of `segment_length` steps (Lin et al. 2023, SegRNN).

    Of the window the newest steps are read, as many as `reach` says, or all. They are filled up in
    front, by the oldest of them, to a whole number of segments. A segment of several steps is
    embedded by an affine map and a rectifier, as SegRNN does; a single step enters the cell as it
    is, as in any recurrent network.

    Parameters
    ----------
    shape : NetworkShape
        Sizes.
    segment_length : int
        Time steps a segment.
    channel_mode : {"independent", "mixed"}
        ``"independent"`` makes a sequence of every target's channel, with the covariates beside it,
        ``"mixed"`` one of them all.
    n_embedded : int
        Width of the embedding.
    generator : torch.Generator
        Source of the embedding's initial weights.
    dtype : torch.dtype
        Floating type.
    reach : int or None, default=None
        Steps to read, the newest ones; None, or more than there are, for all.
    """

    def __init__(
        self,
        shape: NetworkShape,
        segment_length: int,
        channel_mode: str,
        *,
        n_embedded: int,
        generator: Generator,
        dtype: torch.dtype,
        reach: int | None = None,
    ) -> None:
        super().__init__()
        self.segment_length = segment_length
        self.n_embedded = n_embedded
        self.is_independent = channel_mode == "independent"
        self.shape = shape
        self.reach = reach
        self.n_read = shape.lookback if reach is None else min(reach, shape.lookback)
        self.n_steps = -(-self.n_read // segment_length)
        self.n_missing = self.n_steps * segment_length - self.n_read
        n_channels = 1 + shape.n_covariates if self.is_independent else shape.n_features
        n_values = segment_length * n_channels
        self.weight = self.bias = None
        self.n_inputs = n_values
        if segment_length > 1:
            self.n_inputs = n_embedded
            self.weight = uniform_parameter(
                n_values, n_embedded, fan_in=n_values, generator=generator, dtype=dtype
            )
            self.bias = zero_parameter(n_embedded, dtype=dtype)

    def reads_as(self, other: Segments) -> bool:
        """Say whether what another one makes of a window is the same.

        Parameters
        ----------
        other : Segments
            Of a network of the same shape.

        Returns
        -------
        bool
            Whether both fold alike and embed nothing.
        """
        folds, others = (
            (one.n_read, one.segment_length, one.is_independent) for one in (self, other)
        )
        return self.weight is None and folds == others

    def forward(self, normed: Tensor) -> Tensor:
        """Fold windows.

        Parameters
        ----------
        normed : Tensor of shape (batch, channels, lookback)
            Normalised windows.

        Returns
        -------
        Tensor of shape (n_steps, batch * targets or batch, n_inputs)
            Time-major segments, embedded.
        """
        folded = self._fold(normed)
        if self.weight is None or self.bias is None:
            return folded
        return torch.relu(folded @ self.weight + self.bias)

    def _fold(self, normed: Tensor) -> Tensor:
        normed = normed[..., -self.n_read :]
        if self.is_independent:
            normed = target_windows(normed, self.shape)  # (batch, targets, 1 + covs, lookback)
        if self.n_missing:
            oldest = normed[..., :1].expand(*normed.shape[:-1], self.n_missing)
            normed = torch.cat([oldest, normed], dim=-1)
        n_channels = normed.shape[-2]
        if self.n_steps == 1:
            return normed.reshape(1, -1, n_channels * self.segment_length)
        # A row is a target's channel with the covariates, or a window with all channels.
        pieces = normed.reshape(-1, n_channels, self.n_steps, self.segment_length)
        pieces = pieces.permute(2, 0, 1, 3)  # (n_steps, rows, n_channels, segment_length)
        return pieces.reshape(self.n_steps, -1, n_channels * self.segment_length)

    def presence(self, present: Tensor) -> Tensor:
        """Say which segments hold at least one step that is there.

        Parameters
        ----------
        present : Tensor of shape (batch, lookback)
            Which steps are there; missing ones stand in front.

        Returns
        -------
        Tensor of shape (n_steps, batch * targets or batch, 1)
            Which segments count.
        """
        present = present[:, -self.n_read :]
        # The newest step of a segment is there whenever any of it is.
        newest = present[:, self.segment_length - 1 - self.n_missing :: self.segment_length]
        if self.is_independent:
            newest = newest.repeat_interleave(self.shape.n_targets, dim=0)
        return newest.swapaxes(0, 1).unsqueeze(-1)  # (n_steps, batch, 1)
