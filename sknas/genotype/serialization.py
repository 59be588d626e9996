"""Branches -> plain Python and back, checked on the way in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sknas._version import __version__
from sknas.genotype.parts import Branch, Cell, Node

__all__ = ["SCHEMA_VERSION", "branches_from_dict", "branches_to_dict"]

SCHEMA_VERSION = 1
_FORMAT = "sknas.genotype"


def branches_to_dict(branches: Iterable[Branch]) -> dict[str, Any]:
    """Return plain Python that `branches_from_dict` reads back.

    Parameters
    ----------
    branches : iterable of Branch
        The branches of a genotype.

    Returns
    -------
    dict
        Lists, dicts, strings and numbers.
    """
    return {
        "format": _FORMAT,
        "version": SCHEMA_VERSION,
        "branches": [_branch_to_dict(branch) for branch in branches],
    }


def branches_from_dict(data: Mapping[str, Any]) -> tuple[Branch, ...]:
    """Read what `branches_to_dict` wrote.

    Parameters
    ----------
    data : mapping
        A genotype as plain Python.

    Returns
    -------
    tuple of Branch
        The branches, validated.

    Raises
    ------
    ValueError
        If the data are not a genotype of a known version.
    """
    if not isinstance(data, Mapping) or data.get("format") != _FORMAT:
        raise ValueError(f"a genotype must have the format {_FORMAT!r}; got other data.")
    version = data.get("version")
    if version != SCHEMA_VERSION:
        is_later = isinstance(version, int) and version > SCHEMA_VERSION
        advice = " Install a later sknas to read it." if is_later else ""
        raise ValueError(
            f"genotype version must be {SCHEMA_VERSION}, which sknas {__version__} reads; got "
            f"{version!r}.{advice}"
        )
    try:
        return tuple(_branch_from_dict(branch) for branch in data["branches"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"a genotype lacks or misnames an entry: {error}.") from error


def _branch_to_dict(branch: Branch) -> dict[str, Any]:
    return {
        "hidden_size": branch.hidden_size,
        "segment_length": branch.segment_length,
        "channel_mode": branch.channel_mode,
        "n_embedded": branch.n_embedded,
        "layers": [_cell_to_dict(cell) for cell in branch.layers],
    }


def _cell_to_dict(cell: Cell) -> dict[str, Any]:
    return {
        "nodes": [[node.operation, node.left, node.right] for node in cell.nodes],
        "outputs": list(cell.outputs),
        "memory": cell.memory,
        "carry": cell.carry,
    }


def _branch_from_dict(data: Mapping[str, Any]) -> Branch:
    return Branch(
        tuple(_cell_from_dict(cell) for cell in data["layers"]),
        data["hidden_size"],
        data["segment_length"],
        data["channel_mode"],
        data["n_embedded"],
    )


def _cell_from_dict(data: Mapping[str, Any]) -> Cell:
    return Cell(
        tuple(Node(*node) for node in data["nodes"]),
        tuple(data["outputs"]),
        data["memory"],
        data["carry"],
    )
