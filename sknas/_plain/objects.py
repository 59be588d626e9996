"""Objects <-> numpy arrays and plain Python, which is what the files of estimators are made of.

An object of this package, or of pandas, becomes a dict of its parts and the name of its type. So no
file has to say which code makes it again: of a name that is read, only a type of this package can
come, and only one that holds data. What is neither is left as it is, for the file's format to write
or to refuse: an estimator of scikit-learn that is a parameter, or a user's own rule.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from sklearn.base import BaseEstimator

from sknas._plain.tables import PANDAS, taker_of

__all__ = ["from_plain", "to_plain"]

_TYPE = "sknas.type"  # the entry of a dict that stands for an object
_ENTRIES = "dict"  # of keys that are not all strings
_LEAVES = (bool, int, float, str, bytes, type(None))


def to_plain(value: Any) -> Any:
    """Take objects apart, all the way down.

    Parameters
    ----------
    value : object
        Anything. Arrays are not copied.

    Returns
    -------
    object
        Arrays, and lists, tuples and dicts of plain Python.
    """
    kind = type(value)
    if kind in _LEAVES:
        return value
    if kind is dict:
        return _plain_dict(value)
    if kind in (list, tuple):
        return kind(to_plain(item) for item in value)
    if _is_own(kind):
        parts = _parts(value)
        return value if parts is None else _plain_parts(f"{kind.__module__}.{kind.__name__}", parts)
    found = taker_of(value)
    if found is None:
        return value
    name, taken = found
    parts = taken.parts(value)
    return value if parts is None else _plain_parts(name, parts)


def from_plain(value: Any) -> Any:
    """Make again what `to_plain` took apart.

    Parameters
    ----------
    value : object
        What `to_plain` returned.

    Returns
    -------
    object
        What it was given.

    Raises
    ------
    ValueError
        If a type is named that this version does not know.
    """
    kind = type(value)
    if kind in (list, tuple):
        return kind(from_plain(item) for item in value)
    if kind is not dict:
        return value
    if _TYPE not in value:
        return {key: from_plain(item) for key, item in value.items()}
    name = value[_TYPE]
    parts = {key: from_plain(item) for key, item in value.items() if key != _TYPE}
    if name == _ENTRIES:
        return dict(parts["entries"])
    if name in PANDAS:
        return PANDAS[name].build(**parts)
    return _own_type(name)(**parts)


def _plain_dict(value: dict[Any, Any]) -> dict[str, Any]:
    if _TYPE not in value and all(type(key) is str for key in value):
        return {key: to_plain(item) for key, item in value.items()}
    return _plain_parts(_ENTRIES, {"entries": list(value.items())})


def _plain_parts(name: str, parts: Mapping[str, Any]) -> dict[str, Any]:
    return {_TYPE: name, **{key: to_plain(part) for key, part in parts.items()}}


def _is_own(kind: type) -> bool:
    """Say whether a type of this package holds data: a dataclass, or a rule with parameters."""
    holds_data = dataclasses.is_dataclass(kind) or issubclass(kind, BaseEstimator)
    return holds_data and kind.__module__.split(".")[0] == "sknas" and "." not in kind.__qualname__


def _parts(value: Any) -> Mapping[str, Any] | None:
    """Return what a type takes to make an object; None where an object holds more."""
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    parameters: dict[str, Any] = value.get_params(deep=False)
    return parameters if vars(value).keys() == parameters.keys() else None


def _own_type(name: str) -> type:
    module, _, own_name = str(name).rpartition(".")
    found = None
    if module.split(".")[0] == "sknas":
        try:
            found = getattr(import_module(module), own_name, None)
        except ImportError:
            found = None
    if not (isinstance(found, type) and found.__module__ == module and _is_own(found)):
        raise ValueError(f"the types in a file must be of this version of sknas; got {name!r}.")
    return found
