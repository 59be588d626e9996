"""The fast loop of a fixed cell over time that keeps nothing but the states.

All steps compute in the same places, so that a step is a list of calls with the same arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from sknas.blocks import recurrence
from sknas.genotype import MEMORY, STATE
from sknas.loops.packing import ScanWeights
from sknas.loops.plan import CellPlan
from sknas.loops.projector import Projector

__all__ = ["ForecastPass"]

Calls = list[Callable[[], object]]


class ForecastPass:
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
        self._states = inputs.new_empty(n_steps, n_hidden, n_sequences)
        self._present = None if present is None else present.mT.unbind(0)  # (1, batch) each
        self._projector = Projector(plan, weights, inputs, n_hidden)
        self._gate = None if plan.gate is None else self._projector.pieces[plan.gate]
        self._zero = inputs.new_zeros(n_hidden, n_sequences)
        self._state, self._memory = self._zero.clone(), self._zero.clone()  # within their bounds
        self._sources: dict[str | None, Tensor] = {
            None: self._zero,
            STATE: self._state,
            MEMORY: self._memory,
            **dict(self._projector.entries),
        }
        self._products: Calls = [
            partial(multiply, self._sources[name])
            for name in (STATE, MEMORY)
            for multiply in self._projector.multiply[name]
        ]
        self._calls: Calls = []
        self._add_nodes(plan, weights)
        self._proposal = self._add_proposal(plan, weights)
        self._new_memory = None if plan.memory is None else self._sources[plan.memory]

    def run(self) -> Tensor:
        """Run.

        Returns
        -------
        Tensor of shape (n_steps, hidden, batch)
            The state after each step.
        """
        before, memory = self._zero, self._new_memory
        for t, after in enumerate(self._states.unbind(0)):
            self._projector.project(t)
            if t == 0:
                self._projector.begin()
            else:
                bound = recurrence.STATE_BOUND
                torch.clamp(before, -bound, bound, out=self._state)
                if memory is not None:
                    bound = recurrence.MEMORY_BOUND
                    torch.clamp(memory, -bound, bound, out=self._memory)
                for call in self._products:
                    call()
            for call in self._calls:
                call()
            memory = self._leave(t, before, memory, after)
            before = after
        return self._states

    def _add_nodes(self, plan: CellPlan, weights: ScanWeights) -> None:
        factors = iter(weights.factors.unbind(0))
        for node in plan.nodes:
            pieces = [self._projector.pieces[place] for place in node.pieces]
            for activation, piece in zip(node.op.activations, pieces, strict=True):
                self._calls.append(partial(activation, piece, out=piece))
            left, right = self._sources[node.left], self._sources[node.right]
            out = torch.empty_like(self._zero)
            if node.is_weighted_sum:
                self._calls.append(partial(torch.mul, left, next(factors), out=out))
                self._calls.append(partial(out.addcmul_, right, next(factors)))
                self._keep(node.name, out)
                continue
            # The first call tells where the operation leaves its value.
            value = node.op.mix(left, right, pieces, out)
            if value is out:
                self._calls.append(partial(node.op.mix, left, right, pieces, out))
            elif all(value is not argument for argument in (left, right, *pieces)):
                raise TypeError(
                    f"mix of {type(node.op).__name__} must return out or an argument; got a tensor "
                    f"of its own."
                )
            if node.factors:
                self._calls.append(partial(torch.mul, value, next(factors), out=out))
                value = out
            self._keep(node.name, value)

    def _keep(self, name: str, value: Tensor) -> None:
        self._sources[name] = value
        self._calls += [partial(call, value) for call in self._projector.multiply[name]]

    def _add_proposal(self, plan: CellPlan, weights: ScanWeights) -> Tensor:
        proposal = torch.empty_like(self._zero)
        values = [self._sources[name] for name, _ in plan.outputs]
        first, *others = zip(values, weights.outputs.unbind(0), strict=True)
        self._calls.append(partial(torch.mul, *first, out=proposal))
        self._calls += [partial(proposal.addcmul_, *other) for other in others]
        if self._gate is not None:
            self._calls.append(self._gate.sigmoid_)
        return proposal

    def _leave(self, t: int, before: Tensor, memory: Tensor | None, after: Tensor) -> Tensor | None:
        """Write the next state, pass over steps that do not count, and return the next memory."""
        if self._gate is None:
            after.copy_(self._proposal)
        else:
            torch.lerp(self._state, self._proposal, self._gate, out=after)
        if self._present is None:
            return self._new_memory
        torch.where(self._present[t], after, before, out=after)
        if self._new_memory is None or memory is None:
            return None
        return torch.where(self._present[t], self._new_memory, memory if t else self._zero)
