"""What training minimises: a loss a sample, weighed into a mean."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["REGRESSION_LOSSES", "CrossEntropy", "Huber", "MeanAbsolute", "MeanSquared", "Objective"]


class Objective(ABC):
    """Interface of a loss."""

    @abstractmethod
    def per_sample(self, output: Tensor, target: Tensor) -> Tensor:
        """Return each sample's loss.

        Parameters
        ----------
        output : Tensor of shape (batch, targets, horizon)
            The network's output.
        target : Tensor of shape (batch, targets, horizon), or (batch,) of class indices
            What it should have been.

        Returns
        -------
        Tensor of shape (batch,)
            Losses.
        """

    def mean(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the weighted mean loss of a batch.

        Parameters
        ----------
        output, target : Tensor
            As in `per_sample`.
        weight : Tensor of shape (batch,)
            Sample weights; a batch of zeros has loss zero.

        Returns
        -------
        Tensor of shape ()
            The mean.
        """
        total = weight.sum().clamp_min(torch.finfo(weight.dtype).tiny)
        return (self.per_sample(output, target) * weight).sum() / total


class MeanSquared(Objective):
    """Squared error, averaged over targets and steps."""

    def per_sample(self, output: Tensor, target: Tensor) -> Tensor:
        """Return mean squared errors."""
        return (output - target).square().mean(dim=(1, 2))


class MeanAbsolute(Objective):
    """Absolute error, averaged over targets and steps."""

    def per_sample(self, output: Tensor, target: Tensor) -> Tensor:
        """Return mean absolute errors."""
        return (output - target).abs().mean(dim=(1, 2))


class Huber(Objective):
    """Squared error up to one standard deviation, absolute beyond (Huber 1964)."""

    def per_sample(self, output: Tensor, target: Tensor) -> Tensor:
        """Return mean Huber losses."""
        return functional.huber_loss(output, target, reduction="none").mean(dim=(1, 2))


class CrossEntropy(Objective):
    """Negative log-likelihood of the true class under a softmax of the logits."""

    def per_sample(self, output: Tensor, target: Tensor) -> Tensor:
        """Return cross entropies."""
        return functional.cross_entropy(output[:, :, 0], target, reduction="none")


REGRESSION_LOSSES: dict[str, type[Objective]] = {
    "mse": MeanSquared,
    "mae": MeanAbsolute,
    "huber": Huber,
}
