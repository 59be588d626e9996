"""Derived network -> settled supernet: the inverse of `derive`, so that growth can go on."""

from __future__ import annotations

import torch
from torch import Generator

from sknas.blocks import Projection, apart
from sknas.derived import DerivedCell, DerivedNetwork
from sknas.supernet import MixedNode, Mixing, Supernet, TwoInputCell

__all__ = ["lift"]


def lift(
    network: DerivedNetwork,
    mixing: Mixing,
    *,
    generator: Generator,
) -> Supernet:
    """Build the settled supernet that a derived network stands for.

    Jie and Gao (2021), arXiv:2106.07211, name incremental data as a motive of growing; they do not
    say how a finished network grows again. This way of doing it is ours.

    Parameters
    ----------
    network : DerivedNetwork
        What to go on from; it is left as it is.
    mixing : Mixing
        How the nodes that the supernet grows will mix.
    generator : torch.Generator
        Source of draws; none of them is left in the result.

    Returns
    -------
    Supernet
        It predicts what the network does and shares no weights with it. Nodes that nothing reads
        are left out.
    """
    spec, trunk = network.spec, network.trunk
    supernet = Supernet(
        spec.shape,
        mixing,
        window_norm=spec.window_norm,
        channel_mode=spec.channel_mode,
        dtype=trunk.seed.weight.dtype,
    )
    supernet.trunk.seed.load_state_dict(trunk.seed.state_dict())
    if supernet.trunk.embedding is not None and trunk.embedding is not None:
        supernet.trunk.embedding.load_state_dict(trunk.embedding.state_dict())
    for description, theirs in zip(spec.genotype.branches, trunk.branches, strict=True):
        ours = supernet.build_branch(description, generator=generator)
        ours.segments.load_state_dict(theirs.segments.state_dict())
        ours.heads.load_state_dict(theirs.heads.state_dict())
        ours.gains.load_state_dict(theirs.gains.state_dict())
        for old_cell, new_cell in zip(theirs.layers, ours.layers, strict=True):
            _lift_cell(old_cell, new_cell)
        supernet.trunk.branches.append(ours)
    return supernet


@torch.no_grad()
def _lift_cell(cell: DerivedCell, supernet_cell: TwoInputCell) -> None:
    output_weights = dict(zip(cell.genotype.outputs, cell.output_weights, strict=True))
    for new in supernet_cell.nodes:
        if not isinstance(new, MixedNode):
            raise TypeError(f"nodes of a genotype must be two-input nodes; got {new.name}.")
        old = cell.nodes[new.index]
        new.births.fill_(old.scale)
        if old.projection is not None:
            _lift_projection(old.projection, [new.projections[n] for n in old.op.projection_names])
        new.entries.load_state_dict(old.entries.state_dict())
        if new.is_output:
            new.output_weight.copy_(output_weights[new.index])
    if cell.carry is not None and supernet_cell.carry is not None:
        supernet_cell.carry.load_state_dict(cell.carry.state_dict())


def _lift_projection(projection: Projection, pieces: list[Projection]) -> None:
    for term, weight in projection.weights.items():
        for piece, part in zip(pieces, apart(weight, len(pieces)), strict=True):
            piece.weights[term].copy_(part)
    for piece, part in zip(pieces, apart(projection.bias, len(pieces)), strict=True):
        piece.bias.copy_(part)
