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

from sknas.blocks import MEMORY_BOUND, STATE_BOUND, recur
from sknas.genotype import MEMORY, STATE
from sknas.supernet.candidates import Candidates
from sknas.supernet.cell_plan import CellPlan
from sknas.supernet.node_plan import NodePlan
from sknas.supernet.node_scan import NodeScan, NodeWayBack, n_rows_of

__all__ = ["recorded", "scan"]

# Numbers of one value over a stretch of steps; some ten such values are in use at a time.
_CACHED = 32768


def scan(plan: CellPlan, start: Tensor, present: Tensor | None = None) -> Tensor:
    """Return the state after each step.

    Where gradients are to be differentiated again, for nodes of DARTS's graph, and where no node
    mixes anything, autograd records the loop.

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
    nodes = [node for node in plan.nodes.values() if isinstance(node, NodePlan)]
    if len(nodes) < len(plan.nodes) or not any(node.is_mixed for node in nodes):
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
            n_kept = len(plan.inputs) if any(ctx.needs_input_grad) else 1
            ctx.loop = _Loop(plan, start, present, n_kept)
            states = ctx.loop.run()
        return torch.stack(states).mT.contiguous()

    @staticmethod
    def backward(ctx: _Context, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the tensors."""
        tensors = ctx.saved_tensors
        if not torch.is_grad_enabled():
            with torch.inference_mode():
                gradients = _WayBack(ctx.loop, gradient).run()
            return (None,) * 3 + tuple(None if g is None else g.clone() for g in gradients)
        # The gradients are to be differentiated: autograd derives them from a loop that it records.
        # It does so by views, since of the tensors themselves one may have been made of another.
        plan, start, present = ctx.arguments
        views = [None if x is None else x.view_as(x) for x in tensors]
        wanted = [i for i, is_wanted in enumerate(ctx.needs_input_grad[3:]) if is_wanted]
        found = torch.autograd.grad(
            recorded(_with_tensors(plan, views), start, present),
            [view for i in wanted if (view := views[i]) is not None],
            gradient,
            create_graph=True,
            materialize_grads=True,
        )
        of = dict(zip(wanted, found, strict=True))
        return (None,) * 3 + tuple(of.get(i) for i in range(len(tensors)))


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
    n_kept : int
        Time steps whose values are kept for the way back: all, or one where there is none.
    """

    def __init__(self, plan: CellPlan, start: Tensor, present: Tensor | None, n_kept: int) -> None:
        self.plan, self.start, self.n_kept = plan, start.mT.contiguous(), n_kept
        self.present = None if present is None else present.mT
        self.names = [STATE, *([] if plan.memory is None else [MEMORY])]
        nodes = [node for node in plan.nodes.values() if isinstance(node, NodePlan)]
        n_values = len(self.names) + len(nodes)
        mixed = [Candidates(node) for node in nodes]
        n_rows = [n_values, *map(n_rows_of, nodes, mixed), 2]
        # One allocation, since that of many is given back to the system after each pass.
        room = start.new_empty(n_kept, sum(n_rows), *self.start.shape)
        room = room.expand(len(plan.inputs), *room.shape[1:])
        self.stack, *scratch, carried = room.split(n_rows, dim=1)
        self.nodes: list[NodeScan] = []
        for name, node, own, part in zip(plan.nodes, nodes, mixed, scratch, strict=True):
            self.nodes.append(NodeScan(node, list(self.names), self.stack, own, part))
            self.names.append(name)
        self.outputs = [self.names.index(name) for name in plan.outputs]
        self.weights = plan.output_weights.new_zeros(1, n_values)
        self.weights[0, self.outputs] = plan.output_weights
        # A further input of one, whose weights are the biases.
        self.inputs = torch.cat([plan.inputs, torch.ones_like(plan.inputs[..., :1])], dim=-1)
        self.rows = self.stack.flatten(2)  # (n_values, hidden * batch) a step
        self.proposals, self.gates = carried.unbind(1)
        self.states, self.memories = [self.start], [self.start]
        n_steps = max(1, _CACHED // max(1, start.numel()))
        starts = range(0, len(plan.inputs), n_steps)
        self.stretches = [slice(t, min(t + n_steps, len(plan.inputs))) for t in starts]

    def run(self) -> list[Tensor]:
        """Return the state after each step, (hidden, batch)."""
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
        plan, values = self.plan, self.stack[t]
        state = values[0]
        torch.clamp(self.states[t], -STATE_BOUND, STATE_BOUND, out=state)
        if plan.memory is not None:
            torch.clamp(self.memories[t], -MEMORY_BOUND, MEMORY_BOUND, out=values[1])
        for node in self.nodes:
            node.step(t, i)
        new_state = self.proposals[t]
        torch.mm(self.weights, self.rows[t], out=new_state.view(1, -1))
        if plan.carry is not None:
            gate = torch.addmm(to_carry, plan.carry.t(), state, out=self.gates[t])
            new_state = torch.lerp(state, new_state, gate.sigmoid_())
        elif self.n_kept == 1:
            new_state = new_state.clone()
        self.states.append(self._merged(t, new_state, self.states[t]))
        if plan.memory is not None:
            memory = values[self.names.index(plan.memory)]
            memory = memory.clone() if self.n_kept == 1 else memory
            self.memories.append(self._merged(t, memory, self.memories[t]))

    def _merged(self, t: int, new: Tensor, old: Tensor) -> Tensor:
        return new if self.present is None else torch.where(self.present[t], new, old)


class _WayBack:
    """The loop back over time, by stretches of steps whose values the cache holds."""

    def __init__(self, loop: _Loop, gradient: Tensor) -> None:
        self.loop, self.gradient = loop, gradient.mT.clone(memory_format=torch.contiguous_format)
        plan, n_steps = loop.plan, loop.stretches[0].stop
        self.to_entering = gradient.new_empty(n_steps, sum(plan.widths), gradient.shape[1])
        self.to_stack = loop.stack.new_empty(n_steps, *loop.stack.shape[1:])
        self.to_rows, self.turned = self.to_stack.flatten(2), loop.weights.t()
        *parts, self.to_gate = self.to_entering.split(plan.widths, dim=1)
        self.nodes = [
            NodeWayBack(node, self.to_stack, part)
            for node, part in zip(loop.nodes, parts, strict=True)
        ]
        bounds = ((loop.states, STATE_BOUND), (loop.memories, MEMORY_BOUND))
        self.bounds = [(past, bound, _has_met(past, bound)) for past, bound in bounds]
        self.to_state = self.to_memory = torch.zeros_like(loop.start)
        self.to_weights = torch.zeros_like(loop.weights[0])
        self.to_carry = None if plan.carry is None else torch.zeros_like(plan.carry)
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
            to_values = self.to_stack[i]
            to_first = to_values[0]
            to_state, past_state = self._parted(t, self.gradient[t].add_(self.to_state))
            to_proposal = to_state if plan.carry is None else to_state * gates[i]
            torch.mm(self.turned, to_proposal.view(1, -1), out=self.to_rows[i])
            self.to_weights.addmv_(loop.rows[t], to_proposal.view(-1))
            if plan.carry is not None and self.to_carry is not None:
                to_gate = torch.mul(to_state, by_gate[i], out=self.to_gate[i])
                to_first.addcmul_(to_state, by_state[i]).addmm_(plan.carry, to_gate)
                self.to_carry.addmm_(states[i], to_gate.t())
            if plan.memory is not None:
                to_memory, past_memory = self._parted(t, self.to_memory)
                to_values[loop.names.index(plan.memory)].add_(to_memory)
            for node in reversed(self.nodes):
                node.step(t, i)
            self.to_state = self._within(t, to_first, 0)
            if past_state is not None:
                self.to_state = self.to_state + past_state
            if plan.memory is not None:
                self.to_memory = self._within(t, to_values[1].clone(), 1)
                if past_memory is not None:
                    self.to_memory = self.to_memory + past_memory

    def _within(self, t: int, gradient: Tensor, place: int) -> Tensor:
        """Return the gradient of a state, or memory, before its bound, which nothing passes."""
        state, bound, has_met = self.bounds[place]
        return gradient * (state[t].abs() <= bound) if has_met[t] else gradient

    def _enter(self, steps: slice) -> None:
        """Add a stretch to the gradients of what x enters by."""
        inputs = self.loop.inputs[steps]
        to_entering = self.to_entering[: len(inputs)]
        for x, to_x in zip(inputs, to_entering, strict=True):
            self.to_input_weight.addmm_(x.t(), to_x.t())
        if self.to_inputs is not None:
            weight = self.loop.plan.input_weight.t()
            torch.matmul(to_entering.mT, weight, out=self.to_inputs[steps])

    def _parted(self, t: int, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return what goes to a step's new value, and what passes it by to the one before."""
        if self.loop.present is None:
            return gradient, None
        present, zero = self.loop.present[t], torch.zeros_like(gradient)
        return torch.where(present, gradient, zero), torch.where(present, zero, gradient)


def _has_met(states: list[Tensor], bound: float) -> list[bool]:
    """Return for each of some states whether it goes beyond a bound anywhere."""
    found: list[bool] = (torch.stack(states).abs() > bound).flatten(1).any(dim=1).tolist()
    return found
