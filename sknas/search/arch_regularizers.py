"""Penalties on the architecture parameters that draw open choices towards a decision."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from sknas._validation import Interval
from sknas.edits import ParameterChange
from sknas.search.arch_choices import Choice, open_choices
from sknas.supernet import Supernet

__all__ = [
    "AdmmRegularizer",
    "ArchPenalty",
    "ArchRegularizer",
    "ProximityRegularizer",
    "ZeroOneRegularizer",
]


class ArchRegularizer(BaseEstimator, ABC):
    """Interface: open choices in, a term of the architecture loss out.

    The term is added in architecture steps alone, so weights never feel it, and settled nodes have
    no choice that it could act on. The object itself keeps nothing; what has to be remembered
    stands in each choice's memory, which follows the edits of the search.

    Attributes
    ----------
    strength : float
        Factor of the term.
    is_ramped : bool
        Whether a node feels nothing of the term in its first epoch, and more with its progress.
    """

    _parameter_constraints: ClassVar[Mapping[str, list[Any]]] = {
        "strength": [Interval(Real, 0, None, closed="left")]
    }
    strength: float
    is_ramped: ClassVar[bool] = False

    @abstractmethod
    def penalty(self, choices: Sequence[Choice]) -> Tensor:
        """Return what is added to the architecture loss.

        Parameters
        ----------
        choices : sequence of Choice
            What is undecided; at least one.

        Returns
        -------
        Tensor of shape ()
            The term.
        """

    def end_step(self, choices: Sequence[Choice], n_steps: int) -> None:
        """Note what an architecture step has changed.

        Parameters
        ----------
        choices : sequence of Choice
            What is undecided, after the step.
        n_steps : int
            Architecture steps so far, this one included.
        """


class ProximityRegularizer(ArchRegularizer):
    """Draw each cell towards the cell it would become if it were decided now (DARTS-PRIME).

    Maile et al. (2021), arXiv:2106.11655: the sum over cells of
    ``progress * strength / 2 * ||A - P(A)||``, the norm not squared, with the mixing weights A and
    their discretisation P(A), which is a constant and found anew in each step.

    Ours: P keeps one operation of each node, that of the largest weight times birth scalar, and
    one source of each operand; A holds the gates of the operations and the weights of the sources,
    as both are choices of one. In DARTS's graph P is its genotype rule for one edge a node, the
    pair of edge and operation of the largest weight times birth scalar, and A leaves ``none`` out.
    Each node has a ramp of its own, from its birth to the last epoch before candidates are removed.

    Parameters
    ----------
    strength : float, default=0.1
        Factor rho of the term.

    Examples
    --------
    >>> from sknas.search import ProximityRegularizer
    >>> ProximityRegularizer(strength=1.0)
    ProximityRegularizer(strength=1.0)
    """

    is_ramped = True

    def __init__(self, *, strength: float = 0.1) -> None:
        self.strength = strength

    def penalty(self, choices: Sequence[Choice]) -> Tensor:
        """Return half the ramped strength times the distances of the cells."""
        rests = ((c, c.progress * (c.weights - c.one_hot(c.weights))) for c in choices)
        return 0.5 * self.strength * _sum_of_norms(rests)


class AdmmRegularizer(ArchRegularizer):
    """Draw each cell towards a decision with a running account of what is missing (DARTS-PRIME v1).

    Maile et al. (2021), "On constrained optimization in differentiable NAS", arXiv:2106.11655v1:
    ``strength / 2 * ||A - Z + U||`` over the candidates that are left, the norm not squared, and
    after every `period` architecture steps ``Z = P(A + U)``, then ``U = U + A - Z``. At first Z
    is A, and U zero.

    Ours: one norm for each cell, over gates of operations and weights of sources, or over the pairs
    of DARTS's graph; Z and U in terms of the mixing weights throughout, where the authors' code
    mixes them with raw parameters, which are the same thing only under their clamping. When
    candidates come or go, U follows them, and Z is found anew.

    While the weights of several candidates are close, what one round falls short of makes another
    candidate the goal of the next, so that a decision comes later than by `ProximityRegularizer`.

    Parameters
    ----------
    strength : float, default=0.1
        Factor rho of the term.
    period : int, default=10
        Architecture steps from one update of Z and U to the next.

    Examples
    --------
    >>> from sknas.search import AdmmRegularizer
    >>> AdmmRegularizer(period=5)
    AdmmRegularizer(period=5)
    """

    _parameter_constraints: ClassVar[Mapping[str, list[Any]]] = {
        **ArchRegularizer._parameter_constraints,
        "period": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, *, strength: float = 0.1, period: int = 10) -> None:
        self.strength = strength
        self.period = period

    def penalty(self, choices: Sequence[Choice]) -> Tensor:
        """Return half the strength times the distances of the cells from Z - U."""
        rests = []
        for choice in choices:
            target, dual = self._recall(choice)
            rests.append((choice, choice.weights - target + dual))
        return 0.5 * self.strength * _sum_of_norms(rests)

    def end_step(self, choices: Sequence[Choice], n_steps: int) -> None:
        """Update Z and U, where it is time."""
        for choice in choices if n_steps % self.period == 0 else ():
            _, dual = self._recall(choice)
            weights = choice.weights.detach()
            target = choice.one_hot(weights + dual)
            choice.memory["dual"] = (dual + weights - target) * choice.is_open
            choice.memory["target"] = target

    @staticmethod
    def _recall(choice: Choice) -> tuple[Tensor, Tensor]:
        """Return Z and U, made where they are missing or candidates have come or gone."""
        memory, weights = choice.memory, choice.weights.detach()
        n_open = choice.is_open.sum()
        if not memory:
            memory.update(target=weights, dual=torch.zeros_like(weights), n_open=n_open)
        elif int(memory["n_open"]) != int(n_open):
            dual = memory["dual"] * choice.is_open
            memory.update(target=choice.one_hot(weights + dual), dual=dual, n_open=n_open)
        return memory["target"], memory["dual"]


class ZeroOneRegularizer(ArchRegularizer):
    """Draw gates away from a half, to zero or to one (FairDARTS).

    Chu et al. (2020): ``-strength * mean((g - 1/2)^2)`` over the gates g of all undecided nodes'
    operations, or of the open pairs of edge and operation in DARTS's graph. The authors take 10
    beside a cross-entropy, with gates that start at a half, as those of
    ``relaxation="scaled_sigmoid"`` do; gates that start below are drawn to zero unless the loss
    holds against it.

    Ours: the default strength, for standardised losses are smaller. Weights of sources are left
    alone: they are softmaxes that cool by themselves, and none of the independent gates that this
    term was made for.

    Parameters
    ----------
    strength : float, default=1.0
        Factor of the term.

    Examples
    --------
    >>> from sknas.search import ZeroOneRegularizer
    >>> ZeroOneRegularizer(strength=10.0)
    ZeroOneRegularizer(strength=10.0)
    """

    def __init__(self, *, strength: float = 1.0) -> None:
        self.strength = strength

    def penalty(self, choices: Sequence[Choice]) -> Tensor:
        """Return minus the strength times the mean square of the gates' distance from a half."""
        gates = [choice.weights[choice.is_open] for choice in choices if choice.kind != "edges"]
        if not gates:
            return torch.zeros((), dtype=choices[0].weights.dtype)
        return -self.strength * (torch.cat(gates) - 0.5).square().mean()


