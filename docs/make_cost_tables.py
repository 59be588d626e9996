"""Write the tables and figures of the page on budgets from what the benchmarks kept as JSON."""

import json
from pathlib import Path

import pandas as pd
from make_benchmark_tables import RESULTS, table

COSTS = "cpu_seconds"
SCALED = ("rows", "segments", "nodes")


def records(name: str) -> pd.DataFrame:
    """Return the rows that a benchmark printed."""
    kept = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return pd.DataFrame(kept["table"])


def default_fits() -> pd.DataFrame:
    """Return the CPU seconds of a default fit beside those of a fixed GRU, by horizon."""
    rows = records("accuracy")
    rows = rows[rows.method.isin(["ridge (the seed)", "gru", "search"])]
    seconds = rows.pivot_table(index="horizon", columns="method", values=COSTS)
    return seconds.assign(ratio=seconds["search"] / seconds["gru"])


def searches() -> pd.DataFrame:
    """Return the CPU seconds of default fits on data other than ETTh1."""
    rows = records("search_value")
    return rows[(rows.method == "search") & ~rows.task.str.startswith("etth1")]


def whole(value: float) -> str:
    """Return seconds without a fraction."""
    return f"{value:.0f}"


def fit_rows() -> list[dict[str, object]]:
    """Return a row a horizon of ETTh1."""
    return [
        {
            "horizon": horizon,
            "linear seed, s": f"{row['ridge (the seed)']:.1f}",
            "fixed GRU, s": whole(row["gru"]),
            "default search, s": whole(row["search"]),
            "search over GRU": f"{row['ratio']:.1f}",
        }
        for horizon, row in default_fits().iterrows()
    ]


def data_rows() -> list[dict[str, object]]:
    """Return a row a data set."""
    return [
        {"data": row.task, "default search, s": whole(row.cpu_seconds)}
        for row in searches().itertuples()
    ]


def figures() -> dict[str, str]:
    """Return the figures that the page's text names."""
    ratios = default_fits()["ratio"]
    slopes = records("scaling").dropna(subset=["slope"]).query("part in @SCALED").slope
    [memory] = records("memory").to_dict("records")
    return {
        "least ratio": f"{ratios.min():.1f}",
        "largest ratio": f"{ratios.max():.1f}",
        "least slope": f"{slopes.min():.2f}",
        "largest slope": f"{slopes.max():.2f}",
        "million rows MiB": whole(memory["over_data_mib"]),
    }


def main(folder: Path) -> None:
    """Write one file a table, and one of the figures in the text."""
    folder.mkdir(exist_ok=True)
    (folder / "cost-etth1.txt").write_text(table(fit_rows()), encoding="utf-8")
    (folder / "cost-others.txt").write_text(table(data_rows()), encoding="utf-8")
    text = "".join(f".. |{name}| replace:: {value}\n" for name, value in figures().items())
    (folder / "cost-figures.txt").write_text(text, encoding="utf-8")
