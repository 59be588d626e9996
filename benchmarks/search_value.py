"""What a search is worth: its cell beside fixed cells and random ones, for the same CPU seconds.

    python benchmarks/search_value.py
    python benchmarks/search_value.py --tasks etth1-24 pollution --seeds 5
    python benchmarks/search_value.py --smoke

The default fit is measured first. A GRU, an LSTM and random genotypes of four nodes then train in
the same macro-architecture, again and again from other draws, until they have had as many CPU
seconds; of these trainings validation chooses one, as it does within the search. A random genotype
is another one each time for the row ``best of random genotypes``, and one and the same for the row
``random genotype``. Errors are squared errors on the test part, or log losses of classes; the
advantage is that within each seed, with its standard error, as a hundred times the logarithm of the
errors' ratio: of small losses the ratio itself may be anything. Needs the data folder, see `_data`.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from _data import Windows, chronological, etth1, pollution, sequences, stock_close
from _table import errors, keep, merged, timed
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedShuffleSplit

from sknas import Genotype, GrowingDARTSClassifier, GrowingDARTSRegressor
from sknas.estimators._preparation import default_segment_length
from sknas.ops import DEFAULT_OPERATIONS

N_NODES, N_UNITS = 4, 64
METHODS = ("gru", "lstm", "random genotype", "best of random genotypes")

Model = GrowingDARTSRegressor | GrowingDARTSClassifier
Record = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """How to make an estimator, fit it, and measure its error on the test part.

    Segments and channels of a drawn cell are those that a named one gets by default. All fits of a
    seed validate on the same samples, since losses on others could not be compared.
    """

    make: Callable[..., Model]
    fit: Callable[[Model], Model]
    error: Callable[[Model], float]
    segment_length: int
    channel_mode: str
    split: Callable[[int], dict[str, Any]] = lambda _: {}


def forecasts(windows: Windows) -> Task:
    """Return the task of forecasting a series."""

    def make(**parameters: Any) -> Model:
        fraction = windows.validation_fraction
        return GrowingDARTSRegressor(validation_fraction=fraction, **parameters)

    return Task(
        make,
        lambda model: model.fit(windows.X, windows.y),
        lambda model: errors(windows.y_test, model.predict(windows.X_test))["mse"],
        default_segment_length(*windows.X.shape[1:2], 1, continues_channels=True),
        "independent",
    )


def classes(name: str) -> Task:
    """Return the task of telling labelled sequences apart."""
    (X, y), (X_test, y_test) = sequences(name)
    return Task(
        GrowingDARTSClassifier,
        lambda model: model.fit(X, y),
        lambda model: log_loss(y_test, model.predict_proba(X_test), labels=model.classes_),
        default_segment_length(X.shape[1], 1, continues_channels=False),
        "mixed",
        lambda seed: {"validation": StratifiedShuffleSplit(1, test_size=0.2, random_state=seed)},
    )


TASKS: dict[str, Callable[[], Task]] = {
    "etth1-24": lambda: forecasts(etth1(96, 24)),
    "etth1-96": lambda: forecasts(etth1(96, 96)),
    "pollution": lambda: forecasts(chronological(pollution(), 24, 1)),
    "stock_close": lambda: forecasts(chronological(stock_close(), 24, 1)),
    "ItalyPowerDemand": lambda: classes("ItalyPowerDemand"),
    "JapaneseVowels": lambda: classes("JapaneseVowels"),
    "BasicMotions": lambda: classes("BasicMotions"),
}


def measured(task: Task, parameters: dict[str, Any]) -> tuple[Model, Record]:
    """Fit once; return the model, and its errors and seconds."""
    model = task.make(**parameters)
    _, seconds = timed(lambda: task.fit(model))
    report = model.search_report_
    return model, {
        "error": task.error(model),
        "val_loss": float(report.stages.val_loss[report.chosen]),
        "cpu_seconds": seconds,
        "chosen": report.chosen,
    }


def searched(task: Task, seed: int, budget: dict[str, Any]) -> Record:
    """Return the record of the default fit."""
    model, record = measured(task, {"random_state": seed, **task.split(seed), **budget})
    return {**record, "n_fits": 1, "genotype": str(model.genotype_)}


def repeated(task: Task, method: str, seed: int, seconds: float, budget: dict[str, Any]) -> Record:
    """Train a fixed cell, or random ones, for some CPU seconds; return the best by validation."""
    best: Record | None = None
    spent, n_fits = 0.0, 0
    while best is None or spent + spent / n_fits / 2 < seconds:
        state = 1000 * seed + n_fits
        draw = state if method.startswith("best") else seed
        given = method if method in ("gru", "lstm") else drawn(task, draw)
        parameters = {"genotype": given, "random_state": state, **task.split(seed), **budget}
        _, record = measured(task, parameters)
        spent, n_fits = spent + record["cpu_seconds"], n_fits + 1
        if best is None or record["val_loss"] < best["val_loss"]:
            best = {**record, "genotype": str(given)}
    return {**best, "cpu_seconds": spent, "n_fits": n_fits}


def drawn(task: Task, draw: int) -> Genotype:
    """Draw a random cell in the frame that a named genotype gets by default."""
    return Genotype.random(
        draw,
        operations=DEFAULT_OPERATIONS,
        n_nodes=N_NODES,
        hidden_size=N_UNITS,
        segment_length=task.segment_length,
        channel_mode=task.channel_mode,
    )


def rows(name: str, options: argparse.Namespace) -> list[Record]:
    """Return the records of a task."""
    task = TASKS[name]()
    budget = {"search_epochs": 2, "max_epochs": 1} if options.smoke else {}
    found: list[Record] = []
    for seed in range(options.seeds):
        key = {"task": name, "seed": seed}
        search = searched(task, seed, budget)
        found.append({**key, "method": "search", **search})
        told(found[-1])
        for method in METHODS:
            record = repeated(task, method, seed, search["cpu_seconds"], budget)
            found.append({**key, "method": method, **record})
            told(found[-1])
    return found


def told(row: Record) -> None:
    """Print a record."""
    print(
        f"  {row['task']}, seed {row['seed']}, {row['method']}: {row['error']:.4f}, "
        f"{row['cpu_seconds']:.0f} CPU s in {row['n_fits']} fits, {row['chosen']}",
        flush=True,
    )


def summary(records: list[Record]) -> pd.DataFrame:
    """Return errors, and how much less the search's is, in log points, with its standard error."""
    frame = pd.DataFrame(records)
    search = frame[frame.method == "search"].set_index(["task", "seed"]).error
    frame["search"] = [
        search[task, seed] for task, seed in zip(frame.task, frame.seed, strict=True)
    ]
    frame["advantage"] = 100.0 * np.log(frame.error / frame.search)
    groups = frame.groupby(["task", "method"], sort=False)
    table = groups[["error", "advantage"]].mean()
    n_runs = groups.size()
    table["standard error"] = groups.advantage.std() / np.sqrt(n_runs)
    table["cpu_seconds"] = groups.cpu_seconds.mean()
    table["fits"] = groups.n_fits.mean()
    table["runs"] = n_runs
    return table.rename(columns={"advantage": "search ahead by, 100 log"}).reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--smoke", action="store_true", help="an epoch or two each, no file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # few epochs leave some mechanisms no time, and fits say so
    for name in options.tasks:
        records = rows(name, options)
        if options.smoke:
            continue
        records = merged("search_value", records, ["task", "method", "seed"])
        order = {task: place for place, task in enumerate(TASKS)}
        records.sort(key=lambda row: order[row["task"]])
        keep("search_value", records, summary(records))


if __name__ == "__main__":
    main()
