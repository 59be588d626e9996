"""A fitted network with its scales around it, as one module: raw numbers in, predictions out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sknas.blocks import NetworkShape
from sknas.blocks.carrying import carried_forward
from sknas.windows import Scaler, Vocabulary

Array = NDArray[np.float64]

__all__ = [
    "ClassOutputs",
    "Deployed",
    "ForecastWindows",
    "RegressionOutputs",
    "Sequences",
    "TableRows",
    "Windows",
]


class Deployed(nn.Module):
    """Read raw samples, predict, and tell predictions in the units of the targets.

    Parameters
    ----------
    read : nn.Module
        Makes of raw samples what the network takes, (batch, channels, lookback).
    network : nn.Module
        The network.
    tell : nn.Module
        Makes predictions of what the network returns.
    """

    def __init__(self, read: nn.Module, network: nn.Module, tell: nn.Module) -> None:
        super().__init__()
        self.read, self.network, self.tell = read, network, tell

    def forward(self, X: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """Predict.

        Parameters
        ----------
        X : Tensor of shape (batch, ...)
            Raw samples.
        *others : Tensor
            What else the reader takes; the units of outputs may depend on it as well.

        Returns
        -------
        tuple of Tensor
            Predictions.
        """
        told: tuple[Tensor, ...] = self.tell(self.network(self.read(X, *others)), *others)
        return told


# -- what reads ----------------------------------------------------------------------------------


class _Units(nn.Module):
    """The channels, the last axis, in the units of a network: numbers of codes, or standardised."""

    codes: Tensor
    center: Tensor
    scale: Tensor

    def __init__(self, scales: Scaler | Vocabulary) -> None:
        super().__init__()
        self.is_coded = isinstance(scales, Vocabulary)
        if isinstance(scales, Vocabulary):
            self.register_buffer("codes", _buffer(scales.codes))
        else:
            self.register_buffer("center", _buffer(scales.center))
            self.register_buffer("scale", _buffer(scales.scale))

    def forward(self, X: Tensor) -> Tensor:
        """Return the numbers, (..., channels); NaN stays NaN."""
        if self.is_coded:
            return torch.where(X.isnan(), X, self._numbers(X).to(X.dtype))
        return (X - self.center) / self.scale

    def _numbers(self, X: Tensor) -> Tensor:
        """Count the codes up to each value, bit by bit; of an unknown one the number is 0."""
        n_codes = len(self.codes)
        count = torch.zeros_like(X, dtype=torch.int64)
        for bit in reversed(range(n_codes.bit_length())):
            further = count + 2**bit
            last = self.codes[(further - 1).clamp(max=n_codes - 1)]
            count = torch.where((further <= n_codes) & (last <= X), further, count)
        is_code = self.codes[(count - 1).clamp(min=0)] == X
        return torch.where(is_code, count, torch.zeros_like(count))


class TableRows(nn.Module):
    """Read rows of a table.

    Parameters
    ----------
    scales : Scaler or Vocabulary
        Units of the columns.
    """

    def __init__(self, scales: Scaler | Vocabulary) -> None:
        super().__init__()
        self.units = _Units(scales)

    def forward(self, X: Tensor) -> Tensor:
        """Return windows of one step.

        Parameters
        ----------
        X : Tensor of shape (batch, n_features)
            Rows.

        Returns
        -------
        Tensor of shape (batch, n_features, 1)
            What a network takes.
        """
        read: Tensor = self.units(X)
        return read.unsqueeze(-1)


class Windows(nn.Module):
    """Read windows of a series.

    Parameters
    ----------
    scales : Scaler or Vocabulary
        Units of the channels.
    """

    def __init__(self, scales: Scaler | Vocabulary) -> None:
        super().__init__()
        self.units = _Units(scales)

    def forward(self, X: Tensor) -> Tensor:
        """Return windows.

        Parameters
        ----------
        X : Tensor of shape (batch, lookback, n_channels)
            Windows, oldest step first.

        Returns
        -------
        Tensor of shape (batch, n_channels, lookback)
            What a network takes.
        """
        read: Tensor = self.units(X)
        return read.swapaxes(1, 2)


class Sequences(nn.Module):
    """Read sequences, of which shorter ones end in steps that are NaN.

    Parameters
    ----------
    scales : Scaler or Vocabulary
        Units of the channels.
    channels_first : bool
        Whether channels stand before steps.
    has_padding : bool
        Whether the network knows steps that are not there. Otherwise the oldest one is repeated.
    """

    def __init__(
        self, scales: Scaler | Vocabulary, *, channels_first: bool, has_padding: bool
    ) -> None:
        super().__init__()
        self.units = _Units(scales)
        self.channels_first, self.has_padding = channels_first, has_padding

    def forward(self, X: Tensor) -> Tensor:
        """Return windows that end at their last known step.

        Parameters
        ----------
        X : Tensor of shape (batch, n_steps, n_channels) or (batch, n_channels, n_steps)
            Sequences.

        Returns
        -------
        Tensor of shape (batch, n_channels, n_steps)
            What a network takes.
        """
        if self.channels_first:
            X = X.swapaxes(1, 2)  # (batch, n_steps, n_channels)
        past: Tensor = self.units(X)
        n_missing = past[..., :1].isnan().long().sum(dim=1, keepdim=True)  # (batch, 1, 1)
        n_steps = int(past.shape[1])
        source = torch.arange(n_steps)[:, None] - n_missing  # (batch, n_steps, 1)
        # A network that has a mask finds the missing steps of the end in front.
        oldest = source + n_steps if self.has_padding else torch.zeros_like(source)
        source = torch.where(source < 0, oldest, source).expand_as(past)
        return past.gather(1, source).swapaxes(1, 2)


class ForecastWindows(nn.Module):
    """Read the last rows of series, each in its own units.

    Parameters
    ----------
    center, scale : ndarray of shape (n_series, n_targets)
        Units.
    shape : NetworkShape
        Sizes of the network; whether it fills what is missing itself.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, center: Array, scale: Array, shape: NetworkShape) -> None:
        super().__init__()
        self.register_buffer("center", _buffer(center))
        self.register_buffer("scale", _buffer(scale))
        self.has_missing = shape.has_missing

    def forward(self, X: Tensor, series: Tensor | None = None) -> Tensor:
        """Return windows.

        Parameters
        ----------
        X : Tensor of shape (batch, lookback, n_targets)
            Windows, oldest step first; NaN is missing.
        series : Tensor of shape (batch,) or None
            The number of each window's series; None where there is one series.

        Returns
        -------
        Tensor of shape (batch, n_targets, lookback)
            What a network takes.
        """
        center, scale = _of_series(self.center, series), _of_series(self.scale, series)
        past = ((X - center) / scale).swapaxes(1, 2)
        return past if self.has_missing else carried_forward(past)


