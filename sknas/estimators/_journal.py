"""What a fit has done, phase by phase, kept in a folder: after a crash the next fit goes on there.

A fit is a sequence of phases with little between them, and draws from one generator alone. So to
go on is to run it again: a phase that has ended is read from the journal, with the state that the
generator had then; the one that had not goes on from its last epoch; what comes between is done
again, and ends as it did.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import pickle
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

import torch

from sknas._checkpoints import Folder, dump, fingerprint, load, types_within
from sknas.derived import DerivedNetwork
from sknas.estimators._settings import Settings
from sknas.ops import get_op, registered_ops
from sknas.training import NOTHING_KEPT, Keeper, Phase, Problem

__all__ = ["FolderJournal", "Journal"]

_LOGGER = logging.getLogger("sknas")

Work = Callable[[Keeper], Phase]


class Journal:
    """Runs phases; this one keeps nothing of them.

    Attributes
    ----------
    seconds : float
        What the fit had taken when it was interrupted.
    """

    seconds = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        """Let go of what was borrowed."""

    def run(self, work: Work) -> Phase:
        """Run a phase.

        Parameters
        ----------
        work : callable
            The phase; gets who keeps its epochs.

        Returns
        -------
        Phase
            What it leaves behind.
        """
        return work(NOTHING_KEPT)


class FolderJournal(Journal):
    """Runs phases, keeps the state of each epoch, and goes on from the last one.

    Parameters
    ----------
    directory : str or path-like
        Where to keep folders, one a fit.
    problem : Problem
        Data and split.
    settings : Settings
        Resolved parameters.
    previous : DerivedNetwork or None
        What a warm start goes on from.

    Raises
    ------
    ValueError
        If the directory cannot be written to, a parameter cannot be hashed, or the folder of this
        fit holds the state of another version.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        problem: Problem,
        settings: Settings,
        previous: DerivedNetwork | None,
    ) -> None:
        self._givens = _givens(problem)
        self._types = types_within(settings) | {type(get_op(name)) for name in registered_ops()}
        self._generator = problem.generator
        self._begun = time.monotonic()
        self._ended: list[bytes] = []
        self._n_run = 0
        self._present: bytes | None = None
        self._folder = Folder(directory, _key(problem, settings, previous))
        try:
            state = self._folder.newest()
        except BaseException:
            self._folder.close()
            raise
        if state is not None:
            kept = self._load(state, {})
            self._ended, self._present = kept["ended"], kept["present"]
            self.seconds = kept["seconds"]
            _LOGGER.info("the fit goes on after %d phases, from %s", len(kept["ended"]), self.path)

    @property
    def path(self) -> str:
        """The folder of this fit."""
        return str(self._folder.path)

    def __exit__(self, *details: object) -> None:
        """Let other fits use the folder."""
        self._folder.close()

    def run(self, work: Work) -> Phase:
        """Return what a phase has left behind; run it, or the rest of it, if it has not ended."""
        self._n_run += 1
        if self._n_run <= len(self._ended):
            kept = self._load(self._ended[self._n_run - 1], {})
            self._generator.set_state(kept["draws"])
            phase: Phase = kept["phase"]
            return phase
        started, self._present = self._present, None
        phase = work(_PhaseKeeper(self, started))
        if phase.interruption is None:
            self._ended.append(
                self._dump({"phase": phase, "draws": self._generator.get_state()}, {})
            )
            self._write(None)
        return phase

    def keep(self, state: Mapping[str, object], givens: Mapping[str, object]) -> None:
        """Keep the state of the phase that runs.

        Parameters
        ----------
        state, givens : mapping of str to object
            As for `Keeper.keep`.
        """
        drawn = {"state": dict(state), "draws": self._generator.get_state()}
        self._write(self._dump(drawn, givens))

    def restore(self, written: bytes, givens: Mapping[str, object]) -> dict[str, Any]:
        """Return the state of a phase, and let draws go on from there.

        Parameters
        ----------
        written : bytes
            What was kept of the phase.
        givens : mapping of str to object
            As for `Keeper.kept`.

        Returns
        -------
        dict
            The state.
        """
        kept = self._load(written, givens)
        self._generator.set_state(kept["draws"])
        state: dict[str, Any] = kept["state"]
        return state

    def _write(self, present: bytes | None) -> None:
        seconds = self.seconds + time.monotonic() - self._begun
        state = {"ended": self._ended, "present": present, "seconds": seconds}
        self._folder.write(self._dump(state, {}))

    def _dump(self, value: object, givens: Mapping[str, object]) -> bytes:
        try:
            return dump(value, {**self._givens, **givens})
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise ValueError(
                "checkpoint_dir needs parameters and operations that can be pickled, such as "
                f"objects of classes that a module defines; got one that cannot: {error}"
            ) from error

    def _load(self, written: bytes, givens: Mapping[str, object]) -> Any:
        return load(written, {**self._givens, **givens}, self._types)


class _PhaseKeeper(Keeper):
    """Keeps the epochs of one phase in a journal."""

    def __init__(self, journal: FolderJournal, started: bytes | None) -> None:
        self.journal = journal
        self.started = started

    def kept(self, givens: Mapping[str, object]) -> dict[str, Any] | None:
        """Return the state that the journal has of this phase, if it has one."""
        return None if self.started is None else self.journal.restore(self.started, givens)

    def keep(self, state: Mapping[str, object], givens: Mapping[str, object]) -> None:
        """Hand a state to the journal."""
        self.journal.keep(state, givens)


def _givens(problem: Problem) -> dict[str, object]:
    """Return the tensors of a problem, and its generator, by the names of their places."""
    givens: dict[str, object] = {"data": problem.data}
    for owner in (problem.data, problem):
        for field in dataclasses.fields(owner):
            value = getattr(owner, field.name)
            if isinstance(value, (torch.Tensor, torch.Generator)):
                givens[field.name] = value
    return givens


def _key(problem: Problem, settings: Settings, previous: DerivedNetwork | None) -> str:
    """Return a name that only the same fit has; how long it may take is no part of it."""
    before = None if previous is None else (previous.spec, dict(previous.state_dict()))
    try:
        return fingerprint((problem, dataclasses.replace(settings, time_budget=None), before))
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise ValueError(
            "checkpoint_dir needs parameters that can be pickled, such as objects of classes that "
            f"a module defines; got one that cannot: {error}"
        ) from error
