"""One step of each level: weights on the weight split, architecture on the architecture split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from sknas.blocks import Batch, Objective
from sknas.search.hypergradient import hypergradient
from sknas.search.learner import Learner
from sknas.search.look_ahead import adamw

__all__ = ["VirtualStep", "WeightStep", "arch_step", "weight_step"]


class WeightStep(NamedTuple):
    """What a weight step tells.

    Attributes
    ----------
    loss : float
        The batch's loss before the step.
    information : float
        Squared norm of the gradient before it was clipped.
    """

    loss: float
    information: float


def weight_step(
    learner: Learner, batch: Batch, objective: Objective, max_norm: float
) -> WeightStep:
    """Take one step of the weights, architecture parameters held fixed.

    Parameters
    ----------
    learner : Learner
        What learns.
    batch : tuple of Tensor
        past, target, weight of a batch of the weight split.
    objective : Objective
        The loss.
    max_norm : float
        Largest norm of the gradient; longer ones are clipped.

    Returns
    -------
    WeightStep
        Loss and squared gradient norm before the step; a step in which either is not finite is
        not taken.
    """
    past, target, weight = batch
    if not weight.any():  # a step would decay weights for samples that are to teach nothing
        return WeightStep(0.0, 0.0)
    parameters = learner.learning_weights()
    loss = objective.estimate(learner.supernet(past), target, weight)
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    _hand_over(parameters, gradients)
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    if torch.isfinite(norm) and torch.isfinite(loss):
        learner.weight_optimizer.step()
        learner.average.update()
    learner.weight_optimizer.zero_grad(set_to_none=True)
    return WeightStep(float(loss.detach()), float(norm.double().square()))


class VirtualStep(NamedTuple):
    """The weight step that a second-order architecture step looks ahead to.

    Attributes
    ----------
    batch : tuple of Tensor
        past, target, weight of a batch of the weight split.
    max_norm : float
        Largest norm of its gradient; longer ones are clipped.
    source : torch.Generator or None, default=None
        Source of the gates' noise, if there is any. All passes of the step see the same noise,
        since a difference of gradients means something only between equal draws.
    """

    batch: Batch
    max_norm: float
    source: Generator | None = None


def arch_step(
    learner: Learner, batch: Batch, objective: Objective, ahead: VirtualStep | None = None
) -> float | None:
    """Take one step of the architecture parameters (Liu et al. 2019).

    First order (xi = 0), or, where it looks ahead, second order, by the step that the weights'
    optimizer would take. The learner's penalties, where it has any, are part of what the step
    lowers.

    Parameters
    ----------
    learner : Learner
        What learns.
    batch : tuple of Tensor
        past, target, weight of a batch of the architecture split.
    objective : Objective
        The loss.
    ahead : VirtualStep or None, default=None
        The weight step to look ahead to; None for first order.

    Returns
    -------
    float or None
        The batch's loss before the step (after the virtual one), without the penalty; None where
        nothing is left to decide.
    """
    free = learner.supernet.free_arch_parameters()
    if not free:
        return None
    loss, gradients = _arch_gradients(learner, batch, objective, ahead)
    # Nothing clips this gradient, and Adam would remember a square that overflows for ever.
    norm = torch.stack([gradient.square().sum() for gradient in gradients]).sum()
    if torch.isfinite(norm) and torch.isfinite(loss):
        _hand_over(free, gradients)
        learner.step_arch()
        if learner.penalty is not None:
            learner.penalty.end_step(learner.supernet)
    learner.arch_optimizer.zero_grad(set_to_none=True)
    return float(loss)


def _arch_gradients(
    learner: Learner, batch: Batch, objective: Objective, ahead: VirtualStep | None
) -> tuple[Tensor, Sequence[Tensor]]:
    """Return the loss without the penalty, and the gradients of both together."""
    supernet, free = learner.supernet, learner.supernet.free_arch_parameters()
    losses: list[Tensor] = []
    source = None if ahead is None else ahead.source
    noise = None if source is None else source.get_state()

    def loss_on(samples: Batch) -> Tensor:
        if source is not None and noise is not None:
            source.set_state(noise)
        past, target, weight = samples
        return objective.estimate(supernet(past), target, weight)

    def arch_loss() -> Tensor:
        losses.append(loss_on(batch))
        return losses[-1] + learner.arch_penalty()

    if ahead is None:
        with _held_fixed(learner.supernet.weight_parameters()):
            gradients: Sequence[Tensor] = torch.autograd.grad(arch_loss(), free)
    else:
        gradients = hypergradient(
            lambda: loss_on(ahead.batch),
            arch_loss,
            learner.learning_weights(),
            free,
            adamw(learner.weight_optimizer),
            ahead.max_norm,
        )
    return losses[0].detach(), gradients


@contextmanager
def _held_fixed(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Spare the way back the gradients of learning parameters that are not asked for."""
    for parameter in parameters:
        parameter.requires_grad = False
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad = True


def _hand_over(parameters: Sequence[nn.Parameter], gradients: Sequence[Tensor | None]) -> None:
    """Set gradients, each in plain layout: a fused optimizer ignores strides without a word."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = None if gradient is None else gradient.contiguous()
