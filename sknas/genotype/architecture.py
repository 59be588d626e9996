"""The whole architecture: frozen, JSON-serialisable, without weights and without torch."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sknas.genotype.drawing import draw_cell
from sknas.genotype.named import NAMED_CELLS
from sknas.genotype.parts import Branch
from sknas.genotype.serialization import branches_from_dict, branches_to_dict, data_from_json

__all__ = ["Genotype"]

MULTIPLICATIVE = frozenset({"hadamard", "gate", "modulate"})


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
        name : {"linear", "rnn", "pooling", "highway", "product", "gru", "lstm", "dense", "darts"}
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
            names = sorted(["linear", *NAMED_CELLS])
            raise ValueError(f"name must be one of {names}; got {name!r}.")
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
        cell = draw_cell(rng, operations, n_nodes)
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
            Lists, dicts, strings and numbers: the ``branches``, with the ``format``
            ``"sknas.genotype"`` and its ``version``, which goes up when earlier versions of sknas
            could not read it.
        """
        return branches_to_dict(self.branches)

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
            If the data are not a genotype of a known version, such as one that a later sknas wrote.
        """
        return cls(branches_from_dict(data))

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
        """Read what `to_json` wrote, or what anybody did: all of it is checked.

        An operation need not be known here; a network of an unknown one cannot be built.

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
            If the text is not JSON, names a key twice or holds a number that is not finite; is not
            a genotype of a known version; or is far larger than any that a search finds.
        """
        return cls.from_dict(data_from_json(text))

    def __str__(self) -> str:
        lines = ["linear seed"]
        for branch in self.branches:
            lines.append(
                f"+ branch of {branch.hidden_size} units on segments of {branch.segment_length}, "
                f"channels {branch.channel_mode}{_reach(branch)}"
            )
            for depth, cell in enumerate(branch.layers):
                if len(branch.layers) > 1:
                    lines.append(f"  layer {depth}")
                lines.extend(f"    {line}" for line in str(cell).splitlines())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def _reach(branch: Branch) -> str:
    return "" if branch.reach is None else f", newest {branch.reach} steps"
