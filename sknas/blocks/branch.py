"""A stack of recurrent cells over segments, each layer with an output head of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import torch
from torch import Generator, Tensor, nn

from sknas.blocks.channel_gains import ChannelGains
from sknas.blocks.dropout import HeadDropout
from sknas.blocks.initialization import zero_parameter
from sknas.blocks.modules import ModuleList
from sknas.blocks.recurrence import RecurrentCell
from sknas.blocks.segments import Segments
from sknas.blocks.shape import NetworkShape

__all__ = ["BranchStack"]

CellT = TypeVar("CellT", bound=RecurrentCell)


class BranchStack(nn.Module, Generic[CellT]):
    """Segments -> layers -> gains of the channels -> the sum of the layers' heads.

    Where several channels share the branch, each weighs the last states by gains of its own. Every
    head starts at zero, so a new branch, or a new layer, leaves the network's function as it was
    and still has a gradient.

    Parameters
    ----------
    shape : NetworkShape
        Sizes.
    segments : Segments
        What folds a window into the first layer's sequence.
    cells : sequence of RecurrentCell
        The layers, first one first.
    generator : torch.Generator
        Source of the initial gains.
    dtype : torch.dtype
        Floating type.
    """

    def __init__(
        self,
        shape: NetworkShape,
        segments: Segments,
        cells: Sequence[CellT],
        *,
        generator: Generator,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.segments = segments
        n_outputs = shape.n_outputs * (1 if segments.is_independent else shape.n_targets)
        self.layers = ModuleList(cells)
        self.dropout = HeadDropout()
        self.heads = nn.ParameterList(
            zero_parameter(cell.n_hidden, n_outputs, dtype=dtype) for cell in cells
        )
        self.gains: ModuleList[ChannelGains] = ModuleList()
        if shape.has_gains and segments.is_independent and shape.n_targets > 1:
            for cell in cells:
                self.gains.append(
                    ChannelGains(shape.n_targets, cell.n_hidden, generator=generator, dtype=dtype)
                )

    @property
    def hidden_size(self) -> int:
        """Width of the states."""
        return int(self.heads[0].shape[0])

    @property
    def channel_mode(self) -> str:
        """How channels enter."""
        return "independent" if self.segments.is_independent else "mixed"

    @property
    def segment_length(self) -> int:
        """Time steps a recurrent step."""
        return self.segments.segment_length

    def forward(self, normed: Tensor, present: Tensor | None) -> Tensor:
        """Return the branch's correction of the linear prediction.

        Parameters
        ----------
        normed : Tensor of shape (batch, channels, lookback)
            Normalised windows.
        present : Tensor of shape (batch, lookback) or None
            Which steps are there.

        Returns
        -------
        Tensor of shape (batch, targets, horizon)
            The correction in normalised units.
        """
        states = self.segments(normed)
        mask = None if present is None else self.segments.presence(present)
        last_states = []
        for cell in self.layers:
            states = cell(states, mask)
            last_states.append(states[-1])
        if len(self.gains):
            pairs = zip(self.gains, last_states, strict=True)
            last_states = [gains(last) for gains, last in pairs]
        output = self.dropout(torch.cat(last_states, dim=-1)) @ torch.cat(list(self.heads))
        return output.view(-1, self.shape.n_targets, self.shape.n_outputs)
