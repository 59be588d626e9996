"""The skorch nets: one drives the search, one trains the derived network.

The phases import this module when they train, since skorch takes a while, and predictions do not
need it.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import Any

import torch
from skorch import NeuralNet
from torch import Generator, nn

from sknas._torch import AdamW
from sknas.blocks import Batch, Objective
from sknas.derived import DerivedNetwork
from sknas.search.arch_schedule import ArchClock
from sknas.search.averaging import WeightAverage
from sknas.search.bilevel import VirtualStep, arch_step, weight_step
from sknas.search.controller import Controller
from sknas.search.decay import decay_groups
from sknas.search.inheritance import derive
from sknas.search.probe import Probe
from sknas.supernet.sampling import sampling
from sknas.training.best_weights import BestWeights
from sknas.training.feeds import Dropout, Feed
from sknas.training.quiet_net import QuietNet
from sknas.training.runtime import PhaseOverError

__all__ = ["DerivedNet", "SearchNet"]


class SearchNet(QuietNet):
    """Its training step is a bilevel step; its epoch end is the controller.

    Parameters
    ----------
    controller : Controller
        Judges, prunes, grows and stops.
    arch_feed : Feed
        Batches of the architecture split.
    objective : Objective
        The loss of both levels.
    dropout : Dropout
        What training drops.
    max_norm : float
        Largest norm of a weight gradient.
    **kwargs : dict
        Parameters of the quiet net.

    Attributes
    ----------
    clock : ArchClock
        The plan's architecture schedule at work: says when an architecture step is due.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        controller: Controller,
        arch_feed: Feed,
        objective: Objective,
        dropout: Dropout,
        max_norm: float,
        **kwargs: Any,
    ) -> None:
        self.controller = controller
        self.arch_feed = arch_feed
        self.objective = objective
        self.dropout = dropout
        self.max_norm = max_norm
        self.clock = ArchClock(controller.plan.arch_schedule)
        self._was_undecided = False
        self.n_arch_steps = 0
        self.epoch_start = time.monotonic()
        self.arch_batches = arch_feed.forever()
        super().__init__(module, **kwargs)

    def initialize_module(self) -> SearchNet:
        """Take the controller's supernet as it is."""
        self.module_ = self.controller.learner.supernet
        return self

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> SearchNet:
        """Take the controller's optimizers, one a level."""
        del args, kwargs
        self.optimizer_ = self.controller.learner.weight_optimizer
        self.arch_optimizer_ = self.controller.learner.arch_optimizer
        return self

    def train_step(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        """Take a weight step, before it an architecture step where one is due."""
        del fit_params
        self.check_time()
        learner = self.controller.learner
        if self._is_arch_step_due():
            looks_ahead = self.controller.plan.arch_order == 2
            source = self.dropout.generator
            ahead = VirtualStep(batch, self.max_norm, source) if looks_ahead else None
            with self._sampling():
                arch_step(learner, next(self.arch_batches), self.objective, ahead)
            self.n_arch_steps += 1
        with self._sampling(), self.dropout.applied_to(learner.supernet):
            loss, self.clock.information = weight_step(
                learner, batch, self.objective, self.max_norm
            )
        return {"loss": torch.tensor(loss), "y_pred": None}

    def _is_arch_step_due(self) -> bool:
        """Ask the schedule while something is undecided; it begins anew with every mixed phase."""
        was_undecided, self._was_undecided = self._was_undecided, self._is_undecided()
        if self._was_undecided and not was_undecided:
            self.clock = ArchClock(self.controller.plan.arch_schedule)
        return self._was_undecided and self.clock.is_due()

    def _derived(self) -> DerivedNetwork:
        # Draws of its own, so that the search draws the same whether anybody asks or not.
        source = Generator().manual_seed(0)
        return derive(self.controller.incumbent.supernet, generator=source)

    def _is_undecided(self) -> bool:
        return bool(self.controller.learner.supernet.free_arch_parameters())

    def _sampling(self) -> AbstractContextManager[None]:
        return sampling(self.controller.learner.supernet, self.dropout.generator)

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Hand over to the controller, and take over what it left."""
        del net, kwargs
        batches = self.history[-1]["batches"]
        train_loss = sum(row["train_loss"] for row in batches) / len(batches)
        now = time.monotonic()
        n_held_out = len(self.arch_feed.index) if self._is_undecided() else 0
        is_over = self.controller.end_epoch(train_loss, self.n_arch_steps, now - self.epoch_start)
        self.controller.rows[-1]["arch_samples"] = n_held_out
        self.onlooker.end_epoch(self.controller.rows[-1], self._derived)
        self.n_arch_steps, self.epoch_start = 0, now
        self.module_ = self.controller.learner.supernet
        self.optimizer_ = self.controller.learner.weight_optimizer
        self.arch_optimizer_ = self.controller.learner.arch_optimizer
        if is_over:
            raise PhaseOverError


class DerivedNet(QuietNet):
    """Trains a derived network; keeps the averages of its weights that validated best.

    Parameters
    ----------
    learning_rate, weight_decay : float
        AdamW's.
    objective : Objective
        The loss.
    dropout : Dropout
        What training drops.
    max_norm : float
        Largest norm of a gradient.
    probe : Probe or None
        What judges; None to train without, for all epochs.
    patience : int or None
        Epochs without a better validation loss until training stops; None never stops early.
    **kwargs : dict
        Parameters of the quiet net.
    """

    def __init__(
        self,
        module: DerivedNetwork,
        *,
        learning_rate: float,
        weight_decay: float,
        objective: Objective,
        dropout: Dropout,
        max_norm: float,
        probe: Probe | None,
        patience: int | None,
        **kwargs: Any,
    ) -> None:
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.objective = objective
        self.dropout = dropout
        self.max_norm = max_norm
        self.patience = patience
        self.average = WeightAverage(p for p in module.parameters() if p.requires_grad)
        self.best = BestWeights(module, probe)
        self.epoch_start = time.monotonic()
        super().__init__(module, **kwargs)

    def initialize_module(self) -> DerivedNet:
        """Take the network as it is."""
        self.module_ = self.module
        return self

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> DerivedNet:
        """Start AdamW over all weights, the seed's among them."""
        del args, kwargs
        self.learning = list(self.module_.parameters())
        self.optimizer_ = AdamW(
            decay_groups(self.average.averages, self.weight_decay),
            lr=self.learning_rate,
            fused=True,
        )
        return self

    def train_step(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        """Take a weight step."""
        del fit_params
        self.check_time()
        past, target, weight = batch
        if not weight.any():  # a step would decay weights for samples that are to teach nothing
            return {"loss": torch.zeros(()), "y_pred": None}
        with self.dropout.applied_to(self.module_):
            loss = self.objective.estimate(self.module_(past), target, weight)
        self.optimizer_.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.learning, self.max_norm)
        if torch.isfinite(norm) and torch.isfinite(loss):
            self.optimizer_.step()
            self.average.update()
        return {"loss": loss.detach(), "y_pred": None}

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Validate the averaged weights, and stop where they no longer improve."""
        del net, kwargs
        with self.average.swapped_in():
            loss = self.best.end_epoch()
        batches = self.history[-1]["batches"]
        now = time.monotonic()
        self.onlooker.end_epoch(
            {
                "train_loss": sum(row["train_loss"] for row in batches) / len(batches),
                "val_loss": loss,
                "seconds": now - self.epoch_start,
            },
            self.best.settled,
        )
        self.epoch_start = now
        if self.patience is not None and self.best.n_epochs_since_best >= self.patience:
            raise PhaseOverError
