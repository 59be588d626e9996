"""Write the table of the objects behind the strings that options take, from the code itself."""

import inspect
from pathlib import Path

from make_benchmark_tables import table

from sknas.estimators import _options

OPTIONS = (
    "GROWTH",
    "PRUNING",
    "RELAXATION",
    "EDGE_CHOICE",
    "ARCH_SCHEDULE",
    "ARCH_REGULARIZER",
    "AUXILIARY_SKIP",
    "COLLAPSE_WATCH",
)


def arguments(cls: type) -> str:
    """Return the arguments of a class with their defaults."""
    own = inspect.signature(cls).parameters.values()
    return ", ".join(f"``{parameter.name}={parameter.default}``" for parameter in own)


def rows() -> list[dict[str, object]]:
    """Return a row a string."""
    return [
        {
            "parameter": f"``{option.lower()}``",
            "string": f'``""{name}""``',
            "class": f":class:`~{'.'.join(cls.__module__.split('.')[:2])}.{cls.__name__}`",
            "its arguments": arguments(cls),
        }
        for option in OPTIONS
        for name, cls in getattr(_options, option).items()
    ]


def main(folder: Path) -> None:
    """Write the table."""
    folder.mkdir(exist_ok=True)
    (folder / "options.txt").write_text(table(rows()), encoding="utf-8")
