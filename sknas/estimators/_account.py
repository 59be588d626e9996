"""What the stages of a call of `fit` or `partial_fit` leave behind, in order."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from torch import Tensor

from sknas.derived import DerivedNetwork
from sknas.reporting import SearchReport
from sknas.search import Move
from sknas.search.rescue import Fault
from sknas.training import Phase, Problem, make_probe, mean_loss
from sknas.training.runtime import CutShortError

__all__ = ["Account", "Outcome", "Stage", "ValidationLoss"]

T = TypeVar("T")


@dataclass(frozen=True)
class ValidationLoss:
    """A network's mean loss on validation, which later training compares its own with.

    Attributes
    ----------
    loss : float
        The mean.
    error : float
        Standard error of that mean.
    """

    loss: float
    error: float

    @classmethod
    def of(cls, each: Tensor, problem: Problem) -> ValidationLoss:
        """Take the mean of a network's validation losses.

        Parameters
        ----------
        each : Tensor of shape (n_validation,)
            Losses.
        problem : Problem
            Data and split.

        Returns
        -------
        ValidationLoss
            Their mean, and its error.
        """
        return cls(mean_loss(each, problem), make_probe(problem).standard_error(each))


@dataclass(frozen=True)
class Outcome:
    """What a fit leaves behind.

    Attributes
    ----------
    network : DerivedNetwork
        The network that validation chose.
    rows : list of dict
        One record an epoch, over all phases.
    moves : list of Move
        Moves tried.
    report : SearchReport
        Stages and moves.
    interrupt : KeyboardInterrupt or None
        The user's interrupt, to be raised again once the outcome is stored.
    memory : ValidationLoss
        Validation loss of the chosen network.
    judged : DerivedNetwork or None, default=None
        The chosen network as validation saw it, where training on all samples has changed it.
    """

    network: DerivedNetwork
    rows: list[dict[str, Any]]
    moves: list[Move]
    report: SearchReport
    interrupt: BaseException | None
    memory: ValidationLoss
    judged: DerivedNetwork | None = None

    def interrupted_by(self, error: KeyboardInterrupt) -> Outcome:
        """Return the same, told of as interrupted.

        Parameters
        ----------
        error : KeyboardInterrupt
            The user's interrupt, that came when all was decided.

        Returns
        -------
        Outcome
            With the interrupt to be raised again.
        """
        report = dataclasses.replace(self.report, stopped_by=_stopped_by(error))
        return dataclasses.replace(self, report=report, interrupt=error)


@dataclass
class Stage:
    """A point of the fit that the report tells of.

    Attributes
    ----------
    name : str
        Of the stage.
    network : DerivedNetwork or None
        What the stage offers as the result; None where it only informs.
    loss : float
        Validation loss.
    n_params : int
        Weights.
    seconds : float
        How long the stage took.
    phase : Phase or None, default=None
        The training that led there.
    best_epoch : int, default=0
        Epochs after which that training was best.
    """

    name: str
    network: DerivedNetwork | None
    loss: float
    n_params: int
    seconds: float
    phase: Phase | None = None
    best_epoch: int = 0

    @property
    def own_network(self) -> DerivedNetwork:
        """The network of a stage that offers one."""
        if self.network is None:
            raise RuntimeError("internal error: a stage without a network was offered.")
        return self.network


@dataclass
class Account:
    """The stages and phases of a call of `fit` or `partial_fit` so far, each in order.

    Attributes
    ----------
    n_epochs_before : int, default=0
        Epochs of earlier calls.
    stages : list of Stage
        What the report tells of.
    phases : list of (str, Phase)
        Each with the name that its epochs bear in the history.
    interrupt : BaseException or None, default=None
        What ended the call between phases: the user's interrupt, or the time budget.
    """

    n_epochs_before: int = 0
    stages: list[Stage] = field(default_factory=list)
    phases: list[tuple[str, Phase]] = field(default_factory=list)
    interrupt: BaseException | None = None

    @property
    def interruption(self) -> BaseException | None:
        """What ended the call early; of several, the user's interrupt."""
        between = [] if self.interrupt is None else [self.interrupt]
        ended = [phase.interruption for _, phase in self.phases if phase.interruption] + between
        by_user = [error for error in ended if isinstance(error, KeyboardInterrupt)]
        return next(iter(by_user + ended), None)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let an interrupt, or the time budget, end what is inside, and the call go on.

        Yields
        ------
        None
            For as long as steps may be cut short.
        """
        try:
            yield
        except (KeyboardInterrupt, CutShortError) as error:
            self.interrupt = error

    def insist(self, work: Callable[[], T]) -> T:
        """Return what some work returns, which begins anew where the user interrupts it.

        Parameters
        ----------
        work : callable
            What the outcome cannot do without.

        Returns
        -------
        object
            What it returns.
        """
        try:
            return work()
        except KeyboardInterrupt as error:
            self.interrupt = error
            return work()

    def outcome(self, network: DerivedNetwork, chosen: str, memory: ValidationLoss) -> Outcome:
        """Return what the call leaves behind.

        Parameters
        ----------
        network : DerivedNetwork
            The result.
        chosen : str
            The stage that it comes from.
        memory : ValidationLoss
            Its validation loss, before any training that did not validate.

        Returns
        -------
        Outcome
            The network and what is to be told of it.
        """
        rows: list[dict[str, Any]] = []
        moves: list[Move] = []
        gates: list[dict[str, Any]] = []
        notes: list[str] = []
        faults: list[dict[str, Any]] = []
        for name, phase in self.phases:
            n_before = self.n_epochs_before + len(rows)
            moves += [dataclasses.replace(m, epoch=n_before + m.epoch) for m in phase.moves]
            gates += [{**gate, "epoch": n_before + gate["epoch"]} for gate in phase.gates]
            notes += [str(collapse.after(n_before)) for collapse in phase.collapses]
            faults += [_fault_row(name, fault.after(n_before)) for fault in phase.faults]
            if name == "refit" and phase.interruption is not None:
                notes.append(f"training on all samples cut short after {len(phase.rows)} epochs")
            rows += [{"phase": name, **row} for row in phase.rows]
        records = [
            {
                "stage": stage.name,
                "val_loss": stage.loss,
                "n_params": stage.n_params,
                "seconds": stage.seconds,
            }
            for stage in self.stages
        ]
        ended = self.interruption
        report = SearchReport.build(
            records, moves, chosen, _stopped_by(ended), notes, gates, faults
        )
        interrupt = ended if isinstance(ended, KeyboardInterrupt) else None
        return Outcome(network, rows, moves, report, interrupt, memory)


def _fault_row(phase: str, fault: Fault) -> dict[str, Any]:
    return {
        "epoch": fault.epoch,
        "phase": phase,
        "not_finite": fault.not_finite,
        "steps": fault.n_steps,
        "rollbacks": fault.n_rollbacks,
        "learning_rate": fault.learning_rate,
        "gave_up": fault.has_given_up,
    }


def _stopped_by(interruption: BaseException | None) -> str:
    """Return the report's word for what ended a call."""
    if interruption is None:
        return "schedule"
    return interruption.stopped_by if isinstance(interruption, CutShortError) else "interrupt"
