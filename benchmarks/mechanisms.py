"""What each mechanism of the papers is worth: one table an ablation, at equal CPU budget.

    python benchmarks/mechanisms.py --tasks etth1-24 etth1-96 pollution stock_close --seeds 3
    python benchmarks/mechanisms.py --tasks etth1-24 --methods default "  clamp"
    python benchmarks/mechanisms.py --smoke

Every search starts from the same three mixed nodes on the same linear seed, so that the mechanism
has something to act on; only the named parameters differ. A pilot of a few epochs measures what an
epoch of each search costs, and the epochs are set so that all cost what the plain one does.
Weights are inherited, but for the row that says otherwise.
Fixed cells, ridge and random genotypes stand beside them. To keep a fit to some seconds, networks
are narrow and an even selection of the training windows is used; all test windows are. Needs the
data folder, see `_data`.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import torch
from _data import Windows, chronological, etth1, pollution, stock_close
from _table import errors, keep, merged, summarise, timed
from teacher import N_TRAIN, samples, teacher

from sknas import Genotype, GrowingDARTSRegressor
from sknas.estimators._preparation import default_segment_length
from sknas.ops import DEFAULT_OPERATIONS
from sknas.search import EigenvalueWatch
from sknas.supernet import AnnealedEdges


def from_teacher(seed: int) -> Windows:
    """Return noise sequences and what the recurrent teacher of this number makes of each."""
    X, y = samples(teacher(seed), seed)
    y = y[:, None, None]
    return Windows(X[:N_TRAIN], y[:N_TRAIN], X[N_TRAIN:], y[N_TRAIN:], 0.2)


# The windows of a task, given a seed: real series are the same whatever the seed.
Task = Callable[[int], Windows]
TASKS: dict[str, Task] = {
    "etth1-24": lambda _: etth1(96, 24),
    "etth1-96": lambda _: etth1(96, 96),
    "pollution": lambda _: chronological(pollution(), 24, 1),
    "stock_close": lambda _: chronological(stock_close(), 24, 1),
    "teachers": from_teacher,
}
MIXED = {
    "initial_genotype": "linear",
    "initial_nodes": 3,
    "max_nodes": 3,
}
SEARCHES: dict[str, dict[str, Any]] = {
    "default": {},
    "default, refit": {"refit": "both"},
    "three mixed nodes": MIXED,
    "  softmax": {**MIXED, "relaxation": "softmax"},
    "  scaled_sigmoid": {**MIXED, "relaxation": "scaled_sigmoid"},
    "  clamp": {**MIXED, "relaxation": "clamp"},
    "  gumbel": {**MIXED, "relaxation": "gumbel"},
    "  constant edges": {**MIXED, "edge_choice": "softmax"},
    "  DOTS's edges": {**MIXED, "edge_choice": AnnealedEdges(start=10.0, stop=0.02)},
    "  every_k": {**MIXED, "arch_schedule": "every_k"},
    "  information": {**MIXED, "arch_schedule": "information"},
    "  second order": {**MIXED, "arch_order": 2},
    "  proximity": {**MIXED, "arch_regularizer": "proximity"},
    "  admm": {**MIXED, "arch_regularizer": "admm"},
    "  zero_one": {**MIXED, "arch_regularizer": "zero_one", "relaxation": "scaled_sigmoid"},
    "  magnitude": {**MIXED, "pruning": "magnitude"},
    "  scratch": {**MIXED, "refit": "scratch"},
    "grown from one": {**MIXED, "initial_nodes": 1},
    "grown, then pruned": {**MIXED, "initial_nodes": 1, "mode": "sequential"},
    "full size (DARTS)": {"mode": "fixed", "max_nodes": 3},
    "no line, grown": {**MIXED, "initial_nodes": 1, "linear_seed": False},
    "no line, full size": {"mode": "fixed", "max_nodes": 3, "linear_seed": False},
    "graph (DARTS)": {
        "backbone": "dag",
        "mode": "fixed",
        "max_nodes": 4,
        "pruning": "magnitude",
    },
    "random search": {"mode": "random"},
    "  split by schedule": {
        **MIXED,
        "arch_schedule": "information",
        "arch_fraction": "schedule",
    },
    "  auxiliary skip": {**MIXED, "auxiliary_skip": "linear"},
    "  collapse watch": {
        **MIXED,
        "collapse_watch": EigenvalueWatch(every=1, lag=2, warmup=3),
    },
    "  size_penalty": {**MIXED, "size_penalty": 0.02},
    "  gradmax": {**MIXED, "initial_nodes": 1, "growth": "gradmax"},
    "  north": {**MIXED, "initial_nodes": 1, "growth": "north"},
}
FIXED = {"ridge (the seed)": "linear", "gru": "gru", "lstm": "lstm"}
METHODS = (*FIXED, "random genotypes", *SEARCHES)
N_RANDOM = 10
N_PILOT_EPOCHS = 3
HIDDEN_SIZE = 32
N_SEQUENCES = 448  # a batch, over all channels


def fitted(
    windows: Windows, seed: int, parameters: dict[str, Any]
) -> tuple[GrowingDARTSRegressor, float]:
    """Return a fitted model and the CPU seconds that it took."""
    model = GrowingDARTSRegressor(
        hidden_size=HIDDEN_SIZE,
        batch_size=max(8, N_SEQUENCES // windows.X.shape[2]),
        validation_fraction=windows.validation_fraction,
        random_state=seed,
        **{"refit": "inherit", **parameters},
    )
    return timed(lambda: model.fit(windows.X, windows.y))


def n_epochs(windows: Windows, parameters: dict[str, Any], cost: float, total: int) -> int:
    """Return how many search epochs cost what `total` plain ones do; a pilot tells."""
    _, seconds = fitted(
        windows, 0, {**parameters, "search_epochs": N_PILOT_EPOCHS, "max_epochs": 1}
    )
    return max(N_PILOT_EPOCHS, round(total * cost / seconds))


def record(windows: Windows, method: str, seed: int, parameters: dict[str, Any]) -> dict[str, Any]:
    """Fit, predict the test windows and return one row."""
    model, seconds = fitted(windows, seed, parameters)
    stages, history = model.search_report_.stages, model.search_history_
    last = "derived" if "derived" in stages.index else "retrained"
    derived = stages.val_loss.get(last, np.nan)
    row = {
        "method": method,
        "seed": seed,
        **errors(windows.y_test, model.predict(windows.X_test)),
        "gap": derived / stages.val_loss["supernet"] - 1 if "supernet" in stages.index else np.nan,
        "n_params": model.n_params_,
        "cpu_seconds": seconds,
        "arch_steps": float(history.get("arch_steps", history.epoch * 0).sum()),
        "genotype": str(model.genotype_),
    }
    print(f"  {method}, seed {seed}: MSE {row['mse']:.4f}, {seconds:.0f} CPU s", flush=True)
    return row


def thinned(task: Task, n_windows: int) -> Task:
    """Return the same task with an even selection of so many training windows, at most."""

    @cache
    def read(seed: int) -> Windows:
        windows = task(seed)
        step = max(1, -(-len(windows.X) // n_windows))
        return dataclasses.replace(windows, X=windows.X[::step], y=windows.y[::step])

    return read


def fixed_rows(task: Task, name: str, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the rows of ridge, of a fixed cell, or of random genotypes."""
    # A fixed cell has the epochs of a search and of the training after it.
    budget = {"max_epochs": 2 * options.epochs}
    if name in FIXED:
        for seed in range(options.seeds):
            yield record(task(seed), name, seed, {"genotype": FIXED[name], **budget})
        return
    for draw in range(options.random):
        windows = task(draw)
        lookback, (horizon, n_targets) = windows.X.shape[1], windows.y.shape[1:]
        continues = n_targets == windows.X.shape[2]
        genotype = Genotype.random(
            draw,
            operations=DEFAULT_OPERATIONS,
            n_nodes=3,
            hidden_size=HIDDEN_SIZE,
            segment_length=default_segment_length(lookback, horizon, continues_channels=continues),
            channel_mode="independent" if continues else "mixed",
        )
        yield record(windows, name, draw, {"genotype": genotype, **budget})


