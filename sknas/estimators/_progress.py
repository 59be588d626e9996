"""What is told of a fit while it runs: phases and epochs, to a bar and to others who look on."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

from torch import nn

from sknas.estimators._settings import Settings
from sknas.estimators._trainings import Trainings
from sknas.training import Onlooker, Phase, Schedule
from sknas.training.narrowing import N_NARROWING_EPOCHS

__all__ = ["Log", "Progress", "ProgressBar", "Spectator", "planned_phases"]

LOGGER = logging.getLogger("sknas")
LOGGER.addHandler(logging.NullHandler())  # else warnings and worse would go to standard error


def planned_phases(
    settings: Settings, schedule: Schedule, trainings: Trainings, *, reads_near: bool
) -> list[tuple[str, int]]:
    """Return the phases that a fit may have, in order.

    Parameters
    ----------
    settings : Settings
        Resolved parameters.
    schedule : Schedule
        How long phases train.
    trainings : Trainings
        How often what is found is trained.
    reads_near : bool
        Whether what is found is trained on the newest steps of windows, too.

    Returns
    -------
    list of (str, int)
        Names, and the most epochs of each. There may be fewer phases, never more.
    """
    is_searched = settings.genotype is None and settings.max_nodes != 0
    is_alone = settings.n_models == "auto"
    n_fresh = max(trainings.n_fresh, 0 if is_alone else int(settings.n_models))
    may_mix = is_searched and is_alone and settings.channel_mode == "auto"
    most = max(schedule.max_epochs, schedule.fresh_epochs)
    is_priced = settings.size_penalty > 0
    return [
        *[("search", schedule.search_epochs)] * is_searched,
        ("train", schedule.max_epochs if is_searched else schedule.fresh_epochs),
        *[("retrain", schedule.fresh_epochs)] * n_fresh,
        *[("mix", schedule.fresh_epochs)] * (may_mix and not is_priced),
        *[("near", schedule.fresh_epochs)] * (2 * reads_near),
        *[("narrow", N_NARROWING_EPOCHS), ("tune", schedule.max_epochs)] * is_priced,
        *[("refit", most)] * bool(settings.refit_full),
    ]


class Spectator:
    """Is told of a fit's phases and epochs; this one does nothing."""

    def expect(self, phases: Sequence[tuple[str, int]], deadline: float) -> None:
        """Hear which phases there may be, and when the time budget is spent."""

    def begin_phase(self, name: str, n_epochs: int, n_nodes: int | None) -> None:
        """Hear that a phase of so many epochs at most begins, with so many nodes."""

    def begin_epoch(self) -> None:
        """Hear that an epoch begins."""

    def end_epoch(self, name: str, row: dict[str, Any], network: Callable[[], nn.Module]) -> None:
        """Hear the record of an epoch of a phase, which would end with that network."""

    def end_phase(self, name: str, phase: Phase) -> None:
        """Hear what a phase has left behind."""

    def close(self) -> None:
        """Hear that the fit is over, or has failed."""


class Progress:
    """Runs phases before spectators.

    Parameters
    ----------
    *spectators : Spectator
        Who is told, in order.
    """

    def __init__(self, *spectators: Spectator) -> None:
        self.spectators = spectators

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        for spectator in self.spectators:
            spectator.close()

    def expect(self, phases: Sequence[tuple[str, int]], deadline: float) -> None:
        """Tell which phases there may be.

        Parameters
        ----------
        phases : sequence of (str, int)
            Names and most epochs, in order.
        deadline : float
            Reading of the monotonic clock at which the time budget is spent; may be infinite.
        """
        for spectator in self.spectators:
            spectator.expect(phases, deadline)

    def run(
        self,
        name: str,
        n_epochs: int,
        work: Callable[[Onlooker], Phase],
        n_nodes: int | None = None,
    ) -> Phase:
        """Run a phase.

        Parameters
        ----------
        name : str
            The phase's name in the history.
        n_epochs : int
            Most epochs.
        work : callable
            The phase; gets who is to be told of epochs.
        n_nodes : int or None, default=None
            Nodes of what trains, where the records do not tell them.

        Returns
        -------
        Phase
            What the phase leaves behind.
        """
        for spectator in self.spectators:
            spectator.begin_phase(name, n_epochs, n_nodes)
        phase = work(_Teller(name, self.spectators))
        try:
            for spectator in self.spectators:
                spectator.end_phase(name, phase)
        except KeyboardInterrupt as error:  # what the phase has found stays
            phase.interruption = error
        return phase


