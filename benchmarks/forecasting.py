"""The forecaster beside naive floors, ridge, plain networks and other packages, at equal budget.

    python benchmarks/forecasting.py --seeds 3 --budget 60
    python benchmarks/forecasting.py --tasks etth1-96 --methods segrnn sknas
    python benchmarks/forecasting.py --methods neuralforecast darts
    python benchmarks/forecasting.py --smoke

Series are cut in time, ETTh1 by the standard protocol, the others 70/10/20; no test window is
dropped; errors are in standard deviations of the training rows, over all steps and columns. Every
network has at most `--budget` seconds a fit. The plain networks and `sknas` may end sooner, when
validation no longer improves. Other packages take part where they are installed. Rows are kept as
they come, so that a table can be made in parts. Needs the data folder, see `_data`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import _networks
import _packages
import numpy as np
import pandas as pd
import torch
from _data import Series, Windows, etth1_series, in_time, numbers, parted, pollution, stock_close
from _table import errors, keep, merged, summarise, timed
from sklearn.linear_model import Ridge

from sknas import GrowingDARTSForecaster


@dataclass(frozen=True)
class Task:
    """A series, the rows read, the rows forecast and the season that is repeated."""

    read: Callable[[], Series]
    lookback: int
    horizon: int
    season: int


TASKS = {
    **{f"etth1-{h}": Task(etth1_series, 96, h, 24) for h in (1, 24, 96, 192, 336, 720)},
    "exchange_rate-96": Task(lambda: in_time(numbers("exchange_rate")), 96, 96, 7),
    "national_illness-24": Task(lambda: in_time(numbers("national_illness")), 36, 24, 52),
    "pollution-1": Task(lambda: in_time(pollution()), 24, 1, 24),
    "stock_close-1": Task(lambda: in_time(stock_close()), 24, 1, 5),
}
FLOORS = ("last value", "seasonal naive", "ridge")
NETWORKS = ("nlinear", "lstm", "gru", "segrnn")
METHODS = (*FLOORS, *NETWORKS, "sknas", *_packages.PACKAGES)
PENALTIES = tuple(10.0**k for k in range(-1, 6))


def naive(series: Series, horizon: int, season: int) -> np.ndarray:
    """Return the last `season` rows before each test window's forecast, repeated."""
    origins = np.arange(series.n_known, len(series.values) - horizon + 1)
    return series.values[origins[:, None] - season + np.arange(horizon) % season]


def ridge(windows: Windows) -> np.ndarray:
    """Return forecasts of one linear map that all channels share, its penalty validated."""

    def rows(part: np.ndarray) -> np.ndarray:
        return part.swapaxes(1, 2).reshape(-1, part.shape[1])

    n_train = len(windows.X) - round(windows.validation_fraction * len(windows.X))
    X, y = rows(windows.X[:n_train]), rows(windows.y[:n_train])
    X_judge, y_judge = rows(windows.X[n_train:]), rows(windows.y[n_train:])
    models = [Ridge(alpha=penalty).fit(X, y) for penalty in PENALTIES]

    def loss(model: Ridge) -> float:
        # One step makes one target, which Ridge predicts as a vector.
        return float(np.mean((model.predict(X_judge).reshape(y_judge.shape) - y_judge) ** 2))

    best = min(models, key=loss)
    n_windows, horizon, n_channels = windows.y_test.shape
    found = best.predict(rows(windows.X_test))
    return found.reshape(n_windows, n_channels, horizon).swapaxes(1, 2)


def searched(
    series: Series, task: Task, seed: int, budget: float
) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the forecaster's forecasts of every test window, and what it found."""
    Y = pd.DataFrame(series.values)
    windows = series.n_known - task.lookback - task.horizon + 1
    model = GrowingDARTSForecaster(
        lookback=task.lookback,
        horizon=task.horizon,
        validation_fraction=(series.n_known - series.n_train - task.horizon + 1) / windows,
        time_budget=budget,
        random_state=seed,
    )
    model.fit(Y[: series.n_known])
    found = model.backtest(Y).forecasts["forecast"].to_numpy()
    told = {
        "n_params": model.n_params_,
        "chosen": model.search_report_.chosen,
        "genotype": str(model.genotype_),
    }
    return found.reshape(-1, task.horizon, series.values.shape[1]), told


def record(task: Task, method: str, seed: int, budget: float) -> dict[str, Any]:
    """Run a method and return its row."""
    series = task.read()
    windows = series.windows(task.lookback, task.horizon)
    told: dict[str, Any] = {}

    def run() -> np.ndarray:
        if method == "last value":
            return naive(series, task.horizon, 1)
        if method == "seasonal naive":
            return naive(series, task.horizon, task.season)
        if method == "ridge":
            return ridge(windows)
        if method in _packages.PACKAGES:
            return _packages.forecasts(method, series, task.lookback, task.horizon, seed, budget)
        if method == "sknas":
            found, details = searched(series, task, seed, budget)
            told.update(details)
        else:
            found, told["n_params"] = _networks.forecasts(method, windows, seed, budget)
        return found

    found, seconds = timed(run)
    row = {"method": method, "seed": seed, **errors(windows.y_test, found), "cpu_seconds": seconds}
    print(f"  {method}, seed {seed}: MSE {row['mse']:.4f}, {seconds:.0f} CPU s, {told}", flush=True)
    return {**row, "n_params": None, **told}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0, help="to go on where a run ended")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds a fit, at most")
    parser.add_argument("--smoke", action="store_true", help="short parts, one seed, no file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.smoke:
        options.seeds, options.budget = 1, 2.0
    records: list[dict[str, Any]] = []
    for name in options.tasks:
        task = shortened(TASKS[name]) if options.smoke else TASKS[name]
        print(f"{name}: {task.lookback} rows -> {task.horizon}", flush=True)
        for method in options.methods:
            if method in _packages.PACKAGES and not _packages.is_installed(method):
                print(f"  {method} is not installed", flush=True)
                continue
            n_seeds = 1 if method in FLOORS else options.seeds
            seeds = range(options.first_seed, options.first_seed + n_seeds)
            rows = [{"task": name, **record(task, method, seed, options.budget)} for seed in seeds]
            if options.smoke:
                records += rows
            else:
                records = merged("forecasting", rows, ["task", "method", "seed"])
                keep("forecasting", records, table_of(records))
    if options.smoke:
        print(table_of(records).to_string())


def shortened(task: Task) -> Task:
    """Return a task on the first rows of its series."""

    def read() -> Series:
        n_rows = 3 * (task.lookback + task.horizon) + 600
        values = task.read().values[:n_rows]
        return parted(values, int(0.5 * len(values)), int(0.75 * len(values)))

    return Task(read, task.lookback, task.horizon, task.season)


def table_of(records: list[dict[str, Any]]) -> pd.DataFrame:
    """Return means over seeds, task by task."""
    known = [name for name in TASKS if any(row["task"] == name for row in records)]
    ordered = sorted(
        records, key=lambda row: (known.index(row["task"]), METHODS.index(row["method"]))
    )
    return summarise(ordered, ["task", "method"], ["mse", "mae", "cpu_seconds", "n_params"])


if __name__ == "__main__":
    main()
