"""A mixed branch learns, is pruned, and proposes the cell that is left: DARTS before the race."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Generator

from sknas.genotype import Cell
from sknas.search.discretization import discretize
from sknas.search.learner import Learner
from sknas.search.plan import Plan
from sknas.search.probe import Probe
from sknas.search.pruning_round import prune_round
from sknas.search.state import SearchState

__all__ = ["Proposal"]


@dataclass
class Proposal:
    """Trains a mixed branch, and shrinks it to one cell over the last third of its epochs.

    Before a branch has left the seed's loss behind, no candidate has shown what it is worth: one
    that is not better than the seed half-way gives up, if it may.

    Parameters
    ----------
    learner : Learner
        A supernet with a branch of mixed nodes; it is pruned in place.
    plan : Plan
        Rules, and how patient they are.
    n_epochs : int
        Epochs at most, pruning included.
    probe : Probe
        What judges.
    generator : torch.Generator
        Source of draws.
    seed_loss : float
        The seed's validation loss.
    may_give_up : bool
        Whether the search can go on without the branch.

    Attributes
    ----------
    losses : list of float
        Validation loss of each epoch.
    """

    learner: Learner
    plan: Plan
    n_epochs: int
    probe: Probe
    generator: Generator
    seed_loss: float
    may_give_up: bool
    losses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._n_rounds = self.plan.n_opening_rounds(self.n_epochs)
        self._has_given_up = False
        self._is_cut_short = False

    @property
    def is_over(self) -> bool:
        """Whether every choice is made, or none is worth making."""
        return self.learner.supernet.is_settled or self._has_given_up

    @property
    def n_open_epochs_left(self) -> int:
        """Epochs to come before candidates are removed."""
        return max(0, self.n_epochs - self._n_rounds + 1 - len(self.losses))

    @property
    def cell(self) -> Cell | None:
        """The cell that is left; None where nothing of the branch is."""
        if self._has_given_up:
            return None
        branches = discretize(self.learner.supernet).branches
        return branches[-1].layers[0] if branches else None

    def cut_short(self, learner: Learner) -> None:
        """Decide everything at the end of this epoch, in the state that a learner is in.

        Parameters
        ----------
        learner : Learner
            An earlier state of the proposal's own.
        """
        self.learner = learner
        self._is_cut_short = True

    def end_epoch(self, loss: float) -> None:
        """Note the loss, and prune where it is time.

        Parameters
        ----------
        loss : float
            Validation loss of the epoch.
        """
        self.losses.append(loss)
        if self.may_give_up and 2 * len(self.losses) >= self.n_epochs:
            self._has_given_up = not self._is_better(min(self.losses))
        rounds_left = 1 if self._is_cut_short else self.n_epochs - len(self.losses) + 1
        if self.is_over:
            return
        if rounds_left > self._n_rounds:
            self.learner.supernet.advance(self.n_open_epochs_left)
            return
        state = SearchState(
            len(self.losses), self.plan.n_epochs, tuple(self.losses), n_rounds_left=rounds_left
        )
        prune_round(self.learner, self.probe, self.plan.pruning, state, self.generator)

    def _is_better(self, loss: float) -> bool:
        return loss < (1.0 - self.plan.growth.min_gain) * self.seed_loss