class _Teller(Onlooker):
    """Tells spectators of the epochs of a phase."""

    def __init__(self, name: str, spectators: Sequence[Spectator]) -> None:
        self.name = name
        self.spectators = spectators

    def begin_epoch(self) -> None:
        for spectator in self.spectators:
            spectator.begin_epoch()

    def end_epoch(self, row: dict[str, Any], network: Callable[[], nn.Module]) -> None:
        for spectator in self.spectators:
            spectator.end_epoch(self.name, row, network)


class Log(Spectator):
    """Tells the logger ``sknas`` of phases, and at the level DEBUG of epochs."""

    def __init__(self) -> None:
        self.n_epochs = 0

    def begin_phase(self, name: str, n_epochs: int, n_nodes: int | None) -> None:
        """Log what begins."""
        del n_nodes
        self.n_epochs = 0
        LOGGER.info("%s begins, %d epochs at most", name, n_epochs)

    def end_epoch(self, name: str, row: dict[str, Any], network: Callable[[], nn.Module]) -> None:
        """Log the record."""
        del network
        self.n_epochs += 1
        LOGGER.debug(
            "%s, epoch %d: validation loss %.5g, %d weights, %.2f s",
            name,
            self.n_epochs,
            row["val_loss"],
            row["n_params"],
            row["seconds"],
        )

    def end_phase(self, name: str, phase: Phase) -> None:
        """Log what has come of it."""
        LOGGER.info(
            "%s has ended after %d epochs and %.2f s: validation loss %.5g, %d weights",
            name,
            self.n_epochs,
            phase.seconds,
            phase.loss,
            phase.network.n_params,
        )


class ProgressBar(Spectator):
    """A bar over the epochs of all phases, on standard error or in a notebook.

    Its end is the most epochs that there may be, and comes closer where a phase ends early.
    """

    def __init__(self) -> None:
        # Not before it is needed: in a notebook without widgets the import warns.
        from tqdm.auto import tqdm

        self.bar = tqdm(unit="epoch", leave=False)
        self.coming: list[tuple[str, int]] = []
        self.deadline = math.inf
        self.best = math.inf
        self.n_nodes: int | None = None

    def expect(self, phases: Sequence[tuple[str, int]], deadline: float) -> None:
        """Set the end of the bar."""
        self.coming, self.deadline = list(phases), deadline
        self._set_total(0)

    def begin_phase(self, name: str, n_epochs: int, n_nodes: int | None) -> None:
        """Show the phase's name."""
        names = [coming for coming, _ in self.coming]
        if name in names:
            del self.coming[: names.index(name) + 1]
        self.n_nodes = n_nodes
        self._set_total(n_epochs)
        self.bar.set_description(name)

    def end_epoch(self, name: str, row: dict[str, Any], network: Callable[[], nn.Module]) -> None:
        """Show the record, the best loss so far, and the seconds that the budget leaves."""
        del name, network
        loss = row["val_loss"]
        self.best = min(self.best, loss) if loss == loss else self.best
        n_nodes = row.get("n_nodes", self.n_nodes)
        shown = {
            "val_loss": f"{loss:.4g}",
            "best": f"{self.best:.4g}",
            "nodes": 0 if n_nodes is None else int(n_nodes),
            "weights": int(row["n_params"]),
        }
        if self.deadline < math.inf:
            shown["budget"] = f"{max(0.0, self.deadline - time.monotonic()):.0f}s"
        self.bar.set_postfix(shown, refresh=False)
        self.bar.update()

    def end_phase(self, name: str, phase: Phase) -> None:
        """Leave out the epochs that were not needed."""
        del name, phase
        self._set_total(0)
        self.bar.refresh()

    def close(self) -> None:
        """Take the bar away."""
        self.bar.close()

    def _set_total(self, n_epochs: int) -> None:
        self.bar.total = self.bar.n + n_epochs + sum(n for _, n in self.coming)