def _sum_of_norms(rests: Iterable[tuple[Choice, Tensor]]) -> Tensor:
    """Sum, over cells, the Euclidean norm of what their open choices are away from their goal."""
    cells: dict[tuple[int, int], list[Tensor]] = defaultdict(list)
    for choice, rest in rests:
        cells[choice.cell].append((rest * choice.is_open).flatten())
    return torch.stack(
        [torch.linalg.vector_norm(torch.cat(parts)) for parts in cells.values()]
    ).sum()


class ArchPenalty:
    """A regularizer at work on one learner, with what it remembers of each parameter.

    Parameters
    ----------
    regularizer : ArchRegularizer
        What is added to the architecture loss; it is not changed.
    """

    def __init__(self, regularizer: ArchRegularizer) -> None:
        self.regularizer = regularizer
        self.n_steps = 0
        self.memory: dict[nn.Parameter, dict[str, Tensor]] = {}

    def value(self, supernet: Supernet) -> Tensor:
        """Return the penalty of the supernet as it is.

        Parameters
        ----------
        supernet : Supernet
            A network in which something is undecided.

        Returns
        -------
        Tensor of shape ()
            The penalty, differentiable in the free architecture parameters.
        """
        return self.regularizer.penalty(self._choices(supernet))

    @torch.no_grad()
    def end_step(self, supernet: Supernet) -> None:
        """Note that an architecture step was taken.

        Parameters
        ----------
        supernet : Supernet
            The network after the step.
        """
        self.n_steps += 1
        self.regularizer.end_step(self._choices(supernet), self.n_steps)

    def carry(self, change: ParameterChange, present: Iterable[nn.Parameter]) -> None:
        """Follow an edit; newborn entries are remembered as zero.

        Parameters
        ----------
        change : ParameterChange
            What the edit returned.
        present : iterable of nn.Parameter
            The architecture parameters after the edit.
        """
        for item in change.replaced:
            kept = self.memory.pop(item.old, None)
            if kept is not None:
                self.memory[item.new] = {
                    key: item.carry(value, torch.zeros_like(item.new))
                    if value.shape == item.old.shape
                    else value
                    for key, value in kept.items()
                }
        held = {id(parameter) for parameter in present}
        for parameter in [p for p in self.memory if id(p) not in held]:
            del self.memory[parameter]

    def _choices(self, supernet: Supernet) -> list[Choice]:
        for parameter in supernet.free_arch_parameters():
            self.memory.setdefault(parameter, {})
        return open_choices(supernet, self.memory)
