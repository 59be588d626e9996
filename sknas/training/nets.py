"""The skorch nets: one drives the search, one trains the derived network.

The phases import this module when they train, since skorch takes a while, and predictions do not
need it.
"""

from __future__ import annotations

import math
import time
from contextlib import AbstractContextManager
from typing import Any

import torch
from skorch import NeuralNet
from torch import Generator, nn

from sknas.blocks import Batch, Objective
from sknas.derived import DerivedNetwork
from sknas.search.arch_schedule import ArchClock
from sknas.search.bilevel import VirtualStep, arch_step, first_not_finite, weight_step
from sknas.search.controller import Controller
from sknas.search.inheritance import derive
from sknas.search.last_good import Learning
from sknas.supernet.sampling import sampling
from sknas.training.feeds import Dropout, EndlessBatches
from sknas.training.quiet_net import NOT_TAKEN, QuietNet
from sknas.training.runtime import PhaseOverError
from sknas.training.trainee import Trainee

__all__ = ["DerivedNet", "SearchNet"]


class SearchNet(QuietNet):
    """Its training step is a bilevel step; its epoch end is the controller.

    Parameters
    ----------
    controller : Controller
        Judges, prunes, grows and stops.
    clock : ArchClock
        The plan's architecture schedule at work: says when an architecture step is due.
    arch_batches : EndlessBatches
        Batches of the architecture split.
    objective : Objective
        The loss of both levels.
    dropout : Dropout
        What training drops.
    max_norm : float
        Largest norm of a weight gradient.
    **kwargs : dict
        Parameters of the quiet net.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        controller: Controller,
        clock: ArchClock,
        arch_batches: EndlessBatches,
        objective: Objective,
        dropout: Dropout,
        max_norm: float,
        **kwargs: Any,
    ) -> None:
        self.controller = controller
        self.objective = objective
        self.dropout = dropout
        self.max_norm = max_norm
        self.clock = clock
        self.arch_batches = arch_batches
        self.n_arch_steps = 0
        self.epoch_start = time.monotonic()
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
        if self.rescue.has_given_up:
            return NOT_TAKEN
        learner = self.controller.learner
        if self.clock.is_due(is_undecided=self._is_undecided()):
            looks_ahead = self.controller.plan.arch_order == 2
            source = self.dropout.generator
            ahead = VirtualStep(batch, self.max_norm, source) if looks_ahead else None
            with self._sampling():
                arch = arch_step(learner, next(self.arch_batches), self.objective, ahead)
            self.n_arch_steps += 1
            self.rescue.follow(self.what_learns())
            if arch is not None:
                self.rescue.note("architecture", arch.not_finite, self.what_learns())
                if self.rescue.has_given_up:
                    return NOT_TAKEN
        with self._sampling(), self.dropout.applied_to(learner.supernet):
            step = weight_step(learner, batch, self.objective, self.max_norm)
        self.clock.information = step.information
        self.rescue.note("weights", step.not_finite, self.what_learns())
        return {"loss": torch.tensor(step.loss), "y_pred": None}

    def what_learns(self) -> Learning:
        """Return what the steps of both levels change."""
        learner = self.controller.learner
        optimizers = (learner.weight_optimizer, learner.arch_optimizer)
        return Learning(optimizers, learner.average, learner.penalty)

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
        train_loss = self.mean_train_loss()
        now = time.monotonic()
        n_held_out = len(self.arch_batches.feed.index) if self._is_undecided() else 0
        learning, has_alternative = self.what_learns(), self.controller.has_alternative
        self.rescue.end_steps(learning)
        is_over = self.controller.end_epoch(train_loss, self.n_arch_steps, now - self.epoch_start)
        has_failed = math.isinf(self.controller.rows[-1]["val_loss"])
        has_failed = has_failed and math.isfinite(self.controller.incumbent.loss)
        self.rescue.end_epoch(self.controller.epoch, learning, has_failed=has_failed)
        self.controller.rows[-1]["arch_samples"] = n_held_out
        self.onlooker.end_epoch(self.controller.rows[-1], self._derived)
        self.n_arch_steps, self.epoch_start = 0, now
        self.module_ = self.controller.learner.supernet
        self.optimizer_ = self.controller.learner.weight_optimizer
        self.arch_optimizer_ = self.controller.learner.arch_optimizer
        if is_over or (self.rescue.has_given_up and not has_alternative):
            raise PhaseOverError
        if self.rescue.has_given_up:
            self.rescue.forgive(learning)
        state = {"controller": self.controller, "arch_batches": self.arch_batches}
        self.keep({**state, "clock": self.clock, "rescue": self.rescue})


class DerivedNet(QuietNet):
    """Trains a derived network; keeps the averages of its weights that validated best.

    Parameters
    ----------
    trainee : Trainee
        The network, with what learns along with it.
    objective : Objective
        The loss.
    dropout : Dropout
        What training drops.
    max_norm : float
        Largest norm of a gradient.
    patience : int or None
        Epochs without a better validation loss until training stops; None never stops early.
    **kwargs : dict
        Parameters of the quiet net.
    """

    def __init__(
        self,
        trainee: Trainee,
        *,
        objective: Objective,
        dropout: Dropout,
        max_norm: float,
        patience: int | None,
        **kwargs: Any,
    ) -> None:
        self.trainee = trainee
        self.objective = objective
        self.dropout = dropout
        self.max_norm = max_norm
        self.patience = patience
        self.epoch_start = time.monotonic()
        super().__init__(trainee.network, **kwargs)

    def initialize_module(self) -> DerivedNet:
        """Take the network as it is."""
        self.module_ = self.module
        return self

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> DerivedNet:
        """Take the trainee's optimizer."""
        del args, kwargs
        self.learning = list(self.module_.parameters())
        self.optimizer_ = self.trainee.optimizer
        return self

    def what_learns(self) -> Learning:
        """Return what the steps change."""
        return Learning((self.optimizer_,), self.trainee.average)

    def train_step(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        """Take a weight step."""
        del fit_params
        self.check_time()
        if self.rescue.has_given_up:
            return NOT_TAKEN
        past, target, weight = batch
        if not weight.any():  # a step would decay weights for samples that are to teach nothing
            return {"loss": torch.zeros(()), "y_pred": None}
        with self.dropout.applied_to(self.module_):
            outputs = self.module_(past)
            loss = self.objective.estimate(outputs, target, weight)
        self.optimizer_.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.learning, self.max_norm)
        not_finite = first_not_finite(outputs, loss, norm)
        if not_finite is None:
            self.optimizer_.step()
            self.trainee.average.update()
        self.rescue.note("weights", not_finite, self.what_learns())
        return {"loss": loss.detach(), "y_pred": None}

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Validate the averaged weights, and stop where they no longer improve."""
        del net, kwargs
        learning = self.what_learns()
        self.rescue.end_steps(learning)
        has_been_finite = math.isfinite(self.trainee.best.loss)
        with self.trainee.average.swapped_in():
            loss = self.trainee.best.end_epoch()
        has_failed = math.isinf(loss) and has_been_finite
        self.rescue.end_epoch(self.trainee.best.n_epochs, learning, has_failed=has_failed)
        now = time.monotonic()
        self.onlooker.end_epoch(
            {
                "train_loss": self.mean_train_loss(),
                "val_loss": loss,
                "seconds": now - self.epoch_start,
            },
            self.trainee.best.settled,
        )
        self.epoch_start = now
        is_patient = self.patience is None or self.trainee.best.n_epochs_since_best < self.patience
        if self.rescue.has_given_up or not is_patient:
            raise PhaseOverError
        self.keep({"trainee": self.trainee, "rescue": self.rescue})
