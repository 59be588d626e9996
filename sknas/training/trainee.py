"""A derived network with all that learns along with it: optimizer and averages, as one thing."""

from __future__ import annotations

from dataclasses import dataclass

from torch.optim import Optimizer

from sknas._torch import AdamW
from sknas.derived import DerivedNetwork
from sknas.search.averaging import WeightAverage
from sknas.search.decay import decay_groups
from sknas.search.probe import Probe
from sknas.training.best_weights import BestWeights

__all__ = ["Trainee"]


@dataclass
class Trainee:
    """What a training step and an epoch's end change.

    Attributes
    ----------
    network : DerivedNetwork
        The network.
    average : WeightAverage
        Average of its weights.
    best : BestWeights
        Those averages that validated best.
    optimizer : Optimizer
        AdamW over all weights that learn, the seed's among them.
    """

    network: DerivedNetwork
    average: WeightAverage
    best: BestWeights
    optimizer: Optimizer

    @classmethod
    def start(
        cls,
        network: DerivedNetwork,
        probe: Probe | None,
        *,
        learning_rate: float,
        weight_decay: float,
    ) -> Trainee:
        """Begin with a fresh optimizer.

        Parameters
        ----------
        network : DerivedNetwork
            Changed in place from now on.
        probe : Probe or None
            What judges; None to train without, for all epochs.
        learning_rate, weight_decay : float
            AdamW's.

        Returns
        -------
        Trainee
            The network, about to learn.
        """
        average = WeightAverage(p for p in network.parameters() if p.requires_grad)
        groups = decay_groups(average.averages, weight_decay)
        optimizer = AdamW(groups, lr=learning_rate, fused=True)
        return cls(network, average, BestWeights(network, probe), optimizer)
