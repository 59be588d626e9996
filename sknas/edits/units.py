"""The weights into and out of a branch's units, as matrices with a row a unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from sknas.blocks import BranchStack, Projection
from sknas.blocks.initialization import uniform_parameter
from sknas.blocks.projection import INPUT_TERMS
from sknas.edits.base import ParameterChange
from sknas.edits.geometry import projections, reads_units, set_width
from sknas.genotype import INPUT, STATE
from sknas.supernet import Supernet, TwoInputCell

__all__ = ["Fans", "Reader", "Units", "widen_branch"]

Branch = BranchStack[TwoInputCell]


@dataclass(frozen=True)
class Fans:
    """Weights chosen for the first newborn units of a layer; the others keep what they drew.

    Parameters
    ----------
    fan_in : Tensor of shape (n, n_entries)
        Weights and biases that lead into each unit, in the order of `Units.fan_in`.
    fan_out : Tensor of shape (n, n_columns)
        Weights that lead out of each, in the order of `Units.fan_out`.
    """

    fan_in: Tensor
    fan_out: Tensor


@dataclass(frozen=True)
class Reader:
    """A matrix that reads the units of a layer, a row a unit.

    Parameters
    ----------
    weight : nn.Parameter of shape (hidden, n)
        The matrix.
    n_columns : int
        Its columns of old units, which come first.
    sources : tuple of str
        What it reads, by the names of the layer's cell.
    """

    weight: nn.Parameter
    n_columns: int
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Units:
    """The old and the newborn units of a layer.

    Parameters
    ----------
    branch : BranchStack
        The branch.
    depth : int
        The layer.
    n_old : int
        Units that are not newborn; they come first.
    """

    branch: Branch
    depth: int
    n_old: int

    @property
    def cell(self) -> TwoInputCell:
        """The layer's cell."""
        return self.branch.layers[self.depth]

    def fan_in(self, values: Callable[[nn.Parameter], Tensor]) -> Tensor:
        """Return what leads from inputs and old units into each unit, biases included.

        Parameters
        ----------
        values : callable
            What to take of a parameter: itself, or its gradient.

        Returns
        -------
        Tensor of shape (n_hidden, n_entries)
            A row a unit.
        """
        parts = []
        for projection in projections(self.cell):
            pieces = (-1, projection.n_pieces)
            for term, weight in projection.weights.items():
                rows = values(weight)[: self._n_rows(term, weight)].unflatten(1, pieces)
                parts.append(rows.swapaxes(0, 1).flatten(1))  # (units, rows * pieces)
            parts.append(values(projection.bias).unflatten(0, pieces))
        return torch.cat(parts, dim=1)

    def readers(self) -> list[Reader]:
        """Return the matrices that read the units: in the cell, in the layer above, in the head."""
        found = [
            Reader(projection.weights[term], self.n_old * projection.n_pieces, sources)
            for projection, term, sources in _reads(self.cell)
        ]
        if self.depth + 1 < len(self.branch.layers):
            for projection in projections(self.branch.layers[self.depth + 1]):
                n_columns = self.n_old * projection.n_pieces
                for term in INPUT_TERMS:
                    if term in projection.weights:
                        found.append(Reader(projection.weights[term], n_columns, (STATE,)))
        head = self.branch.heads[self.depth]
        return [*found, Reader(head, head.shape[1], (STATE,))]

    def fan_out(self, values: Callable[[nn.Parameter], Tensor]) -> Tensor:
        """Return what leads from each unit into old units and heads.

        Parameters
        ----------
        values : callable
            What to take of a parameter: itself, or its gradient.

        Returns
        -------
        Tensor of shape (n_hidden, n_columns)
            A row a unit.
        """
        return torch.cat([values(r.weight)[:, : r.n_columns] for r in self.readers()], dim=1)

    @torch.no_grad()
    def place(self, fans: Fans) -> None:
        """Give the first newborn units their weights; what leads to them from newborn is zero.

        Parameters
        ----------
        fans : Fans
            The weights.
        """
        units = slice(self.n_old, self.n_old + len(fans.fan_in))
        entries = fans.fan_in
        for projection in projections(self.cell):
            pieces = (-1, projection.n_pieces)
            for term, weight in projection.weights.items():
                n_rows = self._n_rows(term, weight)
                own, entries = _cut(entries, n_rows * projection.n_pieces)
                target = weight.unflatten(1, pieces)[:, units]  # (rows, units, pieces)
                target.zero_()
                target[:n_rows] = own.unflatten(1, pieces).swapaxes(0, 1)
            own, entries = _cut(entries, projection.n_pieces)
            projection.bias.unflatten(0, pieces)[units] = own
        columns = fans.fan_out
        for reader in self.readers():
            own, columns = _cut(columns, reader.n_columns)
            reader.weight[units, : reader.n_columns] = own

    def _n_rows(self, term: str, weight: Tensor) -> int:
        """Return the rows of a weight that do not belong to newborn units."""
        return self.n_old if reads_units(term, self.depth) else weight.shape[0]


def widen_branch(
    supernet: Supernet, branch: int, n_units: int, change: ParameterChange, generator: Generator
) -> None:
    """Add units to all layers of a branch: random fan-in, zero fan-out.

    Parameters
    ----------
    supernet : Supernet
        The network, changed in place.
    branch : int
        The branch.
    n_units : int
        Units to add.
    change : ParameterChange
        Where the change of parameters is noted.
    generator : torch.Generator
        Source of the fan-in.
    """
    stack = supernet.trunk.branches[branch]
    n_new = stack.hidden_size + n_units
    set_width(stack, n_new)
    for depth, cell in enumerate(stack.layers):
        for projection in projections(cell):
            _widen_projection(projection, cell.n_inputs, n_new, change, generator)
        head = stack.heads[depth]
        stack.heads[depth] = change.extend(head, head.new_zeros(n_new, head.shape[1]))
    for gains in stack.gains:
        old = gains.weight
        gains.weight = change.extend(old, old.new_zeros(len(old), n_new))


def _widen_projection(
    projection: Projection, n_inputs: int, n_new: int, change: ParameterChange, generator: Generator
) -> None:
    n_old, n_columns = projection.bias.shape[0], n_new * projection.n_pieces
    for term, old in list(projection.weights.items()):
        n_rows_old = old.shape[0]
        n_rows = n_inputs if term in INPUT_TERMS else n_new
        newborn = uniform_parameter(
            n_rows, n_columns, fan_in=n_rows, generator=generator, dtype=old.dtype
        ).detach()
        newborn[n_rows_old:, :n_old] = 0.0  # old units do not see the new ones
        projection.weights[term] = change.extend(old, newborn)
    projection.bias = change.extend(projection.bias, projection.bias.new_zeros(n_columns))


def _reads(cell: TwoInputCell) -> Iterator[tuple[Projection, str, tuple[str, ...]]]:
    """Iterate over (projection, term, sources) of the cell's weights on its own units."""
    for node in cell.nodes:
        for projection in node.projections.values():
            for slot, term in enumerate(("left", "right")):
                if term in projection.weights:
                    names = (name for name in node.open_sources(slot) if name != INPUT)
                    yield projection, term, tuple(names)
    if cell.carry is not None:
        yield cell.carry, "right", (STATE,)


def _cut(values: Tensor, n_columns: int) -> tuple[Tensor, Tensor]:
    return values[:, :n_columns], values[:, n_columns:]
