"""What a two-input operation is, and the registry that genotypes name operations by.

An operation holds no weights. It says which operands it wants projected; the node that uses it owns
the projections, and its operations share them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple, TypeVar

from torch import Tensor

from sknas.ops.activations import Activation

__all__ = [
    "Op",
    "OpGradients",
    "UnitwiseOp",
    "get_op",
    "register_op",
    "registered_ops",
    "unregister_op",
]


class Op(ABC):
    """A two-input operation, (batch, hidden) x 2 -> (batch, hidden), on each unit for itself.

    Attributes
    ----------
    projects_left, projects_right : bool
        Whether the operand enters the operation's own affine projection.
    reads_left, reads_right : bool
        Whether `combine` reads the operand itself.
    needs_left, needs_right : bool
        Whether the value is zero, whatever the weights, where the operand is.
    is_modulation : bool
        Whether a zero projection makes the operation return its left operand exactly.
    n_projections : int
        Pieces of its projection, each as wide as the state.
    """

    projects_left: ClassVar[bool] = False
    projects_right: ClassVar[bool] = False
    reads_left: ClassVar[bool] = False
    reads_right: ClassVar[bool] = False
    needs_left: ClassVar[bool] = False
    needs_right: ClassVar[bool] = False
    is_modulation: ClassVar[bool] = False
    n_projections: ClassVar[int] = 1

    @property
    def has_projection(self) -> bool:
        """Whether the operation has weights at all."""
        return self.projects_left or self.projects_right

    @property
    def projection_names(self) -> tuple[str, ...]:
        """Names of the pieces of a node's projection that the operation reads.

        The operations of a node that project the same operands share the pieces, so that those of
        an operation with fewer of them are the first ones of the others'.
        """
        if not self.has_projection:
            return ()
        side = "left" if self.projects_left else "right"
        side = "both" if self.projects_left and self.projects_right else side
        return tuple(f"{side}_{piece}" for piece in range(self.n_projections))

    @abstractmethod
    def combine(self, left: Tensor, right: Tensor, projected: Tensor) -> Tensor:
        """Return the node's value.

        Parameters
        ----------
        left, right : Tensor of shape (batch, hidden)
            The operands; only what the operation reads is meaningful.
        projected : Tensor of shape (batch, hidden * n_projections)
            ``left @ W_left + right @ W_right + bias`` over the operands it projects. The pieces of
            one unit are neighbours.

        Returns
        -------
        Tensor of shape (batch, hidden)
            The operation's value.
        """


class OpGradients(NamedTuple):
    """The gradient by all that a unitwise operation mixes.

    Attributes
    ----------
    left, right : Tensor or None
        By the operands; None for one that the operation does not read.
    pieces : tuple of Tensor
        By the activated pieces of its projection.
    """

    left: Tensor | None = None
    right: Tensor | None = None
    pieces: tuple[Tensor, ...] = ()


class UnitwiseOp(Op):
    """An operation that treats each number by itself, and says its derivative.

    Its value is a mix of the operands with activated pieces of its projection. The loops over time
    are written with these; see `unitwise` for an operation that says no derivative.

    Attributes
    ----------
    activations : tuple of Activation
        Of each piece of its projection.
    is_linear_left, is_linear_right : bool
        Whether the value is proportional to the operand, all else being what it is.
    is_sum : bool
        Whether the value is the sum of the operands, and nothing else.
    alone : UnitwiseOp or None
        An operation of the same value where the right operand is missing, which does not read it;
        None where there is none.
    """

    activations: tuple[Activation, ...] = ()
    is_linear_left: ClassVar[bool] = False
    is_linear_right: ClassVar[bool] = False
    is_sum: ClassVar[bool] = False
    alone: ClassVar[UnitwiseOp | None] = None

    def combine(self, left: Tensor, right: Tensor, projected: Tensor) -> Tensor:
        """Mix the operands with the activated pieces; see `Op`."""
        if len(self.activations) > 1:
            pieces = projected.unflatten(-1, (-1, len(self.activations))).unbind(-1)
        else:
            pieces = (projected,)
        activated = zip(self.activations, pieces, strict=False)  # no activation, no piece
        return self.mix(left, right, [activation(piece) for activation, piece in activated])

    @abstractmethod
    def mix(
        self, left: Tensor, right: Tensor, pieces: Sequence[Tensor], out: Tensor | None = None
    ) -> Tensor:
        """Return the node's value.

        Parameters
        ----------
        left, right : Tensor of any shape
            The operands; only what the operation reads is meaningful.
        pieces : sequence of Tensor of the same shape
            The activated pieces of its projection.
        out : Tensor of the same shape or None, default=None
            Where to write a value that is not one of the arguments itself.

        Returns
        -------
        Tensor of the same shape
            The operation's value: `out`, a new tensor where that is None, or an argument.
        """

    @abstractmethod
    def backward(
        self, grad: Tensor, left: Tensor, right: Tensor, pieces: Sequence[Tensor], value: Tensor
    ) -> OpGradients:
        """Return the gradient by all that `mix` reads.

        Parameters
        ----------
        grad : Tensor of any shape
            Gradient by the value, or a single number, of shape (), for all of it.
        left, right : Tensor of the same shape
            The operands, as `mix` got them.
        pieces : sequence of Tensor of the same shape
            The activated pieces, as `mix` got them.
        value : Tensor of the same shape
            What `mix` returned.

        Returns
        -------
        OpGradients
            Its tensors may be `grad` itself, and of its shape; they are not changed.
        """


_REGISTRY: dict[str, Op] = {}
_OpClass = TypeVar("_OpClass", bound=type[Op])


def register_op(name: str) -> Callable[[_OpClass], _OpClass]:
    """Make an operation known by a name.

    Parameters
    ----------
    name : str
        The name that genotypes store.

    Returns
    -------
    callable
        A class decorator.

    Raises
    ------
    ValueError
        If the name is taken.
    """
    if name in _REGISTRY:
        raise ValueError(f"operation names must be unique; got {name!r} again.")

    def register(op_class: _OpClass) -> _OpClass:
        _REGISTRY[name] = op_class()
        return op_class

    return register


def unregister_op(name: str) -> None:
    """Forget an operation, so that its name is free again.

    Networks that were built with it keep it; a genotype that names it can no longer be trained.

    Parameters
    ----------
    name : str
        A registered name.

    Raises
    ------
    ValueError
        If no operation has the name.
    """
    get_op(name)
    del _REGISTRY[name]


def get_op(name: str) -> Op:
    """Return the operation of that name.

    Parameters
    ----------
    name : str
        A registered name.

    Returns
    -------
    Op
        The operation.

    Raises
    ------
    ValueError
        If no operation has the name.
    """
    if name not in _REGISTRY:
        raise ValueError(f"operations must be among {sorted(_REGISTRY)}; got {name!r}.")
    return _REGISTRY[name]


def registered_ops() -> tuple[str, ...]:
    """Return the names of all operations.

    Returns
    -------
    tuple of str
        Names, in order of registration.
    """
    return tuple(_REGISTRY)
