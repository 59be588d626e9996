"""Torch's containers of modules, typed by what they hold; at run time they are torch's own."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from typing import TYPE_CHECKING, Generic, TypeVar

from torch import nn

__all__ = ["ModuleDict", "ModuleList"]

M = TypeVar("M", bound=nn.Module)


class ModuleList(nn.ModuleList, Generic[M]):
    """A list of modules of one kind."""

    if TYPE_CHECKING:

        def __init__(self, modules: Iterable[M] | None = None) -> None: ...
        def __iter__(self) -> Iterator[M]: ...
        def __getitem__(self, idx: int) -> M: ...  # type: ignore[override]  # no slices


class ModuleDict(nn.ModuleDict, Generic[M]):
    """A dict of modules of one kind."""

    if TYPE_CHECKING:

        def __init__(self, modules: Mapping[str, M] | None = None) -> None: ...
        def __getitem__(self, key: str) -> M: ...
        def items(self) -> ItemsView[str, M]: ...  # noqa: D102 (torch documents it)
        def values(self) -> ValuesView[M]: ...  # noqa: D102 (torch documents it)
