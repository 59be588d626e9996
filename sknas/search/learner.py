"""The supernet with all that learns along with it: optimizers and weight average, as one thing."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from sknas._torch import Adam, AdamW
from sknas.edits import Edit, ParameterChange, carry_optimizer, closed_candidates
from sknas.search.arch_regularizers import ArchPenalty, ArchRegularizer
from sknas.search.averaging import WeightAverage
from sknas.search.decay import decay_groups
from sknas.supernet import Supernet

__all__ = ["Learner", "LearningRates"]


@dataclass(frozen=True)
class LearningRates:
    """Step sizes of the two levels.

    Parameters
    ----------
    weight : float
        Adam's rate for weights.
    arch : float
        Adam's rate for architecture parameters.
    weight_decay : float
        Decoupled decay of matrices (AdamW).
    """

    weight: float
    arch: float
    weight_decay: float


@dataclass
class Learner:
    """What a step changes, an edit must follow, and an undo brings back.

    Attributes
    ----------
    supernet : Supernet
        The network.
    weight_optimizer, arch_optimizer : Optimizer
        One for each level.
    average : WeightAverage
        Average of the weights.
    newborn : list of nn.Parameter or None
        The only weights that learn for now, the others resting; None where all learn.
    penalty : ArchPenalty or None
        What is added to the architecture loss; None for nothing.
    size_penalty : float
        What all weights of the supernet together cost, in units of the loss.
    """

    supernet: Supernet
    weight_optimizer: Optimizer
    arch_optimizer: Optimizer
    average: WeightAverage
    newborn: list[nn.Parameter] | None = None
    penalty: ArchPenalty | None = None
    size_penalty: float = 0.0

    @classmethod
    def start(
        cls,
        supernet: Supernet,
        rates: LearningRates,
        regularizer: ArchRegularizer | None = None,
        size_penalty: float = 0.0,
    ) -> Learner:
        """Begin with fresh optimizers.

        Parameters
        ----------
        supernet : Supernet
            The network.
        rates : LearningRates
            Step sizes.
        regularizer : ArchRegularizer or None, default=None
            What is added to the architecture loss.
        size_penalty : float, default=0.0
            What all weights of the supernet together cost, in units of the loss.

        Returns
        -------
        Learner
            The learner.
        """
        weights = supernet.weight_parameters()
        return cls(
            supernet,
            AdamW(
                decay_groups(weights, rates.weight_decay),
                lr=rates.weight,
                fused=True,
            ),
            Adam(
                [{"params": supernet.arch_parameters()}],
                lr=rates.arch,
                betas=(0.5, 0.999),
                fused=True,
            ),
            WeightAverage(weights),
            penalty=None if regularizer is None else ArchPenalty(regularizer),
            size_penalty=size_penalty,
        )

    def arch_penalty(self) -> Tensor | float:
        """Return what is added to the architecture loss: the regularizer's term, and the price.

        The price of the weights is ``size_penalty * sum_o (n_o - n_min) g_o / n`` over each node's
        candidates o, which hold n_o of the supernet's n weights, and the smallest of them n_min: a
        parameter-weighted sum of gates. It is our reading, for operations, of the penalty of DNAL
        (Guo et al. 2021); as there, the gates in it are not hardened, so that open ones keep a
        gradient. A node keeps one candidate, so n_min cannot be saved. Under a softmax it would be
        a constant; independent gates it would close all together.
        """
        penalty = 0.0 if self.penalty is None else self.penalty.value(self.supernet)
        if self.size_penalty > 0.0:
            share = self.supernet.excess_params() / self.supernet.n_params
            penalty = penalty + self.size_penalty * share
        return penalty

    def apply(self, edit: Edit, generator: Generator | None = None) -> ParameterChange:
        """Apply an edit and carry everything that learns across it.

        Parameters
        ----------
        edit : Edit
            The edit.
        generator : torch.Generator or None, default=None
            Source of newborn weights; needed where there are any.

        Returns
        -------
        ParameterChange
            What changed.
        """
        change = edit.apply(self.supernet, generator)
        weights = self.supernet.weight_parameters()
        carry_optimizer(self.weight_optimizer, change, weights)
        carry_optimizer(self.arch_optimizer, change, self.supernet.arch_parameters())
        if self.penalty is not None:
            self.penalty.carry(change, self.supernet.arch_parameters())
        self.average.carry(change, weights)
        if self.newborn is not None:
            held, followed = {id(p) for p in weights}, self.newborn
            for item in change.replaced:  # in order: one may replace what another one made
                followed = [item.new if p is item.old else p for p in followed]
            self.newborn = [p for p in followed if id(p) in held]
        return change

    def step_arch(self) -> None:
        """Step the architecture parameters, and let go of the candidates that this has closed."""
        self.arch_optimizer.step()
        for place, node in list(self.supernet.nodes()):
            for edit in closed_candidates(place, node):
                self.apply(edit)

    def learning_weights(self) -> list[nn.Parameter]:
        """Return the weights that a weight step changes."""
        if self.newborn is not None:
            return self.newborn
        return [p for group in self.weight_optimizer.param_groups for p in group["params"]]

    def snapshot(self) -> Learner:
        """Return an independent copy, optimizer state included."""
        return copy.deepcopy(self)

    def averaged_snapshot(self) -> Learner:
        """Return an independent copy that goes on from the averaged weights."""
        with self.average.swapped_in():
            return copy.deepcopy(self)
