"""The skorch net that all phases train with: fed by us, silent, and on time."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from skorch import NeuralNet
from torch import nn

from sknas.training.feeds import Feed, SearchFeed
from sknas.training.onlooker import Onlooker
from sknas.training.runtime import PhaseOverError, TimeIsUpError

__all__ = ["QuietNet"]


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
        **kwargs: Any,
    ) -> None:
        self.feed = feed
        self.deadline = deadline
        self.onlooker = onlooker
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
        """Tell who looks on."""
        super().on_epoch_begin(net, **kwargs)
        self.onlooker.begin_epoch()

    def check_time(self) -> None:
        """Raise if the time budget is spent."""
        if time.monotonic() > self.deadline:
            raise TimeIsUpError

    def run(self, n_epochs: int) -> None:
        """Train until the phase is over; an interrupt by the user passes through."""
        self.initialize()
        with contextlib.suppress(PhaseOverError):
            self.fit_loop(self.feed.data.past, y=self.feed.data.weight, epochs=n_epochs)
