"""All that the phases of a fit share: samples, split, sizes, step sizes, deadline."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from sknas.blocks import CrossEntropy, NetworkShape, Objective, WindowData
from sknas.blocks.window_data import n_samples

__all__ = ["Problem", "Schedule"]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast the phases train.

    Parameters
    ----------
    search_epochs, max_epochs, fresh_epochs : int
        Most epochs of the search, of training that goes on from learned weights, and of training
        that begins with new ones.
    n_epoch_steps : int
        Gradient steps an epoch.
    batch_size : int
        Samples a batch.
    learning_rate, weight_decay : float
        AdamW's, for weights.
    arch_learning_rate : float
        Adam's, for architecture parameters.
    patience : int or None
        Epochs without progress that end the derived network's training; None never does.
    dropout : float
        Share of the last states that training drops before the heads.
    max_norm : float
        Largest norm of a gradient.
    linear_seed : bool
        Whether the seed was solved.
    deadline : float
        Reading of the monotonic clock at which the time budget is spent; may be infinite.
    """

    search_epochs: int
    max_epochs: int
    fresh_epochs: int
    n_epoch_steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    arch_learning_rate: float
    patience: int | None
    dropout: float
    max_norm: float
    linear_seed: bool
    deadline: float


@dataclass(frozen=True)
class Problem:
    """One data set, split and standardised.

    Parameters
    ----------
    data : WindowData
        All samples.
    shape : NetworkShape
        Sizes of input and output.
    train : Tensor of int64
        Samples to train on: the weight split, the architecture split and the gap between them.
    weight, arch, validation : Tensor of int64
        The three splits of the search.
    everything : Tensor of int64
        Samples that training without validation may use: all splits, and the gaps between them.
    objective : Objective
        The loss.
    window_norm : {"none", "last", "level", "revin"}
        Normalisation of each window.
    channel_mode : {"independent", "mixed"}
        How channels are read.
    dtype : torch.dtype
        Floating type of training.
    generator : torch.Generator
        Source of every draw of the fit.
    n_classes : int, default=0
        Number of classes; 0 for regression.
    is_in_time : bool, default=True
        Whether neighbouring samples may be windows of one series, that share time steps.
    """

    data: WindowData
    shape: NetworkShape
    train: Tensor
    weight: Tensor
    arch: Tensor
    validation: Tensor
    everything: Tensor
    objective: Objective
    window_norm: str
    channel_mode: str
    dtype: torch.dtype
    generator: Generator
    n_classes: int = 0
    is_in_time: bool = True

    @property
    def n_sequences_each(self) -> int:
        """Sequences that a cell makes of a sample: one, or one a target that it reads alone."""
        return self.shape.n_targets if self.channel_mode == "independent" else 1

    def shortened(self, lookback: int) -> Problem:
        """Return the same problem with windows of fewer steps, the newest ones.

        Parameters
        ----------
        lookback : int
            Steps to read.

        Returns
        -------
        Problem
            Its windows are views.
        """
        data = replace(self.data, past=self.data.past[..., -lookback:])
        return replace(self, data=data, shape=replace(self.shape, lookback=lookback))

    @property
    def judge(self) -> Objective:
        """The loss that validation judges by: the objective, but that no class is ever certain.

        A handful of samples, all of them told apart, cannot say that errors are rarer than one in
        so many, and yet their log loss falls for as long as a network grows surer of itself. So
        they are judged together with one sample more, any class of which is as likely: its label
        is spread evenly over them (a prior of one pseudo-observation).
        """
        if not self.n_classes:
            return self.objective
        return CrossEntropy(1.0 / (1.0 + n_samples(self.data.weight[self.validation])))
