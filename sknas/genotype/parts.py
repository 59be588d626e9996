"""The parts of an architecture: nodes, the cell they make, the branch that stacks cells."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["INPUT", "MEMORY", "STATE", "Branch", "Cell", "Node"]

INPUT, STATE, MEMORY = "x", "h", "c"


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
        The nodes whose weighted sum is the proposal v for the next state, each once.
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
        self._check_operands()
        for index in self.outputs:
            _check_index("outputs", index, len(self.nodes))
        if len(set(self.outputs)) < len(self.outputs):
            raise ValueError(f"outputs must name each node once; got {self.outputs!r}.")
        if self.memory is not None:
            _check_index("memory", self.memory, len(self.nodes))
        if not isinstance(self.carry, bool):
            raise ValueError(f"carry must be a boolean; got {self.carry!r}.")

    @property
    def output_weight(self) -> float:
        """What the outputs are weighed with at birth.

        Where their sum replaces a state that the cell reads it starts as their mean, which is
        DARTS's output; a plain sum of many would grow from step to step.
        """
        is_recurrent = any(STATE in node.operands for node in self.nodes)
        return 1.0 / len(self.outputs) if is_recurrent and not self.carry else 1.0

    def _check_operands(self) -> None:
        for index, node in enumerate(self.nodes):
            allowed = {INPUT, STATE, *(f"s{i}" for i in range(index))}
            allowed |= {MEMORY} if self.memory is not None else set()
            if bad := [name for name in node.operands if name not in allowed]:
                raise ValueError(
                    f"node {index} may read {sorted(allowed)}; got {bad[0]!r} in {node}."
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
    reach : int or None, default=None
        How many steps of the window it reads, the newest ones; None for all of them.
    """

    layers: tuple[Cell, ...]
    hidden_size: int
    segment_length: int
    channel_mode: str
    n_embedded: int = 64
    reach: int | None = None

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("a Branch needs at least one layer; got none.")
        for name, size in (
            ("hidden_size", self.hidden_size),
            ("segment_length", self.segment_length),
            ("n_embedded", self.n_embedded),
            ("reach", 1 if self.reach is None else self.reach),
        ):
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise ValueError(f"{name} must be an integer of at least 1; got {size!r}.")
        if self.channel_mode not in ("independent", "mixed"):
            raise ValueError(
                f"channel_mode must be 'independent' or 'mixed'; got {self.channel_mode!r}."
            )


def _check_index(name: str, index: int, n_nodes: int) -> None:
    # JSON may hold anything, and True or 0.0 would index a node as well as 1 or 0 do.
    if not isinstance(index, int) or isinstance(index, bool):
        raise ValueError(f"{name} must name nodes by integers; got {index!r}.")
    if not 0 <= index < n_nodes:
        raise ValueError(f"{name} must name nodes 0 to {n_nodes - 1}; got {index}.")
