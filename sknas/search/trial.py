"""A move on trial: what it began from, and the judgement whether it paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Generator, Tensor

from sknas.edits import Edit, Evidence
from sknas.search.incumbent import Incumbent, Lineage
from sknas.search.learner import Learner
from sknas.search.plan import Plan
from sknas.search.probe import Probe
from sknas.search.state import Move

__all__ = ["Baseline", "Trial"]

_HOPELESS = 1.03  # a move that stands this much above the loss before it is given up


@dataclass(frozen=True)
class Baseline:
    """What a move has to be better than.

    Attributes
    ----------
    epoch : int
        After which it stands.
    loss : float
        Validation loss.
    each : Tensor of shape (n_samples,)
        That of every sample.
    incumbent : Incumbent
        The best settled supernet.
    lineage : Lineage
        Of the supernet that the move starts from.
    losses : tuple of float
        Validation losses up to the move, by epochs.
    """

    epoch: int
    loss: float
    each: Tensor
    incumbent: Incumbent
    lineage: Lineage
    losses: tuple[float, ...] = ()

    def recent_gain(self, n_epochs: int) -> float:
        """Return how much the loss fell over the last epochs, by training alone.

        Parameters
        ----------
        n_epochs : int
            Epochs to look back.

        Returns
        -------
        float
            The difference of the least losses then and now; 0 where nothing is known.
        """
        before = self.losses[:-n_epochs] or self.losses[:1]
        return min(before) - self.loss if before and min(before) > self.loss else 0.0


@dataclass
class Trial:
    """A move that waits for its judgement.

    Attributes
    ----------
    edit : Edit
        The move.
    n_params : int
        Weights right after it.
    output_change : float
        Largest change of an output by it.
    before : Learner
        The state to go back to.
    baseline : Baseline
        What the move has to be better than.
    n_epochs_left : int
        Epochs until it is judged.
    score : float or None
        What a growth rule has chosen it by.
    incumbent : Incumbent
        The best settled supernet, should the move be accepted.
    """

    edit: Edit
    n_params: int
    output_change: float
    before: Learner
    baseline: Baseline
    n_epochs_left: int
    score: float | None
    incumbent: Incumbent

    @classmethod
    def start(
        cls,
        edit: Edit,
        learner: Learner,
        baseline: Baseline,
        plan: Plan,
        probe: Probe,
        evidence: Evidence,
        generator: Generator,
        score: float | None,
    ) -> Trial:
        """Apply a move to a learner.

        Parameters
        ----------
        edit : Edit
            The move.
        learner : Learner
            Changed in place; where the move only adds weights, these learn alone at first.
        baseline : Baseline
            What the move has to be better than.
        plan : Plan
            How long it has.
        probe : Probe
            Measures the change of outputs.
        evidence : Evidence
            Training samples that moves may look at.
        generator : torch.Generator
            Source of newborn weights.
        score : float or None
            What a growth rule has chosen it by.

        Returns
        -------
        Trial
            At its beginning.
        """
        learner.newborn = None
        before, supernet = learner.snapshot(), learner.supernet
        old_outputs = probe.outputs(supernet)
        change = learner.apply(edit.informed_by(evidence), generator)
        output_change = float((probe.outputs(supernet) - old_outputs).abs().max())
        if not change.replaced and plan.n_trial_epochs > 1:
            # What fits well already would only overfit while the newborn finds its place.
            weights = {id(p) for p in supernet.weight_parameters()}
            learner.newborn = [p for p in change.added if id(p) in weights]
        return cls(
            edit,
            supernet.n_params,
            output_change,
            before,
            baseline,
            plan.n_trial_epochs,
            score,
            baseline.incumbent,
        )

    def is_hopeless(self, loss: float) -> bool:
        """Say whether a loss is so far above the baseline that the move may be given up.

        Parameters
        ----------
        loss : float
            Validation loss of the last epoch.

        Returns
        -------
        bool
            Whether it is.
        """
        return loss > _HOPELESS * self.baseline.loss

    def judged(
        self,
        losses: Sequence[float],
        best_each: Tensor,
        n_params: int,
        n_epochs: int,
        plan: Plan,
        probe: Probe,
    ) -> Move:
        """Return the move with its judgement.

        It has to take off the rule's share of the loss, more than one standard error of the paired
        differences, more than as many epochs before it took off by training alone, and the price of
        the weights that it brought.

        Parameters
        ----------
        losses : sequence of float
            Validation losses since the move.
        best_each : Tensor of shape (n_samples,)
            That of every sample where their mean was least.
        n_params : int
            Weights now.
        n_epochs : int
            Epochs since the move.
        plan : Plan
            What has to be gained.
        probe : Probe
            Measures the standard error.

        Returns
        -------
        Move
            Accepted or not.
        """
        before, after = self.baseline.loss, min(losses[-plan.n_trial_epochs :])
        error = probe.standard_error(self.baseline.each - best_each)
        n_added = n_params - self.before.supernet.n_params
        price = plan.size_penalty * n_added / n_params
        trend = self.baseline.recent_gain(n_epochs)
        wanted = max(plan.growth.min_gain * before, error, trend) + price
        is_accepted = before - after >= wanted and not self.is_hopeless(losses[-1])
        return Move(
            self.baseline.epoch,
            self.edit,
            self.n_params,
            self.output_change,
            before,
            after,
            is_accepted,
            self.score,
        )
