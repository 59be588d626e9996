"""The fast loop of a fixed cell over time that keeps what its way back reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from sknas.blocks import recurrence
from sknas.genotype import MEMORY, STATE
from sknas.loops.packing import ScanWeights
from sknas.loops.plan import CellPlan
from sknas.loops.projector import Projector
from sknas.ops import Activation, UnitwiseOp

__all__ = ["ForwardPass", "Step"]


class Step(NamedTuple):
    """The values of one step; tensors of shape (hidden, batch).

    Attributes
    ----------
    sources : dict of str or None to Tensor
        What operations and products read: state and memory within their bounds, nodes, and the
        projected input by the key of its projection; None is zero.
    raw : list of Tensor
        The value of each node's operation.
    pieces : list of list of Tensor
        The activated pieces of each node's projection.
    gate : Tensor or None
        How far the proposal replaces the state; None where it does so at all.
    proposal : Tensor
        The weighted sum of the outputs.
    memory : Tensor
        The memory after the step; zero where there is none.
    """

    sources: dict[str | None, Tensor]
    raw: list[Tensor]
    pieces: list[list[Tensor]]
    gate: Tensor | None
    proposal: Tensor
    memory: Tensor


class _Node(NamedTuple):
    """What a node does at each step."""

    name: str
    op: UnitwiseOp
    left: str | None
    right: str | None
    pieces: list[tuple[Activation, Tensor]]
    factors: list[Tensor]
    multiply: list[Callable[[Tensor], Tensor]]


class ForwardPass:
    """Run a planned cell over a sequence, from a zero state.

    Parameters
    ----------
    plan : CellPlan
        The cell.
    weights : ScanWeights
        Its weights.
    inputs : Tensor of shape (n_steps, batch, n_inputs)
        The sequence.
    n_hidden : int
        Width of the state.
    present : Tensor of shape (n_steps, batch, 1) or None
        Steps that count.

    Attributes
    ----------
    states : Tensor of shape (n_steps, hidden, batch)
        The state after each step.
    """

    def __init__(
        self,
        plan: CellPlan,
        weights: ScanWeights,
        inputs: Tensor,
        n_hidden: int,
        present: Tensor | None,
    ) -> None:
        n_steps, n_sequences, _ = inputs.shape
        self.states = inputs.new_empty(n_steps, n_hidden, n_sequences)
        self._plan = plan
        self._present = None if present is None else present.mT.unbind(0)  # (1, batch) each
        self._zero = inputs.new_zeros(n_hidden, n_sequences)
        self._projector = Projector(plan, weights, inputs, n_hidden)
        pieces = self._projector.pieces
        self._gate = None if plan.gate is None else pieces[plan.gate]
        names = [name for name, _ in plan.outputs]
        self._outputs = list(zip(names, weights.outputs.unbind(0), strict=True))
        factors = iter(weights.factors.unbind(0))
        self._nodes = [
            _Node(
                node.name,
                node.op,
                node.left,
                node.right,
                list(zip(node.op.activations, [pieces[i] for i in node.pieces], strict=True)),
                [next(factors) for _ in node.factors],
                self._projector.multiply[node.name],
            )
            for node in plan.nodes
        ]

    def steps(self) -> Iterator[Step]:
        """Run.

        Yields
        ------
        Step
            One step after another.
        """
        state = memory = self._zero
        for t, after in enumerate(self.states.unbind(0)):
            self._projector.project(t)
            sources = self._enter(t, state, memory)
            raw, pieces = [], []
            for node in self._nodes:
                activated = [_activated(activation, piece) for activation, piece in node.pieces]
                value = _mixed(node, sources, activated)
                raw.append(value)
                pieces.append(activated)
                if len(node.factors) == 1:
                    value = value * node.factors[0]
                sources[node.name] = value
                for product in node.multiply:
                    product(value)
            gate, proposal = self._propose(sources, after)
            memory = self._leave(t, sources, state, memory, after)
            state = after
            yield Step(sources, raw, pieces, gate, proposal, memory)

    def _enter(self, t: int, state: Tensor, memory: Tensor) -> dict[str | None, Tensor]:
        """Bring state and memory within their bounds, and multiply them."""
        sources: dict[str | None, Tensor] = {None: self._zero, STATE: state, MEMORY: memory}
        for key, piece in self._projector.entries:
            sources[key] = piece.clone()
        if t == 0:
            self._projector.begin()
            return sources
        bound = recurrence.STATE_BOUND
        sources[STATE] = state = state.clamp(-bound, bound)
        for product in self._projector.multiply[STATE]:
            product(state)
        if self._plan.memory is not None:
            bound = recurrence.MEMORY_BOUND
            sources[MEMORY] = memory = memory.clamp(-bound, bound)
            for product in self._projector.multiply[MEMORY]:
                product(memory)
        return sources

    def _propose(
        self, sources: dict[str | None, Tensor], out: Tensor
    ) -> tuple[Tensor | None, Tensor]:
        """Sum the outputs and write the next state."""
        (name, weight), *others = self._outputs
        if self._gate is None:
            proposal = torch.mul(sources[name], weight, out=out)
        else:
            proposal = sources[name] * weight
        for name, weight in others:
            proposal.addcmul_(sources[name], weight)
        if self._gate is None:
            return None, proposal
        gate = torch.sigmoid(self._gate)
        torch.lerp(sources[STATE], proposal, gate, out=out)
        return gate, proposal

    def _leave(
        self,
        t: int,
        sources: dict[str | None, Tensor],
        state: Tensor,
        memory: Tensor,
        after: Tensor,
    ) -> Tensor:
        """Pass over sequences whose step does not count, and return the next memory."""
        new = memory if self._plan.memory is None else sources[self._plan.memory]
        if self._present is None:
            return new
        torch.where(self._present[t], after, state, out=after)
        return torch.where(self._present[t], new, memory)


def _mixed(node: _Node, sources: dict[str | None, Tensor], pieces: list[Tensor]) -> Tensor:
    left, right = sources[node.left], sources[node.right]
    if len(node.factors) < 2:  # two are those of a weighted sum
        return node.op.mix(left, right, pieces)
    by_left, by_right = node.factors
    return (left * by_left).addcmul_(right, by_right)


def _activated(activation: Activation, piece: Tensor) -> Tensor:
    value = activation(piece)
    return piece.clone() if value is piece else value  # the next step overwrites the piece
