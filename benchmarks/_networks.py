"""Plain torch networks to stand beside: a linear model, LSTM, GRU and SegRNN, and their training.

All read a window less its last value and add that value to what they forecast, since without it
the recurrent ones are far worse on every series here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from _data import Windows
from torch import Tensor, nn
from torch.nn import functional

HIDDEN_SIZE, BATCH_SIZE, PATIENCE = 64, 64, 5


class Recurrent(nn.Module):
    """A recurrent cell over all channels, and a linear map of its last state."""

    def __init__(self, cell: type[nn.RNNBase], horizon: int, n_channels: int) -> None:
        super().__init__()
        self.shape = (n_channels, horizon)
        self.cell = cell(n_channels, HIDDEN_SIZE, batch_first=True)
        self.head = nn.Linear(HIDDEN_SIZE, n_channels * horizon)

    def forward(self, past: Tensor) -> Tensor:
        """Forecast (batch, channels, lookback) -> (batch, channels, horizon)."""
        states, _ = self.cell(past.mT)
        return self.head(states[:, -1]).unflatten(1, self.shape)


class SegRNN(nn.Module):
    """Lin et al. (2023), arXiv:2308.11200: a GRU over segments, decoded in parallel.

    Each channel is a sequence of segments. The encoder's last state begins as many one-step
    decodings as the horizon has segments, each told by an embedding which segment and which
    channel it is.
    """

    def __init__(
        self,
        lookback: int,
        horizon: int,
        n_channels: int,
        *,
        length: int | None = None,
        n_units: int = HIDDEN_SIZE,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.length = length or lookback // 4
        self.horizon = horizon
        n_ahead = -(-horizon // self.length)
        self.embed = nn.Sequential(nn.Linear(self.length, n_units), nn.ReLU())
        self.cell = nn.GRU(n_units, n_units, batch_first=True)
        self.positions = nn.Parameter(torch.randn(n_ahead, n_units // 2))
        self.channels = nn.Parameter(torch.randn(n_channels, n_units // 2))
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(n_units, self.length))

    def forward(self, past: Tensor) -> Tensor:
        """Forecast (batch, channels, lookback) -> (batch, channels, horizon)."""
        n_channels, n_ahead = len(self.channels), len(self.positions)
        segments = past.flatten(0, 1).unflatten(1, (-1, self.length))
        _, state = self.cell(self.embed(segments))  # (1, batch * channels, hidden)
        where = torch.cat(
            [
                self.positions.expand(n_channels, -1, -1),
                self.channels[:, None].expand(-1, n_ahead, -1),
            ],
            dim=2,
        )
        queries = where.flatten(0, 1).repeat(len(past), 1)[:, None]
        _, decoded = self.cell(queries, state.repeat_interleave(n_ahead, dim=1))
        ahead = self.head(decoded[0]).view(len(past), n_channels, -1)
        return ahead[..., : self.horizon]


def linear(lookback: int, horizon: int, n_channels: int) -> nn.Module:
    """Make NLinear, of Zeng et al. (2023), arXiv:2205.13504."""
    del n_channels
    return nn.Linear(lookback, horizon)


def recurrent(cell: type[nn.RNNBase], lookback: int, horizon: int, n_channels: int) -> nn.Module:
    """Make a network of a cell."""
    del lookback
    return Recurrent(cell, horizon, n_channels)


@dataclass(frozen=True)
class Recipe:
    """How to make a network of (lookback, horizon, channels), and to train it."""

    make: Callable[[int, int, int], nn.Module]
    rate: float
    loss: Callable[[Tensor, Tensor], Tensor] = functional.mse_loss


RECIPES = {
    "nlinear": Recipe(linear, 0.005),
    "lstm": Recipe(partial(recurrent, nn.LSTM), 0.002),
    "gru": Recipe(partial(recurrent, nn.GRU), 0.002),
    "segrnn": Recipe(SegRNN, 0.002),
    # As published, but with 128 units in place of 512, whose steps cost ten times as much.
    "published segrnn": Recipe(
        partial(SegRNN, length=48, n_units=128, dropout=0.5), 0.001, functional.l1_loss
    ),
}


def forecasts(name: str, windows: Windows, seed: int, budget: float) -> tuple[np.ndarray, int]:
    """Train a network for so many CPU seconds, at most, and forecast the test windows.

    Training stops when validation has not improved for five epochs; the best epoch's weights count.
    """
    end = time.process_time() + budget
    torch.manual_seed(seed)
    X, y = (
        torch.tensor(part, dtype=torch.float32).mT.contiguous() for part in (windows.X, windows.y)
    )
    n_train = len(X) - round(windows.validation_fraction * len(X))
    recipe = RECIPES[name]
    model = recipe.make(X.shape[2], y.shape[2], X.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.rate)

    def forecast(past: Tensor) -> Tensor:
        last = past[..., -1:]
        return model(past - last) + last

    @torch.no_grad()
    def in_parts(past: Tensor) -> Tensor:
        model.eval()
        found = torch.cat([forecast(part) for part in past.split(512)])
        model.train()
        return found

    best, kept, n_worse = float("inf"), model.state_dict(), 0
    while n_worse < PATIENCE and time.process_time() < end:
        for batch in torch.randperm(n_train).split(BATCH_SIZE):
            optimizer.zero_grad()
            loss = recipe.loss(forecast(X[batch]), y[batch])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            if time.process_time() > end:
                break
        judged = float((in_parts(X[n_train:]) - y[n_train:]).square().mean())
        n_worse += 1
        if judged < best:
            best, n_worse = judged, 0
            kept = {key: value.clone() for key, value in model.state_dict().items()}
    model.load_state_dict(kept)
    found = in_parts(torch.tensor(windows.X_test, dtype=torch.float32).mT)
    return found.mT.numpy(), sum(parameter.numel() for parameter in model.parameters())
