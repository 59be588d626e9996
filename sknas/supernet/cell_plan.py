"""What a cell computes at one time step, with all that does not change over the steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sknas.genotype import STATE
from sknas.supernet.node_plan import Plan

__all__ = ["CellPlan", "CellStep"]


@dataclass(frozen=True)
class CellPlan:
    """The nodes' plans, what enters them from x, and what becomes of their values.

    Attributes
    ----------
    nodes : dict of str to Plan
        The nodes by their names, in order.
    inputs : Tensor of shape (n_steps, batch, n_inputs)
        The sequence of x.
    input_weight, input_bias : Tensor of shape (n_inputs, n_columns), (n_columns,)
        What x enters by, for each node in turn and then for the carry.
    widths : tuple of int
        Columns of each of them.
    outputs : tuple of str
        The nodes that propose the next state.
    output_weights : Tensor of shape (n_outputs,)
        What they are weighed with.
    memory : str or None
        The node that is the next memory.
    carry : Tensor of shape (hidden, hidden) or None
        The carry's weights on the state.
    """

    nodes: dict[str, Plan]
    inputs: Tensor
    input_weight: Tensor
    input_bias: Tensor
    widths: tuple[int, ...]
    outputs: tuple[str, ...]
    output_weights: Tensor
    memory: str | None
    carry: Tensor | None

    def entering(self, steps: slice) -> tuple[Tensor, ...]:
        """Return what comes from x at some time steps.

        Parameters
        ----------
        steps : slice
            The steps.

        Returns
        -------
        tuple of Tensor of shape (n_steps, batch, width)
            For each node in turn and then for the carry.
        """
        inputs = self.inputs[steps]
        flat = torch.addmm(self.input_bias, inputs.flatten(0, 1), self.input_weight)
        return flat.view(*inputs.shape[:2], flat.shape[1]).split(self.widths, dim=-1)

    def steps(self) -> list[CellStep]:
        """Return what each time step needs.

        Returns
        -------
        list of CellStep
            One a step.
        """
        parts = (part.unbind(0) for part in self.entering(slice(None)))
        return [CellStep(self, step) for step in zip(*parts, strict=True)]


@dataclass(frozen=True)
class CellStep:
    """One time step of a cell.

    Attributes
    ----------
    plan : CellPlan
        What all steps have in common.
    entering : tuple of Tensor of shape (batch, n_columns)
        What comes from x, by node and then for the carry.
    """

    plan: CellPlan
    entering: tuple[Tensor, ...]

    def update(self, values: dict[str, Tensor]) -> tuple[Tensor, Tensor | None]:
        """Evaluate the nodes in order and carry the state; see `RecurrentCell`.

        Parameters
        ----------
        values : dict of str to Tensor of shape (batch, n_hidden)
            State and memory; the nodes are added.

        Returns
        -------
        state, memory : Tensor of shape (batch, n_hidden)
            The next ones; no memory where the cell has none.
        """
        plan = self.plan
        for (name, node), entering in zip(plan.nodes.items(), self.entering, strict=False):
            values[name] = node.value(values, entering)
        outputs = torch.stack([values[name] for name in plan.outputs])
        proposal = torch.tensordot(plan.output_weights, outputs, dims=1)  # (batch, hidden)
        memory = None if plan.memory is None else values[plan.memory]
        if plan.carry is None:
            return proposal, memory
        gate = torch.sigmoid(torch.addmm(self.entering[-1], values[STATE], plan.carry))
        return torch.lerp(values[STATE], proposal, gate), memory
