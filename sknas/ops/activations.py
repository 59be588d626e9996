"""Activations of the pieces of a projection, each with its derivative by its own value."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

__all__ = ["IDENTITY", "RELU", "SIGMOID", "TANH", "Activation"]


class Activation(ABC):
    """Interface: a function of each number whose derivative its value tells."""

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """Return the value.

        Parameters
        ----------
        x : Tensor of any shape
            Where.

        Returns
        -------
        Tensor
            Of the same shape; it may be `x` itself.
        """

    @abstractmethod
    def apply_(self, x: Tensor) -> Tensor:
        """Return the value, written over `x`.

        Parameters
        ----------
        x : Tensor of any shape
            Where.

        Returns
        -------
        Tensor
            `x` itself.
        """

    @abstractmethod
    def backward(self, grad: Tensor, value: Tensor, out: Tensor) -> None:
        """Write the gradient by `x`.

        Parameters
        ----------
        grad : Tensor
            Gradient by the value.
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
    def __call__(self, x: Tensor) -> Tensor:
        return x

    def apply_(self, x: Tensor) -> Tensor:
        return x

    def backward(self, grad: Tensor, value: Tensor, out: Tensor) -> None:
        del value
        out.copy_(grad)


class _Tanh(Activation):
    def __call__(self, x: Tensor) -> Tensor:
        return torch.tanh(x)

    def apply_(self, x: Tensor) -> Tensor:
        return x.tanh_()

    def backward(self, grad: Tensor, value: Tensor, out: Tensor) -> None:
        _TANH_BACKWARD(grad, value, grad_input=out)


class _Sigmoid(Activation):
    def __call__(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x)

    def apply_(self, x: Tensor) -> Tensor:
        return x.sigmoid_()

    def backward(self, grad: Tensor, value: Tensor, out: Tensor) -> None:
        _SIGMOID_BACKWARD(grad, value, grad_input=out)


class _Relu(Activation):
    def __call__(self, x: Tensor) -> Tensor:
        return torch.relu(x)

    def apply_(self, x: Tensor) -> Tensor:
        return x.relu_()

    def backward(self, grad: Tensor, value: Tensor, out: Tensor) -> None:
        _RELU_BACKWARD(grad, value, 0, grad_input=out)


IDENTITY, TANH, SIGMOID, RELU = _Identity(), _Tanh(), _Sigmoid(), _Relu()
