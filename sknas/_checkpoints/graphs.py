"""A graph of live objects <-> bytes, which no code but this package's is run to read.

The format is pickle's, for objects that refer to each other as those of a search do: an optimizer
to the weights of a network, an average to the same. What pickle would let a file do is taken from
it: a name in it stands for a type of this package, for one of the few of torch, numpy and Python
that such graphs are made of, or for one that the reader brings along. Tensors are written as bytes,
those that share memory share it again, and what both sides have anyway is written as its name.
"""

from __future__ import annotations

import copyreg
import functools
import io
import pickle
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

__all__ = ["dump", "load"]

_PLAIN: tuple[Any, ...] = (
    Counter,
    OrderedDict,
    bytearray,
    complex,
    copyreg._reconstructor,  # type: ignore[attr-defined]
    defaultdict,
    deque,
    dict,
    frozenset,
    list,
    np.dtype,
    np.ndarray,
    object,
    range,
    set,
    slice,
    torch.Size,
    torch.device,
    tuple,
)
_NUMPY = {"_reconstruct", "_frombuffer", "scalar"}  # how arrays and their scalars are made
_BASES = (nn.Module, torch.optim.Optimizer, np.generic)


def dump(value: object, givens: Mapping[str, object]) -> bytes:
    """Write an object and all that it refers to.

    Parameters
    ----------
    value : object
        What to write.
    givens : mapping of str to object
        What is not written but named, since who reads has it.

    Returns
    -------
    bytes
        For `load`.

    Raises
    ------
    pickle.PicklingError
        If something cannot be written, such as a function without a name.
    """
    stream = io.BytesIO()
    _Writer(stream, givens).dump(value)
    return stream.getvalue()


def load(data: bytes, givens: Mapping[str, object], types: Collection[type] = ()) -> Any:  # noqa: ANN401
    """Read what `dump` wrote.

    Parameters
    ----------
    data : bytes
        What it returned.
    givens : mapping of str to object
        What was named, by its name.
    types : collection of type, default=()
        Types that may be met besides.

    Returns
    -------
    object
        A copy of what was written, around the givens.

    Raises
    ------
    pickle.UnpicklingError
        If the data name what no such graph is made of.
    """
    return _Reader(io.BytesIO(data), givens, types).load()


class _Memory:
    """The memory of one or more tensors."""

    def __init__(self, data: np.ndarray[Any, np.dtype[np.uint8]], device: str) -> None:
        self.data = data
        self.device = device

    @functools.cached_property
    def storage(self) -> torch.UntypedStorage:
        """A copy, which torch has aligned and all tensors share."""
        return torch.tensor(self.data, device=self.device).untyped_storage()


class _Writer(pickle.Pickler):
    """Writes tensors and generators as bytes, and givens as names."""

    def __init__(self, stream: io.BytesIO, givens: Mapping[str, object]) -> None:
        super().__init__(stream, protocol=5)
        self.names = {id(given): name for name, given in givens.items()}
        self.memories: dict[tuple[str, int, int], _Memory] = {}

    def persistent_id(self, obj: object) -> str | None:
        """Return the name of a given."""
        return self.names.get(id(obj))

    def reducer_override(self, obj: object) -> Any:  # noqa: ANN401
        """Take a tensor or a generator apart."""
        if isinstance(obj, Tensor):
            return _tensor, self._parts(obj)
        if isinstance(obj, Generator):
            return _generator, (obj.get_state().numpy(), str(obj.device))
        return NotImplemented

    def _parts(self, tensor: Tensor) -> tuple[Any, ...]:
        if type(tensor) not in (Tensor, nn.Parameter):
            kind = type(tensor).__name__
            raise pickle.PicklingError(f"tensors must be torch's own or Parameters; got {kind}.")
        storage = tensor.untyped_storage()
        place = (str(tensor.device), storage.data_ptr(), storage.nbytes())
        if place not in self.memories:
            flat = torch.empty(0, dtype=torch.uint8, device=tensor.device).set_(storage)
            self.memories[place] = _Memory(flat.cpu().numpy(), str(tensor.device))
        return (
            self.memories[place],
            tensor.dtype,
            tensor.storage_offset(),
            tuple(tensor.shape),
            tensor.stride(),
            tensor.requires_grad,
            isinstance(tensor, nn.Parameter),
        )


class _Reader(pickle.Unpickler):
    """Makes again what the writer took apart, of types that it knows."""

    def __init__(
        self, stream: io.BytesIO, givens: Mapping[str, object], types: Collection[type]
    ) -> None:
        super().__init__(stream)
        self.givens = givens
        self.known = {(kind.__module__, kind.__qualname__): kind for kind in (*_PLAIN, *types)}

    def persistent_load(self, name: str) -> object:
        """Return a given."""
        return self.givens[name]

    def find_class(self, module: str, name: str) -> object:
        """Return what a name stands for, if that is harmless."""
        if (module, name) in self.known:
            return self.known[module, name]
        root = module.split(".")[0]
        if root in ("sknas", "torch", "numpy", "_codecs"):
            found = super().find_class(module, name)
            if found in (_tensor, _generator) or _is_harmless(found, module, name, root):
                return found
        raise pickle.UnpicklingError(f"a state must not be made of {module}.{name}.")


def _is_harmless(found: object, module: str, name: str, root: str) -> bool:
    if root == "torch" and isinstance(found, torch.dtype):
        return True
    if root == "numpy" and name in _NUMPY:
        return module.rpartition(".")[2] in ("multiarray", "numeric")
    if (module, name) == ("_codecs", "encode"):  # how numpy writes bytes
        return True
    if not isinstance(found, type) or found.__module__ != module:
        return False
    return root == "sknas" or issubclass(found, _BASES)


def _tensor(
    memory: _Memory,
    dtype: torch.dtype,
    offset: int,
    shape: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: bool,  # noqa: FBT001 (pickle passes by position)
    is_parameter: bool,  # noqa: FBT001
) -> Tensor:
    storage = memory.storage
    tensor = torch.empty(0, dtype=dtype, device=storage.device)
    tensor.set_(storage, offset, shape, stride)
    return (
        nn.Parameter(tensor, requires_grad)
        if is_parameter
        else tensor.requires_grad_(requires_grad)
    )


def _generator(state: np.ndarray[Any, np.dtype[np.uint8]], device: str) -> Generator:
    generator = Generator(device)
    generator.set_state(torch.tensor(state))
    return generator
