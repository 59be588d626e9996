"""What identifies a computation: a hash of its data and parameters, the same in every process."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping

import joblib
import torch
from torch import Generator, Tensor

__all__ = ["fingerprint", "types_within"]

_N_DIGITS = 32


def fingerprint(value: object) -> str:
    """Hash an object and all that it holds.

    Parameters
    ----------
    value : object
        Dataclasses, mappings and sequences of tensors, generators, and what joblib can hash. Of a
        view of overlapping windows its memory is read, which is what they are made of.

    Returns
    -------
    str
        A name for a folder.

    Raises
    ------
    pickle.PicklingError
        If something cannot be hashed, such as a function without a name.
    """
    digest = hashlib.sha256()
    for part in _parts(value):
        digest.update(part)
    return digest.hexdigest()[:_N_DIGITS]


def _parts(value: object) -> Iterator[bytes]:
    if isinstance(value, Tensor):
        layout = (value.dtype, tuple(value.shape), value.stride(), value.storage_offset())
        yield repr(layout).encode()
        flat = torch.empty(0, dtype=torch.uint8, device=value.device).set_(value.untyped_storage())
        yield flat.cpu().numpy().tobytes()
    elif isinstance(value, Generator):
        yield value.get_state().numpy().tobytes()
    elif (items := _items(value)) is not None:
        yield f"{type(value).__module__}.{type(value).__qualname__}(".encode()
        for name, item in items:
            yield f"{name}=".encode()
            yield from _parts(item)
        yield b")"
    else:
        yield joblib.hash(value).encode()


def _items(value: object) -> list[tuple[object, object]] | None:
    """Return what a container holds, by names or places; None of what is none."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, (list, tuple)) else None


def types_within(value: object) -> set[type]:
    """Return the types of an object and of all that it holds.

    Parameters
    ----------
    value : object
        A dataclass, an object with attributes, a mapping or a sequence.

    Returns
    -------
    set of type
        All that are met on the way down.
    """
    found: set[type] = set()
    seen: set[int] = set()
    _gather(value, found, seen)
    return found


def _gather(value: object, found: set[type], seen: set[int]) -> None:
    if id(value) in seen or isinstance(value, type):
        return
    seen.add(id(value))
    found.add(type(value))
    items = _items(value)
    held = vars(value).values() if items is None and hasattr(value, "__dict__") else ()
    for item in (*held, *(item for _, item in items or ())):
        _gather(item, found, seen)
