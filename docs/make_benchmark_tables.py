"""Write the tables of the benchmarks page from what the benchmark scripts kept as JSON."""

import json
import math
import re
import sys
from pathlib import Path

import pandas as pd

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
RESULTS = BENCHMARKS / "results"
sys.path.insert(0, str(BENCHMARKS))
import mechanisms  # noqa: E402

HEADER = "{}\n   :header: {}\n   :widths: auto\n   :class: results\n"


def written(value: object) -> str:
    """Return a cell's text."""
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return f"{value:.4f}" if abs(value) < 10 else f"{value:.0f}"
    text = str(value).strip()  # an indent would be a quotation
    text = re.sub(r"_(?!\w)", r"\\_", text)  # a word before it would be a link
    return "\\-" if text == "-" else text  # a dash by itself would begin a list


def table(rows: list[dict[str, object]]) -> str:
    """Return rows as a csv-table of reStructuredText, or as one for each part that they name."""
    frame = pd.DataFrame(rows).drop(columns="index", errors="ignore")
    if "part" not in frame:
        return csv_table(frame)
    parts = frame.groupby("part", sort=False)
    return "\n".join(
        csv_table(own.drop(columns="part").dropna(axis="columns", how="all"), str(part))
        for part, own in parts
    )


def csv_table(frame: pd.DataFrame, title: str = "") -> str:
    """Return a frame as a csv-table."""
    lines = [",".join(f'"{written(value)}"' for value in row) for row in frame.to_numpy().tolist()]
    names = ", ".join(f'"{name}"' for name in frame.columns)
    head = f".. csv-table::{' ' * bool(title)}{HEADER.format(title, names)}"
    return head + "\n" + "".join(f"   {line}\n" for line in lines)


PAPERS = {
    "jie_gao": ["grown from one", "grown, then pruned", "full size (DARTS)"],
    "darts": ["  softmax", "  second order", "  scratch", "full size (DARTS)", "graph (DARTS)"],
    "darts_prime": ["  information", "  split by schedule", "  proximity", "  admm", "  clamp"],
    "dnal": ["  scaled_sigmoid", "  size_penalty"],
    "gdas": ["  gumbel"],
    "fairdarts": ["  softmax", "  scaled_sigmoid", "  zero_one"],
    "darts_minus": ["  auxiliary skip"],
    "darts_pt": ["  magnitude"],
    "r_darts": ["  collapse watch"],
    "random_search": ["random search", "default", "random genotypes"],
    "gradmax": ["grown from one", "  gradmax"],
    "toponas_dots": ["  constant edges", "  DOTS's edges"],
    "north": ["grown from one", "  north"],
}
REFERENCE = "three mixed nodes"
PEERS = [
    "ridge (the seed)",
    "gru",
    "lstm",
    "random genotypes",
    "default, refit",
    REFERENCE,
    "grown from one",
    "random search",
]
COLUMNS = ["task", "method", "mse", "mse std", "gap", "n_params", "cpu_seconds"]


def write_papers(folder: Path, rows: list[dict[str, object]]) -> None:
    """Write one file a paper: its rows of the ablation under those of the plain search."""
    for paper, methods in PAPERS.items():
        chosen = [
            {name: row[name] for name in COLUMNS}
            for row in rows
            if row["method"] in [REFERENCE, *methods]
        ]
        chosen.sort(key=lambda row: str(row["task"]))
        text = table(chosen) if chosen else "Not measured yet.\n"
        (folder / f"paper-{paper}.txt").write_text(text, encoding="utf-8")


