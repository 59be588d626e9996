"""Run methods over seeds, print their table and keep it as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

RESULTS = Path(__file__).resolve().parent / "results"


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a function returns, and the CPU seconds it took."""
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


def errors(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Return mean squared and mean absolute error over all samples, steps and channels."""
    if predicted.shape != truth.shape:  # arrays that broadcast would give a number, a wrong one
        raise ValueError(f"forecasts of shape {predicted.shape} for a truth of {truth.shape}")
    return {
        "mse": float(np.mean((predicted - truth) ** 2)),
        "mae": float(np.mean(np.abs(predicted - truth))),
    }


def summarise(records: list[dict[str, Any]], by: list[str], metrics: list[str]) -> pd.DataFrame:
    """Return mean and standard deviation of each metric over seeds, in order of appearance."""
    frame = pd.DataFrame(records)
    groups = frame.groupby(by, sort=False)
    table = groups[metrics].mean()
    table.insert(1, f"{metrics[0]} std", groups[metrics[0]].std())
    table["runs"] = groups.size()
    return table


def merged(name: str, records: list[dict[str, Any]], key: list[str]) -> list[dict[str, Any]]:
    """Return the records kept before, those of the same key replaced, and the new ones.

    So a part of a benchmark can be run again. Delete results/NAME.json to begin anew.
    """
    path = RESULTS / f"{name}.json"
    before = json.loads(path.read_text(encoding="utf-8"))["records"] if path.exists() else []
    new = {tuple(record[part] for part in key): record for record in records}
    old = {tuple(record[part] for part in key): record for record in before}
    return [*({**old, **new}).values()]


def keep(name: str, records: list[dict[str, Any]], table: pd.DataFrame) -> None:
    """Print a table, and write it and its records to results/NAME.json."""
    print(table.to_string(float_format=lambda value: f"{value:.4f}", na_rep="-"))
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(
        {"records": records, "table": table.reset_index().to_dict("records")}, indent=1
    )
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
