"""Intervals of a forecaster beside those of a naive one: do they hold the truth as often as said?

    python benchmarks/intervals.py --seeds 3
    python benchmarks/intervals.py --tasks exchange_rate-96 national_illness-24 --genotype linear
    python benchmarks/intervals.py --smoke

Series are cut in time; the test part is the last fifth. The forecaster
is fitted on the rows before it, with a fixed GRU or a search, and forecasts from every origin of
the test part; `backtest` lets errors join its calibration as soon as they are known. The naive
forecast repeats the last value, and its interval is that of its errors before the test part, step
by step. Coverage over all origins, steps and columns; widths in units of the first part's standard
deviations. Needs the data folder, see `_data`.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
import torch
from _data import data_folder, numbers, pollution, stock_close
from _table import keep, merged, summarise, timed

from sknas import GrowingDARTSForecaster

COVERAGES = (0.8, 0.95)


def etth1() -> pd.DataFrame:
    """Return the rows of the standard protocol."""
    return pd.read_csv(data_folder() / "ETTh1.csv", index_col="date", parse_dates=True)[:14400]


def numbered_stocks() -> pd.DataFrame:
    """Return closes by number of the trading day, since holidays are no gaps in them."""
    frame = stock_close()
    return frame.set_axis(pd.RangeIndex(len(frame)))


TASKS = {  # series, lookback, horizon; the last fifth is the test part
    "etth1-24": (etth1, 96, 24),
    "pollution-1": (pollution, 24, 1),
    "stock_close-1": (numbered_stocks, 24, 1),
    "exchange_rate-96": (lambda: numbers("exchange_rate"), 96, 96),
    "national_illness-24": (lambda: numbers("national_illness"), 36, 24),
}


def naive(
    values: np.ndarray, n_before: int, horizon: int, coverage: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return truths, lower and upper ends (n_origins, horizon, columns) of the last value."""
    windows = np.lib.stride_tricks.sliding_window_view(values, horizon + 1, axis=0).swapaxes(1, 2)
    last, future = windows[:, :1], windows[:, 1:]
    errors = (future - last)[: n_before - horizon]
    ends = np.quantile(errors, [(1 - coverage) / 2, (1 + coverage) / 2], axis=0)
    test = slice(n_before - 1, None)
    return future[test], last[test] + ends[0], last[test] + ends[1]


def told(truth: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> dict[str, float]:
    """Return coverage and mean width."""
    return {
        "coverage": float(((truth >= lower) & (truth <= upper)).mean()),
        "width": float((upper - lower).mean()),
    }


def rows_of(task: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the rows of a task."""
    make, lookback, horizon = TASKS[task]
    Y = make()
    if options.smoke:
        Y = Y[:1500]
    n_before = len(Y) - len(Y) // 5
    Y = (Y - Y[:n_before].mean()) / Y[:n_before].std(ddof=0)
    rows = []
    for coverage in COVERAGES:
        found = told(*naive(Y.to_numpy(), n_before, horizon, coverage))
        rows.append({"task": task, "nominal": coverage, "method": "last value", "seed": 0, **found})
    for seed in range(options.seeds):
        model = GrowingDARTSForecaster(
            lookback=lookback,
            horizon=horizon,
            genotype=None if options.genotype == "search" else options.genotype,
            random_state=seed,
        )
        fitted, seconds = timed(lambda model=model: model.fit(Y[:n_before]))
        for coverage in COVERAGES:
            found = fitted.backtest(Y, coverage=coverage)
            parts = (found.forecasts[name].to_numpy() for name in ("truth", "lower", "upper"))
            row = {"task": task, "nominal": coverage, "method": options.genotype, "seed": seed}
            row |= told(*parts) | {"mse": found.scores.mse["all"], "cpu_seconds": seconds}
            print(f"  {row}", flush=True)
            rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--genotype", default="gru", help="a name, or 'search'")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="few rows, one seed, no file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.smoke:
        options.seeds, options.genotype = 1, "linear"
    rows = [row for task in options.tasks for row in rows_of(task, options)]
    if not options.smoke:
        rows = merged("intervals", rows, ["task", "nominal", "method", "seed"])
    table = summarise(rows, ["task", "nominal", "method"], ["coverage", "width", "cpu_seconds"])
    if options.smoke:
        print(table.to_string())
    else:
        keep("intervals", rows, table)


if __name__ == "__main__":
    main()
