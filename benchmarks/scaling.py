"""How time and memory grow with the data and with the network: slopes, so that linear is a number.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --parts rows threads
    python benchmarks/scaling.py --smoke

The slope of a part is that of the logarithm of its cost over that of its size: 1 is linear, less
where a fixed cost is a part of it.

- ``rows``: CPU seconds of a fit that trains a GRU for four epochs on rows of Beijing's air: 48
  hours to 24, in segments of 12, every column by itself.
- ``segments``: CPU seconds of a training step of a GRU on 64 windows of as many columns, over the
  number of segments of 24 steps that it reads.
- ``nodes``: CPU seconds of a step of the weights of a supernet's cell over its mixed nodes, in both
  backbones; 35 recurrent steps, 64 sequences, 64 units. A two-input node mixes the outputs of all
  nodes before it as its operands.
- ``memory``: peak memory of a forecaster's fit of one epoch on longer and longer tables of noise,
  each in a process of its own, beyond the table itself. Its slope is not one of logarithms: it says
  how many copies of the table are made, where its windows would be 48.
- ``threads``: CPU and wall-clock seconds of one fit where torch has one thread and where it has
  two. A fit takes one, and gives the caller's number back.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from _table import keep, merged, timed
from speed import BATCH_SIZE, N_HIDDEN, N_STEPS, generator, interleaved, mixed_cell, step_of

from sknas import GrowingDARTSForecaster, GrowingDARTSRegressor
from sknas.blocks import NetworkShape
from sknas.datasets import load_beijing_air
from sknas.derived import DerivedNetwork, NetworkSpec
from sknas.genotype import NAMED_CELLS, Branch, Cell, Genotype, Node
from sknas.ops import DAG_OPERATIONS, DEFAULT_OPERATIONS
from sknas.supernet import SigmoidRelaxation, SoftmaxRelaxation, TwoInputCell

PARTS = ("rows", "segments", "nodes", "memory", "threads")
LOOKBACK, HORIZON, N_COLUMNS, MIB = 48, 24, 8, 2.0**20
SIZES = {
    "rows": (5_000, 10_000, 20_000, 40_000),
    "segments": (2, 4, 8, 16, 32),
    "nodes": (1, 2, 4, 8),
    "memory": (50_000, 100_000, 200_000, 400_000),
    "threads": (1, 2),
}
SMOKE_SIZES = {
    "rows": (300, 600),
    "segments": (2, 4),
    "nodes": (1, 2),
    "memory": (1_200, 2_400),
    "threads": (1, 2),
}

Record = dict[str, Any]
Sizes = tuple[int, ...]


# -- whole fits -------------------------------------------------------------------------------


# Epochs over all rows, as they are where both numbers are given.
SETTINGS: dict[str, Any] = {
    "genotype": "gru",
    "lookback": LOOKBACK,
    "segment_length": 12,
    "channel_mode": "independent",
    "hidden_size": 32,
    "search_epochs": 1,
    "early_stopping": False,
    "random_state": 0,
}


def fitted(values: np.ndarray) -> GrowingDARTSRegressor:
    """Train a GRU of a fixed shape on the rows of a table."""
    n_rows = len(values) - HORIZON
    ahead = np.lib.stride_tricks.sliding_window_view(values[1:], HORIZON, axis=0)
    model = GrowingDARTSRegressor(max_epochs=4, batch_size=64, **SETTINGS)
    return model.fit(values[:n_rows], ahead.swapaxes(1, 2)[:n_rows])


def row_rows(sizes: Sizes) -> Iterator[Record]:
    """Time fits on more and more rows."""
    values = load_beijing_air().to_numpy()
    fitted(values[:300])  # what the libraries load when they are first used
    for n_rows in sizes:
        _, seconds = timed(lambda n=n_rows: fitted(values[:n]))
        yield record("rows", "fit of a GRU", n_rows, seconds)


def thread_rows(sizes: Sizes, n_runs: int) -> Iterator[Record]:
    """Time a fit where the caller has given torch one thread, and where it has more."""
    values = load_beijing_air().to_numpy()[:3000]
    found = torch.get_num_threads()
    taken: dict[int, list[tuple[float, float]]] = {n: [] for n in sizes}
    after = {}
    for _ in range(n_runs):
        for n_threads in sizes:
            torch.set_num_threads(n_threads)
            start = time.monotonic()
            _, seconds = timed(lambda: fitted(values))
            taken[n_threads].append((seconds, time.monotonic() - start))
            after[n_threads] = torch.get_num_threads()
    torch.set_num_threads(found)
    for n_threads, runs in taken.items():
        cpu, wall = np.median(runs, axis=0)
        made = {"cpu_seconds": float(cpu), "wall_seconds": float(wall)}
        yield (
            record("threads", "fit of a GRU", n_threads)
            | made
            | {"threads_after": after[n_threads]}
        )


# -- steps ------------------------------------------------------------------------------------


def timed_steps(
    part: str, steps: dict[tuple[str, int], Callable[[], object]], n_runs: int
) -> Iterator[Record]:
    """Time steps in turn."""
    taken = interleaved({f"{what} {size}": step for (what, size), step in steps.items()}, n_runs)
    for what, size in steps:
        yield record(part, what, size, taken[f"{what} {size}"])


def segment_rows(sizes: Sizes, n_runs: int) -> Iterator[Record]:
    """Time training steps of a network that reads more and more segments."""
    steps = {}
    for n_segments in sizes:
        shape = NetworkShape(N_COLUMNS, 24 * n_segments, N_COLUMNS, HORIZON, tuple(range(8)))
        branch = Branch((NAMED_CELLS["gru"],), N_HIDDEN, 24, "independent")
        spec = NetworkSpec(Genotype((branch,)), shape, "last", "independent")
        network = DerivedNetwork(spec, generator=generator())
        past = torch.randn(BATCH_SIZE, N_COLUMNS, shape.lookback, generator=generator())
        steps["step of a GRU", n_segments] = step_of(network, lambda m=network, x=past: m(x))
    return timed_steps("segments", steps, n_runs)


def grown(n_nodes: int, backbone: str) -> TwoInputCell:
    """Return a cell with so many mixed nodes."""
    if backbone == "dag":
        start = Cell((Node("highway_tanh", "x", "h"),), outputs=(0,), carry=False)
        cell = mixed_cell(start, SoftmaxRelaxation())
        for _ in range(n_nodes):
            cell.append_dag_node(DAG_OPERATIONS, generator=generator())
        return cell
    cell = mixed_cell(Cell((Node("lin_tanh", "x", "h"),), outputs=(0,)), SigmoidRelaxation())
    del cell.nodes[:]
    for _ in range(n_nodes):
        sources = cell.sources()
        cell.append_node(DEFAULT_OPERATIONS, (sources, sources), generator=generator())
    return cell


def node_rows(sizes: Sizes, n_runs: int) -> Iterator[Record]:
    """Time steps of the weights of supernets that grow."""
    inputs = torch.randn(N_STEPS, BATCH_SIZE, N_HIDDEN, generator=generator())
    steps = {}
    for backbone in ("two_input", "dag"):
        for n_nodes in sizes:
            cell = grown(n_nodes, backbone)
            steps[backbone, n_nodes] = step_of(cell, lambda c=cell: c(inputs)[-1])
    return timed_steps("nodes", steps, n_runs)


# -- memory -----------------------------------------------------------------------------------


def peak() -> float:
    """Return the process's peak so far, in MiB; `getrusage` would begin with its parent's."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def memory_beyond(n_rows: int) -> float:
    """Return what a fit on a table takes beyond the table, in MiB; to be run in a new process."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    model = GrowingDARTSForecaster(max_epochs=1, batch_size=512, horizon=HORIZON, **SETTINGS)
    model.fit(rng.normal(size=(600, N_COLUMNS)))  # what the libraries load when first used
    before = peak()
    values = rng.normal(size=(n_rows, N_COLUMNS))
    model.fit(values)
    return peak() - before - values.nbytes / MIB


def memory_rows(sizes: Sizes) -> Iterator[Record]:
    """Measure fits on longer and longer tables."""
    for n_rows in sizes:
        command = [sys.executable, __file__, "--memory-of", str(n_rows)]
        run = subprocess.run(command, capture_output=True, check=True, text=True)
        data = n_rows * N_COLUMNS * 8 / MIB
        made = {"mib": float(run.stdout), "data_mib": data, "windows_mib": data * LOOKBACK}
        yield record("memory", "forecaster's fit", n_rows) | made


# -- tables -----------------------------------------------------------------------------------


def record(part: str, what: str, size: int, seconds: float | None = None) -> Record:
    """Return a row, with the milliseconds of each of its size, and say that it is there."""
    print(f"  {part}: {what}, {size}", flush=True)
    row = {"part": part, "what": what, "size": size}
    return row if seconds is None else row | {"cpu_seconds": seconds, "ms": 1000 * seconds / size}


def with_slopes(rows: list[Record]) -> list[Record]:
    """Add the slope of each part's costs over its sizes."""
    for group in {(row["part"], row["what"]): None for row in rows}:
        own = [row for row in rows if (row["part"], row["what"]) == group]
        if group[0] == "threads":
            continue
        if group[0] == "memory":
            slope = np.polyfit([r["data_mib"] for r in own], [r["mib"] for r in own], 1)[0]
        else:
            costs = np.log([row["cpu_seconds"] for row in own])
            slope = np.polyfit(np.log([row["size"] for row in own]), costs, 1)[0]
        for row in own:
            row["slope"] = float(slope)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--smoke", action="store_true", help="small sizes, no file")
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of is not None:
        print(memory_beyond(options.memory_of))
        return
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    sizes = SMOKE_SIZES if options.smoke else SIZES
    n_runs = 1 if options.smoke else 7
    made: dict[str, Callable[[Sizes], Iterator[Record]]] = {
        "rows": row_rows,
        "segments": lambda some: segment_rows(some, n_runs),
        "nodes": lambda some: node_rows(some, n_runs),
        "memory": memory_rows,
        "threads": lambda some: thread_rows(some, min(n_runs, 3)),
    }
    start = time.monotonic()
    rows = with_slopes([row for part in options.parts for row in made[part](sizes[part])])
    if options.smoke:
        print(pd.DataFrame(rows).to_string())
    else:
        records = merged("scaling", rows, ["part", "what", "size"])
        records.sort(key=lambda row: PARTS.index(row["part"]))
        keep("scaling", records, pd.DataFrame(records).set_index(["part", "what", "size"]))
    print(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
