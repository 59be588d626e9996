"""The samples that an edit may look at before it chooses the weights of what it adds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sknas.blocks import Batch, Objective
from sknas.supernet import Supernet

__all__ = ["Evidence"]


@dataclass(frozen=True)
class Evidence:
    """A batch of training samples, and the loss that they are judged by.

    Parameters
    ----------
    batch : tuple of Tensor
        Past, target and weight of the samples.
    objective : Objective
        The loss.
    """

    batch: Batch
    objective: Objective

    def thinned(self, n_samples: int) -> Evidence:
        """Return an even selection of the samples.

        Parameters
        ----------
        n_samples : int
            How many there may be.

        Returns
        -------
        Evidence
            At most as many samples, all of them where there are not more.
        """
        step = -(-len(self.batch[0]) // n_samples)
        past, target, weight = (part[::step] for part in self.batch)
        return Evidence((past, target, weight), self.objective)

    def loss(self, network: nn.Module) -> Tensor:
        """Return the mean loss of a network, in its own floating type.

        Parameters
        ----------
        network : nn.Module
            What predicts.

        Returns
        -------
        Tensor of shape ()
            The loss, with a gradient.
        """
        dtype = next(network.parameters()).dtype
        past, target, weight = (
            part.to(dtype) if part.is_floating_point() else part for part in self.batch
        )
        return self.objective.mean(network(past), target, weight)

    @torch.no_grad()
    def states(self, supernet: Supernet) -> dict[tuple[int, int], Tensor]:
        """Return the states of every cell, all steps of all samples below each other.

        Parameters
        ----------
        supernet : Supernet
            The network.

        Returns
        -------
        dict of (branch, layer) to Tensor of shape (n_steps * batch, n_hidden)
            States.
        """
        found: dict[tuple[int, int], Tensor] = {}

        def keeper(place: tuple[int, int]) -> Callable[[nn.Module, object, Tensor], None]:
            def keep(cell: nn.Module, inputs: object, states: Tensor) -> None:
                del cell, inputs
                found[place] = states.flatten(0, 1)

            return keep

        hooks = [
            cell.register_forward_hook(keeper((branch, layer)))
            for branch, layer, cell in supernet.cells()
        ]
        try:
            supernet(self.batch[0].to(next(supernet.parameters()).dtype))
        finally:
            for hook in hooks:
                hook.remove()
        return found
