"""Neural architecture search inside `fit`: estimators that grow from a linear seed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from sknas._version import __version__

if TYPE_CHECKING:
    from sknas._show_versions import show_versions
    from sknas.estimators import GrowingDARTSClassifier, GrowingDARTSRegressor
    from sknas.forecasting import GrowingDARTSForecaster
    from sknas.genotype import Genotype

__all__ = [
    "Genotype",
    "GrowingDARTSClassifier",
    "GrowingDARTSForecaster",
    "GrowingDARTSRegressor",
    "__version__",
    "show_versions",
]

_HOMES = {
    "Genotype": "sknas.genotype",
    "GrowingDARTSClassifier": "sknas.estimators",
    "GrowingDARTSForecaster": "sknas.forecasting",
    "GrowingDARTSRegressor": "sknas.estimators",
    "show_versions": "sknas._show_versions",
}
_PACKAGES = (
    "blocks",
    "datasets",
    "derived",
    "edits",
    "estimators",
    "exceptions",
    "forecasting",
    "genotype",
    "inspection",
    "loops",
    "ops",
    "reporting",
    "schedules",
    "search",
    "supernet",
    "training",
    "windows",
)


def __getattr__(name: str) -> object:
    """Import what is asked for when it is, since most of it waits for torch (PEP 562)."""
    if name in _PACKAGES:
        return import_module(f"sknas.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'sknas' has no attribute {name!r}")
    return globals().setdefault(name, getattr(import_module(_HOMES[name]), name))


def __dir__() -> list[str]:
    """List what there is, imported or not."""
    return sorted({*globals(), *__all__, *_PACKAGES})
