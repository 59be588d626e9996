"""The loop over time of a cell of two-input nodes, without a graph and with its derivative by hand.

Autograd spends most of the time of a small cell on its own bookkeeping, a node of the graph for each
of some thousand small products. Here a sequence is one node of the graph.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from sknas.blocks import MEMORY_BOUND, STATE_BOUND, recur
from sknas.genotype import MEMORY, STATE
from sknas.supernet.cell_plan import CellPlan
from sknas.supernet.node_plan import NodePlan
from sknas.supernet.node_scan import NodeScan, NodeWayBack

__all__ = ["scan"]

# Numbers of one value over a stretch of steps; some ten such values are in use at a time.
_CACHED = 32768


def scan(plan: CellPlan, start: Tensor, present: Tensor | None = None) -> Tensor:
    """Return the state after each step.

    Where gradients are to be differentiated again, and for nodes of DARTS's graph, autograd records
    the loop.

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
        return _recorded(plan, start, present)
    states: Tensor = _Scan.apply(plan, start, present, *_tensors(plan))
    return states


def _recorded(plan: CellPlan, start: Tensor, present: Tensor | None) -> Tensor:
    updates = [step.update for step in plan.steps()]
    return recur(updates, start, present, has_memory=plan.memory is not None)


def _tensors(plan: CellPlan) -> list[Tensor | None]:
    """Return all of a plan that may have a gradient."""
    tensors = [plan.inputs, plan.input_weight, plan.input_bias, plan.output_weights, plan.carry]
    for node in plan.nodes.values():
        if isinstance(node, NodePlan):
            tensors += [node.gates, node.edges, node.left_weight, node.right_weight]
    return tensors


