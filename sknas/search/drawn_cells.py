"""Cells drawn at random from a search space, as contenders of a race: random search."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Generator

from sknas.edits import AddBranch
from sknas.genotype import Cell
from sknas.search.discretization import discretize
from sknas.search.space import SearchSpace
from sknas.supernet import Supernet

__all__ = ["draw_cells"]

_N_DRAWS_A_CELL = 20  # then the space is taken to hold no further cell


def draw_cells(
    space: SearchSpace, supernet: Supernet, n_cells: int, generator: Generator
) -> tuple[Cell, ...]:
    """Draw different cells that the bounds of the space allow.

    The random search of Li and Talwalkar (2019), arXiv:1902.07638: whole architectures, drawn
    uniformly. Ours is what is drawn, first the number of nodes and then each node's operation and
    operands; and nodes and operands that a cell does not use are left out, so that cells of the
    same function count once.

    Parameters
    ----------
    space : SearchSpace
        Operations and bounds.
    supernet : Supernet
        What each cell's branch is to stand beside.
    n_cells : int
        Most cells.
    generator : torch.Generator
        Source of the draws.

    Returns
    -------
    tuple of Cell
        The cells in the order drawn; fewer than asked for where there are hardly more.
    """
    seed = int(torch.randint(2**31 - 1, (1,), generator=generator))
    rng = np.random.RandomState(seed)
    cells: dict[Cell, None] = {}  # a set in the order of its entries
    seen: set[Cell] = set()
    for _ in range(_N_DRAWS_A_CELL * n_cells):
        if len(cells) == n_cells:
            break
        drawn = space.backbone.random_cell(
            rng, space.operations, space.max_nodes, is_sequence=space.is_sequence
        )
        if drawn in seen:
            continue
        seen.add(drawn)
        grown = copy.deepcopy(supernet)
        AddBranch(space.branch(drawn)).apply(grown)
        if space.fits(grown.n_params):
            cells.setdefault(discretize(grown).branches[-1].layers[0])
    return tuple(cells)
