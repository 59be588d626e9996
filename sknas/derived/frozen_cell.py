"""A cell of weights that rest, for predictions: what follows from the weights is computed once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sknas.blocks import Projection
from sknas.blocks.recurrence import MEMORY_BOUND, STATE_BOUND
from sknas.derived.cell import DerivedCell, DerivedNode
from sknas.genotype import INPUT, MEMORY, STATE, Cell
from sknas.ops import Op

__all__ = ["FrozenCell"]

_CARRY = "carry"
_NOTHING = "nothing"  # what a missing operand reads


class FrozenCell:
    """A `DerivedCell` at its present weights, or several that read the same, side by side.

    All products with the input are one, and so are those with the state. Columns that need both
    stand first, and the second product joins them in place. The first state is zero: it has no
    product, and needs no bounds.

    Parameters
    ----------
    cells : sequence of DerivedCell
        What to compute, without gradients: cells of one genotype, whose states stand one behind
        the other. They stay as they are.
    """

    @torch.no_grad()
    def __init__(self, cells: Sequence[DerivedCell]) -> None:
        cell, n_hidden = cells[0], sum(own.n_hidden for own in cells)
        joined = [_beside(maps) for maps in zip(*map(_affine_maps, cells), strict=True)]
        maps = sorted(joined, key=lambda one: one.on_state is None)
        read = [one for one in maps if one.is_read]
        empty = cell.output_weights.new_zeros(0)
        self.keys = tuple(one.key for one in read)
        self.widths = tuple(len(one.bias) for one in read)
        self.bias = torch.cat([empty, *(one.bias for one in read)])
        self.on_input = torch.cat(
            [empty.expand(cell.n_inputs, 0), *(one.on_input for one in read)], dim=1
        )
        on_state = [one.on_state for one in read if one.on_state is not None]
        self.on_state = torch.cat([empty.expand(n_hidden, 0), *on_state], dim=1)
        self.zero = empty.new_zeros(1, n_hidden)
        self.constants = {one.key: one.bias for one in maps if not one.is_read}
        self.memory = None if cell.genotype.memory is None else f"s{cell.genotype.memory}"
        nodes = list(zip(*(own.nodes for own in cells), strict=True))
        scales = {
            i: _of_units(cells, [node.scale for node in same]) for i, same in enumerate(nodes)
        }
        last = {index: scales.pop(index) for index in _only_put_out(cell.genotype)}
        self.nodes = tuple(_frozen(i, same, scales.get(i)) for i, same in enumerate(nodes))
        weights = zip(*(own.output_weights for own in cells), strict=True)
        outputs = zip(cell.genotype.outputs, weights, strict=True)
        self.outputs = tuple(
            (f"s{index}", last.get(index, 1.0) * _of_units(cells, same)) for index, same in outputs
        )
        self.has_carry = cell.carry is not None

    def states(self, inputs: Tensor, present: Tensor | None) -> list[Tensor]:
        """Run over a sequence, from a zero state, as `RecurrentCell.forward` does.

        Parameters
        ----------
        inputs : Tensor of shape (n_steps, batch, n_inputs)
            The sequence.
        present : Tensor of shape (n_steps, batch, 1) or None
            Steps that count; the state passes over the others unchanged.

        Returns
        -------
        list of Tensor of shape (batch, n_hidden)
            The state after each step.
        """
        n_steps, batch = inputs.shape[:2]
        flat = torch.addmm(self.bias, inputs.flatten(0, 1), self.on_input)
        columns = flat.view(n_steps, batch, flat.shape[1])
        state = memory = zero = self.zero.expand(batch, -1)
        states = []
        for t, step in enumerate(columns.unbind(0)):
            values = {STATE: state, MEMORY: memory, _NOTHING: zero, **self.constants}
            if t:
                values[STATE] = state.clamp(-STATE_BOUND, STATE_BOUND)
                step.narrow(1, 0, self.on_state.shape[1]).addmm_(values[STATE], self.on_state)
            if t and self.memory is not None:
                values[MEMORY] = memory.clamp(-MEMORY_BOUND, MEMORY_BOUND)
            new_state = self._update(values, step)
            new_memory = memory if self.memory is None else values[self.memory]
            if present is not None:
                new_state = torch.where(present[t], new_state, state)
                new_memory = torch.where(present[t], new_memory, memory)
            state, memory = new_state, new_memory
            states.append(state)
        return states

    def _update(self, values: dict[str, Tensor], columns: Tensor) -> Tensor:
        """Add the nodes to the values, in order, and return the next state."""
        values.update(zip(self.keys, columns.split_with_sizes(self.widths, 1), strict=True))
        for node in self.nodes:
            values[node.name] = node.value(values)
        (name, weight), *others = self.outputs
        proposal = values[name] * weight
        for name, weight in others:
            proposal = torch.addcmul(proposal, values[name], weight)
        if not self.has_carry:
            return proposal
        return torch.lerp(values[STATE], proposal, values[_CARRY].sigmoid())


@dataclass(frozen=True)
class _Node:
    """A node by the names of what it reads: states, other nodes, pieces of the two products."""

    name: str
    op: Op
    left: str
    right: str
    projected: str
    products: tuple[tuple[str, Tensor], ...]  # with other nodes, which its projection adds
    scale: Tensor | None  # None where the weight of an output has taken it in

    def value(self, values: dict[str, Tensor]) -> Tensor:
        """Return the node's value from those before it."""
        projected = values[self.projected]
        for name, weight in self.products:
            projected = torch.addmm(projected, values[name], weight)
        value = self.op.combine(values[self.left], values[self.right], projected)
        return value if self.scale is None else value * self.scale


