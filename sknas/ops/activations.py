"""Activations of the pieces of a projection, each with its derivative by its own value."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

__all__ = ["IDENTITY", "RELU", "SIGMOID", "TANH", "Activation"]


class Activation(ABC):
    """Interface: a function of each number whose derivative its value tells."""

    @abstractmethod
    def __call__(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """Return the value.

        Parameters
        ----------
        x : Tensor of any shape
            Where.
        out : Tensor of the same shape or None, default=None
            Where to write a value that is not `x` itself; it may be `x`.

        Returns
        -------
        Tensor
            Of the same shape: `out`, a new tensor where that is None, or `x`.
        """

    @abstractmethod
    def backward(self, grad: Tensor, value: Tensor, out: Tensor) -> None:
        """Write the gradient by `x`.

        Parameters
        ----------
        grad : Tensor
            Gradient by the value, or a single number, of shape (), for all of them.
        value : Tensor
            The value.
        out : Tensor
            Where to write.
        """


# The kernels that torch's own gradient of each function runs.
_TANH_BACKWARD = torch.ops.aten.tanh_backward.grad_input
_SIGMOID_BACKWARD = torch.ops.aten.sigmoid_backward.grad_input
_RELU_BACKWARD = torch.ops.aten.threshold_backward.grad_input


class _Identity(Activation):
    def __call__(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        del out
        return x

    def backward(self, grad: Tensor, value: Tensor, out: Tensor) -> None:
        del value
        out.copy_(grad)


class _Tanh(Activation):
    def __call__(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        return torch.tanh(x, out=out)

    def backward(self, grad: Tensor, value: Tensor, out: Tensor) -> None:
        _TANH_BACKWARD(grad, value, grad_input=out)


class _Sigmoid(Activation):
    def __call__(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        return torch.sigmoid(x, out=out)

    def backward(self, grad: Tensor, value: Tensor, out: Tensor) -> None:
        _SIGMOID_BACKWARD(grad, value, grad_input=out)


class _Relu(Activation):
    def __call__(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        return torch.relu(x) if out is None else torch.clamp_min(x, 0.0, out=out)

    def backward(self, grad: Tensor, value: Tensor, out: Tensor) -> None:
        _RELU_BACKWARD(grad, value, 0, grad_input=out)


IDENTITY, TANH, SIGMOID, RELU = _Identity(), _Tanh(), _Sigmoid(), _Relu()
