"""The skorch net whose gates on units learn while the weights rest."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import torch
from skorch import NeuralNet

from sknas._torch import Adam
from sknas.blocks import Batch, Objective
from sknas.derived import DerivedNetwork
from sknas.schedules import ExponentialSchedule
from sknas.search.channels import ChannelGates, narrow_network
from sknas.training.quiet_net import QuietNet

__all__ = ["GateNet", "narrowed_copy"]

SCALE = ExponentialSchedule(1.0, 1e4)
LEARNING_RATE = 0.05  # over the scale


class GateNet(QuietNet):
    """Trains the gates of a network whose weights rest.

    Parameters
    ----------
    objective : Objective
        The loss.
    size_penalty : float
        What all of the network's weights cost, in units of the loss.
    validate : callable
        Returns a module's validation loss.
    n_epochs : int
        Epochs over which the gates harden.
    **kwargs : dict
        Parameters of the quiet net.
    """

    def __init__(
        self,
        module: ChannelGates,
        *,
        objective: Objective,
        size_penalty: float,
        validate: Callable[[torch.nn.Module], float],
        n_epochs: int,
        **kwargs: Any,
    ) -> None:
        self.objective = objective
        self.size_penalty = size_penalty
        self.validate = validate
        self.n_epochs = n_epochs
        self.epoch = 0
        self.epoch_start = time.monotonic()
        super().__init__(module, **kwargs)

    def initialize_module(self) -> GateNet:
        """Take the gates as they are."""
        self.module_ = self.module
        return self

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> GateNet:
        """Start Adam over the scores alone."""
        del args, kwargs
        self.optimizer_ = Adam(self.module_.scores.parameters(), lr=LEARNING_RATE)
        return self

    def train_step(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        """Take a step of the scores."""
        del fit_params
        self.check_time()
        self.module_.scale = SCALE((self.epoch + 1) / self.n_epochs)
        self.optimizer_.param_groups[0]["lr"] = LEARNING_RATE / self.module_.scale
        past, target, weight = batch
        task = self.objective.estimate(self.module_(past), target, weight)
        loss = task + self.size_penalty * self.module_.size()
        self.optimizer_.zero_grad(set_to_none=True)
        loss.backward()
        gradients = [score.grad for score in self.module_.scores]
        if all(bool(gradient.isfinite().all()) for gradient in gradients if gradient is not None):
            self.optimizer_.step()
        return {"loss": task.detach(), "y_pred": None}

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Validate through the gates, which are hard at the end; record what they have closed."""
        del net, kwargs
        self.epoch += 1
        if self.epoch == self.n_epochs:
            self.module_.harden()
        batches = self.history[-1]["batches"]
        now = time.monotonic()
        unclosed = narrowed_copy(self.module_.network, self.module_.unclosed_units())
        self.onlooker.end_epoch(
            {
                "train_loss": sum(row["train_loss"] for row in batches) / len(batches),
                "val_loss": self.validate(self.module_),
                "n_params": unclosed.n_params,
                "gate_entropy": self.module_.entropy(),
                "progress": self.epoch / self.n_epochs,
                "seconds": now - self.epoch_start,
            },
            lambda: self.module_.network,
        )
        self.epoch_start = now


def narrowed_copy(network: DerivedNetwork, keep: list[tuple[int, ...]]) -> DerivedNetwork:
    """Return a copy of a network with some of its units.

    Parameters
    ----------
    network : DerivedNetwork
        The network; left as it is.
    keep : list of tuple of int
        Units to keep, as `ChannelGates` tells them.

    Returns
    -------
    DerivedNetwork
        The copy.
    """
    narrowed = copy.deepcopy(network)
    narrow_network(narrowed, keep)
    return narrowed
