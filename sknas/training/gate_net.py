"""The skorch net whose gates on units learn while the weights rest."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from skorch import NeuralNet
from torch.optim import Optimizer

from sknas.blocks import Batch, Objective
from sknas.derived import DerivedNetwork
from sknas.schedules import ExponentialSchedule
from sknas.search.bilevel import first_not_finite
from sknas.search.channels import ChannelGates, narrow_network
from sknas.training.quiet_net import NOT_TAKEN, QuietNet
from sknas.training.runtime import PhaseOverError

__all__ = ["LEARNING_RATE", "GateNet", "narrowed_copy"]

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
    epoch : int
        Those that have ended.
    optimizer : Optimizer
        Of the scores.
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
        epoch: int,
        optimizer: Optimizer,
        **kwargs: Any,
    ) -> None:
        self.objective = objective
        self.size_penalty = size_penalty
        self.validate = validate
        self.n_epochs = n_epochs
        self.epoch = epoch
        self.epoch_start = time.monotonic()
        self.score_optimizer = optimizer
        super().__init__(module, **kwargs)

    def initialize_module(self) -> GateNet:
        """Take the gates as they are."""
        self.module_ = self.module
        return self

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> GateNet:
        """Take the optimizer of the scores."""
        del args, kwargs
        self.optimizer_ = self.score_optimizer
        return self

    def train_step(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        """Take a step of the scores."""
        del fit_params
        self.check_time()
        if self.rescue.has_given_up:
            return NOT_TAKEN
        self.module_.scale = SCALE((self.epoch + 1) / self.n_epochs)
        rate = LEARNING_RATE / self.module_.scale * 0.5**self.rescue.n_rollbacks
        self.optimizer_.param_groups[0]["lr"] = rate
        past, target, weight = batch
        outputs = self.module_(past)
        task = self.objective.estimate(outputs, target, weight)
        loss = task + self.size_penalty * self.module_.size()
        self.optimizer_.zero_grad(set_to_none=True)
        loss.backward()
        gradients = [score.grad for score in self.module_.scores if score.grad is not None]
        norm = torch.cat([gradient.flatten() for gradient in gradients]).abs().max()
        not_finite = first_not_finite(outputs, loss, norm)
        if not_finite is None:
            self.optimizer_.step()
        self.rescue.note("gates", not_finite, self.what_learns())
        return {"loss": task.detach(), "y_pred": None}

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Validate through the gates, which are hard at the end; record what they have closed."""
        del net, kwargs
        self.epoch += 1
        self.rescue.end_steps(self.what_learns())
        if self.epoch == self.n_epochs:
            self.module_.harden()
        loss = self.validate(self.module_)
        self.rescue.end_epoch(self.epoch, self.what_learns(), has_failed=not math.isfinite(loss))
        now = time.monotonic()
        narrow = narrowed_copy(self.module_.network, self.module_.unclosed_units())
        self.onlooker.end_epoch(
            {
                "train_loss": self.mean_train_loss(),
                "val_loss": loss,
                "n_params": narrow.n_params,
                "gate_entropy": self.module_.entropy(),
                "progress": self.epoch / self.n_epochs,
                "seconds": now - self.epoch_start,
            },
            lambda: self.module_.network,
        )
        self.epoch_start = now
        if self.rescue.has_given_up:
            raise PhaseOverError
        state = {"gates": self.module_, "optimizer": self.score_optimizer, "epoch": self.epoch}
        self.keep({**state, "rescue": self.rescue})


def narrowed_copy(network: DerivedNetwork, keep: list[tuple[int, ...]]) -> DerivedNetwork:
    """Return a copy of a network without some units.

    Parameters
    ----------
    network : DerivedNetwork
        Left as it is.
    keep : list of tuple of int
        Units of each branch that stay.

    Returns
    -------
    DerivedNetwork
        The narrower network.
    """
    narrowed = copy.deepcopy(network)
    narrow_network(narrowed, keep)
    return narrowed
