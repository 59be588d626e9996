"""Relaxations: how the alphas of a node's candidates become mixing weights."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar

import torch
from sklearn.base import BaseEstimator
from torch import Generator, Tensor

from sknas._validation import Interval

__all__ = [
    "Relaxation",
    "ScaledSigmoidRelaxation",
    "SigmoidRelaxation",
    "SoftmaxRelaxation",
]


class Relaxation(BaseEstimator, ABC):
    """Interface: alphas of one node and its progress in, mixing weights out."""

    _parameter_constraints: ClassVar[Mapping[str, list[Any]]] = {
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "final_temperature": [Interval(Real, 0, None, closed="neither")],
        "scale": [Interval(Real, 0, None, closed="neither")],
        "final_scale": [Interval(Real, 0, None, closed="neither")],
    }

    @abstractmethod
    def initial_alpha(self, n_candidates: int) -> float:
        """Return the alpha that candidates are born with.

        Parameters
        ----------
        n_candidates : int
            Candidates of the node.

        Returns
        -------
        float
            A value that makes the mixing weights of equal candidates sum to one.
        """

    def initial_alphas(
        self, n_candidates: int, *, generator: Generator, dtype: torch.dtype
    ) -> Tensor:
        """Return the alphas of a new node; by default all are `initial_alpha`.

        Parameters
        ----------
        n_candidates : int
            Candidates of the node.
        generator : torch.Generator
            Source of draws.
        dtype : torch.dtype
            Floating type.

        Returns
        -------
        Tensor of shape (n_candidates,)
            Alphas.
        """
        del generator
        return torch.full((n_candidates,), self.initial_alpha(n_candidates), dtype=dtype)

    def newborn_alpha(self, alphas: Tensor) -> float:
        """Return the alpha of a candidate that joins others; by default their mean.

        Parameters
        ----------
        alphas : Tensor of shape (n_candidates,)
            Alphas of the others.

        Returns
        -------
        float
            An alpha whose gate is open, so that the newborn's birth scalar has a gradient.
        """
        return float(alphas.mean())

    @abstractmethod
    def weights(self, alphas: Tensor, progress: float) -> Tensor:
        """Return the mixing weights.

        Parameters
        ----------
        alphas : Tensor of shape (n_candidates,)
            Architecture parameters.
        progress : float
            Share of the node's time that is over, in [0, 1].

        Returns
        -------
        Tensor of shape (n_candidates,)
            Non-negative weights.
        """

    def unit(self, progress: float) -> float:
        """Return the difference of alphas that means what a difference of one does at the start.

        Parameters
        ----------
        progress : float
            Share of the node's time that is over, in [0, 1].

        Returns
        -------
        float
            Positive; by default one, for relaxations that no cooling hardens.
        """
        del progress
        return 1.0

    def sample(self, alphas: Tensor, progress: float, generator: Generator) -> Tensor:
        """Return the mixing weights of one training pass; by default those without noise.

        Parameters
        ----------
        alphas : Tensor of shape (n_candidates,)
            Architecture parameters.
        progress : float
            Share of the node's time that is over, in [0, 1].
        generator : torch.Generator
            Source of draws.

        Returns
        -------
        Tensor of shape (n_candidates,)
            Non-negative weights.
        """
        del generator
        return self.weights(alphas, progress)

    def restrict(self, alphas: Tensor) -> Tensor:
        """Bring alphas back into their range, in place, after an architecture step.

        Parameters
        ----------
        alphas : Tensor of shape (n_candidates,)
            What the step made of them; by default any value will do.

        Returns
        -------
        Tensor of shape (n_candidates,), bool
            Which candidates live on, at least one; the others are to leave their node.
        """
        return torch.ones_like(alphas, dtype=torch.bool)


class SoftmaxRelaxation(Relaxation):
    """DARTS's relaxation, softmax(alphas / temperature) (Liu et al. 2019, equation 2).

    Parameters
    ----------
    temperature : float, default=1.0
        Temperature at the birth of a node.
    final_temperature : float, default=1.0
        Temperature in the last epoch before candidates are removed; in between it falls
        exponentially.
    """

    def __init__(self, *, temperature: float = 1.0, final_temperature: float = 1.0) -> None:
        self.temperature = temperature
        self.final_temperature = final_temperature

    def initial_alpha(self, n_candidates: int) -> float:
        """Return zero: a softmax of equal alphas sums to one."""
        del n_candidates
        return 0.0

    def weights(self, alphas: Tensor, progress: float) -> Tensor:
        """Return weights on the simplex."""
        return torch.softmax(alphas / (self.temperature * self.unit(progress)), dim=0)

    def unit(self, progress: float) -> float:
        """Return what the temperature has fallen to, as a share of that at the start."""
        ratio: float = self.final_temperature / self.temperature
        return ratio**progress


class SigmoidRelaxation(Relaxation):
    """Independent gates sigmoid(alpha), so that candidates need not push each other out.

    The gates of FairDARTS (Chu et al. 2020).
    """

    def initial_alpha(self, n_candidates: int) -> float:
        """Return logit(1 / n), at most zero."""
        return -math.log(max(n_candidates - 1, 1))

    def weights(self, alphas: Tensor, progress: float) -> Tensor:
        """Return weights in (0, 1)."""
        del progress
        return torch.sigmoid(alphas)


class ScaledSigmoidRelaxation(Relaxation):
    """Independent gates sigmoid(delta * alpha) that harden into steps as delta grows.

    The continuation of DNAL (Guo et al. 2021); the scale grows exponentially while a node is mixed.

    Parameters
    ----------
    scale : float, default=1.0
        Delta at the birth of a node.
    final_scale : float, default=100.0
        Delta in the last epoch before candidates are removed. DNAL ends at 10 000 with weights
        frozen; here weights learn along, and gates need a gradient to the end.
    """

    def __init__(self, *, scale: float = 1.0, final_scale: float = 100.0) -> None:
        self.scale = scale
        self.final_scale = final_scale

    def initial_alpha(self, n_candidates: int) -> float:
        """Return zero: every gate starts half open, whatever delta is."""
        del n_candidates
        return 0.0

    def weights(self, alphas: Tensor, progress: float) -> Tensor:
        """Return weights in (0, 1)."""
        return torch.sigmoid(self.scale * (self.final_scale / self.scale) ** progress * alphas)

    def unit(self, progress: float) -> float:
        """Return the delta at the start as a share of the present one."""
        ratio: float = self.scale / self.final_scale
        return ratio**progress
