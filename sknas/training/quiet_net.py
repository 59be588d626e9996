"""The skorch net that all phases train with: fed by us, silent, on time, and helped out."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from skorch import NeuralNet
from torch import nn

from sknas.search.last_good import Learning
from sknas.search.rescue import Rescue
from sknas.training.feeds import Feed, SearchFeed
from sknas.training.onlooker import Onlooker
from sknas.training.runtime import PhaseOverError, TimeIsUpError

__all__ = ["NOT_TAKEN", "QuietNet"]

Keep = Callable[[Mapping[str, object]], None]

# What skorch is told of a step that is left out.
NOT_TAKEN: dict[str, Any] = {"loss": torch.tensor(math.nan), "y_pred": None}


class QuietNet(NeuralNet):
    """A skorch net that is fed batches by us, prints nothing and stops when it is told to.

    Parameters
    ----------
    feed : Feed or SearchFeed
        Batches to train on.
    deadline : float
        Reading of the monotonic clock at which the time budget is spent.
    onlooker : Onlooker
        Is told of each epoch.
    keep : callable
        Is given what the phase needs to go on from the end of an epoch, unless it ends there.
    rescue : Rescue
        Goes back where something is not finite.
    **kwargs : dict
        Parameters of `skorch.NeuralNet`.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        feed: Feed | SearchFeed,
        deadline: float,
        onlooker: Onlooker,
        keep: Keep,
        rescue: Rescue,
        **kwargs: Any,
    ) -> None:
        self.feed = feed
        self.deadline = deadline
        self.onlooker = onlooker
        self.rescue = rescue
        self.keep = keep
        super().__init__(
            module, criterion=nn.Identity, train_split=None, verbose=0, callbacks=None, **kwargs
        )

    @property
    def _default_callbacks(self) -> list[Any]:
        return []

    def get_iterator(
        self,
        dataset: Any,
        training: bool = False,  # noqa: FBT001, FBT002 (skorch's signature)
    ) -> Feed | SearchFeed:
        """Return the feed: skorch's data loader would gather window by window."""
        del dataset, training
        return self.feed

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Tell who looks on, and keep a state to go back to."""
        super().on_epoch_begin(net, **kwargs)
        self.onlooker.begin_epoch()
        self.rescue.begin_epoch(self.what_learns())

    def what_learns(self) -> Learning:
        """Return what the steps change."""
        return Learning((self.optimizer_,))

    def mean_train_loss(self) -> float:
        """Return the mean loss of the epoch's steps that had a finite one; NaN without any."""
        batches = self.history[-1]["batches"]
        losses = [row["train_loss"] for row in batches if math.isfinite(row["train_loss"])]
        return sum(losses) / len(losses) if losses else math.nan

    def check_time(self) -> None:
        """Raise if the time budget is spent."""
        if time.monotonic() > self.deadline:
            raise TimeIsUpError

    def run(self, n_epochs: int) -> None:
        """Train until the phase is over; an interrupt by the user passes through."""
        self.initialize()
        with contextlib.suppress(PhaseOverError):
            self.fit_loop(self.feed.data.past, y=self.feed.data.weight, epochs=n_epochs)
