"""Branches -> plain Python and back, checked on the way in."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sknas._version import __version__
from sknas.genotype.parts import Branch, Cell, Node

__all__ = [
    "MOST_CHARACTERS",
    "SCHEMA_VERSION",
    "branches_from_dict",
    "branches_to_dict",
    "data_from_json",
]

SCHEMA_VERSION = 1
# Far above what a search finds, and within what a laptop reads in a second.
MOST_CHARACTERS = 2**22
MOST_BRANCHES = 1000
MOST_LAYERS = 100  # of a branch
MOST_NODES_OF_CELL = 500
MOST_NODES = 10_000
MOST_UNITS = 2**16  # of a width, or of the steps of a segment
MOST_LETTERS = 200  # of a name
_FORMAT = "sknas.genotype"
_REPR = reprlib.Repr()


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
    if version != SCHEMA_VERSION or type(version) is not int:
        is_later = isinstance(version, int) and version > SCHEMA_VERSION
        advice = " Install a later sknas to read it." if is_later else ""
        raise ValueError(
            f"genotype version must be {SCHEMA_VERSION}, which sknas {__version__} reads; got "
            f"{_shown(version)}.{advice}"
        )
    branches = tuple(
        _branch_from_dict(branch) for branch in _listed(data, "branches", MOST_BRANCHES)
    )
    n_nodes = sum(len(cell.nodes) for branch in branches for cell in branch.layers)
    if n_nodes > MOST_NODES:
        raise ValueError(f"a genotype must have at most {MOST_NODES} nodes in all; got {n_nodes}.")
    return branches


def data_from_json(text: str) -> Any:
    """Read JSON that may come from anybody.

    Parameters
    ----------
    text : str
        JSON.

    Returns
    -------
    object
        Plain Python.

    Raises
    ------
    TypeError
        If it is no text.
    ValueError
        If it is not JSON, too long or too deep, names a key twice or holds a number that is not
        finite.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str of JSON; got {type(text).__name__}.")
    if len(text) > MOST_CHARACTERS:
        raise ValueError(
            f"text must have at most {MOST_CHARACTERS} characters to be a genotype; "
            f"got {len(text)}."
        )
    try:
        return json.loads(text, object_pairs_hook=_unrepeated, parse_constant=_refuse_number)
    except RecursionError:
        raise ValueError(
            "text must be the JSON of a genotype, whose brackets nest 7 deep; got far more."
        ) from None
    except json.JSONDecodeError as error:
        raise ValueError(f"text must be the JSON of a genotype; got other text: {error}.") from None


def _branch_to_dict(branch: Branch) -> dict[str, Any]:
    return {
        "hidden_size": branch.hidden_size,
        "segment_length": branch.segment_length,
        "channel_mode": branch.channel_mode,
        "n_embedded": branch.n_embedded,
        **({} if branch.reach is None else {"reach": branch.reach}),
        "layers": [_cell_to_dict(cell) for cell in branch.layers],
    }


def _cell_to_dict(cell: Cell) -> dict[str, Any]:
    return {
        "nodes": [[node.operation, node.left, node.right] for node in cell.nodes],
        "outputs": list(cell.outputs),
        "memory": cell.memory,
        "carry": cell.carry,
    }


def _branch_from_dict(data: Any) -> Branch:
    return Branch(
        tuple(_cell_from_dict(cell) for cell in _listed(data, "layers", MOST_LAYERS)),
        _size(data, "hidden_size"),
        _size(data, "segment_length"),
        _word(data, "channel_mode"),
        _size(data, "n_embedded"),
        None if data.get("reach") is None else _size(data, "reach"),
    )


def _cell_from_dict(data: Any) -> Cell:
    nodes = tuple(_node_from_list(node) for node in _listed(data, "nodes", MOST_NODES_OF_CELL))
    outputs = tuple(_listed(data, "outputs", MOST_NODES_OF_CELL))
    for name in (*outputs, _entry(data, "memory"), _entry(data, "carry")):
        if isinstance(name, (list, tuple, Mapping)):
            raise ValueError(
                f"outputs, memory and carry of a genotype must not nest; got {_shown(name)}."
            )
    return Cell(nodes, outputs, data["memory"], data["carry"])


def _node_from_list(data: Any) -> Node:
    is_triple = isinstance(data, (list, tuple)) and len(data) == 3
    # One operand may lack.
    words = [*data[:2], *(word for word in data[2:] if word is not None)] if is_triple else [None]
    if not all(isinstance(word, str) and len(word) <= MOST_LETTERS for word in words):
        raise ValueError(
            "a node of a genotype must be a list of the name of an operation and of its two "
            f"operands, of which the second may be null; got {_shown(data)}."
        )
    return Node(*data)


def _entry(data: Any, name: str) -> Any:
    if not isinstance(data, Mapping) or name not in data:
        raise ValueError(f"a genotype lacks or misnames an entry: {name!r}; got {_shown(data)}.")
    return data[name]


def _listed(data: Any, name: str, most: int) -> Sequence[Any]:
    """Return an entry that must be a list, and not too long."""
    given = _entry(data, name)
    if not isinstance(given, (list, tuple)):
        raise ValueError(f"{name} of a genotype must be a list; got {_shown(given)}.")
    if len(given) > most:
        raise ValueError(f"{name} of a genotype must be at most {most}; got {len(given)}.")
    return given


def _size(data: Any, name: str) -> Any:
    """Return an entry that `Branch` checks to be a size, unless it is too large to build."""
    size = _entry(data, name)
    if isinstance(size, (int, float)) and size > MOST_UNITS:
        raise ValueError(f"{name} of a genotype must be at most {MOST_UNITS}; got {_shown(size)}.")
    if isinstance(size, (list, tuple, Mapping)):
        raise ValueError(f"{name} must be an integer of at least 1; got {_shown(size)}.")
    return size


def _word(data: Any, name: str) -> str:
    word = _entry(data, name)
    if not isinstance(word, str) or len(word) > MOST_LETTERS:
        raise ValueError(f"{name} of a genotype must be a word; got {_shown(word)}.")
    return word


def _shown(value: Any) -> str:
    """Return a short text of any value; one that is deep or long is cut."""
    return _REPR.repr(value)


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key, value in pairs:
        if key in data:
            raise ValueError(f"text must not name a key twice; got {_shown(key)} again.")
        data[key] = value
    return data


def _refuse_number(name: str) -> None:
    raise ValueError(f"text must hold finite numbers; got {name}.")