def worth(
    records: list[dict[str, object]], reference: str = REFERENCE, measure: str = "mse"
) -> list[dict[str, object]]:
    """Return each method's error as a ratio to that of a reference with the same seed.

    Means over seeds with the standard error of that mean; a task a column.
    """
    frame = pd.DataFrame(records)
    plain = frame[frame.method == reference].set_index(["task", "seed"])[measure]
    # Draws beyond the reference's seeds are compared with its mean.
    mean = plain.groupby("task").mean()
    frame["reference"] = [
        plain.get((task, seed), mean.get(task, math.nan))
        for task, seed in zip(frame.task, frame.seed, strict=True)
    ]
    frame["ratio"] = frame[measure] / frame.reference
    rows: list[dict[str, object]] = []
    for method, runs in frame.groupby("method", sort=False):
        row: dict[str, object] = {"method": method}
        for task in frame.task.unique():
            ratios = runs.ratio[runs.task == task]
            error = ratios.std() / math.sqrt(max(1, len(ratios)))
            row[task] = "" if ratios.empty else f"{ratios.mean():.3f}"
            if len(ratios) > 1:
                row[task] = f"{row[task]} \u00b1 {error:.3f}"
        rows.append(row)
    return rows


def beside_default(records: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return errors as ratios to the default's, and CPU seconds, of what stands in its place."""
    rows: list[dict[str, object]] = []
    for measure, name in (("mse", "test error"), ("cpu_seconds", "CPU seconds")):
        for row in worth(records, "default", measure):
            if row["method"] in PEERS:
                rows.append({"ratio of": name, **row})
    return rows


MEASURES = {"mse": "test MSE", "mae": "test MAE", "cpu_seconds": "CPU seconds"}


def side_by_side(
    records: list[dict[str, object]], measure: str, *, is_etth1: bool
) -> list[dict[str, object]]:
    """Return means over seeds, and their standard deviations, a task a column."""
    frame = pd.DataFrame(records)
    frame = frame[frame.task.str.startswith("etth1-") == is_etth1]
    rows: list[dict[str, object]] = []
    for method, runs in frame.groupby("method", sort=False):
        row: dict[str, object] = {MEASURES[measure]: method}
        for task in frame.task.unique():
            values = runs.loc[runs.task == task, measure]
            text = format(values.mean(), ".0f" if measure == "cpu_seconds" else ".4f")
            spread = f" ({values.std():.4f})" if measure == "mse" and len(values) > 1 else ""
            row[str(task)] = "" if values.empty else text + spread
        rows.append(row)
    return rows


def settings() -> list[dict[str, object]]:
    """Return what each row of the ablation sets; where it is a plain search, beyond that."""
    rows = []
    for method, parameters in mechanisms.SEARCHES.items():
        own = parameters
        if method != REFERENCE and "initial_genotype" in parameters:
            own = {k: v for k, v in parameters.items() if mechanisms.MIXED.get(k) != v}
        given = ", ".join(f"``{name}={value!r}``" for name, value in own.items())
        rows.append({"row": method, "sets": given.replace('"', '""')})
    return rows


def main(folder: Path) -> None:
    """Write one file a benchmark."""
    folder.mkdir(exist_ok=True)
    page = (Path(__file__).resolve().parent / "benchmarks.rst").read_text(encoding="utf-8")
    for name in re.findall(r"generated/(benchmark-[\w-]+\.txt)", page):
        (folder / name).write_text("Not measured yet.\n", encoding="utf-8")
    for path in sorted(RESULTS.glob("*.json")):
        rows = json.loads(path.read_text(encoding="utf-8"))["table"]
        (folder / f"benchmark-{path.stem}.txt").write_text(table(rows), encoding="utf-8")
    forecasting = RESULTS / "forecasting.json"
    if forecasting.exists():
        rows = json.loads(forecasting.read_text(encoding="utf-8"))["records"]
        for name, is_etth1 in (("etth1", True), ("others", False)):
            text = "\n".join(table(side_by_side(rows, m, is_etth1=is_etth1)) for m in MEASURES)
            (folder / f"benchmark-forecasting-{name}.txt").write_text(text, encoding="utf-8")
    ablation = RESULTS / "mechanisms.json"
    kept = json.loads(ablation.read_text(encoding="utf-8")) if ablation.exists() else {}
    write_papers(folder, kept.get("table", []))
    (folder / "benchmark-settings.txt").write_text(table(settings()), encoding="utf-8")
    if kept:
        text = table(worth(kept["records"]))
        (folder / "benchmark-worth.txt").write_text(text, encoding="utf-8")
        text = table(beside_default(kept["records"]))
        (folder / "benchmark-beside-default.txt").write_text(text, encoding="utf-8")
