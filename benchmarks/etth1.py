"""ETTh1 at lookback 96 by the standard protocol: default search against its floors and peers.

    python benchmarks/etth1.py --horizons 96 24 --seeds 3 --random 10

Every network, searched or given, has the same macro-architecture (ridge seed, window normalisation,
segments, width) and the same training; only the cell differs. Needs the data folder, see `_data`.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from _data import Windows, etth1
from _table import errors, keep, merged, summarise, timed

from sknas import Genotype, GrowingDARTSRegressor
from sknas.estimators._preparation import default_segment_length
from sknas.ops import DEFAULT_OPERATIONS

LOOKBACK = 96
METHODS = ("floors", "lstm", "gru", "search", "random")


def run(windows: Windows, method: str, seed: int, **parameters: Any) -> dict[str, Any]:
    """Fit, predict the test windows and return one record."""
    model = GrowingDARTSRegressor(
        validation_fraction=windows.validation_fraction, random_state=seed, **parameters
    )
    _, seconds = timed(lambda: model.fit(windows.X, windows.y))
    record = errors(windows.y_test, model.predict(windows.X_test))
    print(f"  {method}, seed {seed}: test MSE {record['mse']:.4f}, {seconds:.0f} CPU s", flush=True)
    if method == "search":
        print(model.search_report_, model.genotype_, sep="\n", flush=True)
    return {
        "method": method,
        "seed": seed,
        **record,
        "cpu_seconds": seconds,
        "n_params": model.n_params_,
        "genotype": str(model.genotype_),
    }


def random_genotype(seed: int, horizon: int) -> Genotype:
    """Draw a cell of four nodes over the default operations."""
    return Genotype.random(
        seed,
        operations=DEFAULT_OPERATIONS,
        n_nodes=4,
        segment_length=default_segment_length(LOOKBACK, horizon),
        channel_mode="independent",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--horizons", type=int, nargs="+", default=[96, 24])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--random", type=int, default=10)
    parser.add_argument(
        "--methods", nargs="+", choices=METHODS, default=METHODS, help="run these rows again"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    records = []
    for horizon in options.horizons:
        windows = etth1(LOOKBACK, horizon)
        print(f"ETTh1 {LOOKBACK} -> {horizon}: {len(windows.X_test)} test windows", flush=True)
        last = np.repeat(windows.X_test[:, -1:], horizon, axis=1)
        rows = []
        if "floors" in options.methods:
            rows = [{"method": "last value", "seed": 0, **errors(windows.y_test, last)}]
            rows.append(run(windows, "ridge (the seed)", 0, genotype="linear"))
        for seed in range(options.seeds):
            rows += [
                run(windows, method, seed, genotype=None if method == "search" else method)
                for method in ("lstm", "gru", "search")
                if method in options.methods
            ]
        if "random" in options.methods:
            rows += [
                run(windows, "random genotypes", seed, genotype=random_genotype(seed, horizon))
                for seed in range(options.random)
            ]
        records += [{"horizon": horizon, **row} for row in rows]
    records = merged("etth1", records, ["horizon", "method", "seed"])
    table = summarise(records, ["horizon", "method"], ["mse", "mae", "cpu_seconds", "n_params"])
    keep("etth1", records, table)


if __name__ == "__main__":
    main()
