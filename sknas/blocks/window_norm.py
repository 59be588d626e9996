"""Normalise each window by its own level (and scale), and undo it on the prediction."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sknas.blocks.carrying import carried_forward
from sknas.blocks.channels import of_channels
from sknas.blocks.shape import NetworkShape

__all__ = ["WINDOW_NORMS", "WindowNorm", "WindowStats"]

WINDOW_NORMS = ("none", "last", "level", "revin")
_MIN_SCALE = 1e-2


@dataclass(frozen=True)
class WindowStats:
    """Level and scale of each window's channels, both (batch, channels, 1); None for no change."""

    center: Tensor | None
    scale: Tensor | None


class WindowNorm(nn.Module):
    """Subtract each window's last value, or its mean and scale, channel by channel.

    ``"last"`` is the normalisation of NLinear (Zeng et al. 2023), ``"revin"`` that of RevIN without
    its affine parameters (Kim et al. 2022). Covariates, the last channels, stay as they are.

    With ``"level"`` branches read what they do with ``"last"``, and the linear seed reads what was
    taken off as well. Its map is then an error correction model (Engle and Granger 1987), changes
    by levels and past changes, where with ``"last"`` it is one of changes alone.

    Leading steps that are NaN in all channels are padding, where the shape allows it: they do not
    count, and they come out as zero. Single values may be missing, where the shape allows that:
    the last value, mean and scale are those of known values, and a missing one comes out as the
    newest known before it.

    Parameters
    ----------
    kind : {"none", "last", "level", "revin"}
        What to take off.
    shape : NetworkShape
        Which channels the targets continue; other targets are left as they are. Which are
        covariates, and what may be missing.
    """

    def __init__(self, kind: str, shape: NetworkShape) -> None:
        super().__init__()
        self.kind = kind
        self.has_padding = shape.has_padding
        self.has_missing = shape.has_missing
        self.n_covariates = shape.n_covariates
        self.target_channels = shape.target_channels

    def forward(self, past: Tensor) -> tuple[Tensor, WindowStats, Tensor | None]:
        """Normalise windows.

        Parameters
        ----------
        past : Tensor of shape (batch, channels, lookback)
            Windows, oldest step first; NaN only where the shape allows it.

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
        n_series = past.shape[1] - self.n_covariates
        series = past[:, :n_series] if self.n_covariates else past
        filled = carried_forward(series) if self.has_missing else series
        stats = self._stats(series, filled)
        normed = filled
        if stats.center is not None:
            normed = normed - stats.center
        if stats.scale is not None:
            normed = normed / stats.scale
        if self.n_covariates:
            normed = torch.cat([normed, past[:, n_series:]], dim=1)
        if present is not None:
            normed = torch.where(present[:, None], normed, torch.zeros_like(normed))
        return normed, stats, present

    def _stats(self, series: Tensor, filled: Tensor) -> WindowStats:
        if self.kind == "none":
            return WindowStats(None, None)
        if self.kind in ("last", "level"):
            return WindowStats(filled[..., -1:], None)
        if not (self.has_padding or self.has_missing):
            center = series.mean(dim=-1, keepdim=True)
            variance = series.var(dim=-1, keepdim=True, correction=0)
        else:
            center = _mean_of_known(series)
            variance = _mean_of_known((series - center).square())
        if self.has_missing:  # a channel without a known value
            center, variance = center.nan_to_num(0.0), variance.nan_to_num(0.0)
        return WindowStats(center, (variance + _MIN_SCALE**2).sqrt())

    def for_seed(self, normed: Tensor, stats: WindowStats) -> Tensor:
        """Return what the linear seed reads of a window.

        Parameters
        ----------
        normed : Tensor of shape (batch, channels, lookback)
            What `forward` returned.
        stats : WindowStats
            What `forward` took off.

        Returns
        -------
        Tensor of shape (batch, channels, lookback)
            The same, but with ``"level"`` the level in place of its own difference from itself.
        """
        if self.kind != "level" or stats.center is None:
            return normed
        newest = normed[..., -1:]
        if self.n_covariates:
            levels = torch.cat([stats.center, newest[:, stats.center.shape[1] :]], dim=1)
        else:
            levels = stats.center
        return torch.cat([normed[..., :-1], levels], dim=-1)

    def undo(self, output: Tensor, stats: WindowStats) -> Tensor:
        """Bring a prediction back to the scale of its window.

        Parameters
        ----------
        output : Tensor of shape (batch, targets, n_outputs)
            Prediction in normalised units.
        stats : WindowStats
            What `forward` took off.

        Returns
        -------
        Tensor of shape (batch, targets, n_outputs)
            The prediction in the units of `past`.
        """
        if self.target_channels is None:
            return output
        if stats.scale is not None:
            output = output * of_channels(stats.scale, self.target_channels)
        if stats.center is not None:
            output = output + of_channels(stats.center, self.target_channels)
        return output


def _mean_of_known(series: Tensor) -> Tensor:
    if not torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return series.nanmean(dim=-1, keepdim=True)
    # ONNX has no mean that passes over NaN.
    is_known = ~series.isnan()
    total = torch.where(is_known, series, torch.zeros_like(series)).sum(dim=-1, keepdim=True)
    return total / is_known.to(series).sum(dim=-1, keepdim=True)
