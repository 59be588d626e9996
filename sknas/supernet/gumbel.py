"""The sampled relaxation of GDAS: one candidate at a time, drawn by the Gumbel trick."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from sknas.supernet.relaxation import SoftmaxRelaxation

__all__ = ["GumbelRelaxation"]


class GumbelRelaxation(SoftmaxRelaxation):
    """One-hot gates, sampled anew in each training pass, with a straight-through gradient.

    The relaxation of GDAS (Dong and Yang 2019, arXiv:1910.04465): with Gumbel noise G and
    p = softmax((log_softmax(alphas) + G) / temperature), the gates are the one-hot vector of the
    largest p in the forward pass and have the gradient of p. Each candidate is drawn with the
    probability that softmax(alphas) gives it, at any temperature.

    Ours: outside of training steps (validation, measured removals, morphisms, discretization) the
    noise is held at zero and nothing is hardened, so the gates are softmax(alphas / temperature).
    At temperature 1 these are the mean of the draws; as it falls they become the one-hot vector of
    the largest alpha.

    Parameters
    ----------
    temperature : float, default=1.0
        Temperature at the birth of a node.
    final_temperature : float, default=0.1
        Temperature at its end; in between it falls exponentially, as that of the edges.
    """

    def __init__(self, *, temperature: float = 1.0, final_temperature: float = 0.1) -> None:
        super().__init__(temperature=temperature, final_temperature=final_temperature)

    def sample(self, alphas: Tensor, progress: float, generator: Generator) -> Tensor:
        """Return a one-hot draw; see the class."""
        waits = torch.empty(alphas.shape, dtype=alphas.dtype).exponential_(generator=generator)
        noise = -waits.clamp_min(torch.finfo(alphas.dtype).tiny).log().to(alphas.device)
        soft = self.weights(torch.log_softmax(alphas, dim=0) + noise, progress)
        hard = torch.zeros_like(soft).index_fill_(0, soft.detach().argmax(), 1.0)
        return hard + (soft - soft.detach())  # the bracket is zero, and carries the gradient
