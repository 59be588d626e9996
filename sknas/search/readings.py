"""What is read off a supernet: its sizes and gates, and for growth rules scores and ranks."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Generator

from sknas.blocks import Projection
from sknas.blocks.initialization import uniform_parameter
from sknas.edits import Edit, Evidence, Narrow, effective_rank, newborn_gradient
from sknas.edits.geometry import projections
from sknas.ops import get_op
from sknas.search.state import CellRank
from sknas.supernet import DagNode, MixedNode, Supernet

__all__ = ["cell_ranks", "gate_rows", "newborn_score", "size_columns"]


def size_columns(supernet: Supernet) -> dict[str, float]:
    """Return how large and how decided a supernet is.

    Parameters
    ----------
    supernet : Supernet
        The network as it is.

    Returns
    -------
    dict
        Columns of the search history.
    """
    return {
        "n_nodes": supernet.n_nodes,
        "n_candidates": supernet.n_candidates,
        "n_params": supernet.n_params,
        "expected_params": supernet.expected_params(),
        "n_branches": len(supernet.trunk.branches),
        "gate_entropy": supernet.gate_entropy(),
        "edge_entropy": supernet.edge_entropy(),
        "skip_weight": supernet.skip_weight,
        "progress": supernet.progress,
    }


@torch.no_grad()
def gate_rows(supernet: Supernet) -> list[dict[str, Any]]:
    """Return the gates of every node that still mixes operations, without noise.

    Parameters
    ----------
    supernet : Supernet
        The network as it is.

    Returns
    -------
    list of dict
        ``branch``, ``layer``, ``node``, ``source``, ``operation`` and ``gate`` of each candidate;
        the source is empty where operands are chosen by themselves.
    """
    rows: list[dict[str, Any]] = []
    for place, node in supernet.nodes():
        if node.n_candidates == 1:
            continue
        names = node.pairs() if isinstance(node, DagNode) else [("", o) for o in node.operations]
        at = {"branch": place.branch, "layer": place.layer, "node": place.node}
        for (source, operation), gate in zip(
            names, node.gates_at(node.progress).tolist(), strict=True
        ):
            rows.append({**at, "source": source, "operation": operation, "gate": gate})
    return rows


def newborn_score(edit: Edit, supernet: Supernet, evidence: Evidence) -> float:
    """Return the norm of the gradient that the newborn weights of an edit would have.

    Parameters
    ----------
    edit : Edit
        The edit, tried on a copy with draws of its own.
    supernet : Supernet
        The network as it is.
    evidence : Evidence
        Training samples.

    Returns
    -------
    float
        The norm.
    """
    grown = copy.deepcopy(supernet)
    change = edit.informed_by(evidence).apply(grown, Generator().manual_seed(0))
    return newborn_gradient(grown, change, evidence)


def cell_ranks(supernet: Supernet, evidence: Evidence, width_at_birth: int) -> list[CellRank]:
    """Return the effective rank of every cell's states, beside what it has at random.

    Parameters
    ----------
    supernet : Supernet
        The network as it is.
    evidence : Evidence
        Training samples.
    width_at_birth : int
        Width of a new branch; of a narrower one its own counts.

    Returns
    -------
    list of CellRank
        One for each cell.
    """
    states, random = evidence.states(supernet), evidence.states(_reborn(supernet, width_at_birth))
    return [
        CellRank(
            branch,
            layer,
            effective_rank(states[branch, layer]),
            cell.n_hidden,
            effective_rank(random[branch, layer]) / random[branch, layer].shape[1],
        )
        for branch, layer, cell in supernet.cells()
    ]


@torch.no_grad()
def _reborn(supernet: Supernet, width_at_birth: int) -> Supernet:
    """Return a copy as wide as at birth, with all matrices of its cells drawn anew."""
    reborn, generator = copy.deepcopy(supernet), Generator().manual_seed(0)
    for place, branch in enumerate(reborn.trunk.branches):
        if branch.hidden_size > width_at_birth:
            Narrow(place, tuple(range(width_at_birth))).apply(reborn)
    for _, _, cell in reborn.cells():
        for projection in projections(cell):
            _draw(projection, generator)
    for _, node in reborn.nodes():
        if isinstance(node, MixedNode):
            _make_identities(node)
    return reborn


def _draw(projection: Projection, generator: Generator) -> None:
    for weight in projection.weights.values():
        drawn = uniform_parameter(
            *weight.shape, fan_in=weight.shape[0], generator=generator, dtype=weight.dtype
        )
        weight.copy_(drawn)
    projection.bias.zero_()


def _make_identities(node: MixedNode) -> None:
    """Zero the projections of modulations, as they are born."""
    for op in map(get_op, node.operations):
        if op.is_modulation:
            for name in op.projection_names:
                for weight in node.projections[name].parameters():
                    weight.zero_()
