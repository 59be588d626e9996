"""What judges a search: the validation loss, what an edit changes, what a removal costs."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sknas.blocks import Objective, WindowData
from sknas.blocks.window_data import losses, n_samples, outputs, square_counts
from sknas.edits import Edit, removals_by_choice
from sknas.search.state import Removal
from sknas.supernet import Supernet

__all__ = ["Probe", "measure_removals"]

_N_COST_SAMPLES = 256  # for what a removal costs; fewer where each is a sequence a channel
_FEWEST_COST_SAMPLES = 64
_N_PROBE_SAMPLES = 64
_OF_GATES = ("operation", "pair")  # the other choices, of sources, have weights that sum to one


@dataclass(frozen=True)
class Probe:
    """The held-out samples that judge a search.

    Parameters
    ----------
    data : WindowData
        All samples.
    index : Tensor of int64
        The validation part, or an even selection of it.
    objective : Objective
        The loss.
    n_overlapping : int, default=1
        Neighbouring samples that share time steps, so that their losses are not independent.
    """

    data: WindowData
    index: Tensor
    objective: Objective
    n_overlapping: int = 1

    @property
    def weight(self) -> Tensor:
        """Weights of the samples."""
        return self.data.weight[self.index]

    def each(self, network: nn.Module) -> Tensor:
        """Return each sample's loss.

        Parameters
        ----------
        network : nn.Module
            What to judge.

        Returns
        -------
        Tensor of shape (n_samples,)
            Losses, unweighted.
        """
        return losses(network, self.data, self.index, self.objective)

    def mean(self, each: Tensor) -> float:
        """Return the weighted mean of the samples' losses; infinite where it is not finite.

        Parameters
        ----------
        each : Tensor of shape (n_samples,)
            Losses.

        Returns
        -------
        float
            The mean.
        """
        loss = float((each * self.weight).sum() / self.weight.sum().clamp_min(1e-300))
        return loss if math.isfinite(loss) else math.inf

    def standard_error(self, gains: Tensor) -> float:
        """Return the standard error of the mean of paired differences of losses.

        Where samples overlap it is that of the means of blocks as long as the overlap, those of
        each target by themselves where losses are kept apart. Otherwise a sample of weight k counts
        as k samples, and where weights are no whole numbers, the error is that of a weighted mean.
        Of what amounts to a single sample it is infinite.

        Parameters
        ----------
        gains : Tensor of shape (n_samples,), or (n_samples, targets) where samples overlap
            Loss of one network minus loss of another.

        Returns
        -------
        float
            The standard error.
        """
        weight = self.weight
        total = weight.sum()
        if self.n_overlapping <= 1 or len(gains) < 2:
            number = n_samples(weight)
            if number <= 1.0:
                return math.inf
            mean = (gains * weight).sum() / total
            counts = square_counts(weight)
            square = ((gains - mean).square() * counts).sum() / counts.sum()
            return float((square / (number - 1.0)).sqrt())
        columns = gains.view(len(gains), -1)
        weighted = (columns - weight @ columns.mean(dim=1) / total) * weight[:, None]
        n_blocks = self.n_blocks
        residuals = torch.stack([part.sum(dim=0) for part in weighted.tensor_split(n_blocks)])
        square = residuals.square().sum() / (1.0 - 1.0 / residuals.numel())
        return float(square.sqrt() / (total * columns.shape[1]))

    @property
    def n_blocks(self) -> int:
        """Blocks of overlapping samples that count as pieces of evidence; at least two."""
        return max(2, len(self.index) // self.n_overlapping)

    def loss(self, supernet: Supernet, n_samples: int | None = None) -> float:
        """Return the weighted validation loss; infinite where it is not finite.

        Parameters
        ----------
        supernet : Supernet
            What to judge.
        n_samples : int or None, default=None
            Judge by an even selection of about that many samples.

        Returns
        -------
        float
            The loss.
        """
        index = self.index if n_samples is None else self._some(n_samples)
        weight = self.data.weight[index]
        each = losses(supernet, self.data, index, self.objective)
        loss = float((each * weight).sum() / weight.sum().clamp_min(1e-300))
        return loss if math.isfinite(loss) else math.inf

    def outputs(self, supernet: Supernet) -> Tensor:
        """Return outputs on a few samples, to measure what an edit changes.

        Parameters
        ----------
        supernet : Supernet
            What predicts.

        Returns
        -------
        Tensor of shape (n, targets, horizon)
            Outputs.
        """
        return outputs(supernet, self.data.past, self._some(_N_PROBE_SAMPLES))

    def _some(self, n_samples: int) -> Tensor:
        return self.index[:: -(-len(self.index) // n_samples)]


def measure_removals(
    supernet: Supernet, probe: Probe, *, is_measured: bool, size_penalty: float = 0.0
) -> list[Removal]:
    """List the candidates that may be removed, with what speaks for each.

    Parameters
    ----------
    supernet : Supernet
        The network as it is.
    probe : Probe
        What judges.
    is_measured : bool
        Whether to measure what each removal costs; otherwise the cost is NaN.
    size_penalty : float, default=0.0
        What all weights of the supernet together cost, in units of the loss.

    Returns
    -------
    list of Removal
        A removal for every candidate of every open choice.
    """
    n_sequences_each = supernet.shape.n_targets if supernet.trunk.seed.is_shared else 1
    n_samples = max(_FEWEST_COST_SAMPLES, _N_COST_SAMPLES // n_sequences_each)
    loss = probe.loss(supernet, n_samples) if is_measured else math.nan
    n_params, n_held = supernet.n_params, supernet.n_held_params

    def effect(edit: Edit) -> tuple[float, float]:
        """Return what the removal costs, and what it saves."""
        if not is_measured:
            return math.nan, 0.0
        without = _without(edit, supernet)
        # One candidate stays in the end: of two, the cheaper one, whatever they share until then.
        saving = size_penalty * (n_held - without.n_held_params) / n_params
        return probe.loss(without, n_samples) - loss, saving

    removals = []
    for place, node in supernet.nodes():
        for name, choice in removals_by_choice(place, node).items():
            peers = (place.branch, place.layer, name) if name in _OF_GATES else ()
            removals += [
                Removal(edit, (place, name), size, *effect(edit), peers) for edit, size in choice
            ]
    return removals


@torch.no_grad()
def _without(edit: Edit, supernet: Supernet) -> Supernet:
    """Return a copy of the supernet after a removal."""
    without = copy.deepcopy(supernet)
    edit.apply(without)
    return without