def rows_of(task: Task, options: argparse.Namespace) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a task, method by method."""
    budget = {"search_epochs": options.epochs, "max_epochs": options.epochs}
    pilot = {"search_epochs": N_PILOT_EPOCHS, "max_epochs": 1}
    methods = options.methods or METHODS
    for method in methods:
        if method not in SEARCHES:
            yield list(fixed_rows(task, method, options))
    if not (searches := [method for method in methods if method in SEARCHES]):
        return
    _, cost = fitted(task(0), 0, {**MIXED, **pilot})
    for method in searches:
        parameters = SEARCHES[method]
        epochs = n_epochs(task(0), parameters, cost, options.epochs)
        searched = {**budget, **parameters, "search_epochs": epochs}
        yield [record(task(seed), method, seed, searched) for seed in range(options.seeds)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--random", type=int, default=N_RANDOM)
    parser.add_argument("--epochs", type=int, default=24, help="epochs of the plain search")
    parser.add_argument("--windows", type=int, default=3000, help="training windows, at most")
    parser.add_argument("--smoke", action="store_true", help="few windows and epochs, one seed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.smoke:
        options.seeds, options.random, options.epochs, options.windows = 1, 1, N_PILOT_EPOCHS, 300
    name = "mechanisms-smoke" if options.smoke else "mechanisms"
    for task in options.tasks:
        read = thinned(TASKS[task], options.windows)
        windows = read(0)
        print(f"{task}: {len(windows.X)} windows, {len(windows.X_test)} to test", flush=True)
        for rows in rows_of(read, options):
            keep_so_far(name, [{"task": task, **row} for row in rows])


def keep_so_far(name: str, rows: list[dict[str, Any]]) -> None:
    """Keep rows at once, so that a run that is cut short has not been in vain."""
    records = merged(name, rows, ["task", "method", "seed"])
    metrics = ["mse", "mae", "gap", "n_params", "cpu_seconds", "arch_steps"]
    keep(name, records, summarise(records, ["task", "method"], metrics))


if __name__ == "__main__":
    main()
