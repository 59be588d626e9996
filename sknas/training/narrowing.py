"""The phase that narrows: gates on units learn while the weights rest, and closed units go."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from skorch import NeuralNet
from torch.optim import Optimizer

from sknas._torch import Adam
from sknas.blocks import Batch, Objective
from sknas.derived import DerivedNetwork
from sknas.schedules import ExponentialSchedule
from sknas.search.bilevel import first_not_finite
from sknas.search.channels import ChannelGates, narrow_network
from sknas.search.rescue import Rescue
from sknas.training.feeds import Feed
from sknas.training.judging import mean_loss, validation_losses
from sknas.training.keeping import NOTHING_KEPT, Keeper
from sknas.training.nets import NOT_TAKEN, QuietNet
from sknas.training.onlooker import NOBODY, Onlooker, Recorder
from sknas.training.phases import Phase
from sknas.training.problem import Problem, Schedule
from sknas.training.runtime import CutShortError, PhaseOverError

__all__ = ["N_NARROWING_EPOCHS", "narrow"]

N_NARROWING_EPOCHS = 10
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
        self.onlooker.end_epoch(
            {
                "train_loss": self.mean_train_loss(),
                "val_loss": loss,
                "n_params": _narrowed(self.module_.network, self.module_.unclosed_units()).n_params,
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


def narrow(
    problem: Problem,
    schedule: Schedule,
    network: DerivedNetwork,
    size_penalty: float,
    *,
    onlooker: Onlooker = NOBODY,
    keeper: Keeper = NOTHING_KEPT,
) -> Phase:
    """Return a copy of a trained network without the units that its loss does not pay for.

    The second of DNAL's three phases (Guo et al. 2021): weights rest, gates learn on the training
    samples for ten epochs while their scale grows from 1 to 10 000, and units whose gate is open at
    the end (above 0.9) stay. Ours: the penalty counts weights; Adam steps the scores, at a rate
    over the scale, so that a gate that has made up its mind is not dragged across by the penalty
    when the task no longer has a gradient to hold it; a branch keeps at least one unit.

    Parameters
    ----------
    problem : Problem
        Data and split.
    schedule : Schedule
        Batches and deadline.
    network : DerivedNetwork
        The trained network; left as it is.
    size_penalty : float
        What all of the network's weights cost, in units of the loss.
    onlooker : Onlooker, default=NOBODY
        Is told of each epoch.
    keeper : Keeper, default=NOTHING_KEPT
        Keeps each epoch's state, and may have one to go on from.

    Returns
    -------
    Phase
        The narrow network, not yet tuned; the network itself where the phase was cut short, or gave
        up what was not finite.
    """
    start = time.monotonic()
    recorder = Recorder(onlooker)

    def validate(module: torch.nn.Module) -> float:
        return mean_loss(validation_losses(module, problem), problem)

    kept = keeper.kept({})
    if kept is None:
        gates = ChannelGates(copy.deepcopy(network))
        optimizer = Adam(gates.scores.parameters(), lr=LEARNING_RATE)
        kept = {"gates": gates, "optimizer": optimizer, "epoch": 0, "rows": []}
        kept["rescue"] = Rescue()
    gates, recorder.rows = kept["gates"], kept["rows"]
    net = GateNet(
        gates,
        feed=Feed(
            problem.data,
            problem.train,
            schedule.batch_size,
            schedule.n_epoch_steps,
            problem.generator,
        ),
        objective=problem.objective,
        size_penalty=size_penalty,
        validate=validate,
        n_epochs=N_NARROWING_EPOCHS,
        epoch=kept["epoch"],
        optimizer=kept["optimizer"],
        deadline=schedule.deadline,
        onlooker=recorder,
        rescue=kept["rescue"],
        keep=lambda state: keeper.keep({**state, "rows": recorder.rows}, {}),
    )
    interruption: BaseException | None = None
    narrowed = network
    try:
        net.run(N_NARROWING_EPOCHS - net.epoch)
        if not net.rescue.has_given_up:
            narrowed = _narrowed(network, gates.open_units())
    except (KeyboardInterrupt, CutShortError) as error:
        interruption = error
    return Phase(
        narrowed,
        validate(narrowed),
        time.monotonic() - start,
        recorder.rows,
        interruption=interruption,
        faults=net.rescue.faults,
    )


def _narrowed(network: DerivedNetwork, keep: list[tuple[int, ...]]) -> DerivedNetwork:
    narrowed = copy.deepcopy(network)
    narrow_network(narrowed, keep)
    return narrowed
