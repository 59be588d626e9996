"""The loop over time of a cell of two-input nodes, with its derivative written by hand.

Autograd spends most of the time of a small cell on bookkeeping, with a node of its graph for each
of some thousand small products. Here a sequence is one node of the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import FunctionCtx

from sknas.blocks import MEMORY_BOUND, STATE_BOUND, recur, within
from sknas.genotype import MEMORY, STATE
from sknas.loops import recorded_gradients
from sknas.supernet.candidates import Candidates
from sknas.supernet.cell_plan import CellPlan
from sknas.supernet.node_plan import NodePlan
from sknas.supernet.node_scan import NodeScan, NodeWayBack, n_rows_of

__all__ = ["recorded", "scan"]

# Numbers of one value over a stretch of steps; some ten such values are in use at a time.
_CACHED = 32768


def scan(plan: CellPlan, start: Tensor, present: Tensor | None = None) -> Tensor:
    """Return the state after each step.

    Where gradients are to be differentiated again, and for nodes of DARTS's graph, autograd
    records the loop.

    Parameters
    ----------
    plan : CellPlan
        The cell, and what enters it.
    start : Tensor of shape (batch, n_hidden)
        The first state, and the first memory: zeros.
    present : Tensor of shape (n_steps, batch, 1) or None, default=None
        Steps that count; the state passes over the others unchanged.

    Returns
    -------
    Tensor of shape (n_steps, batch, n_hidden)
        States.
    """
    if not all(isinstance(node, NodePlan) for node in plan.nodes.values()):
        return recorded(plan, start, present)
    states: Tensor = _Scan.apply(  # type: ignore[no-untyped-call]
        plan, start, present, *_tensors(plan)
    )
    return states


def recorded(plan: CellPlan, start: Tensor, present: Tensor | None = None) -> Tensor:
    """Return what `scan` does, by the loop that autograd records.

    Parameters
    ----------
    plan : CellPlan
        The cell, and what enters it.
    start : Tensor of shape (batch, n_hidden)
        The first state, and the first memory.
    present : Tensor of shape (n_steps, batch, 1) or None, default=None
        Steps that count.

    Returns
    -------
    Tensor of shape (n_steps, batch, n_hidden)
        States.
    """
    updates = [step.update for step in plan.steps()]
    return recur(updates, start, present, has_memory=plan.memory is not None)


_OF_CELL = ("inputs", "input_weight", "input_bias", "output_weights", "carry")
_OF_NODE = ("gates", "edges", "left_weight", "right_weight")


def _tensors(plan: CellPlan) -> list[Tensor | None]:
    """Return all of a plan that may have a gradient."""
    of_nodes = [getattr(node, name) for node in plan.nodes.values() for name in _OF_NODE]
    return [*(getattr(plan, name) for name in _OF_CELL), *of_nodes]


def _with_tensors(plan: CellPlan, tensors: Sequence[Tensor | None]) -> CellPlan:
    """Return the plan with other tensors, in the order of `_tensors`."""
    rest = iter(tensors)
    own: dict[str, Any] = {name: next(rest) for name in _OF_CELL}
    nodes = {}
    for key, node in plan.nodes.items():
        of_node: dict[str, Any] = {name: next(rest) for name in _OF_NODE}
        nodes[key] = replace(node, **of_node)
    return replace(plan, nodes=nodes, **own)


class _Context(FunctionCtx):
    """What the way back finds of the way forward."""

    arguments: tuple[CellPlan, Tensor, Tensor | None]
    loop: _Loop
    saved_tensors: tuple[Tensor | None, ...]
    needs_input_grad: tuple[bool, ...]


class _Scan(Function):
    """A sequence as one node of autograd's graph."""

    @staticmethod
    def forward(
        ctx: _Context,
        plan: CellPlan,
        start: Tensor,
        present: Tensor | None,
        *tensors: Tensor | None,
    ) -> Tensor:
        """Return the states; the tensors are those of the plan."""
        ctx.save_for_backward(*tensors)  # type: ignore[arg-type]  # torch takes None as well
        ctx.arguments = plan, start, present
        with torch.inference_mode():
            ctx.loop = _Loop(plan, start, present, is_kept=any(ctx.needs_input_grad))
            states = ctx.loop.run()
        return states.mT.clone(memory_format=torch.contiguous_format)

    @staticmethod
    def backward(ctx: _Context, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the tensors."""
        tensors = ctx.saved_tensors
        if not torch.is_grad_enabled():
            with torch.inference_mode():
                gradients = _WayBack(ctx.loop, gradient).run()
            return (None,) * 3 + tuple(None if g is None else g.clone() for g in gradients)
        plan, start, present = ctx.arguments
        found = recorded_gradients(
            lambda *own: recorded(_with_tensors(plan, own), start, present),
            tensors,
            ctx.needs_input_grad[3:],
            gradient,
        )
        return (None,) * 3 + found


class _Loop:
    """The loop over time, on one stack of values, each with a row a unit.

    Parameters
    ----------
    plan : CellPlan
        The cell.
    start : Tensor of shape (batch, n_hidden)
        The first state, and the first memory.
    present : Tensor of shape (n_steps, batch, 1) or None
        Steps that count.
    is_kept : bool
        Whether there is a way back, for which the values of all steps are kept.
    """

    def __init__(
        self, plan: CellPlan, start: Tensor, present: Tensor | None, *, is_kept: bool
    ) -> None:
        n_steps, hidden = len(plan.inputs), start.mT
        self.plan = plan
        self.present = None if present is None else present.mT
        self.names = [STATE, *([] if plan.memory is None else [MEMORY])]
        nodes = [node for node in plan.nodes.values() if isinstance(node, NodePlan)]
        n_values = len(self.names) + len(nodes)
        n_rows = [n_values, 2, *map(n_rows_of, nodes)]
        # One allocation, since that of many is given back to the system after each pass.
        if is_kept:
            room = start.new_empty(n_steps, sum(n_rows), *hidden.shape)
            self.stack, carried, *kept = room.split(n_rows, dim=1)
        else:
            room = start.new_empty(1, n_values + 2, *hidden.shape).expand(n_steps, -1, -1, -1)
            self.stack, carried = room.split(n_rows[:2], dim=1)
            kept = [start.new_empty(0, n, *hidden.shape) for n in n_rows[2:]]
        mixed = [Candidates(node) for node in nodes]
        # Two rows more than candidates have: operands before x enters them.
        bench = start.new_empty(2 + max(own.n_rows for own in mixed), *hidden.shape)
        self.nodes: list[NodeScan] = []
        for name, node, own, part in zip(plan.nodes, nodes, mixed, kept, strict=True):
            self.nodes.append(NodeScan(node, own, list(self.names), self.stack, part, bench))
            self.names.append(name)
        self.outputs = [self.names.index(name) for name in plan.outputs]
        self.weights = plan.output_weights.new_zeros(1, n_values)
        self.weights[0, self.outputs] = plan.output_weights
        # A further input of one, whose weights are the biases.
        self.inputs = torch.cat([plan.inputs, torch.ones_like(plan.inputs[..., :1])], dim=-1)
        self.rows = self.stack.flatten(2).unbind(0)  # (n_values, hidden * batch) a step
        self.values = [step.unbind(0) for step in self.stack.unbind(0)]
        self.proposals, self.gates = carried.unbind(1)
        self.states = start.new_empty(n_steps + 1, *hidden.shape)
        self.states[0] = hidden
        self.memories = [self.states[0]]
        n_cached = max(1, _CACHED // max(1, start.numel()))
        starts = range(0, n_steps, n_cached)
        self.stretches = [slice(t, min(t + n_cached, n_steps)) for t in starts]

    def run(self) -> Tensor:
        """Return the state after each step, (n_steps, hidden, batch)."""
        plan = self.plan
        weight = torch.cat([plan.input_weight, plan.input_bias[None]]).t()
        for steps in self.stretches:
            inputs = self.inputs[steps].mT
            entering = torch.bmm(weight.expand(len(inputs), *weight.shape), inputs)
            *parts, to_carry = entering.split(plan.widths, dim=1)
            for node, part in zip(self.nodes, parts, strict=True):
                node.enter(part)
            for i, t in enumerate(range(steps.start, steps.stop)):
                self._step(t, i, to_carry[i])
        return self.states[1:]

    def _step(self, t: int, i: int, to_carry: Tensor) -> None:
        plan, values, before, after = self.plan, self.values[t], self.states[t], self.states[t + 1]
        torch.clamp(before, -STATE_BOUND, STATE_BOUND, out=values[0])
        if plan.memory is not None:
            torch.clamp(self.memories[t], -MEMORY_BOUND, MEMORY_BOUND, out=values[1])
        for node in self.nodes:
            node.step(t, i)
        proposal = after if plan.carry is None else self.proposals[t]
        torch.mm(self.weights, self.rows[t], out=proposal.view(1, -1))
        if plan.carry is not None:
            gate = torch.addmm(to_carry, plan.carry.t(), values[0], out=self.gates[t])
            torch.lerp(values[0], proposal, gate.sigmoid_(), out=after)
        if self.present is not None:
            torch.where(self.present[t], after, before, out=after)
        if plan.memory is not None:
            memory = values[self.names.index(plan.memory)]
            if self.present is not None:
                memory = torch.where(self.present[t], memory, self.memories[t])
            self.memories.append(memory)


class _WayBack:
    """The loop back over time, by stretches of steps whose values the cache holds."""

    def __init__(self, loop: _Loop, gradient: Tensor) -> None:
        self.loop, self.gradient = loop, gradient.mT.clone(memory_format=torch.contiguous_format)
        plan, n_steps = loop.plan, loop.stretches[0].stop
        self.to_entering = gradient.new_empty(n_steps, sum(plan.widths), gradient.shape[1])
        to_stack = loop.stack.new_empty(n_steps, *loop.stack.shape[1:])
        self.to_values = [step.unbind(0) for step in to_stack.unbind(0)]
        self.to_rows, self.turned = to_stack.flatten(2).unbind(0), loop.weights.t()
        *parts, self.to_gate = self.to_entering.split(plan.widths, dim=1)
        self.nodes = [
            NodeWayBack(node, to_stack, part) for node, part in zip(loop.nodes, parts, strict=True)
        ]
        self.within_state = within(loop.states, STATE_BOUND)
        self.within_memory = within(torch.stack(loop.memories), MEMORY_BOUND)
        self.to_state = self.to_memory = torch.zeros_like(loop.states[0])
        self.to_weights = torch.zeros_like(loop.weights[0])
        self.to_carry = None
        if plan.carry is not None and plan.carry.requires_grad:
            self.to_carry = torch.zeros_like(plan.carry)
        self.to_inputs = torch.empty_like(plan.inputs) if plan.inputs.requires_grad else None
        self.to_input_weight = gradient.new_zeros(loop.inputs.shape[2], sum(plan.widths))

    def run(self) -> list[Tensor | None]:
        """Return the gradients of `_tensors`."""
        for steps in reversed(self.loop.stretches):
            for node in self.nodes:
                node.begin(steps)
            self._walk(steps)
            self._enter(steps)
        return [
            self.to_inputs,
            self.to_input_weight[:-1],
            self.to_input_weight[-1],
            self.to_weights[self.loop.outputs],
            self.to_carry,
            *(part for node in self.nodes for part in node.gradients()),
        ]

    def _walk(self, steps: slice) -> None:
        loop, plan = self.loop, self.loop.plan
        gates, states = loop.gates[steps], loop.stack[steps, 0]
        by_state = 1.0 - gates
        by_gate = (loop.proposals[steps] - states).mul_(gates).mul_(by_state)
        for t in reversed(range(steps.start, steps.stop)):
            i = t - steps.start
            to_values = self.to_values[i]
            to_first = to_values[0]
            to_state, past_state = self._parted(t, self.gradient[t].add_(self.to_state))
            to_proposal = to_state if plan.carry is None else to_state * gates[i]
            torch.mm(self.turned, to_proposal.view(1, -1), out=self.to_rows[i])
            self.to_weights.addmv_(loop.rows[t], to_proposal.view(-1))
            if plan.carry is not None:
                to_gate = torch.mul(to_state, by_gate[i], out=self.to_gate[i])
                to_first.addcmul_(to_state, by_state[i]).addmm_(plan.carry, to_gate)
                self._learn_carry(states[i], to_gate)
            if plan.memory is not None:
                to_memory, past_memory = self._parted(t, self.to_memory)
                to_values[loop.names.index(plan.memory)].add_(to_memory)
            for node in reversed(self.nodes):
                node.step(t, i)
            self.to_state = _bounded(to_first, self.within_state, t)
            if past_state is not None:
                self.to_state = self.to_state + past_state
            if plan.memory is not None:
                self.to_memory = _bounded(to_values[1].clone(), self.within_memory, t)
                if past_memory is not None:
                    self.to_memory = self.to_memory + past_memory

    def _learn_carry(self, state: Tensor, to_gate: Tensor) -> None:
        if self.to_carry is not None:
            self.to_carry.addmm_(state, to_gate.t())

    def _enter(self, steps: slice) -> None:
        """Add a stretch to the gradients of what x enters by."""
        inputs = self.loop.inputs[steps]
        to_entering = self.to_entering[: len(inputs)]
        if self.loop.plan.input_weight.requires_grad:
            self.to_input_weight.addbmm_(inputs.mT, to_entering.mT)
        if self.to_inputs is not None:
            weight = self.loop.plan.input_weight.t()
            torch.matmul(to_entering.mT, weight, out=self.to_inputs[steps])

    def _parted(self, t: int, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what goes to a step's new value, and what passes it by to the one before."""
        if self.loop.present is None:
            return gradient, None
        present, zero = self.loop.present[t], torch.zeros_like(gradient)
        return torch.where(present, gradient, zero), torch.where(present, zero, gradient)


def _bounded(gradient: Tensor, is_within: Tensor | None, t: int) -> Tensor:
    """Return the gradient of a state, or memory, before its bound, which nothing passes."""
    return gradient if is_within is None else gradient * is_within[t]
