"""The read-only snapshot that every rule gets, and all it gets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from sknas.edits import Edit

__all__ = ["CellRank", "Move", "Removal", "SearchState"]


@dataclass(frozen=True)
class Move:
    """A growth move that was tried, and what came of it.

    Attributes
    ----------
    epoch : int
        Epoch after which the edit was applied, counted from 1 over the whole fit; 0 is birth.
    edit : Edit
        The edit.
    n_params : int
        Weights after the edit.
    output_change : float
        Largest measured change of an output by the edit, in standardised units.
    loss_before, loss_after : float
        Best validation loss before the edit and at the end of its trial.
    is_accepted : bool
        Whether the edit stayed.
    score : float or None
        What a growth rule that compares scores chose the edit by: the norm of the gradient of the
        newborn weights. None where nothing was compared.
    """

    epoch: int
    edit: Edit
    n_params: int
    output_change: float
    loss_before: float
    loss_after: float
    is_accepted: bool
    score: float | None = None

    @property
    def gain(self) -> float:
        """Share of the validation loss that the move took off; 0 where it stayed infinite."""
        if self.loss_before <= 0.0 or self.loss_before == self.loss_after == math.inf:
            return 0.0
        return 1.0 - self.loss_after / self.loss_before


@dataclass(frozen=True)
class Removal:
    """A candidate that may be removed, and what speaks for it.

    Attributes
    ----------
    edit : Edit
        The removal.
    group : tuple
        The choice that it belongs to: one node's operations, one operand's sources, or the pairs
        of edge and operation of a graph's node. The last candidate of a group cannot be removed.
    strength : float
        The candidate's mixing weight times the size of its birth scalar.
    cost : float
        Measured increase of the validation loss without the candidate; NaN where not measured.
    saving : float, default=0.0
        What the weights cost that would go with the candidate, in units of the loss; 0 where not
        measured.
    peers : tuple, default=()
        The candidates that its strength may be compared with beyond its choice: the operations, or
        the pairs, of all nodes of its cell. Empty for the sources of an operand, whose weights sum
        to one.
    """

    edit: Edit
    group: tuple[object, ...]
    strength: float
    cost: float
    saving: float = 0.0
    peers: tuple[object, ...] = ()


@dataclass(frozen=True)
class CellRank:
    """How many directions the states of a cell use.

    Attributes
    ----------
    branch, layer : int
        The cell.
    rank : int
        The effective rank of its states.
    width : int
        Units of the cell.
    share_at_birth : float
        Effective rank over width of the cell as wide as it was born, with random weights.
    """

    branch: int
    layer: int
    rank: int
    width: int
    share_at_birth: float


def _not_measured(edit: Edit) -> float:
    del edit
    return math.nan


@dataclass(frozen=True)
class SearchState:
    """What a rule may know.

    Attributes
    ----------
    epoch, n_epochs : int
        Epochs done and in all.
    losses : tuple of float
        Validation loss after each epoch since the last edit, oldest first.
    possible_edits : tuple of Edit
        Morphisms that the search space allows now, in order of preference, those refused since the
        last accepted one left out.
    removals : tuple of Removal
        Candidates that may be removed now; newborns are not among them.
    n_rounds_left : int
        Pruning rounds until everything must be settled.
    is_last_chance : bool
        Whether no move was tried yet and only one more fits into the epochs left.
    ranks : tuple of CellRank
        Effective ranks of all cells, where the growth rule needs them.
    score : callable
        Measures the norm of the gradient that the newborn weights of an edit would have, on a batch
        of training samples; by default NaN.
    """

    epoch: int
    n_epochs: int
    losses: tuple[float, ...]
    possible_edits: tuple[Edit, ...] = ()
    removals: tuple[Removal, ...] = ()
    n_rounds_left: int = 1
    is_last_chance: bool = False
    ranks: tuple[CellRank, ...] = ()
    score: Callable[[Edit], float] = _not_measured
