"""Docstrings of the public API follow numpydoc, and the API page lists all of it."""

import dataclasses
import importlib
import inspect
import pkgutil
import sys
from pathlib import Path

import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

import sknas

API_PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.rst"

SKIPPED_CODES = {
    "EX01",  # examples are asked of public classes by review, not of every helper
    "SA01",  # a "See Also" for its own sake helps nobody
    "ES01",  # a one-line summary is often all there is to say
    "GL01",  # the summary starts on the line of the opening quotes
}


def public_modules():
    """Return the package and each public module or subpackage of it that declares `__all__`."""
    names = [info.name for info in pkgutil.iter_modules(sknas.__path__)]
    modules = [importlib.import_module(f"sknas.{name}") for name in names if name[0] != "_"]
    return [module for module in [sknas, *modules] if hasattr(module, "__all__")]


def public_names():
    """Return the dotted names of public classes and functions, and of the estimators' methods."""
    names = {}  # object -> the first, hence shortest, name it goes by
    for module in public_modules():
        for name in module.__all__:
            member = getattr(module, name)
            if inspect.isclass(member) or inspect.isroutine(member):
                names.setdefault(member, f"{module.__name__}.{name}")
    found = sorted(names.values())
    for name in getattr(sknas, "__all__", []):
        member = getattr(sknas, name)
        if inspect.isclass(member):
            found += [f"sknas.{name}.{method}" for method in public_methods(member)]
    return found


def skipped_codes(name):
    """Return the codes that do not apply to the object of this dotted name."""
    module, _, attribute = name.rpartition(".")
    member = getattr(sys.modules.get(module), attribute, None)
    if inspect.isclass(member) and (is_interface(member) or has_described_fields(member)):
        return SKIPPED_CODES | {"PR01"}
    return SKIPPED_CODES


def is_interface(cls):
    """Tell whether no class of sknas gave it an `__init__`, so that it has no own parameters."""
    init = cls.__init__
    return not getattr(init, "__module__", "").startswith("sknas")


def has_described_fields(cls):
    """Tell whether it is a record whose fields all stand under Attributes instead."""
    if not dataclasses.is_dataclass(cls):
        return False
    described = {
        name
        for entry in NumpyDocString(inspect.getdoc(cls))["Attributes"]
        for name in entry.name.split(", ")
    }
    return {field.name for field in dataclasses.fields(cls)} <= described


def public_methods(cls):
    """Return the names of the methods that sknas, rather than a library, wrote for `cls`."""
    return [
        name
        for name, member in inspect.getmembers(cls, inspect.isroutine)
        if not name.startswith("_")
        and (getattr(member, "__module__", None) or "").startswith("sknas")
    ]


@pytest.mark.parametrize("name", public_names())
def test_docstring_follows_numpydoc(name):
    errors = [
        f"{code}: {message}"
        for code, message in validate(name)["errors"]
        if code not in skipped_codes(name)
    ]
    assert not errors, "\n".join([name, *errors])


@pytest.mark.parametrize("module", public_modules(), ids=lambda module: module.__name__)
def test_the_api_page_lists_every_public_module(module):
    listed = {line.strip() for line in API_PAGE.read_text(encoding="utf-8").splitlines()}
    assert module.__name__ in listed
