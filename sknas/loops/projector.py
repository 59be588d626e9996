"""The pieces of all projections of a planned cell at a step, and the products that fill them.

Inside the loop the batch comes last, (hidden, batch), so that the pieces of all projections stand
one behind the other: each is contiguous, and so are neighbours, which one product fills.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from sknas.genotype import MEMORY, STATE
from sknas.loops.packing import ScanWeights
from sknas.loops.plan import CellPlan, Product

__all__ = ["Projector"]

_FEW = 16


class Projector:
    """The pieces of all projections at a step, which the next one writes again.

    Parameters
    ----------
    plan : CellPlan
        The cell.
    weights : ScanWeights
        Its weights.
    inputs : Tensor of shape (n_steps, batch, n_inputs)
        The sequence.
    n_hidden : int
        Width of the state.

    Attributes
    ----------
    pieces : tuple of Tensor of shape (hidden, batch)
        The pieces.
    entries : list of (str, Tensor)
        The pieces that are the input as an operand, by the keys of their projections.
    multiply : dict of str to list of callable
        What to call with each source as soon as it is there.
    """

    def __init__(self, plan: CellPlan, weights: ScanWeights, inputs: Tensor, n_hidden: int) -> None:
        n_sequences = inputs.shape[1]
        self._bias = weights.bias[:, None]
        self._rows = inputs.new_empty(len(weights.bias), n_sequences)
        self._n_hidden = n_hidden
        self.pieces = self._rows.view(plan.n_pieces, n_hidden, n_sequences).unbind(0)
        self.entries = [(key, self.pieces[plan.piece(key)]) for key in plan.entries]
        self.multiply: dict[str, list[Callable[[Tensor], Tensor]]] = {STATE: [], MEMORY: []}
        self.multiply |= {node.name: [] for node in plan.nodes}
        self._begun: list[tuple[Tensor, Tensor]] = []
        self._constant = [self._place(piece, piece + 1) for piece in plan.constant_pieces]
        for product, weight in zip(plan.products, weights.on_sources, strict=True):
            self.multiply[product.source].append(self._product(product, weight))
            if product.is_first and product.source in (STATE, MEMORY):
                self._begun.append(self._place(product.start, product.stop))
        self._project: Callable[[Tensor], Tensor] = _leave_as_it_is
        self._inputs = inputs.mT.unbind(0)  # (n_inputs, batch) each
        if plan.on_input is not None:
            self._project = self._product(plan.on_input, weights.on_input)
            # One product of all steps pays for few sequences; that of many only leaves the cache.
            if n_sequences < _FEW:
                base, rows = self._place(plan.on_input.start, plan.on_input.stop)
                flat = torch.addmm(base[:, 0], inputs.flatten(0, 1), weights.on_input)
                self._inputs = flat.unflatten(0, inputs.shape[:2]).mT.unbind(0)  # (rows, batch)
                self._project = rows.copy_

    def project(self, t: int) -> None:
        """Begin a step with the product with its input.

        Parameters
        ----------
        t : int
            The step.
        """
        for base, rows in self._constant:
            rows.copy_(base)
        self._project(self._inputs[t])

    def begin(self) -> None:
        """Stand in for the products with a state and a memory that are zero."""
        for base, rows in self._begun:
            rows.copy_(base)

    def _place(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        own = slice(start * self._n_hidden, stop * self._n_hidden)
        return self._bias[own], self._rows[own]

    def _product(self, product: Product, weight: Tensor) -> Callable[[Tensor], Tensor]:
        base, rows = self._place(product.start, product.stop)
        transposed = weight.mT.contiguous()  # (rows, fan_in)
        if product.is_first:
            return partial(torch.addmm, base, transposed, out=rows)
        return partial(rows.addmm_, transposed)


def _leave_as_it_is(inputs: Tensor) -> Tensor:
    return inputs
