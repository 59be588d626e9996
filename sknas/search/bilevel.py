"""One step of each level: weights on the weight split, architecture on the architecture split."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from sknas.blocks import Batch, Objective
from sknas.search.hypergradient import hypergradient
from sknas.search.learner import Learner
from sknas.search.look_ahead import adamw

__all__ = ["ArchStep", "VirtualStep", "WeightStep", "arch_step", "first_not_finite", "weight_step"]


class WeightStep(NamedTuple):
    """What a weight step tells.

    Attributes
    ----------
    loss : float
        The batch's loss before the step.
    information : float
        Squared norm of the gradient before it was clipped.
    not_finite : str or None, default=None
        For what the step was not taken; None where it was.
    """

    loss: float
    information: float
    not_finite: str | None = None


class ArchStep(NamedTuple):
    """What an architecture step tells.

    Attributes
    ----------
    loss : float
        The batch's loss before the step (after the virtual one), without the penalty.
    not_finite : str or None, default=None
        For what the step was not taken; None where it was.
    """

    loss: float
    not_finite: str | None = None


def first_not_finite(outputs: Tensor, loss: Tensor, norm: Tensor) -> str | None:
    """Return what of a batch is not finite, of things that follow from each other the first.

    Parameters
    ----------
    outputs : Tensor
        What the network makes of it.
    loss, norm : Tensor of shape ()
        The loss, and the norm of its gradient.

    Returns
    -------
    str or None
        None where all is.
    """
    if torch.isfinite(norm) and torch.isfinite(loss):
        return None
    if not bool(outputs.isfinite().all()):
        return "an output"
    return "the gradient" if torch.isfinite(loss) else "the loss"


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
        Loss and squared gradient norm before the step; one in which either is not finite is not
        taken.
    """
    past, target, weight = batch
    if not weight.any():  # a step would decay weights for samples that are to teach nothing
        return WeightStep(0.0, 0.0)
    parameters = learner.learning_weights()
    outputs = learner.supernet(past)
    loss = objective.estimate(outputs, target, weight)
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    _hand_over(parameters, gradients)
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    not_finite = first_not_finite(outputs, loss, norm)
    if not_finite is None:
        learner.weight_optimizer.step()
        learner.average.update()
    learner.weight_optimizer.zero_grad(set_to_none=True)
    return WeightStep(float(loss.detach()), float(norm.double().square()), not_finite)


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
) -> ArchStep | None:
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
    ArchStep or None
        Its loss; None where nothing is left to decide.
    """
    free = learner.supernet.free_arch_parameters()
    if not free:
        return None
    loss, gradients = _arch_gradients(learner, batch, objective, ahead)
    # Nothing clips this gradient, and Adam would remember a square that overflows for ever.
    norm = torch.stack([gradient.square().sum() for gradient in gradients]).sum()
    not_finite = None
    if torch.isfinite(norm) and torch.isfinite(loss):
        _hand_over(free, gradients)
        learner.step_arch()
        if learner.penalty is not None:
            learner.penalty.end_step(learner.supernet)
    else:
        not_finite = _at_fault(learner, loss)
    learner.arch_optimizer.zero_grad(set_to_none=True)
    return ArchStep(float(loss), not_finite)


def _at_fault(learner: Learner, loss: Tensor) -> str:
    """Return what of an architecture step was not finite."""
    if not torch.isfinite(loss):
        return "the architecture loss"
    with torch.no_grad():
        is_finite = math.isfinite(float(learner.arch_penalty()))
    return "the architecture gradient" if is_finite else "the architecture penalty"


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
