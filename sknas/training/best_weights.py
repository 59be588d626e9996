"""Which weights of a training are its result: the best epoch's, or the mean from there on."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from sknas.search.probe import Probe

__all__ = ["BestWeights"]

State = dict[str, Tensor]

_MOST_WORSE = 0.02  # share of the best loss


class BestWeights:
    """Keeps the weights of the epoch that validated best, and the mean of all from there on.

    The best of many epochs is partly the luckiest: where the validation loss is flat, another draw
    of validation samples would choose another epoch. The mean of the weights over the flat part,
    which ends where the loss is two hundredths above the least, is chosen by nobody, and usually
    predicts as well as any of them or better (Izmailov et al. 2018, arXiv:1803.05407). So it is
    the result, unless it is worse on validation by more than a standard error of the paired
    differences, or by more than two hundredths.

    Parameters
    ----------
    network : nn.Module
        What is trained.
    probe : Probe or None
        What judges; None to keep the last weights.
    """

    def __init__(self, network: nn.Module, probe: Probe | None) -> None:
        self._network = network
        self._probe = probe
        self.n_epochs = 0
        self._best_each = None if probe is None else probe.each(network)
        self.loss = math.nan
        if probe is not None and self._best_each is not None:
            self.loss = probe.mean(self._best_each)
        self.best_epoch = 0
        self._best: State = copy.deepcopy(network.state_dict())
        self._mean, self._n_in_mean = self._best, 1

    @property
    def n_epochs_since_best(self) -> int:
        """Epochs without a better validation loss."""
        return self.n_epochs - self.best_epoch

    def end_epoch(self) -> float:
        """Validate the weights that the network has now.

        Returns
        -------
        float
            Validation loss; NaN where nothing judges.
        """
        self.n_epochs += 1
        if self._probe is None:
            self._begin_at_present()
            return math.nan
        each = self._probe.each(self._network)
        loss = self._probe.mean(each)
        if loss < self.loss:
            self.loss, self._best_each = loss, each
            self._begin_at_present()
        elif self.best_epoch and loss <= (1.0 + _MOST_WORSE) * self.loss:
            self._take_in_present()
        return loss

    @torch.no_grad()
    def settle(self) -> None:
        """Give the network the weights that are the result."""
        if self._probe is not None and self._best_each is not None and self._n_in_mean > 1:
            self._network.load_state_dict(self._mean)
            each = self._probe.each(self._network)
            worse = self._probe.mean(each) - self._probe.mean(self._best_each)
            error = self._probe.standard_error(self._best_each - each)
            if worse <= min(error, _MOST_WORSE * self.loss):
                self.loss = self._probe.mean(each)
                self.best_epoch += (self._n_in_mean - 1) // 2
                return
        self._network.load_state_dict(self._best)

    def settled(self) -> nn.Module:
        """Return a copy of the network with the weights that would be the result now.

        Returns
        -------
        nn.Module
            The copy; the network itself trains on.
        """
        twin = copy.copy(self)
        twin._network = copy.deepcopy(self._network)
        twin.settle()
        return twin._network

    def _begin_at_present(self) -> None:
        self.best_epoch = self.n_epochs
        self._best = copy.deepcopy(self._network.state_dict())
        self._mean, self._n_in_mean = self._best, 1

    @torch.no_grad()
    def _take_in_present(self) -> None:
        self._n_in_mean += 1
        present = self._network.state_dict()
        self._mean = {
            name: torch.lerp(mean, present[name], 1.0 / self._n_in_mean)
            for name, mean in self._mean.items()
        }