def _only_put_out(genotype: Cell) -> set[int]:
    """Return the outputs that neither another node nor the memory reads."""
    read = {name for node in genotype.nodes for name in (node.left, node.right)}
    return {i for i in genotype.outputs if f"s{i}" not in read and i != genotype.memory}


def _of_units(cells: Sequence[DerivedCell], numbers: Sequence[Tensor]) -> Tensor:
    """Return a number of each cell as one, or as one for each unit where there are several."""
    if len(cells) == 1:
        return numbers[0].clone()
    return torch.cat([x.expand(cell.n_hidden) for cell, x in zip(cells, numbers, strict=True)])


def _frozen(index: int, nodes: Sequence[DerivedNode], scale: Tensor | None) -> _Node:
    node = nodes[0]
    reads = {
        side: f"{index}.{side}" if side in node.entries else _source(name)
        for side, name in node.operands.items()
    }
    weights = [own.projection.weights for own in nodes if own.projection is not None]
    return _Node(
        name=f"s{index}",
        op=node.op,
        left=reads["left"],
        right=reads["right"],
        projected=reads["left"] if node.projection is None else f"{index}",
        products=tuple(
            (reads[term], torch.block_diag(*(own[term] for own in weights)))
            for term in (weights[0] if weights else ())
            if term in reads and reads[term] != STATE
        ),
        scale=scale,
    )


def _source(name: str | None) -> str:
    # An operation that reads the input itself has an entry for it.
    return _NOTHING if name is None or name == INPUT else name


@dataclass(frozen=True)
class _AffineMap:
    """What a projection makes of the input and the state."""

    key: str
    on_input: Tensor  # (n_inputs, columns); zero where it does not read the input
    on_state: Tensor | None  # (n_hidden, columns); None where it does not read the state
    bias: Tensor  # (columns,)
    is_read: bool  # whether it reads either


def _beside(maps: Sequence[_AffineMap]) -> _AffineMap:
    """Return the maps of several cells from one input, and from all their states."""
    on_state = [one.on_state for one in maps if one.on_state is not None]
    return _AffineMap(
        key=maps[0].key,
        on_input=torch.cat([one.on_input for one in maps], dim=1),
        on_state=torch.block_diag(*on_state) if on_state else None,
        bias=torch.cat([one.bias for one in maps]),
        is_read=maps[0].is_read,
    )


def _affine_maps(cell: DerivedCell) -> Iterator[_AffineMap]:
    for index, node in enumerate(cell.nodes):
        if node.projection is not None:
            sides = [side for side, name in node.operands.items() if name == STATE]
            yield _affine_map(f"{index}", node.projection, sides, cell.n_inputs)
        for side, entry in node.entries.items():
            yield _affine_map(f"{index}.{side}", entry, [], cell.n_inputs)
    if cell.carry is not None:
        yield _affine_map(_CARRY, cell.carry, ["right"], cell.n_inputs)


def _affine_map(key: str, projection: Projection, sides: list[str], n_inputs: int) -> _AffineMap:
    bias = projection.bias.clone()
    weights = list(projection.weights.items())
    on_input = [weight for term, weight in weights if term.startswith("input_")]
    on_state = [weight for term, weight in weights if term in sides]
    return _AffineMap(
        key=key,
        on_input=sum(on_input, start=bias.new_zeros(n_inputs, len(bias))),
        on_state=torch.stack(on_state).sum(dim=0) if on_state else None,
        bias=bias,
        is_read=bool(on_input or on_state),
    )
