"""What training minimises: a loss a sample, weighed into a mean."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "REGRESSION_LOSSES",
    "CrossEntropy",
    "Huber",
    "Masked",
    "MeanAbsolute",
    "MeanSquared",
    "Objective",
    "Pinball",
    "RegressionObjective",
]


class Objective(ABC):
    """Interface of a loss.

    Attributes
    ----------
    levels : tuple of float
        Probabilities of the quantiles of the truth that have the least loss, one an output of each
        target and step; empty where that is another value, such as the mean.
    """

    levels: tuple[float, ...] = ()

    @abstractmethod
    def per_sample(self, output: Tensor, target: Tensor) -> Tensor:
        """Return each sample's loss.

        Parameters
        ----------
        output : Tensor of shape (batch, targets, n_outputs)
            The network's output.
        target : Tensor of shape (batch, targets, horizon), or (batch,) of class indices
            What it should have been.

        Returns
        -------
        Tensor of shape (batch,)
            Losses.
        """

    def per_target(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the losses that `per_sample` is the mean of, where a sample has several targets.

        Parameters
        ----------
        output, target : Tensor
            As in `per_sample`.

        Returns
        -------
        Tensor of shape (batch, targets), or (batch, 1) where targets have no loss of their own
            Losses.
        """
        return self.per_sample(output, target).unsqueeze(1)

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

    def estimate(self, output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Estimate from a batch the weighted mean loss of what it is drawn from.

        Divided by its own weights, a batch that lacks the heavy samples would count as much as
        one that holds them; divided by the number of its samples, batches average to that mean.

        Parameters
        ----------
        output, target : Tensor
            As in `per_sample`.
        weight : Tensor of shape (batch,)
            Sample weights, in units of the mean weight of what the batch is drawn from.

        Returns
        -------
        Tensor of shape ()
            The estimate.
        """
        return (self.per_sample(output, target) * weight).mean()


class RegressionObjective(Objective):
    """A loss of every target and step, averaged over them."""

    @abstractmethod
    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the loss of every target and step.

        Parameters
        ----------
        output : Tensor of shape (batch, targets, n_outputs)
            The network's output.
        target : Tensor of shape (batch, targets, horizon)
            What it should have been.

        Returns
        -------
        Tensor of shape (batch, targets, horizon)
            Losses.
        """

    def per_sample(self, output: Tensor, target: Tensor) -> Tensor:
        """Return means over targets and steps."""
        return self.each(output, target).mean(dim=(1, 2))

    def per_target(self, output: Tensor, target: Tensor) -> Tensor:
        """Return means over steps."""
        return self.each(output, target).mean(dim=2)


class MeanSquared(RegressionObjective):
    """Squared error, averaged over targets and steps."""

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """Return squared errors."""
        return (output - target).square()


class MeanAbsolute(RegressionObjective):
    """Absolute error, averaged over targets and steps."""

    levels = (0.5,)

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """Return absolute errors."""
        return (output - target).abs()


class Huber(RegressionObjective):
    """Squared error up to one standard deviation, absolute beyond (Huber 1964)."""

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """Return Huber losses."""
        return functional.huber_loss(output, target, reduction="none")


class Pinball(RegressionObjective):
    """Quantile loss, averaged over the levels (Koenker and Bassett 1978).

    Twice the usual one, so that the median's is the absolute error.

    Parameters
    ----------
    levels : sequence of float
        Probabilities in ascending order; the network has an output for each.
    """

    def __init__(self, levels: Sequence[float]) -> None:
        self.levels = tuple(levels)

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        """Return means over the levels."""
        quantiles = output.unflatten(2, (len(self.levels), -1))  # (batch, targets, levels, horizon)
        excess = target.unsqueeze(2) - quantiles
        level = output.new_tensor(self.levels)[:, None]
        return 2 * torch.maximum(level * excess, (level - 1) * excess).mean(dim=2)


class Masked(Objective):
    """Another loss, of targets that may be missing; a missing one costs nothing.

    Parameters
    ----------
    objective : RegressionObjective
        The loss of a target that is there.
    share : float
        Share of all targets that are there, which the sum over those of a sample is divided by:
        so every known target counts the same, whatever sample it stands in.
    """

    def __init__(self, objective: RegressionObjective, share: float) -> None:
        self.objective = objective
        self.share = share
        self.levels = objective.levels

    def per_sample(self, output: Tensor, target: Tensor) -> Tensor:
        """Return sums over the targets that are there, in units of their mean number."""
        return self._each(output, target).mean(dim=(1, 2)) / self.share

    def per_target(self, output: Tensor, target: Tensor) -> Tensor:
        """Return sums over the steps that are there, in units of their mean number."""
        return self._each(output, target).mean(dim=2) / self.share

    def _each(self, output: Tensor, target: Tensor) -> Tensor:
        is_known = ~target.isnan()
        each = self.objective.each(output, torch.where(is_known, target, 0.0))
        return torch.where(is_known, each, 0.0)


class CrossEntropy(Objective):
    """Negative log-likelihood of the true class under a softmax of the logits.

    Parameters
    ----------
    smoothing : float, default=0.0
        Share of each label that is spread evenly over all classes (Szegedy et al. 2016).
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        self.smoothing = smoothing

    def per_sample(self, output: Tensor, target: Tensor) -> Tensor:
        """Return cross entropies."""
        return functional.cross_entropy(
            output[:, :, 0], target, reduction="none", label_smoothing=self.smoothing
        )


REGRESSION_LOSSES: dict[str, type[RegressionObjective]] = {
    "mse": MeanSquared,
    "mae": MeanAbsolute,
    "huber": Huber,
}
