"""Series on which nothing was settled: the default search beside the naive floors, ridge and a GRU.

    python benchmarks/unseen.py --seeds 3

exchange_rate (96 -> 96) and national_illness (36 -> 24), cut 70/10/20 in time. Validation says
little of the test part on either (a random walk; a trend that breaks), so these are a check of
what `fit` returns there, and no place to compare cells. Needs the data folder, see `_data`.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
import torch
from _data import Windows, chronological, data_folder
from _table import errors, keep, merged, summarise, timed

from sknas import GrowingDARTSRegressor

TASKS = {"exchange_rate": (96, 96, 7), "national_illness": (36, 24, 52)}  # and the season
GENOTYPES = {"ridge (the seed)": "linear", "gru": "gru", "search": None}


def naive(windows: Windows, season: int) -> list[dict[str, Any]]:
    """Return the rows of the last value and of the last season, repeated."""
    horizon = windows.y.shape[1]
    last = np.repeat(windows.X_test[:, -1:], horizon, axis=1)
    rows = [{"method": "last value", "seed": 0, **errors(windows.y_test, last)}]
    if season <= windows.X.shape[1]:
        cycle = windows.X_test[:, -season:]
        seasonal = np.tile(cycle, (1, -(-horizon // season), 1))[:, :horizon]
        rows.append({"method": "seasonal naive", "seed": 0, **errors(windows.y_test, seasonal)})
    return rows


def fitted(windows: Windows, method: str, seed: int) -> dict[str, Any]:
    """Fit, predict the test windows and return one row."""
    model = GrowingDARTSRegressor(
        genotype=GENOTYPES[method],
        validation_fraction=windows.validation_fraction,
        random_state=seed,
    )
    _, seconds = timed(lambda: model.fit(windows.X, windows.y))
    row = {
        "method": method,
        "seed": seed,
        **errors(windows.y_test, model.predict(windows.X_test)),
        "cpu_seconds": seconds,
        "n_params": model.n_params_,
        "chosen": model.search_report_.chosen,
    }
    print(f"  {method}, seed {seed}: MSE {row['mse']:.4f}, {row['chosen']}", flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for task in options.tasks:
        lookback, horizon, season = TASKS[task]
        frame = pd.read_csv(data_folder() / f"{task}.csv", index_col="date")
        windows = chronological(frame, lookback, horizon)
        print(f"{task}: {len(windows.X)} windows, {len(windows.X_test)} to test", flush=True)
        found = naive(windows, season)
        for method in GENOTYPES:
            n_seeds = 1 if method == "ridge (the seed)" else options.seeds
            found += [fitted(windows, method, seed) for seed in range(n_seeds)]
        rows += [{"task": task, **row} for row in found]
    records = merged("unseen", rows, ["task", "method", "seed"])
    metrics = ["mse", "mae", "cpu_seconds", "n_params"]
    keep("unseen", records, summarise(records, ["task", "method"], metrics))


if __name__ == "__main__":
    main()
