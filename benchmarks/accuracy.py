"""ETTh1 by the standard protocol: the default fit against floors, fixed cells and published errors.

    python benchmarks/accuracy.py
    python benchmarks/accuracy.py --horizons 96 --seeds 1 --methods search
    python benchmarks/accuracy.py --smoke

From a lookback of 96 hours to 1, 24, 96, 192, 336 and 720, and to 96 from the lookback whose linear
model validates best. Every network has the same macro-architecture (ridge seed, window
normalisation, segments, width, gains) and the same training; only the cell differs. Beside the mean
over seeds stands the best published error of a recurrent network at that lookback (SegRNN, Lin et
al. 2023, arXiv:2308.11200), where there is one; ``segrnn`` trains that network here, from 96 and
from 720 hours, with 128 units. Needs the data folder, see `_data`.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

import numpy as np
import pandas as pd
import torch
from _data import Windows, etth1
from _networks import forecasts
from _table import errors, keep, merged, timed

from sknas import GrowingDARTSRegressor

LOOKBACK = 96
LOOKBACKS = (96, 192, 336, 512)
HORIZONS = (1, 24, 96, 192, 336, 720)
PUBLISHED = {(96, 96): 0.368, (96, 192): 0.408, (96, 336): 0.444, (96, 720): 0.446}
METHODS = ("floors", "gru", "lstm", "search", "lookback", "segrnn")
PEER_LOOKBACKS = (96, 720)

Record = dict[str, Any]


def run(windows: Windows, method: str, seed: int, **parameters: Any) -> Record:
    """Fit, predict the test windows and return one record."""
    lookback, horizon = windows.X.shape[1], windows.y.shape[1]
    model = GrowingDARTSRegressor(
        validation_fraction=windows.validation_fraction, random_state=seed, **parameters
    )
    _, seconds = timed(lambda: model.fit(windows.X, windows.y))
    record, report = errors(windows.y_test, model.predict(windows.X_test)), model.search_report_
    print(
        f"  {lookback} -> {horizon}, {method}, seed {seed}: MSE {record['mse']:.4f}, "
        f"{seconds:.0f} CPU s",
        flush=True,
    )
    return {
        "lookback": lookback,
        "horizon": horizon,
        "method": method,
        "seed": seed,
        **record,
        "val_loss": float(report.stages.val_loss[report.chosen]),
        "cpu_seconds": seconds,
        "n_params": model.n_params_,
        "genotype": str(model.genotype_),
    }


def floors(windows: Windows) -> list[Record]:
    """Return the last value and the linear model."""
    lookback, horizon = windows.X.shape[1], windows.y.shape[1]
    last = np.repeat(windows.X_test[:, -1:], horizon, axis=1)
    size = {"lookback": lookback, "horizon": horizon}
    naive = {**size, "method": "last value", "seed": 0, **errors(windows.y_test, last)}
    return [naive, run(windows, "ridge (the seed)", 0, genotype="linear")]


def chosen_lookback(horizon: int) -> int:
    """Return the lookback whose linear model has the least validation loss."""
    losses = {
        lookback: run(etth1(lookback, horizon), "ridge (the seed)", 0, genotype="linear")
        for lookback in LOOKBACKS
    }
    return min(losses, key=lambda lookback: losses[lookback]["val_loss"])


def peer(windows: Windows, seed: int) -> Record:
    """Train SegRNN, predict the test windows and return one record."""
    (predicted, n_params), seconds = timed(
        lambda: forecasts("published segrnn", windows, seed, math.inf)
    )
    record = {
        "lookback": windows.X.shape[1],
        "horizon": windows.y.shape[1],
        "method": "SegRNN, 128 units",
        "seed": seed,
        **errors(windows.y_test, predicted),
        "cpu_seconds": seconds,
        "n_params": n_params,
    }
    print(f"  SegRNN, seed {seed}: MSE {record['mse']:.4f}, {seconds:.0f} CPU s", flush=True)
    return record


def rows(horizon: int, options: argparse.Namespace) -> list[Record]:
    """Return the records of one horizon."""
    windows = etth1(LOOKBACK, horizon)
    budget = {"search_epochs": 1, "max_epochs": 1} if options.smoke else {}
    found = floors(windows) if "floors" in options.methods else []
    for method in ("gru", "lstm", "search"):
        if method in options.methods:
            genotype = None if method == "search" else method
            found += [
                run(windows, method, seed, genotype=genotype, **budget)
                for seed in range(options.seeds)
            ]
    if "lookback" in options.methods and horizon == LOOKBACK:
        longer = etth1(chosen_lookback(horizon), horizon)
        found += [
            run(longer, "search, lookback by validation", seed, **budget)
            for seed in range(options.seeds)
        ]
    if "segrnn" in options.methods and horizon == LOOKBACK and not options.smoke:
        for lookback in PEER_LOOKBACKS:
            windows = etth1(lookback, horizon)
            found += [peer(windows, seed) for seed in range(options.seeds)]
    return found


def summary(records: list[Record]) -> pd.DataFrame:
    """Return means over seeds, the spread of runs, and the published error."""
    groups = pd.DataFrame(records).groupby(["lookback", "horizon", "method"], sort=False)
    table = groups[["mse", "mae", "cpu_seconds", "n_params"]].mean()
    table.insert(1, "mse std", groups["mse"].std())
    table["runs"] = groups.size()
    table.insert(2, "published", [PUBLISHED.get(key[:2], math.nan) for key in table.index])
    return table.reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--horizons", type=int, nargs="+", default=list(HORIZONS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--smoke", action="store_true", help="an epoch each, no file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for horizon in options.horizons:
        records = rows(horizon, options)
        if options.smoke:
            continue
        records = merged("accuracy", records, ["lookback", "horizon", "method", "seed"])
        order = {size: place for place, size in enumerate(HORIZONS)}
        records.sort(key=lambda row: (row["lookback"], order[row["horizon"]]))
        keep("accuracy", records, summary(records))


if __name__ == "__main__":
    main()
