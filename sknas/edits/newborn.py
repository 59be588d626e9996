"""How the units that `Widen` adds begin: the interface, and random weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Generator

from sknas.edits.evidence import Evidence
from sknas.edits.units import Fans
from sknas.supernet import Supernet

__all__ = ["NewbornUnits", "RandomUnits"]


class NewbornUnits(ABC):
    """Interface: chooses the weights of the units that a branch is about to get.

    Attributes
    ----------
    name : str
        What the move's name adds to that of the plain move; empty for the plain one.
    """

    name: ClassVar[str]

    @abstractmethod
    def informed_by(self, evidence: Evidence) -> NewbornUnits:
        """Return the same choice with samples to look at.

        Parameters
        ----------
        evidence : Evidence
            Training samples.

        Returns
        -------
        NewbornUnits
            What `choose` can be asked of.
        """

    @abstractmethod
    def choose(
        self, supernet: Supernet, branch: int, n_units: int, generator: Generator
    ) -> Sequence[Fans]:
        """Choose weights that keep the function.

        Parameters
        ----------
        supernet : Supernet
            The network before the edit; left as it is.
        branch : int
            The branch to widen.
        n_units : int
            Units to add to each layer.
        generator : torch.Generator
            Source of draws.

        Returns
        -------
        sequence of Fans
            One for each layer, of at most `n_units` units; or none, which leaves all of them as
            `Widen` draws them.
        """


@dataclass(frozen=True)
class RandomUnits(NewbornUnits):
    """Random fan-in and zero fan-out, as `Widen` draws them."""

    name = ""

    def informed_by(self, evidence: Evidence) -> RandomUnits:
        """Return itself."""
        del evidence
        return self

    def choose(
        self, supernet: Supernet, branch: int, n_units: int, generator: Generator
    ) -> Sequence[Fans]:
        """Return nothing."""
        del supernet, branch, n_units, generator
        return ()
