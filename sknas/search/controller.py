"""After each epoch, in order: judge, prune, grow, stop (the paper's outer loop)."""

from __future__ import annotations

import copy
import dataclasses
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Generator

from sknas.edits import Edit, Evidence
from sknas.genotype import Cell
from sknas.search.collapse_watch import Watcher
from sknas.search.first_branch import FirstBranch
from sknas.search.incumbent import Incumbent, Lineage
from sknas.search.learner import Learner
from sknas.search.plan import Plan
from sknas.search.probe import Probe
from sknas.search.pruning_round import prune_round
from sknas.search.readings import cell_ranks, gate_rows, newborn_score, size_columns
from sknas.search.space import SearchSpace
from sknas.search.state import CellRank, Move, SearchState
from sknas.search.trial import Baseline, Trial

__all__ = ["Controller"]

_LOGGER = logging.getLogger("sknas")


@dataclass
class Controller:
    """Drives a search from outside the gradient steps; called once an epoch.

    Attributes
    ----------
    learner : Learner
        What is searched now; the race, a move and an undo put another in its place.
    plan : Plan
        Mode, length and rules.
    space : SearchSpace
        Bounds.
    probe : Probe
        What judges.
    evidence : Evidence
        Training samples that growth rules and moves may look at.
    generator : torch.Generator
        Source of newborn weights.
    cells : sequence of Cell
        Contenders for the first branch; empty where the learner has one already.
    moves : list of Move
        What was tried.
    rows : list of dict
        One record an epoch.
    gates : list of dict
        The gates of what was mixed, a record an epoch and candidate.
    watcher : Watcher or None
        Looks out for a collapse while something is mixed.
    """

    learner: Learner
    plan: Plan
    space: SearchSpace
    probe: Probe
    evidence: Evidence
    generator: Generator
    cells: Sequence[Cell]
    moves: list[Move] = field(default_factory=list)
    rows: list[dict[str, float]] = field(default_factory=list)
    gates: list[dict[str, Any]] = field(default_factory=list)
    watcher: Watcher | None = None

    def __post_init__(self) -> None:
        self.epoch = 0
        self._lineages: dict[int, Lineage] = {}
        self._losses: list[float] = []
        self._best: Learner | None = None
        self._best_each = self.probe.each(self.learner.supernet)
        self._n_refusals = self._n_logged = 0
        self._refused: list[Edit] = []
        self._scores: dict[Edit, float] = {}
        self._trial: Trial | None = None
        self._rounds_left: int | None = None
        self._n_cooling: int | None = None
        start = copy.deepcopy(self.learner.supernet)
        if not start.is_settled:
            # Newborn heads are zero: the mixed start predicts what the seed alone does.
            del start.trunk.branches[:]
        seed_loss = self.probe.loss(start)
        self.incumbent = Incumbent(start, seed_loss)
        self._opening = FirstBranch(
            self.learner,
            self.plan,
            self.space,
            self.probe,
            self.generator,
            self.cells,
            seed_loss,
            self.moves,
        )
        self.learner, self._lineage = self._opening.learner, self._opening.lineage

    @property
    def lineage(self) -> Lineage:
        """The supernet that the incumbent was pruned from; the present one's, if there is none."""
        return self._lineage if self.incumbent.lineage is None else self.incumbent.lineage

    @property
    def has_alternative(self) -> bool:
        """Whether something else is there to go on with, should what learns now be of no use."""
        return not self._opening.is_over or self._trial is not None

    @property
    def runners_up(self) -> tuple[Cell, ...]:
        """Cells that were as good as the first branch's in the race for it, the best first."""
        return self._opening.runners_up

    # -- the outer loop -----------------------------------------------------------------------

    def end_epoch(self, train_loss: float, n_arch_steps: int, seconds: float) -> bool:
        """Judge, prune, grow and decide whether the search is over.

        Parameters
        ----------
        train_loss : float
            Mean loss of the epoch's weight steps.
        n_arch_steps : int
            Architecture steps of the epoch.
        seconds : float
            How long the epoch took.

        Returns
        -------
        bool
            Whether the search is over.
        """
        self.epoch += 1
        loss = self._validate()
        fallback = self._look_out()
        self._record(train_loss, loss, n_arch_steps, seconds)
        self._losses.append(loss)
        if fallback is not None:
            self._fall_back(fallback)
        if not self._opening.is_over:
            self._end_opening_epoch(loss)
        else:
            if fallback is None:
                self._judge()
            self._let_cool()
            self._prune()
            self.learner.supernet.advance(self._n_open_epochs_left())
            self._grow()
        is_over = self._is_over()
        if is_over and not self.learner.supernet.is_settled:
            self._settle()
        self._log_moves()
        return is_over

    def _log_moves(self) -> None:
        for move in self.moves[self._n_logged :]:
            if move.is_accepted:
                losses = move.loss_after, move.loss_before
                message = "epoch %d: accepted %s, validation loss %.5g, before %.5g"
                _LOGGER.info(message, self.epoch, move.edit, *losses)
        self._n_logged = len(self.moves)

    def _validate(self) -> float:
        supernet, race = self.learner.supernet, self._opening.race
        with self.learner.average.swapped_in():
            each = self.probe.each(supernet)
            loss = self.probe.mean(each)
            lineage = self._lineage
            if race is not None:
                lineage = Lineage(race.current_best)
            lineage = lineage.followed_by(loss, supernet.n_params)
            if race is None:
                self._lineage = self._lineages[self.epoch] = lineage
            # A move has to be accepted before what it led to may be the result.
            holder = self if self._trial is None else self._trial
            if supernet.is_settled and loss < holder.incumbent.loss:
                holder.incumbent = Incumbent(copy.deepcopy(supernet), loss, lineage)
        if race is None and loss < min(self._losses, default=math.inf):
            self._best, self._best_each = self.learner.averaged_snapshot(), each
        return loss

    def _record(self, train_loss: float, loss: float, n_arch_steps: int, seconds: float) -> None:
        row = {
            "epoch": self.epoch,
            "train_loss": train_loss,
            "val_loss": loss,
            **size_columns(self.learner.supernet),
            "arch_steps": n_arch_steps,
            "arch_curvature": math.nan if self.watcher is None else self.watcher.measure,
            "seconds": seconds,
        }
        if self.plan.growth.needs_ranks:
            with self.learner.average.swapped_in():
                row["effective_rank"] = sum(rank.rank for rank in self._ranks(self.learner))
        self.rows.append(row)
        self.gates += [{"epoch": self.epoch, **gate} for gate in gate_rows(self.learner.supernet)]

    def _look_out(self) -> Learner | None:
        """Return the state to go back to if a mixed phase has collapsed; it may be pruned soon."""
        if self.watcher is None:
            return None
        opening = self._opening
        is_open = opening.race is None and bool(self.learner.supernet.free_arch_parameters())
        if opening.proposal is not None:
            is_open = is_open and opening.proposal.n_open_epochs_left > 0
        if is_open and self._rounds_left is None:
            return self.watcher.look(self.learner, self.epoch)
        self.watcher.rest()
        return None

    def _fall_back(self, learner: Learner) -> None:
        """Go back to an earlier state of the mixed phase, and decide it in one round."""
        self.learner = learner
        if self._trial is None:
            learner.newborn = None  # the move that they came with has been accepted since
        if self.watcher is not None:
            self._lineage = self._lineages[self.watcher.collapses[-1].back_to]
        if self._opening.is_over:
            self._rounds_left = 1
        else:
            self._opening.go_back(learner)

    def _end_opening_epoch(self, loss: float) -> None:
        """Let the opening go on; what comes next begins with the losses that speak for it."""
        opening, was_racing = self._opening, self._opening.race is not None
        has_ended = opening.end_epoch(loss)
        self.learner = opening.learner
        if not has_ended:
            return
        self._losses, self._best = list(opening.losses), None
        if self.cells:
            self._lineage = opening.lineage
        if was_racing:
            with self.learner.average.swapped_in():
                self._best_each = self.probe.each(self.learner.supernet)
            self._best = self.learner.averaged_snapshot()
            self._grow()

    def _ranks(self, learner: Learner) -> list[CellRank]:
        return cell_ranks(learner.supernet, self.evidence, self.space.hidden_size)

    def _is_over(self) -> bool:
        if self.epoch >= self.plan.n_epochs:
            return True
        if not self._opening.is_over or self._trial is not None or self._rounds_left:
            return False
        if not self.learner.supernet.is_settled:
            return False
        # A settled network that nothing can be added to only needs to train, which comes later.
        is_pruned = self.plan.mode != "interleaved" and self._rounds_left == 0
        has_trained = bool(self._losses)
        return has_trained and (is_pruned or not self._possible())

    def _settle(self) -> None:
        """Prune what is still open at the end in one round, and validate what comes of it."""
        if self._trial is not None:
            self.learner, self._lineage = self._trial.before, self._trial.baseline.lineage
            self._trial = None
        self._rounds_left = 1
        self._prune_once()
        self._validate()

    # -- moves --------------------------------------------------------------------------------

    def _possible(self) -> tuple[Edit, ...]:
        is_done = self._n_refusals >= self.plan.growth.max_refusals
        if is_done or self.plan.mode in ("fixed", "random"):
            return ()
        edits = self.space.possible_edits(self.learner.supernet, self._opening.cell)
        return tuple(
            edit for edit in edits if not any(no.is_version_of(edit) for no in self._refused)
        )

    def _state(self, *, n_rounds_left: int = 1) -> SearchState:
        n_needed = self.plan.n_move_epochs + self.plan.n_reserved_epochs
        n_tried = sum(move.epoch > 0 for move in self.moves)
        return SearchState(
            self.epoch,
            self.plan.n_epochs,
            tuple(self._losses),
            self._possible(),
            n_rounds_left=n_rounds_left,
            is_last_chance=n_tried == 0 and self.plan.n_epochs - self.epoch <= n_needed,
        )

    def _grow(self) -> None:
        """Ask the growth rule, and put what it proposes on trial."""
        n_left = self.plan.n_epochs - self.epoch - self.plan.n_reserved_epochs
        is_busy = self._trial is not None or self._rounds_left is not None or not self._losses
        if self.plan.mode == "interleaved" and not self.learner.supernet.is_settled:
            is_busy = True
        if is_busy or n_left < self.plan.n_move_epochs:
            return
        rule = self.plan.growth
        ranks = tuple(self._ranks(self._start())) if rule.needs_ranks else ()
        self._scores = {}
        state = dataclasses.replace(self._state(), ranks=ranks, score=self._score)
        for edit in rule.propose(state)[:1]:
            self._try(edit)

    def _start(self) -> Learner:
        """Return what a move starts from: a plateau is seen too late, so where it was best."""
        return self.learner if self._best is None else self._best

    def _score(self, edit: Edit) -> float:
        score = newborn_score(edit, self._start().supernet, self.evidence)
        self._scores[edit] = score
        return score

    def _try(self, edit: Edit) -> None:
        start, loss = self._start(), self.probe.mean(self._best_each)
        losses = tuple(self._losses)
        baseline = Baseline(
            self.epoch, loss, self._best_each, self.incumbent, self._lineage, losses
        )
        trial = Trial.start(
            edit,
            start,
            baseline,
            self.plan,
            self.probe,
            self.evidence,
            self.generator,
            self._scores.get(edit),
        )
        if not self.space.fits(trial.n_params):
            self._forbid(edit, start, trial.before)
            return
        self._watch_anew()
        self.learner, self._trial = start, trial
        self._losses, self._best = [], None

    def _forbid(self, edit: Edit, changed: Learner, before: Learner) -> None:
        """Refuse a move that breaks the bounds, and go on as if it had not been made."""
        self._refused.append(edit)
        if changed is self.learner:
            self.learner = before
        else:
            self._best = before

    def _judge(self) -> None:
        """Keep the move on trial if it pays on validation, or undo it."""
        trial = self._trial
        if trial is None:
            return
        trial.n_epochs_left -= 1
        supernet = self.learner.supernet
        is_mixed = self.plan.mode == "interleaved" and not supernet.is_settled
        if trial.n_epochs_left <= 1 and not is_mixed:
            self.learner.newborn = None
        is_running = trial.n_epochs_left > 0 or bool(self._rounds_left) or is_mixed
        if is_running and not trial.is_hopeless(self._losses[-1]):
            return
        move = trial.judged(
            self._losses,
            self._best_each,
            supernet.n_params,
            self.epoch - trial.baseline.epoch,
            self.plan,
            self.probe,
        )
        self.moves.append(move)
        self._trial = self._rounds_left = None
        if move.is_accepted:
            self.incumbent = trial.incumbent
            self._refused.clear()
            self._n_refusals = 0
            return
        self._watch_anew()
        self.learner, self._best = trial.before, trial.before.snapshot()
        self._best_each, self._lineage = trial.baseline.each, trial.baseline.lineage
        self._refused.append(trial.edit)
        self._n_refusals += 1
        # The state before the move was flat; the next move need not wait for that again.
        self._losses = [trial.baseline.loss] * (self.plan.n_trial_epochs + 1)

    def _watch_anew(self) -> None:
        if self.watcher is not None:
            self.watcher.restart()

    # -- pruning ------------------------------------------------------------------------------

    def _prune(self) -> None:
        """Start pruning when it is time, and do one round of it an epoch."""
        if self._rounds_left is None and self._is_pruning_due():
            self._rounds_left = self.plan.n_rounds
        if self._rounds_left:
            self._prune_once()

    def _prune_once(self) -> None:
        """Remove what the rule proposes, down to one candidate a choice in the last round."""
        rounds_left = self._rounds_left or 1
        state = self._state(n_rounds_left=rounds_left)
        prune_round(self.learner, self.probe, self.plan.pruning, state, self.generator)
        self._rounds_left = rounds_left - 1
        self._losses, self._best = [], None
        if self._rounds_left == 0 and self._trial is not None:
            # What is left of the move has one epoch to train with everything else.
            self._trial.n_epochs_left, self.learner.newborn = 1, None

    def _n_open_epochs_left(self) -> int:
        """Return how many epochs are to come before candidates are removed, growth permitting."""
        if self.plan.mode == "interleaved":
            return 0 if self._trial is None else self._trial.n_epochs_left
        n_left = self.plan.n_epochs - self.plan.n_rounds - self.epoch
        return n_left if self._n_cooling is None else min(n_left, self._n_cooling)

    def _let_cool(self) -> None:
        """Once growth is over, give what is mixed a trial's time to cool before it is pruned."""
        if self._n_cooling is not None:
            self._n_cooling -= 1
        elif self.plan.mode != "interleaved" and self._trial is None and not self._can_still_grow():
            self._n_cooling = self.plan.n_trial_epochs

    def _is_pruning_due(self) -> bool:
        if self.learner.supernet.is_settled:
            return False
        if self.plan.mode == "interleaved":
            return self._trial is not None and self._trial.n_epochs_left <= 0
        return self._n_open_epochs_left() <= 0

    def _can_still_grow(self) -> bool:
        n_left = self.plan.n_epochs - self.epoch - self.plan.n_reserved_epochs
        if self.plan.mode == "fixed":
            return n_left > 0
        return bool(self._possible()) and n_left >= self.plan.n_move_epochs
