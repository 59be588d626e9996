"""Write the tables of the benchmarks page from what the benchmark scripts kept as JSON."""

import json
import math
from pathlib import Path

import pandas as pd

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results"
HEADER = ":header: {}\n   :widths: auto\n"


def written(value: object) -> str:
    """Return a cell's text."""
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return f"{value:.4f}" if abs(value) < 10 else f"{value:.0f}"
    return str(value)


def table(rows: list[dict[str, object]]) -> str:
    """Return rows as a csv-table of reStructuredText."""
    frame = pd.DataFrame(rows)
    lines = [",".join(f'"{written(value)}"' for value in row) for row in frame.to_numpy().tolist()]
    names = ", ".join(f'"{name}"' for name in frame.columns)
    return f".. csv-table::\n   {HEADER.format(names)}\n" + "".join(
        f"   {line}\n" for line in lines
    )


def main(folder: Path) -> None:
    """Write one file a benchmark."""
    folder.mkdir(exist_ok=True)
    for path in sorted(RESULTS.glob("*.json")):
        rows = json.loads(path.read_text(encoding="utf-8"))["table"]
        (folder / f"benchmark-{path.stem}.txt").write_text(table(rows), encoding="utf-8")
