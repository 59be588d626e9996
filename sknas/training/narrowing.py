"""The phase that narrows: gates on units learn while the weights rest, and closed units go."""

from __future__ import annotations

import copy
import time

import torch

from sknas._torch import Adam
from sknas.derived import DerivedNetwork
from sknas.search.channels import ChannelGates
from sknas.search.rescue import Rescue
from sknas.training.feeds import Feed
from sknas.training.judging import mean_loss, validation_losses
from sknas.training.keeping import NOTHING_KEPT, Keeper
from sknas.training.onlooker import NOBODY, Onlooker, Recorder
from sknas.training.phases import Phase
from sknas.training.problem import Problem, Schedule
from sknas.training.runtime import CutShortError

__all__ = ["N_NARROWING_EPOCHS", "narrow"]

N_NARROWING_EPOCHS = 10


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
    # As in the other phases, see `nets`.
    from sknas.training.gate_net import LEARNING_RATE, GateNet, narrowed_copy

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
            narrowed = narrowed_copy(network, gates.open_units())
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
