"""Normalise each window by its own level (and scale), and undo it on the prediction."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sknas.blocks.shape import NetworkShape

__all__ = ["WINDOW_NORMS", "WindowNorm", "WindowStats"]

WINDOW_NORMS = ("none", "last", "revin")
_MIN_SCALE = 1e-2


@dataclass(frozen=True)
class WindowStats:
    """Level and scale of each window's channels, both (batch, channels, 1); None for no change."""

    center: Tensor | None
    scale: Tensor | None


class WindowNorm(nn.Module):
    """Subtract each window's last value, or its mean and scale, channel by channel.

    ``"last"`` is the normalisation of NLinear (Zeng et al. 2023), ``"revin"`` that of RevIN without
    its affine parameters (Kim et al. 2022). Leading steps that are NaN in all channels are padding:
    they do not count, and they come out as zero. No other value may be NaN.

    Parameters
    ----------
    kind : {"none", "last", "revin"}
        What to take off.
    shape : NetworkShape
        Which channels the targets continue; other targets are left as they are.
    """

    def __init__(self, kind: str, shape: NetworkShape) -> None:
        super().__init__()
        self.kind = kind
        self.has_padding = shape.has_padding
        self.target_channels = (
            None if shape.target_channels is None else list(shape.target_channels)
        )

    def forward(self, past: Tensor) -> tuple[Tensor, WindowStats, Tensor | None]:
        """Normalise windows.

        Parameters
        ----------
        past : Tensor of shape (batch, channels, lookback)
            Windows, oldest step first; NaN only in whole steps in front, where there is padding.

        Returns
        -------
        normed : Tensor of shape (batch, channels, lookback)
            The normalised windows, without NaN.
        stats : WindowStats
            What `undo` needs.
        present : Tensor of shape (batch, lookback) or None
            Which steps are there; None where all are.
        """
        # A step is missing in all channels or in none (`align_right` sees to it): one tells.
        present = ~past[:, 0].isnan() if self.has_padding else None  # (batch, lookback)
        stats = self._stats(past)
        if stats.center is not None:
            past = past - stats.center
        if stats.scale is not None:
            past = past / stats.scale
        if present is not None:
            past = torch.where(present[:, None], past, torch.zeros_like(past))
        return past, stats, present

    def _stats(self, past: Tensor) -> WindowStats:
        if self.kind == "none":
            return WindowStats(None, None)
        if self.kind == "last":
            return WindowStats(past[..., -1:], None)
        if not self.has_padding:
            center = past.mean(dim=-1, keepdim=True)
            variance = past.var(dim=-1, keepdim=True, correction=0)
        else:
            center = past.nanmean(dim=-1, keepdim=True)
            variance = (past - center).square().nanmean(dim=-1, keepdim=True)
        return WindowStats(center, (variance + _MIN_SCALE**2).sqrt())

    def undo(self, output: Tensor, stats: WindowStats) -> Tensor:
        """Bring a prediction back to the scale of its window.

        Parameters
        ----------
        output : Tensor of shape (batch, targets, horizon)
            Prediction in normalised units.
        stats : WindowStats
            What `forward` took off.

        Returns
        -------
        Tensor of shape (batch, targets, horizon)
            The prediction in the units of `past`.
        """
        if self.target_channels is None:
            return output
        if stats.scale is not None:
            output = output * stats.scale[:, self.target_channels]
        if stats.center is not None:
            output = output + stats.center[:, self.target_channels]
        return output
