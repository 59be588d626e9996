"""How a search is to go: its mode, its length and its rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sknas.search.arch_regularizers import ArchRegularizer
from sknas.search.arch_schedule import AlternateSchedule, ArchSchedule
from sknas.search.collapse_watch import CollapseWatch
from sknas.search.growth import GrowthRule, scaled
from sknas.search.pruning import PruningRule

__all__ = ["Plan"]

_START_SHARE = 0.4  # of the epochs, at most, for the mixed nodes that a search starts from
_PROPOSAL_SHARE = 0.2  # and for those that only find a cell for the race
_SHORTEST_PROPOSAL = 3  # with fewer epochs, candidates have nothing to show when they are judged


@dataclass(frozen=True)
class Plan:
    """How a search is to go.

    Parameters
    ----------
    mode : {"sequential", "interleaved", "fixed", "random"}
        Grow, then prune; prune after every growth; no growth; a race of drawn cells alone.
    n_epochs : int
        Epochs of the search.
    growth : GrowthRule
        When to grow.
    pruning : PruningRule
        What to remove.
    arch_schedule : ArchSchedule
        When to take an architecture step; by default before every weight step.
    arch_regularizer : ArchRegularizer or None
        What is added to the architecture loss.
    arch_order : {1, 2}
        Whether an architecture step looks one weight step ahead (2) or not (1).
    collapse_watch : CollapseWatch or None
        What ends a mixed phase that collapses.
    size_penalty : float
        What all weights of the network together cost, in units of the loss.
    """

    mode: str
    n_epochs: int
    growth: GrowthRule
    pruning: PruningRule
    arch_schedule: ArchSchedule[Any] = field(default_factory=AlternateSchedule)
    arch_regularizer: ArchRegularizer | None = None
    arch_order: int = 1
    collapse_watch: CollapseWatch | None = None
    size_penalty: float = 0.0

    @property
    def n_trial_epochs(self) -> int:
        """Epochs that a move gets before it is pruned or judged."""
        n_epochs = scaled(self.growth.patience, self.n_epochs)
        return max(n_epochs, scaled(self.pruning.protection, self.n_epochs))

    @property
    def n_rounds(self) -> int:
        """Pruning rounds, one an epoch."""
        return scaled(self.pruning.n_rounds, self.n_epochs)

    @property
    def n_move_epochs(self) -> int:
        """Epochs from a move to its judgement."""
        return self.n_trial_epochs + (self.n_rounds if self.mode == "interleaved" else 0)

    @property
    def n_reserved_epochs(self) -> int:
        """Epochs at the end that moves must leave to pruning; after its last round one is left."""
        return self.n_rounds if self.mode != "interleaved" else 0

    @property
    def n_open_epochs(self) -> int:
        """Most epochs in which what a move adds is mixed before candidates are removed."""
        if self.mode == "interleaved":
            return self.n_trial_epochs
        return 0 if self.mode == "random" else max(1, self.n_epochs - self.n_rounds)

    @property
    def n_mixed_start_epochs(self) -> int:
        """Most epochs of a mixed start, pruning included."""
        return max(self.n_trial_epochs + self.n_rounds, int(_START_SHARE * self.n_epochs))

    @property
    def n_proposal_epochs(self) -> int:
        """Most epochs in which a mixed branch may find a cell for the race; 0 in short searches."""
        n_epochs = int(_PROPOSAL_SHARE * self.n_epochs)
        needed = max(_SHORTEST_PROPOSAL, self.n_trial_epochs + self.n_rounds)
        return n_epochs if n_epochs >= needed else 0

    def n_opening_rounds(self, n_epochs: int) -> int:
        """Return the pruning rounds of a mixed opening: the last third of its epochs.

        Parameters
        ----------
        n_epochs : int
            Epochs of the opening.

        Returns
        -------
        int
            Rounds, one an epoch.
        """
        return max(self.n_rounds, n_epochs // 3)

    def n_open_opening_epochs(self, *, has_contenders: bool) -> int:
        """Return how many epochs an opening may be mixed for before candidates are removed.

        Parameters
        ----------
        has_contenders : bool
            Whether cells race for the first branch; otherwise the start is a mixed one.

        Returns
        -------
        int
            Epochs, those before the last third.
        """
        n_epochs = self.n_proposal_epochs if has_contenders else self.n_mixed_start_epochs
        return n_epochs - self.n_opening_rounds(n_epochs) + 1 if n_epochs else 0
