"""A stream of yearly parts: `partial_fit` against refitting on all rows so far, and a frozen model.

    python benchmarks/stream.py
    python benchmarks/stream.py --linear
    python benchmarks/stream.py --smoke

Hourly Beijing air, one hour ahead from the last 24, all eight channels. Each part is predicted
before it is learned; errors are in units of the first part's standard deviations. Needs the data
folder, see `_data`.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
import torch
from _data import pollution
from _table import errors, keep, summarise, timed

from sknas import GrowingDARTSRegressor

LOOKBACK = 24
TARGET = "pm2.5"
SMOKE_ROWS = 400
SMOKE = {"search_epochs": 3, "max_epochs": 2, "hidden_size": 8}


def yearly(frame: pd.DataFrame, *, is_smoke: bool) -> list[tuple[int, slice]]:
    """Return each year with its rows in the frame; in a smoke test, short parts in their place."""
    if is_smoke:
        return [(k, slice(k * SMOKE_ROWS, (k + 1) * SMOKE_ROWS)) for k in range(3)]
    years = frame.index.year.to_numpy()
    parts = []
    for year in np.unique(years):
        rows = np.flatnonzero(years == year)
        parts.append((int(year), slice(int(rows[0]), int(rows[-1]) + 1)))
    return parts


class Frozen:
    """Learns the first part alone."""

    name = "frozen"

    def __init__(self, **parameters: Any) -> None:
        self.model = GrowingDARTSRegressor(lookback=LOOKBACK, **parameters)

    def learn(self, X: pd.DataFrame, y: pd.DataFrame, part: slice) -> None:
        if part.start == 0:
            self.model.fit(X[part], y[part])


class Partial(Frozen):
    """Learns each part as it comes."""

    name = "partial_fit"

    def learn(self, X: pd.DataFrame, y: pd.DataFrame, part: slice) -> None:
        self.model.partial_fit(X[part], y[part])


class Refit(Frozen):
    """Is fitted from scratch on all rows so far, whenever a part comes."""

    name = "refit on all rows"

    def learn(self, X: pd.DataFrame, y: pd.DataFrame, part: slice) -> None:
        self.model.fit(X[: part.stop], y[: part.stop])


def score(X: pd.DataFrame, y: pd.DataFrame, part: slice, predicted: np.ndarray) -> dict[str, float]:
    """Return the errors of a part over all channels, and of the target channel alone."""
    target = X.columns.get_loc(TARGET)
    truth = y[part].to_numpy()
    alone = errors(truth[:, target], predicted[:, target])
    return {**errors(truth, predicted), "target_mse": alone["mse"], "target_mae": alone["mae"]}


def follow(
    method: Frozen, X: pd.DataFrame, y: pd.DataFrame, parts: list[tuple[int, slice]], seed: int
) -> list[dict[str, Any]]:
    """Let a method predict and then learn part after part; return a record a part."""
    records = []
    for place, (label, part) in enumerate(parts):
        record: dict[str, Any] = {"method": method.name, "seed": seed, "part": label}
        if place:
            # Every method gets the rows before the part as history, whatever it was fitted on.
            rows = X[part.start - LOOKBACK + 1 : part.stop]
            record |= score(X, y, part, method.model.predict(rows)[LOOKBACK - 1 :])
        if place < len(parts) - 1:
            _, record["cpu_seconds"] = timed(lambda part=part: method.learn(X, y, part))
            record["n_params"] = method.model.n_params_
            record["chosen"] = method.model.search_report_.chosen
        print(f"  {record}", flush=True)
        records.append(record)
    print(method.model.genotype_, method.model.search_report_, sep="\n", flush=True)
    return records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="short parts, few epochs, no file")
    parser.add_argument("--linear", action="store_true", help="the linear seed alone: a minute")
    options = parser.parse_args()
    torch.set_num_threads(1)
    frame = pollution()
    parts = yearly(frame, is_smoke=options.smoke)
    first = frame[parts[0][1]]
    frame = (frame - first.mean()) / first.std(ddof=0).replace(0.0, 1.0)
    X, y = frame[:-1], frame.shift(-1)[:-1]
    parts[-1] = (parts[-1][0], slice(parts[-1][1].start, min(parts[-1][1].stop, len(X))))
    records: list[dict[str, Any]] = [
        {"method": "last value", "seed": 0, "part": k, **score(X, y, part, X[part].to_numpy())}
        for k, part in parts[1:]
    ]
    for seed in range(options.seeds):
        settings: dict[str, Any] = {"random_state": seed, **(SMOKE if options.smoke else {})}
        settings |= {"max_nodes": 0} if options.linear else {}
        for kind in (Frozen, Partial, Refit):
            print(kind.name, flush=True)
            records += follow(kind(**settings), X, y, parts, seed)
            show(records, options)


def show(records: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """Print the table so far, and keep it but for smoke tests."""
    metrics = ["mse", "mae", "target_mse", "target_mae", "cpu_seconds", "n_params"]
    table = summarise(records, ["part", "method"], metrics)
    if options.smoke:
        print(table.to_string())
    else:
        keep("stream-linear" if options.linear else "stream", records, table)


if __name__ == "__main__":
    main()
