"""An affine map of a node's operands, one weight matrix an operand that is there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from sknas.blocks.initialization import uniform_parameter, zero_parameter

__all__ = ["Projection", "apart", "side_by_side"]

INPUT_TERMS = ("input_left", "input_right")
HIDDEN_TERMS = ("left", "right")


class Projection(nn.Module):
    """Weights of ``x @ input_left + x @ input_right + a @ left + b @ right + bias``.

    Parameters
    ----------
    terms : sequence of {"input_left", "input_right", "left", "right"}
        The products that are there.
    n_inputs : int
        Width of the cell's input x.
    n_hidden : int
        Width of the state.
    generator : torch.Generator
        Source of the initial weights.
    dtype : torch.dtype
        Floating type of the weights.
    is_zero : bool, default=False
        Start from zero instead of from random weights.
    n_pieces : int, default=1
        The result is that many times as wide as the state; the pieces of one unit are neighbours.
    """

    def __init__(
        self,
        terms: Sequence[str],
        n_inputs: int,
        n_hidden: int,
        *,
        generator: Generator,
        dtype: torch.dtype,
        is_zero: bool = False,
        n_pieces: int = 1,
    ) -> None:
        super().__init__()
        self.n_pieces = n_pieces
        n_columns = n_hidden * n_pieces
        self.weights = nn.ParameterDict()
        for term in terms:
            fan_in = n_inputs if term in INPUT_TERMS else n_hidden
            self.weights[term] = (
                zero_parameter(fan_in, n_columns, dtype=dtype)
                if is_zero
                else uniform_parameter(
                    fan_in, n_columns, fan_in=fan_in, generator=generator, dtype=dtype
                )
            )
        self.bias = zero_parameter(n_columns, dtype=dtype)


def side_by_side(pieces: Sequence[Tensor]) -> Tensor:
    """Return pieces of a projection as one, the columns of each unit as neighbours.

    Parameters
    ----------
    pieces : sequence of Tensor of shape (..., n_hidden)
        Weights or biases, one a piece.

    Returns
    -------
    Tensor of shape (..., n_hidden * n_pieces)
        All columns.
    """
    return torch.stack(list(pieces), dim=-1).flatten(-2) if len(pieces) > 1 else pieces[0]


def apart(columns: Tensor, n_pieces: int) -> tuple[Tensor, ...]:
    """Return the pieces that `side_by_side` has put together.

    Parameters
    ----------
    columns : Tensor of shape (..., n_hidden * n_pieces)
        Weights or biases.
    n_pieces : int
        Number of pieces.

    Returns
    -------
    tuple of Tensor of shape (..., n_hidden)
        One a piece.
    """
    return columns.unflatten(-1, (-1, n_pieces)).unbind(-1)
