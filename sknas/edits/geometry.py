"""Where the units of a branch stand in its weights, of a supernet or of a derived network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from sknas.blocks import BranchStack, Projection
from sknas.blocks.projection import INPUT_TERMS
from sknas.supernet import SearchNode

__all__ = ["projections", "reads_units", "set_width", "ways_out"]


def projections(module: nn.Module) -> Iterator[Projection]:
    """Iterate over the projections of a cell, or of several.

    Parameters
    ----------
    module : nn.Module
        What holds them.

    Returns
    -------
    iterator of Projection
        In the order of registration.
    """
    return (part for part in module.modules() if isinstance(part, Projection))


def reads_units(term: str, depth: int) -> bool:
    """Say whether a weight of a projection has a row for each unit.

    Parameters
    ----------
    term : str
        The weight's name in its projection.
    depth : int
        The layer; the input of every layer but the first is the units of the one below.

    Returns
    -------
    bool
        False for weights on the branch's input.
    """
    return depth > 0 or term not in INPUT_TERMS


def ways_out(branch: BranchStack[Any]) -> Iterator[nn.Parameter]:
    """Iterate over the matrices that read units of a branch, a row a unit.

    Parameters
    ----------
    branch : BranchStack
        The branch.

    Yields
    ------
    nn.Parameter of shape (hidden, n)
        Weights on states, nodes, the layer below, or the weights of a head.
    """
    for depth, cell in enumerate(branch.layers):
        for projection in projections(cell):
            for term, weight in projection.weights.items():
                if reads_units(term, depth):
                    yield weight
    yield from branch.heads


def set_width(branch: BranchStack[Any], n_units: int) -> None:
    """Tell all cells of a branch, and their nodes under search, how many units they have.

    Parameters
    ----------
    branch : BranchStack
        The branch, whose weights are changed elsewhere.
    n_units : int
        Units of each layer.
    """
    for depth, cell in enumerate(branch.layers):
        if depth:
            cell.n_inputs = n_units
        cell.n_hidden = n_units
        for node in cell.nodes:
            if isinstance(node, SearchNode):
                node.n_inputs, node.n_hidden = cell.n_inputs, cell.n_hidden
