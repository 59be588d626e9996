"""An operation that only combines, with the derivative that autograd finds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sknas.ops.activations import IDENTITY
from sknas.ops.base import Op, OpGradients, UnitwiseOp

__all__ = ["unitwise"]


def unitwise(op: Op) -> UnitwiseOp:
    """Return an operation as one that says its derivative.

    Parameters
    ----------
    op : Op
        The operation.

    Returns
    -------
    UnitwiseOp
        The operation itself, or one of the same value that asks autograd.
    """
    return op if isinstance(op, UnitwiseOp) else _Differentiated(op)


class _Differentiated(UnitwiseOp):
    """What an operation combines, of the pieces of its projection as they are."""

    def __init__(self, op: Op) -> None:
        self._op = op
        # It says the same of itself in all else that the operation does.
        vars(self).update((name, getattr(op, name)) for name in Op.__annotations__)
        self.activations = (IDENTITY,) * (op.n_projections if op.has_projection else 0)

    def mix(
        self, left: Tensor, right: Tensor, pieces: Sequence[Tensor], out: Tensor | None = None
    ) -> Tensor:
        # Without a projection there is nothing to read, whatever it is called with.
        projected = torch.stack(tuple(pieces), dim=-1).flatten(-2) if pieces else left
        value = self._op.combine(left, right, projected)
        return value if out is None else out.copy_(value)

    def backward(
        self, grad: Tensor, left: Tensor, right: Tensor, pieces: Sequence[Tensor], value: Tensor
    ) -> OpGradients:
        with torch.inference_mode(mode=False), torch.enable_grad():
            inputs = [x.detach().clone().requires_grad_() for x in (left, right, *pieces)]
            found = torch.autograd.grad(
                self.mix(inputs[0], inputs[1], inputs[2:]),
                inputs,
                grad.expand_as(value).clone(),
                allow_unused=True,
                materialize_grads=True,
            )
        return OpGradients(found[0], found[1], found[2:])
