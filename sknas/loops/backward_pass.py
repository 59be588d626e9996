"""The way back through the fast loop of a fixed cell: the gradient by all that it read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sknas.blocks import recurrence
from sknas.genotype import MEMORY, STATE
from sknas.loops.forward_pass import Step
from sknas.loops.packing import ScanWeights
from sknas.loops.plan import CellPlan, PlannedNode
from sknas.ops import SIGMOID, OpGradients

__all__ = ["BackwardPass"]

Found = dict[str, Tensor]  # gradients by sources, as far as they are known


class _Product(NamedTuple):
    """A product: its weights, the gradient by its result, and where that by its weights adds up."""

    weight: Tensor
    rows: Tensor
    gradient: Tensor


class _Node(NamedTuple):
    """A node: its factors, and where the gradients by them add up; the gradient by its pieces."""

    plan: PlannedNode
    factors: list[tuple[Tensor, Tensor]]
    pieces: list[Tensor]


class BackwardPass:
    """Walk back over the steps of a loop.

    The gradient by all pieces of all projections at a step stands in one tensor, so that those by
    the state and by each product's weights are one product each.

    Parameters
    ----------
    plan : CellPlan
        The cell.
    weights : ScanWeights
        Its weights.
    inputs : Tensor of shape (n_steps, batch, n_inputs)
        The sequence.
    states : Tensor of shape (n_steps, hidden, batch)
        The state after each step.
    present : Tensor of shape (n_steps, batch, 1) or None
        Steps that count.

    Attributes
    ----------
    by_inputs : Tensor of shape (n_steps, batch, n_inputs)
        The gradient by the sequence.
    """

    def __init__(
        self,
        plan: CellPlan,
        weights: ScanWeights,
        inputs: Tensor,
        states: Tensor,
        present: Tensor | None,
    ) -> None:
        n_hidden, n_sequences = states.shape[1:]
        self._plan, self._weights, self._states = plan, weights, states
        self._inputs, self._present = inputs.unbind(0), None
        if present is not None:
            self._present = present.mT.to(inputs).unbind(0)  # (1, batch) each
        self._zero = torch.zeros_like(states[0])
        self._rows = inputs.new_empty(plan.n_pieces * n_hidden, n_sequences)
        self._pieces = self._rows.view(plan.n_pieces, n_hidden, n_sequences).unbind(0)
        start, stop = (0, 0) if plan.on_input is None else (plan.on_input.start, plan.on_input.stop)
        self._on_input = self._rows[start * n_hidden : stop * n_hidden]
        self._ones = inputs.new_ones(n_sequences)
        make = torch.zeros_like if plan.on_input is None else torch.empty_like
        self.by_inputs = make(inputs)
        self._by_bias = torch.zeros_like(weights.bias)
        self._by_on_input = torch.zeros_like(weights.on_input)
        self._by_outputs = states.new_zeros(len(plan.outputs), n_hidden, n_sequences)
        self._by_factors = states.new_zeros(len(weights.factors), n_hidden, n_sequences)
        self._products = [
            _Product(
                weight,
                self._rows[product.start * n_hidden : product.stop * n_hidden],
                torch.zeros_like(weight),
            )
            for product, weight in zip(plan.products, weights.on_sources, strict=True)
        ]
        self._products_of: dict[str, list[_Product]] = {STATE: [], MEMORY: []}
        self._products_of |= {node.name: [] for node in plan.nodes}
        for own, product in zip(plan.products, self._products, strict=True):
            self._products_of[own.source].append(product)
        self._outputs = list(
            zip(
                [name for name, _ in plan.outputs],
                weights.outputs.unbind(0),
                self._by_outputs.unbind(0),
                strict=True,
            )
        )
        factors = zip(weights.factors.unbind(0), self._by_factors.unbind(0), strict=True)
        self._nodes = [
            _Node(
                node,
                [next(factors) for _ in node.factors],
                [self._pieces[place] for place in node.pieces],
            )
            for node in plan.nodes
        ]

    def run(self, grad: Tensor, steps: Sequence[Step], *, needs_inputs: bool) -> None:
        """Walk back.

        Parameters
        ----------
        grad : Tensor of shape (n_steps, batch, hidden)
            Gradient by the state after each step.
        steps : sequence of Step
            The steps.
        needs_inputs : bool
            Whether to fill `by_inputs`.
        """
        state_bound = recurrence.within(self._states, recurrence.STATE_BOUND)
        memory_bound = None
        if self._plan.memory is not None:
            memories = torch.stack([step.memory for step in steps])
            memory_bound = recurrence.within(memories, recurrence.MEMORY_BOUND)
        by_states = grad.mT.contiguous().unbind(0)
        by_state, by_memory = by_states[-1], self._zero
        for t in reversed(range(len(steps))):
            found: Found = {}
            passed, passed_memory = self._leave(t, steps[t], by_state, by_memory, found)
            self._evaluate(steps[t], found)
            self._by_bias.addmv_(self._rows, self._ones)
            if self._plan.on_input is not None:
                self._by_on_input.addmm_(self._inputs[t].mT, self._on_input.mT)
                if needs_inputs:
                    torch.mm(self._on_input.mT, self._weights.on_input.mT, out=self.by_inputs[t])
            if t == 0:  # the state before it is zero whatever the weights
                return
            by_state = by_states[t - 1]
            if state_bound is None:
                _add(found, STATE, by_state)
                by_state = self._through_products(steps[t], STATE, found)
            else:
                own = self._through_products(steps[t], STATE, found)
                by_state = torch.addcmul(by_state, own, state_bound[t - 1])
            by_state = _total(by_state, passed)
            if self._plan.memory is not None:
                own = self._through_products(steps[t], MEMORY, found)
                own = own if memory_bound is None else own * memory_bound[t - 1]
                by_memory = _total(own, passed_memory)

    def by_weights(self) -> ScanWeights:
        """Return the gradient by the weights, each in its place."""
        return ScanWeights(
            self._by_factors.sum((1, 2)),
            self._by_outputs.sum((1, 2)),
            self._by_bias,
            self._by_on_input,
            tuple(product.gradient for product in self._products),
        )

    def _leave(
        self, t: int, step: Step, by_state: Tensor, by_memory: Tensor, found: Found
    ) -> tuple[Tensor | None, Tensor | None]:
        """Go back through the end of a step; return what passes it over."""
        passed = passed_memory = None
        if self._present is not None:
            here = by_state * self._present[t], by_memory * self._present[t]
            passed, passed_memory = by_state - here[0], by_memory - here[1]
            by_state, by_memory = here
        if self._plan.memory is not None:
            found[self._plan.memory] = by_memory
        by_proposal = by_state
        if step.gate is not None and self._plan.gate is not None:
            by_proposal = by_state * step.gate
            found[STATE] = by_state - by_proposal
            by_gate = by_state * (step.proposal - step.sources[STATE])
            SIGMOID.backward(by_gate, step.gate, self._pieces[self._plan.gate])
        for name, weight, gradient in self._outputs:
            gradient.addcmul_(by_proposal, step.sources[name])
            _add(found, name, by_proposal * weight)
        return passed, passed_memory

    def _evaluate(self, step: Step, found: Found) -> None:
        """Go back through the nodes, each once all that read it are done."""
        for node, value, pieces in zip(
            reversed(self._nodes), reversed(step.raw), reversed(step.pieces), strict=True
        ):
            plan = node.plan
            grad = self._through_products(step, plan.name, found)
            left, right = step.sources[plan.left], step.sources[plan.right]
            if plan.is_weighted_sum:
                by_left, by_right = node.factors
                own = OpGradients(_scaled(grad, left, by_left), _scaled(grad, right, by_right))
            else:
                for factor in node.factors:
                    grad = _scaled(grad, value, factor)
                own = plan.op.backward(grad, left, right, pieces, value)
            for activation, by_piece, piece, out in zip(
                plan.op.activations, own.pieces, pieces, node.pieces, strict=True
            ):
                activation.backward(by_piece, piece, out)
            if plan.left is not None and own.left is not None:
                _add(found, plan.left, own.left)
            if plan.right is not None and own.right is not None:
                _add(found, plan.right, own.right)
        for key in self._plan.entries:
            self._pieces[self._plan.piece(key)].copy_(found[key])

    def _through_products(self, step: Step, name: str, found: Found) -> Tensor:
        """Return the gradient by a source once that of the products with it is added."""
        grad = found.get(name, self._zero)
        for product in self._products_of[name]:
            product.gradient.addmm_(step.sources[name], product.rows.mT)
            grad = torch.addmm(grad, product.weight, product.rows)
        return grad


def _scaled(grad: Tensor, value: Tensor, factor: tuple[Tensor, Tensor]) -> Tensor:
    """Return the gradient by a value from that by the value times a factor, and add that by it."""
    number, by_number = factor
    by_number.addcmul_(grad, value)
    return grad * number


def _add(found: Found, name: str, grad: Tensor) -> None:
    # What is there may be somebody else's too, so nothing is added in place.
    found[name] = found[name] + grad if name in found else grad


def _total(first: Tensor, second: Tensor | None) -> Tensor:
    return first if second is None else first + second
