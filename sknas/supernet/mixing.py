"""How the mixed nodes of a supernet weigh what they choose from, in one object."""

from __future__ import annotations

from dataclasses import dataclass, field

from sknas.supernet.auxiliary_skip import AuxiliarySkip
from sknas.supernet.edge_choice import AnnealedEdges, EdgeChoice
from sknas.supernet.relaxation import Relaxation

__all__ = ["Mixing"]


@dataclass(frozen=True)
class Mixing:
    """How newborn nodes mix.

    Attributes
    ----------
    relaxation : Relaxation
        How they weigh candidate operations.
    edge_choice : EdgeChoice, default=AnnealedEdges()
        How two-input nodes weigh the sources of an operand.
    auxiliary_skip : AuxiliarySkip or None, default=None
        What fades beside the mixture.
    """

    relaxation: Relaxation
    edge_choice: EdgeChoice = field(default_factory=AnnealedEdges)
    auxiliary_skip: AuxiliarySkip | None = None
