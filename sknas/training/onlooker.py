"""Who looks on at the epochs of a phase."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

__all__ = ["NOBODY", "Onlooker", "Recorder"]


class Onlooker:
    """Is told of each epoch, and may end the phase by a `CutShortError`; this one does nothing."""

    def begin_epoch(self) -> None:
        """Hear that an epoch begins."""

    def end_epoch(self, row: dict[str, Any], network: Callable[[], nn.Module]) -> None:
        """Hear that an epoch has ended.

        Parameters
        ----------
        row : dict
            Its record.
        network : callable
            Returns what the phase would leave behind if it ended here.
        """


NOBODY = Onlooker()


class Recorder(Onlooker):
    """Counts and keeps the records, and passes them on.

    Parameters
    ----------
    onlooker : Onlooker
        Who is told.
    **constants : object
        What each record is to hold besides.

    Attributes
    ----------
    rows : list of dict
        The records.
    """

    def __init__(self, onlooker: Onlooker, **constants: object) -> None:
        self.onlooker = onlooker
        self.constants = constants
        self.rows: list[dict[str, Any]] = []

    def begin_epoch(self) -> None:
        """Pass it on."""
        self.onlooker.begin_epoch()

    def end_epoch(self, row: dict[str, Any], network: Callable[[], nn.Module]) -> None:
        """Keep the record, and pass it on.

        Parameters
        ----------
        row : dict
            The record.
        network : callable
            Returns what the phase would leave behind if it ended here.
        """
        self.rows.append({**row, "epoch": len(self.rows) + 1, **self.constants})
        self.onlooker.end_epoch(self.rows[-1], network)
