"""The weights of a fixed cell as its fast loop multiplies by them: one matrix a product."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sknas.blocks import Projection
from sknas.loops.plan import CellPlan, Product

__all__ = ["Pieces", "ScanWeights", "pack_weights"]


@dataclass(frozen=True)
class Pieces:
    """The pieces of a node's projection, whichever way the node keeps them.

    Attributes
    ----------
    projections : tuple of Projection
        One of all pieces, or one for each.
    """

    projections: tuple[Projection, ...]

    def weight(self, term: str) -> Tensor:
        """Return the weights on a term.

        Parameters
        ----------
        term : str
            One that all projections have.

        Returns
        -------
        Tensor of shape (fan_in, n_pieces * hidden)
            Piece behind piece.
        """
        return _joined([_apart(own.weights[term], own.n_pieces) for own in self.projections])

    @property
    def bias(self) -> Tensor:
        """The biases, of shape (n_pieces * hidden,)."""
        return _joined([_apart(own.bias, own.n_pieces) for own in self.projections])


class ScanWeights(NamedTuple):
    """All weights of a cell as its plan lays them out.

    Attributes
    ----------
    factors : Tensor of shape (n_factors,)
        Of the values, and the operands of sums, that are multiplied by one.
    outputs : Tensor of shape (n_outputs,)
        Of the nodes in the proposal.
    bias : Tensor of shape (n_pieces * hidden,)
        Of all projections.
    on_input : Tensor of shape (n_inputs, rows)
        Of the product with the input; without columns where there is none.
    on_sources : tuple of Tensor of shape (hidden, rows)
        Of each further product.
    """

    factors: Tensor
    outputs: Tensor
    bias: Tensor
    on_input: Tensor
    on_sources: tuple[Tensor, ...]


def pack_weights(
    plan: CellPlan,
    projections: Mapping[str, Pieces],
    scales: Sequence[Tensor],
    output_weights: Tensor,
) -> ScanWeights:
    """Lay out the weights of a cell; torch records it, so that gradients find their way back.

    Parameters
    ----------
    plan : CellPlan
        The cell.
    projections : mapping of str to Pieces
        Its projections by their keys.
    scales : sequence of Tensor of shape ()
        Of all nodes of its genotype.
    output_weights : Tensor of shape (n_outputs,)
        Of its outputs.

    Returns
    -------
    ScanWeights
        The weights as the plan lays them out.
    """

    def matrix(product: Product | None) -> Tensor:
        if product is None:
            return output_weights.new_empty(0, 0)
        columns = []
        for key, terms in product.terms:
            first, *others = (projections[key].weight(term) for term in terms)
            columns.append(sum(others, start=first))
        return _times(_joined(columns), product.scales, scales)  # (fan_in, rows)

    bias = [projections[key].bias for key in plan.projections]
    one = output_weights.new_ones(())
    factors = (_times(one, own, scales) for node in plan.nodes for own in node.factors)
    lacking = [missing for _, missing in plan.outputs]
    weights = zip(output_weights.unbind(0), lacking, strict=True)
    return ScanWeights(
        _stack(factors, like=output_weights),
        _stack(
            (_times(weight, missing, scales) for weight, missing in weights), like=output_weights
        ),
        torch.cat(bias) if bias else output_weights.new_empty(0),
        matrix(plan.on_input),
        tuple(matrix(product) for product in plan.products),
    )


def _joined(columns: Sequence[Tensor]) -> Tensor:
    return torch.cat(list(columns), dim=-1) if len(columns) > 1 else columns[0]


def _apart(weight: Tensor, n_pieces: int) -> Tensor:
    """Return columns whose pieces of one unit are neighbours, with each piece by itself."""
    if n_pieces == 1:
        return weight
    return weight.unflatten(-1, (-1, n_pieces)).mT.flatten(-2)  # (..., n_pieces * hidden)


def _times(weight: Tensor, places: Iterable[int], scales: Sequence[Tensor]) -> Tensor:
    return math.prod((scales[place] for place in places), start=weight)


def _stack(tensors: Iterable[Tensor], *, like: Tensor) -> Tensor:
    found = list(tensors)
    return torch.stack(found) if found else like.new_empty(0)