class _Scan(Function):
    """A sequence as one node of autograd's graph."""

    @staticmethod
    def forward(
        ctx: Any,
        plan: CellPlan,
        start: Tensor,
        present: Tensor | None,
        *tensors: Tensor | None,
    ) -> Tensor:
        """Return the states; the tensors are those of the plan."""
        ctx.save_for_backward(*tensors)
        ctx.arguments = plan, start, present
        ctx.loop = _Loop(plan, start, present)
        states: Tensor = ctx.loop.run()
        return states

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the tensors."""
        tensors = ctx.saved_tensors
        if not torch.is_grad_enabled():
            return (None,) * 3 + tuple(_WayBack(ctx.loop, gradient).run())
        # The gradients are to be differentiated: autograd derives them from a loop that it records.
        wanted = [i for i, needed in enumerate(ctx.needs_input_grad[3:]) if needed]
        found = torch.autograd.grad(
            _recorded(*ctx.arguments),
            [tensors[i] for i in wanted],
            gradient,
            create_graph=True,
            materialize_grads=True,
        )
        gradients = [None] * len(tensors)
        for i, part in zip(wanted, found, strict=True):
            gradients[i] = part
        return (None,) * 3 + tuple(gradients)


class _Loop:
    """The loop over time, on one stack of values."""

    def __init__(self, plan: CellPlan, start: Tensor, present: Tensor | None) -> None:
        self.plan, self.present = plan, present
        self.names = [STATE, *([] if plan.memory is None else [MEMORY])]
        nodes = [node for node in plan.nodes.values() if isinstance(node, NodePlan)]
        n_values = len(self.names) + len(nodes)
        n_rows = [n_values, *(NodeScan.n_scratch_rows(node) for node in nodes), 2]
        # One allocation, since that of many is given back to the system after each pass.
        room = start.new_empty(len(plan.inputs), sum(n_rows), *start.shape)
        self.stack, *scratch, carried = room.split(n_rows, dim=1)
        self.nodes: list[NodeScan] = []
        for name, node, own in zip(plan.nodes, nodes, scratch, strict=True):
            self.nodes.append(NodeScan(node, list(self.names), self.stack, own))
            self.names.append(name)
        self.outputs = [self.names.index(name) for name in plan.outputs]
        self.weights = plan.output_weights.new_zeros(1, n_values)
        self.weights[0, self.outputs] = plan.output_weights
        self.rows = self.stack.flatten(2).unbind(0)  # (n_values, batch * hidden) a step
        self.proposals, self.gates = carried.unbind(1)
        self.states, self.memories = [start], [start]
        n_steps = max(1, _CACHED // start.numel())
        starts = range(0, len(plan.inputs), n_steps)
        self.stretches = [slice(t, min(t + n_steps, len(plan.inputs))) for t in starts]

    def run(self) -> Tensor:
        """Return the state after each step, (n_steps, batch, hidden)."""
        for steps in self.stretches:
            entering = zip(*(part.unbind(0) for part in self.plan.entering(steps)), strict=True)
            for t, (*parts, to_carry) in enumerate(entering, start=steps.start):
                self._step(t, parts, to_carry)
        return torch.stack(self.states[1:])

    def _step(self, t: int, entering: list[Tensor], to_carry: Tensor) -> None:
        plan, values = self.plan, self.stack[t]
        torch.clamp(self.states[t], -STATE_BOUND, STATE_BOUND, out=values[0])
        if plan.memory is not None:
            torch.clamp(self.memories[t], -MEMORY_BOUND, MEMORY_BOUND, out=values[1])
        for node, part in zip(self.nodes, entering, strict=True):
            node.step(t, part)
        state = self.proposals[t]
        torch.mm(self.weights, self.rows[t], out=state.view(1, -1))
        if plan.carry is not None:
            gate = torch.addmm(to_carry, values[0], plan.carry, out=self.gates[t])
            state = torch.lerp(values[0], state, gate.sigmoid_())
        self.states.append(self._merged(t, state, self.states[t]))
        if plan.memory is not None:
            memory = values[self.names.index(plan.memory)]
            self.memories.append(self._merged(t, memory, self.memories[t]))

    def _merged(self, t: int, new: Tensor, old: Tensor) -> Tensor:
        return new if self.present is None else torch.where(self.present[t], new, old)


class _WayBack:
    """The loop back over time, by stretches of steps whose values the cache holds."""

    def __init__(self, loop: _Loop, gradient: Tensor) -> None:
        self.loop, self.gradient = loop, gradient
        plan, n_steps = loop.plan, loop.stretches[0].stop
        self.to_entering = gradient.new_empty(n_steps, gradient.shape[1], sum(plan.widths))
        self.to_stack = loop.stack.new_empty(n_steps, *loop.stack.shape[1:])
        *parts, self.to_gate = self.to_entering.split(plan.widths, dim=-1)
        self.nodes = [
            NodeWayBack(node, self.to_stack, part)
            for node, part in zip(loop.nodes, parts, strict=True)
        ]
        self.to_state = self.to_memory = torch.zeros_like(gradient[0])
        self.to_weights = torch.zeros_like(loop.weights[0])
        self.to_carry = None if plan.carry is None else torch.zeros_like(plan.carry)
        self.to_inputs = torch.empty_like(plan.inputs)
        self.to_input_weight = torch.zeros_like(plan.input_weight)
        self.to_input_bias = torch.zeros_like(plan.input_bias)

    def run(self) -> list[Tensor | None]:
        """Return the gradients of `_tensors`."""
        for steps in reversed(self.loop.stretches):
            for node in self.nodes:
                node.begin(steps)
            self._walk(steps)
            for node in self.nodes:
                node.end(steps)
            self._enter(steps)
        return [
            self.to_inputs,
            self.to_input_weight,
            self.to_input_bias,
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
            to_values = self.to_stack[i]
            to_state, past_state = self._parted(t, self.to_state + self.gradient[t])
            to_proposal = to_state if plan.carry is None else to_state * gates[i]
            torch.mm(loop.weights.t(), to_proposal.view(1, -1), out=to_values.flatten(1))
            self.to_weights.addmv_(loop.rows[t], to_proposal.flatten())
            if plan.carry is not None:
                torch.mul(to_state, by_gate[i], out=self.to_gate[i])
                to_values[0].addcmul_(to_state, by_state[i])
                to_values[0].addmm_(self.to_gate[i], plan.carry.t())
            if plan.memory is not None:
                to_memory, past_memory = self._parted(t, self.to_memory)
                to_values[loop.names.index(plan.memory)].add_(to_memory)
            for node in reversed(self.nodes):
                node.step(t, i)
            # Nothing passes a bound that a state has met.
            self.to_state = past_state + to_values[0] * (states[i] == loop.states[t])
            if plan.memory is not None:
                passes = loop.stack[t, 1] == loop.memories[t]
                self.to_memory = past_memory + to_values[1] * passes

    def _enter(self, steps: slice) -> None:
        """Add a stretch to the gradients of what x enters by, and of the carry."""
        plan, n_steps = self.loop.plan, steps.stop - steps.start
        to_entering = self.to_entering[:n_steps].flatten(0, 1)
        self.to_input_weight.addmm_(plan.inputs[steps].flatten(0, 1).t(), to_entering)
        self.to_input_bias += to_entering.sum(dim=0)
        torch.mm(to_entering, plan.input_weight.t(), out=self.to_inputs[steps].flatten(0, 1))
        if self.to_carry is not None:
            states = self.loop.stack[steps, 0].flatten(0, 1)
            self.to_carry.addmm_(states.t(), self.to_gate[:n_steps].flatten(0, 1))

    def _parted(self, t: int, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Return what goes to a step's new value, and what passes it by to the one before."""
        zero = torch.zeros_like(gradient)
        if self.loop.present is None:
            return gradient, zero
        present = self.loop.present[t]
        return torch.where(present, gradient, zero), torch.where(present, zero, gradient)
