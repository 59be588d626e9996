"""Draw initial weights from an explicit generator, never from the process-wide one."""

from __future__ import annotations

import torch
from torch import Generator, nn

__all__ = ["uniform_parameter", "zero_parameter"]


def uniform_parameter(
    *size: int, fan_in: int, generator: Generator, dtype: torch.dtype
) -> nn.Parameter:
    """Return a parameter drawn from U(-b, b) with b = 1 / sqrt(fan_in), as torch's layers are.

    Parameters
    ----------
    *size : int
        Shape.
    fan_in : int
        Number of inputs of the unit.
    generator : torch.Generator
        Source of the draw.
    dtype : torch.dtype
        Floating type; the draw itself is always in float64, so that it does not depend on it.

    Returns
    -------
    nn.Parameter of shape `size`
        The parameter.
    """
    draw = torch.rand(*size, generator=generator, dtype=torch.float64)
    return nn.Parameter(((2.0 * draw - 1.0) / max(fan_in, 1) ** 0.5).to(dtype))


def zero_parameter(*size: int, dtype: torch.dtype) -> nn.Parameter:
    """Return a parameter of zeros.

    Parameters
    ----------
    *size : int
        Shape.
    dtype : torch.dtype
        Floating type.

    Returns
    -------
    nn.Parameter of shape `size`
        The parameter.
    """
    return nn.Parameter(torch.zeros(*size, dtype=dtype))
