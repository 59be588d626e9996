"""The clamped relaxation of DARTS-PRIME: gates on a straight line, and a death for good."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from sknas.supernet.relaxation import Relaxation

__all__ = ["ClampRelaxation"]

_INITIAL_NOISE = 1e-4


class ClampRelaxation(Relaxation):
    """Independent gates clamp(alpha, 0, 1); a candidate whose alpha reaches zero is gone.

    The activation of Maile et al. (2021), arXiv:2106.11655, first version, with its initial values
    (1 / n plus a noise of 1e-4) and its hard death: an alpha that a step takes to zero or below
    never returns. There a mask holds it at zero; here the candidate leaves its node, which is the
    same function and costs nothing any more. The `protection` of a pruning rule does not delay it.
    Gates that no sum ties together are comparable over nodes, so that a rule may rank the
    candidates of several nodes in one list (`MagnitudePruning` with ``scope="cell"``).

    Ours: an alpha above one is set back to one, where it still has a gradient, and the largest
    alpha of a node lives on whatever it is. There is no batch normalisation of the node's sum,
    which would break the morphisms; the birth scalars are free to restore its scale.
    """

    def initial_alpha(self, n_candidates: int) -> float:
        """Return 1 / n."""
        return 1.0 / max(n_candidates, 1)

    def initial_alphas(
        self, n_candidates: int, *, generator: Generator, dtype: torch.dtype
    ) -> Tensor:
        """Return 1 / n plus a little noise, so that candidates do not die all at once."""
        noise = torch.randn(n_candidates, generator=generator, dtype=dtype)
        return self.initial_alpha(n_candidates) + _INITIAL_NOISE * noise

    def newborn_alpha(self, alphas: Tensor) -> float:
        """Return the mean gate of those alive: a newborn at zero would be dead."""
        gates = self.weights(alphas, 0.0)
        gates = gates[gates > 0]
        return float(gates.mean()) if len(gates) else self.initial_alpha(len(alphas) + 1)

    def weights(self, alphas: Tensor, progress: float) -> Tensor:
        """Return weights in [0, 1]; at both ends the gradient still passes."""
        del progress
        return alphas.clamp(0.0, 1.0)

    def restrict(self, alphas: Tensor) -> Tensor:
        """Set alphas back to one where they are above it; those at zero and below are dead."""
        alphas.clamp_(max=1.0)
        is_alive = alphas > 0
        is_alive[alphas.argmax()] = True
        return is_alive
