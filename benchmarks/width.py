"""A network that is too wide, made as narrow as its loss allows (DNAL), beside plain widths.

    python benchmarks/width.py --seeds 3
    python benchmarks/width.py --smoke

A GRU without a linear seed, so that the recurrent units do all the work, of 8 to 64 units; then the
widest again with a `size_penalty`, which closes units after the training and trains what is left.
Errors and weights are told as shares of the widest network's of the same seed. Beijing air one hour
ahead and ETTh1 24 hours ahead, an even selection of the training windows, all test windows. Needs
the data folder, see `_data`. Everything runs on one core.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from _data import Windows, chronological, etth1, pollution
from _table import errors, keep, summarise, timed

from sknas import GrowingDARTSRegressor

TASKS: dict[str, Callable[[], Windows]] = {
    "pollution": lambda: chronological(pollution(), 24, 1),
    "etth1-24": lambda: etth1(96, 24),
}
WIDTHS = (64, 32, 16, 8)
PENALTIES = (0.003, 0.01, 0.03, 0.1)
N_SEQUENCES = 448  # a batch, over all channels


def record(windows: Windows, seed: int, **parameters: Any) -> dict[str, Any]:
    """Fit a GRU, predict the test windows and return its figures."""
    model = GrowingDARTSRegressor(
        genotype="gru",
        linear_seed=False,
        batch_size=max(8, N_SEQUENCES // windows.X.shape[2]),
        validation_fraction=windows.validation_fraction,
        random_state=seed,
        **parameters,
    )
    _, seconds = timed(lambda: model.fit(windows.X, windows.y))
    return {
        **errors(windows.y_test, model.predict(windows.X_test)),
        "units": sum(branch.hidden_size for branch in model.genotype_.branches),
        "n_params": model.n_params_,
        "cpu_seconds": seconds,
        "stage": model.search_report_.chosen,
    }


def rows_of(task: str, windows: Windows, seed: int, epochs: int) -> list[dict[str, Any]]:
    """Return the rows of a task: plain widths, then the widest at each penalty."""
    runs = {f"{width} units": {"hidden_size": width} for width in WIDTHS}
    runs |= {
        f"{WIDTHS[0]} units, size_penalty={penalty:g}": {
            "hidden_size": WIDTHS[0],
            "size_penalty": penalty,
        }
        for penalty in PENALTIES
    }
    rows: list[dict[str, Any]] = []
    for method, parameters in runs.items():
        found = record(windows, seed, max_epochs=epochs, **parameters)
        widest = rows[0] if rows else found
        found["error ratio"] = found["mse"] / widest["mse"]
        found["weight ratio"] = found["n_params"] / widest["n_params"]
        print(f"  {method}, seed {seed}: {found}", flush=True)
        rows.append({"task": task, "method": method, "seed": seed, **found})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=24, help="at most, of each training")
    parser.add_argument("--windows", type=int, default=3000, help="training windows, at most")
    parser.add_argument("--smoke", action="store_true", help="few windows and epochs, no file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.smoke:
        options.seeds, options.epochs, options.windows = 1, 2, 300
    rows = []
    for task in options.tasks:
        windows = TASKS[task]()
        step = max(1, -(-len(windows.X) // options.windows))
        windows = dataclasses.replace(windows, X=windows.X[::step], y=windows.y[::step])
        print(f"{task}: {len(windows.X)} windows, {len(windows.X_test)} to test", flush=True)
        for seed in range(options.seeds):
            rows += rows_of(task, windows, seed, options.epochs)
    metrics = ["mse", "units", "n_params", "error ratio", "weight ratio", "cpu_seconds"]
    table = summarise(rows, ["task", "method"], metrics)
    if options.smoke:
        print(table.to_string())
    else:
        keep("width", rows, table)


if __name__ == "__main__":
    main()
