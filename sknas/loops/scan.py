"""A planned cell over a sequence: the loop alone, or the loop with its own way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from sknas.loops.backward_pass import BackwardPass
from sknas.loops.forecast_pass import ForecastPass
from sknas.loops.forward_pass import ForwardPass
from sknas.loops.packing import ScanWeights
from sknas.loops.plan import CellPlan
from sknas.loops.recorded import recorded, recorded_gradients

__all__ = ["scan"]


def scan(
    plan: CellPlan, weights: ScanWeights, inputs: Tensor, n_hidden: int, present: Tensor | None
) -> Tensor:
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
        Steps that count; the state passes over the others unchanged.

    Returns
    -------
    Tensor of shape (n_steps, batch, n_hidden)
        The state after each step. Where its gradients are to be differentiated again, autograd
        derives them from the loop of `recorded`.
    """
    tensors = (inputs, *weights[:-1], *weights.on_sources)
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        states: Tensor = _Scan.apply(  # type: ignore[no-untyped-call]  # so it is in torch
            plan, n_hidden, present, *tensors
        )
        return states
    return ForecastPass(plan, weights, inputs, n_hidden, present).run().mT


class _Scan(Function):
    """The loop without a record of each call, and a way back that knows its operations."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 (torch's context takes any attribute)
        plan: CellPlan,
        n_hidden: int,
        present: Tensor | None,
        inputs: Tensor,
        *tensors: Tensor,
    ) -> Tensor:
        loop = ForwardPass(plan, _as_weights(tensors), inputs, n_hidden, present)
        ctx.plan, ctx.n_hidden, ctx.steps = plan, n_hidden, list(loop.steps())
        ctx.save_for_backward(loop.states, present, inputs, *tensors)
        return loop.states.mT

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401 (as above)
        grad: Tensor,
    ) -> tuple[Tensor | None, ...]:
        states, present, inputs, *tensors = ctx.saved_tensors
        if torch.is_grad_enabled():
            found = recorded_gradients(
                lambda x, *w: recorded(ctx.plan, _as_weights(w), x, ctx.n_hidden, present),
                (inputs, *tensors),
                ctx.needs_input_grad[3:],
                grad,
            )
            return None, None, None, *found
        weights = _as_weights(tensors)
        # Most graphs are walked once. The steps go now, not when the loss does; a second walk
        # computes them again.
        steps, ctx.steps = ctx.steps, None
        if steps is None:
            steps = list(ForwardPass(ctx.plan, weights, inputs, ctx.n_hidden, present).steps())
        back = BackwardPass(ctx.plan, weights, inputs, states, present)
        needs_inputs = ctx.needs_input_grad[3]
        back.run(grad, steps, needs_inputs=needs_inputs)
        by_inputs = back.by_inputs if needs_inputs else None
        by_weights = back.by_weights()
        return None, None, None, by_inputs, *by_weights[:-1], *by_weights.on_sources


def _as_weights(tensors: Sequence[Tensor]) -> ScanWeights:
    factors, outputs, bias, on_input, *on_sources = tensors
    return ScanWeights(factors, outputs, bias, on_input, tuple(on_sources))
