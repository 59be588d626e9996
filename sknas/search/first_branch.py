"""The opening of a search: a mixed branch proposes a cell, and cells race for the first branch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Generator

from sknas.edits import AddBranch
from sknas.genotype import Cell
from sknas.search.incumbent import Lineage
from sknas.search.learner import Learner
from sknas.search.plan import Plan
from sknas.search.probe import Probe
from sknas.search.proposal import Proposal
from sknas.search.race import Race, n_contenders
from sknas.search.space import SearchSpace
from sknas.search.state import Move

__all__ = ["FirstBranch"]


@dataclass
class FirstBranch:
    """Finds the first branch; growth and pruning begin when it is over.

    Where there are contenders, a mixed branch proposes one more if there is room and time for it,
    and all of them race, the proposed one if it fits as wide as the others are; with
    ``mode="random"`` they race at once. Without contenders, a mixed start of
    ``mode="interleaved"`` is pruned as a proposal is, and any other needs no opening.

    Attributes
    ----------
    learner : Learner
        What is searched now.
    plan : Plan
        Mode, length and rules.
    space : SearchSpace
        Bounds.
    probe : Probe
        What judges.
    generator : torch.Generator
        Source of newborn weights.
    cells : sequence of Cell
        Contenders for the first branch; empty where the learner has one already.
    seed_loss : float
        Validation loss of the seed.
    moves : list of Move
        Where to note what is tried.
    proposal : Proposal or None
        The mixed branch while it learns.
    race : Race or None
        The race while it runs.
    cell : Cell
        The cell of the first branch, which further branches get, too.
    runners_up : tuple of Cell
        Cells that were as good as that in the race, the best first.
    lineage : Lineage
        Of the learner, up to where a race begins or ends.
    losses : list of float
        Of the race's winner; what came before says nothing about it.
    """

    learner: Learner
    plan: Plan
    space: SearchSpace
    probe: Probe
    generator: Generator
    cells: Sequence[Cell]
    seed_loss: float
    moves: list[Move]

    def __post_init__(self) -> None:
        self.proposal: Proposal | None = None
        self.race: Race | None = None
        self.cell = self.space.plain_cell
        self.runners_up: tuple[Cell, ...] = ()
        self.lineage = Lineage()
        self.losses: list[float] = []
        self._seed = self.learner
        if self.cells:
            self._seed = self.learner.snapshot()
            if self.plan.mode == "random":
                self._start_race(self.cells)
            else:
                self._propose()
        elif self.plan.mode == "interleaved" and not self.learner.supernet.is_settled:
            self._start_proposal(self.plan.n_mixed_start_epochs)

    @property
    def is_over(self) -> bool:
        """Whether the first branch is there."""
        return self.proposal is None and self.race is None

    def go_back(self, learner: Learner) -> None:
        """Decide a proposal at the end of this epoch, in an earlier state of it.

        Parameters
        ----------
        learner : Learner
            The earlier state.
        """
        self.learner = learner
        if self.proposal is not None:
            self.proposal.cut_short(learner)

    def end_epoch(self, loss: float) -> bool:
        """Note the learner's loss; a proposal is followed by the race, and that by nothing.

        Parameters
        ----------
        loss : float
            Validation loss of the epoch.

        Returns
        -------
        bool
            Whether the proposal or the race has ended.
        """
        if self.proposal is not None:
            return self._end_proposal_epoch(self.proposal, loss)
        return self.race is not None and self._end_race_epoch(self.race, loss)

    def _propose(self) -> None:
        """Let a mixed branch find one more contender, where there is room and time for it."""
        edit = self.space.mixed_start()
        learner = self._seed.snapshot()
        before = self.probe.outputs(learner.supernet)
        learner.apply(edit, self.generator)
        n_params = learner.supernet.n_params
        if not self.space.fits(n_params) or self.plan.n_proposal_epochs == 0:
            self._start_race(self.cells)
            return
        change = float((self.probe.outputs(learner.supernet) - before).abs().max())
        loss = self.seed_loss
        self.moves.append(Move(0, edit, n_params, change, loss, loss, is_accepted=False))
        self.learner = learner
        self._start_proposal(self.plan.n_proposal_epochs)

    def _start_proposal(self, n_epochs: int) -> None:
        self.proposal = Proposal(
            self.learner,
            self.plan,
            n_epochs,
            self.probe,
            self.generator,
            self.seed_loss,
            may_give_up=bool(self.cells),
        )

    def _end_proposal_epoch(self, proposal: Proposal, loss: float) -> bool:
        proposal.end_epoch(loss)
        if not proposal.is_over:
            return False
        self.proposal = None
        if self.cells:
            self.moves[0] = dataclasses.replace(self.moves[0], loss_after=min(proposal.losses))
            found = proposal.cell
            is_new = found is not None and found not in self.cells
            if found is not None and is_new and self.space.has_room(self._seed.supernet, found):
                n_others = n_contenders(len(self.cells) + 1, self.plan.n_epochs) - 1
                self._start_race([*self.cells[:n_others], found])
            else:
                self._start_race(self.cells)
        return True

    def _start_race(self, cells: Sequence[Cell]) -> None:
        self.lineage = Lineage(self.seed_loss, self._seed.supernet.n_params)
        self.race = Race.start(
            self._seed,
            [AddBranch(self.space.branch(cell)) for cell in cells],
            self.plan.n_epochs,
            self.generator,
            self.probe.outputs,
            self.seed_loss,
            is_whole_search=self.plan.mode == "random",
        )
        self.learner = self.race.current

    def _end_race_epoch(self, race: Race, loss: float) -> bool:
        race.end_epoch(loss)
        self.learner = race.current
        if not race.is_over:
            return False
        self.race = None
        self.moves += race.moves
        self.cell = race.winning_cell
        tied = [race.contenders[place].edit.branch for place in race.runners_up]
        self.runners_up = tuple(branch.layers[0] for branch in tied)
        self.losses = list(race.winner_losses)
        self.lineage = Lineage(min(self.losses), self.learner.supernet.n_params)
        return True
