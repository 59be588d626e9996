"""Supernet weights -> derived network: after it both predict the same."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, nn

from sknas.blocks import Trunk, side_by_side
from sknas.derived import DerivedCell, DerivedNetwork, NetworkSpec
from sknas.search.discretization import discretize
from sknas.supernet import Supernet, TwoInputCell

__all__ = ["derive"]


def derive(supernet: Supernet, *, generator: Generator) -> DerivedNetwork:
    """Build the fixed network of a settled supernet.

    Parameters
    ----------
    supernet : Supernet
        A settled supernet.
    generator : torch.Generator
        Of the draws that the network is built with, before it takes over all weights.

    Returns
    -------
    DerivedNetwork
        Its outputs equal the supernet's.
    """
    trunk = supernet.trunk
    spec = NetworkSpec(
        discretize(supernet),
        supernet.shape,
        trunk.window_norm.kind,
        "independent" if trunk.seed.is_shared else "mixed",
    )
    network = DerivedNetwork(spec, generator=generator, dtype=supernet.dtype)
    with torch.no_grad():
        copy_seed(trunk, network.trunk)
        for theirs, ours in zip(trunk.branches, network.trunk.branches, strict=True):
            copy_parameters(theirs.segments, ours.segments)
            copy_parameters(theirs.gains, ours.gains)
            for old_head, new_head in zip(theirs.heads, ours.heads, strict=True):
                new_head.copy_(old_head)
            for old_cell, new_cell in zip(theirs.layers, ours.layers, strict=True):
                _inherit_cell(old_cell, new_cell)
    return network


def copy_seed(source: Trunk[Any], target: Trunk[Any]) -> None:
    """Copy the linear seed, and the embedding that it reads.

    Parameters
    ----------
    source, target : Trunk
        From and to.
    """
    copy_parameters(source.seed, target.seed)
    if source.embedding is not None and target.embedding is not None:
        copy_parameters(source.embedding, target.embedding)


def copy_parameters(source: nn.Module, target: nn.Module) -> None:
    """Copy the parameters of a module to another of the same structure.

    Parameters
    ----------
    source, target : nn.Module
        From and to.
    """
    for old, new in zip(source.parameters(), target.parameters(), strict=True):
        new.copy_(old)


def _inherit_cell(supernet_cell: TwoInputCell, cell: DerivedCell) -> None:
    nodes = supernet_cell.live_nodes()
    for old, new in zip(nodes, cell.nodes, strict=True):
        new.scale.copy_(old.births[0])
        if new.projection is not None:
            pieces = [old.projections[name] for name in new.op.projection_names]
            for term, weight in new.projection.weights.items():
                weight.copy_(side_by_side([piece.weights[term] for piece in pieces]))
            new.projection.bias.copy_(side_by_side([piece.bias for piece in pieces]))
        for side, entry in new.entries.items():
            source = old.entries[side]
            entry.weights[f"input_{side}"].copy_(source.weights[f"input_{side}"])
            entry.bias.copy_(source.bias)
    outputs = [node for node in nodes if node.is_output]
    for weight, node in zip(cell.output_weights, outputs, strict=True):
        weight.copy_(node.output_weight)
    if cell.carry is not None and supernet_cell.carry is not None:
        copy_parameters(supernet_cell.carry, cell.carry)