# -- what tells ----------------------------------------------------------------------------------


class RegressionOutputs(nn.Module):
    """Tell numbers in the units and the shape of the targets, and quantiles where there are some.

    Parameters
    ----------
    center, scale : ndarray of shape (n_targets,) or (n_series, n_targets)
        Units of the targets.
    shape : NetworkShape
        Sizes of the network.
    y_shape : sequence of int
        Axes of a prediction, less that of samples.
    """

    center: Tensor
    scale: Tensor

    def __init__(
        self, center: Array, scale: Array, shape: NetworkShape, y_shape: Sequence[int]
    ) -> None:
        super().__init__()
        self.register_buffer("center", _buffer(center.reshape(-1, center.shape[-1])))
        self.register_buffer("scale", _buffer(scale.reshape(-1, scale.shape[-1])))
        self.quantiles, self.horizon = shape.quantiles, shape.horizon
        self.y_shape = tuple(y_shape)

    def forward(self, outputs: Tensor, series: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return the points, or medians, and the quantiles.

        Parameters
        ----------
        outputs : Tensor of shape (batch, n_targets, n_outputs)
            What the network returns.
        series : Tensor of shape (batch,) or None
            The number of each window's series; None where there is one series.

        Returns
        -------
        tuple of Tensor
            Predictions (batch, *y_shape) and, of a network of quantiles, those of each level,
            (n_levels, batch, *y_shape).
        """
        if not self.quantiles:
            return (self._in_units(outputs, series),)
        levels = outputs.split(self.horizon, dim=2)
        told = [self._in_units(level, series) for level in levels]
        return told[self.quantiles.index(0.5)], torch.stack(told)

    def _in_units(self, outputs: Tensor, series: Tensor | None) -> Tensor:
        center, scale = _of_series(self.center, series), _of_series(self.scale, series)
        values = outputs.swapaxes(1, 2) * scale + center  # (batch, horizon, n_targets)
        return values.reshape(-1, *self.y_shape)


class ClassOutputs(nn.Module):
    """Tell the probability of each class, and which one is the most probable."""

    def forward(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return both.

        Parameters
        ----------
        outputs : Tensor of shape (batch, n_classes, 1)
            Logits.

        Returns
        -------
        tuple of Tensor
            Probabilities (batch, n_classes), and the number of a class (batch,).
        """
        logits = outputs.squeeze(2)
        return logits.softmax(dim=1), logits.argmax(dim=1)


def _of_series(values: Tensor, series: Tensor | None) -> Tensor:
    """Return the rows of some series, (batch or 1, 1, n_targets)."""
    return (values if series is None else values[series]).unsqueeze(1)


def _buffer(values: Array) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
