"""The discrete architecture: frozen, JSON-serialisable, without weights and without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["INPUT", "MEMORY", "NAMED_CELLS", "STATE", "Branch", "Cell", "Genotype", "Node"]

INPUT, STATE, MEMORY = "x", "h", "c"
SCHEMA_VERSION = 1
MULTIPLICATIVE = frozenset({"hadamard", "gate", "modulate"})


@dataclass(frozen=True)
class Node:
    """One two-input operation and the places its operands come from.

    Parameters
    ----------
    operation : str
        Name of a registered operation, for example ``"hadamard"``.
    left : str
        ``"x"`` (the cell's input), ``"h"`` (its state), ``"c"`` (its memory) or ``"s<i>"``, node i.
    right : str or None
        As `left`; None where the operation reads its left operand alone.

    Examples
    --------
    >>> from sknas.genotype import Node
    >>> str(Node("hadamard", "s0", "x"))
    'hadamard(s0, x)'
    """

    operation: str
    left: str
    right: str | None

    def __str__(self) -> str:
        return f"{self.operation}({self.left}, {self.right or '-'})"

    @property
    def operands(self) -> tuple[str, ...]:
        """The operands that are there, left first."""
        return (self.left,) if self.right is None else (self.left, self.right)


@dataclass(frozen=True)
class Cell:
    """A recurrent cell: nodes in order of evaluation, and what becomes of them.

    Parameters
    ----------
    nodes : tuple of Node
        Node i may read ``x``, ``h``, ``c`` and the nodes before it.
    outputs : tuple of int
        The nodes whose weighted sum is the proposal v for the next state.
    memory : int or None, default=None
        The node that becomes the next memory c; None for a cell without a memory.
    carry : bool, default=True
        True carries the state by a learned convex gate, ``h' = h + z * (v - h)``, which keeps it
        bounded; False replaces it, ``h' = v``.

    Examples
    --------
    >>> from sknas.genotype import Cell, Node
    >>> print(Cell((Node("lin_tanh", "x", "h"),), outputs=(0,)))
    s0 = lin_tanh(x, h)
    h' = h + z(x, h) * (s0 - h)
    """

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    memory: int | None = None
    carry: bool = True

    def __post_init__(self) -> None:
        if not self.nodes or not self.outputs:
            raise ValueError(f"a Cell needs at least one node and one output; got {self!r}.")
        for index, node in enumerate(self.nodes):
            allowed = {INPUT, STATE, *(f"s{i}" for i in range(index))}
            allowed |= {MEMORY} if self.memory is not None else set()
            if bad := [name for name in node.operands if name not in allowed]:
                raise ValueError(
                    f"node {index} may read {sorted(allowed)}; got {bad[0]!r} in {node}."
                )
        for index in (*self.outputs, *(() if self.memory is None else (self.memory,))):
            if not 0 <= index < len(self.nodes):
                raise ValueError(
                    f"outputs and memory must name nodes 0 to {len(self.nodes) - 1}; got {index}."
                )

    def __str__(self) -> str:
        lines = [f"s{i} = {node}" for i, node in enumerate(self.nodes)]
        proposal = " + ".join(f"s{i}" for i in self.outputs)
        if self.memory is not None:
            lines.append(f"c' = s{self.memory}")
        if self.carry:
            lines.append(f"h' = h + z(x, h) * ({proposal} - h)")
        else:
            lines.append(f"h' = {proposal}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Branch:
    """A stack of cells that reads the window in segments.

    Parameters
    ----------
    layers : tuple of Cell
        The first layer reads segments, each further one the states of the layer below.
    hidden_size : int
        Width of the state of every layer.
    segment_length : int
        Time steps that make one recurrent step.
    channel_mode : {"independent", "mixed"}
        Whether every channel is a sequence of its own, or all channels make one.
    n_embedded : int, default=64
        Width of a segment's embedding, which widening leaves as it is; without effect on segments
        of one step.
    """

    layers: tuple[Cell, ...]
    hidden_size: int
    segment_length: int
    channel_mode: str
    n_embedded: int = 64

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("a Branch needs at least one layer; got none.")
        for name, size in (
            ("hidden_size", self.hidden_size),
            ("segment_length", self.segment_length),
            ("n_embedded", self.n_embedded),
        ):
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"{name} must be an integer of at least 1; got {size!r}.")
        if self.channel_mode not in ("independent", "mixed"):
            raise ValueError(
                f"channel_mode must be 'independent' or 'mixed'; got {self.channel_mode!r}."
            )


@dataclass(frozen=True)
class Genotype:
    """A whole architecture: a linear seed and the branches grown beside it.

    Parameters
    ----------
    branches : tuple of Branch, default=()
        Without branches it is the linear seed alone.

    Examples
    --------
    >>> from sknas import Genotype
    >>> genotype = Genotype.named("gru", hidden_size=8, segment_length=4)
    >>> Genotype.from_json(genotype.to_json()) == genotype
    True
    >>> print(genotype)
    linear seed
    + branch of 8 units on segments of 4, channels mixed
        s0 = lin_sigmoid(x, h)
        s1 = lin_identity(h, -)
        s2 = hadamard(s0, s1)
        s3 = add_tanh(x, s2)
        h' = h + z(x, h) * (s3 - h)
    """

    branches: tuple[Branch, ...] = ()

    @classmethod
    def named(
        cls,
        name: str,
        *,
        hidden_size: int = 64,
        segment_length: int = 1,
        channel_mode: str = "mixed",
        n_layers: int = 1,
    ) -> Genotype:
        """Return a well-known architecture of this space.

        Parameters
        ----------
        name : {"linear", "rnn", "highway", "product", "gru", "lstm", "dense"}
            ``"linear"`` has no branch.
        hidden_size : int, default=64
            Width of the states.
        segment_length : int, default=1
            Time steps a recurrent step.
        channel_mode : {"independent", "mixed"}, default="mixed"
            How channels enter.
        n_layers : int, default=1
            Number of equal cells stacked.

        Returns
        -------
        Genotype
            The named architecture.

        Raises
        ------
        ValueError
            If the name is unknown.
        """
        if name == "linear":
            return cls()
        if name not in NAMED_CELLS:
            raise ValueError(f"genotype must be one of {sorted(NAMED_CELLS)}; got {name!r}.")
        layers = (NAMED_CELLS[name],) * n_layers
        return cls((Branch(layers, hidden_size, segment_length, channel_mode, hidden_size),))

    @classmethod
    def random(
        cls,
        random_state: int | np.random.RandomState,
        *,
        operations: Sequence[str],
        n_nodes: int = 4,
        hidden_size: int = 64,
        segment_length: int = 1,
        channel_mode: str = "mixed",
    ) -> Genotype:
        """Draw a cell uniformly: each node's operation and operands, the last nodes as outputs.

        Parameters
        ----------
        random_state : int or RandomState
            Seed or source of the draw.
        operations : sequence of str
            Operations to draw from.
        n_nodes : int, default=4
            Nodes of the cell.
        hidden_size, segment_length : int
            As in `named`.
        channel_mode : {"mixed", "independent"}, default="mixed"
            As in `named`.

        Returns
        -------
        Genotype
            One branch with one random cell. Nodes that nothing reads are outputs.
        """
        rng = (
            random_state
            if isinstance(random_state, np.random.RandomState)
            else np.random.RandomState(random_state)
        )
        nodes: list[Node] = []
        for index in range(n_nodes):
            sources = [INPUT, STATE, *(f"s{i}" for i in range(index))]
            left, right = (sources[i] for i in rng.randint(len(sources), size=2))
            nodes.append(Node(operations[rng.randint(len(operations))], left, right))
        read = {name for node in nodes for name in node.operands}
        outputs = tuple(i for i in range(n_nodes) if f"s{i}" not in read)
        cell = Cell(tuple(nodes), outputs)
        return cls((Branch((cell,), hidden_size, segment_length, channel_mode, hidden_size),))

    @property
    def n_nodes(self) -> int:
        """Number of nodes over all cells."""
        return sum(len(cell.nodes) for branch in self.branches for cell in branch.layers)

    @property
    def operations(self) -> tuple[str, ...]:
        """Operation of every node, in order, over all cells."""
        return tuple(
            node.operation
            for branch in self.branches
            for cell in branch.layers
            for node in cell.nodes
        )

    @property
    def is_multiplicative(self) -> bool:
        """Whether some node multiplies its operands."""
        return any(operation in MULTIPLICATIVE for operation in self.operations)

    def to_dict(self) -> dict[str, Any]:
        """Return plain Python that `from_dict` reads back.

        Returns
        -------
        dict
            Lists, dicts, strings and numbers.
        """
        return {
            "format": "sknas.genotype",
            "version": SCHEMA_VERSION,
            "branches": [_branch_to_dict(branch) for branch in self.branches],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Genotype:
        """Read what `to_dict` wrote.

        Parameters
        ----------
        data : mapping
            A genotype as plain Python.

        Returns
        -------
        Genotype
            The architecture, validated.

        Raises
        ------
        ValueError
            If the data are not a genotype of a known version.
        """
        if not isinstance(data, Mapping) or data.get("format") != "sknas.genotype":
            raise ValueError("a genotype must have the format 'sknas.genotype'; got other data.")
        if data.get("version") != SCHEMA_VERSION:
            raise ValueError(
                f"genotype version must be {SCHEMA_VERSION}; got {data.get('version')!r}."
            )
        try:
            return cls(tuple(_branch_from_dict(branch) for branch in data["branches"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"a genotype lacks or misnames an entry: {error}.") from error

    def to_json(self) -> str:
        """Return what `from_json` reads back.

        Returns
        -------
        str
            `to_dict` as indented JSON.
        """
        return json.dumps(self.to_dict(), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Genotype:
        """Read what `to_json` wrote.

        Parameters
        ----------
        text : str
            JSON.

        Returns
        -------
        Genotype
            The architecture.

        Raises
        ------
        ValueError
            If the text is not JSON, or not a genotype.
        """
        return cls.from_dict(json.loads(text))

    def __str__(self) -> str:
        lines = ["linear seed"]
        for branch in self.branches:
            lines.append(
                f"+ branch of {branch.hidden_size} units on segments of {branch.segment_length}, "
                f"channels {branch.channel_mode}"
            )
            for depth, cell in enumerate(branch.layers):
                if len(branch.layers) > 1:
                    lines.append(f"  layer {depth}")
                lines.extend(f"    {line}" for line in str(cell).splitlines())
        return "\n".join(lines)


# GRU: 1 - z is the convex carry's gate, so reset gate and candidate remain (Cho et al. 2014).
# LSTM: i, f, o, g, then c' = f c + i g and h' = o tanh(c') (Hochreiter & Schmidhuber 1997).
NAMED_CELLS: dict[str, Cell] = {
    "rnn": Cell((Node("lin_tanh", "x", "h"),), outputs=(0,), carry=False),
    "dense": Cell((Node("lin_tanh", "x", None),), outputs=(0,), carry=False),
    "highway": Cell((Node("lin_tanh", "x", "h"),), outputs=(0,)),
    "product": Cell((Node("hadamard", "x", "x"),), outputs=(0,)),
    "gru": Cell(
        (
            Node("lin_sigmoid", "x", "h"),
            Node("lin_identity", "h", None),
            Node("hadamard", "s0", "s1"),
            Node("add_tanh", "x", "s2"),
        ),
        outputs=(3,),
    ),
    "lstm": Cell(
        (
            Node("lin_sigmoid", "x", "h"),
            Node("lin_sigmoid", "x", "h"),
            Node("lin_sigmoid", "x", "h"),
            Node("lin_tanh", "x", "h"),
            Node("hadamard", "s1", "c"),
            Node("hadamard", "s0", "s3"),
            Node("add", "s4", "s5"),
            Node("add_tanh", "s6", None),
            Node("hadamard", "s2", "s7"),
        ),
        outputs=(8,),
        memory=6,
        carry=False,
    ),
}


def _branch_to_dict(branch: Branch) -> dict[str, Any]:
    return {
        "hidden_size": branch.hidden_size,
        "segment_length": branch.segment_length,
        "channel_mode": branch.channel_mode,
        "n_embedded": branch.n_embedded,
        "layers": [
            {
                "nodes": [[node.operation, node.left, node.right] for node in cell.nodes],
                "outputs": list(cell.outputs),
                "memory": cell.memory,
                "carry": cell.carry,
            }
            for cell in branch.layers
        ],
    }


def _branch_from_dict(data: Mapping[str, Any]) -> Branch:
    layers = tuple(
        Cell(
            tuple(Node(*node) for node in cell["nodes"]),
            tuple(cell["outputs"]),
            cell["memory"],
            cell["carry"],
        )
        for cell in data["layers"]
    )
    return Branch(
        layers,
        data["hidden_size"],
        data["segment_length"],
        data["channel_mode"],
        data["n_embedded"],
    )
