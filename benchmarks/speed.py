"""What a fit, a search step, a derived network and a row's prediction cost beside their yardsticks.

    python benchmarks/speed.py
    python benchmarks/speed.py --parts steps derived row import
    python benchmarks/speed.py --smoke

Every figure is a ratio of CPU seconds measured in turn in one run, on one thread:

- ``fit``: the default search on ETTh1, 96 hours to 96, mean of five seeds, over ten epochs of a
  plain torch loop around `nn.GRU` with 64 units: the same window normalisation, segments and
  batches of 64 windows. Needs the data folder, see `_data`.
- ``steps``: a step of the weights of DARTS's graph with eight mixed nodes over the same computed
  edge by edge and operation by operation, and of the two-input cell with four mixed nodes over a
  step of `nn.GRU`; 35 recurrent steps, 64 sequences, 64 units.
- ``derived``: a training step and a batch's forecast of fixed cells over those of `nn.GRU`.
- ``row``: `predict` of one row over that of scikit-learn's `MLPRegressor`.
- ``import``: importing sknas, and an estimator, over importing torch, scikit-learn and pandas.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from _data import Windows, etth1
from _table import keep, merged, timed
from sklearn.neural_network import MLPRegressor
from torch import Tensor, nn

from sknas import GrowingDARTSRegressor
from sknas.derived.cell import DerivedCell
from sknas.genotype import NAMED_CELLS, Cell, Node
from sknas.ops import DAG_OPERATIONS, DEFAULT_OPERATIONS
from sknas.supernet import Mixing, SigmoidRelaxation, SoftmaxRelaxation, TwoInputCell

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.oracles.highway_dag import node_value

PARTS = ("fit", "steps", "derived", "row", "import")
N_STEPS, BATCH_SIZE, N_HIDDEN = 35, 64, 64
SHAPES = {"35 steps, 64 sequences": (35, 64), "4 steps, 448 sequences": (4, 448)}
PEERS = "import torch, sklearn.base, pandas"
IMPORTS = ("import sknas", "from sknas import GrowingDARTSForecaster")

Record = dict[str, Any]


def interleaved(functions: dict[str, Callable[[], object]], n_runs: int) -> dict[str, float]:
    """Return the median CPU seconds of each call, called in turn so that all meet the same load."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for run in range(n_runs + 1):
        for name, function in functions.items():
            taken = timed(function)[1]
            if run:  # the first one warms up
                seconds[name].append(taken)
    return {name: float(np.median(taken)) for name, taken in seconds.items()}


def generator() -> torch.Generator:
    """Return the source of initial weights."""
    return torch.Generator().manual_seed(0)


# -- a whole fit ------------------------------------------------------------------------------


class PlainForecaster(nn.Module):
    """Segments of a window, an `nn.GRU` over them and a linear map of its last state."""

    def __init__(self, lookback: int, horizon: int, segment: int) -> None:
        super().__init__()
        self.segment = segment
        self.linear = nn.Linear(lookback, horizon)
        self.embed = nn.Linear(segment, N_HIDDEN)
        self.cell = nn.GRU(N_HIDDEN, N_HIDDEN)
        self.head = nn.Linear(N_HIDDEN, horizon)

    def forward(self, past: Tensor) -> Tensor:
        """Forecast (batch, channels, lookback) -> (batch, channels, horizon)."""
        last = past[..., -1:]
        normed = past - last
        segments = normed.unflatten(2, (-1, self.segment)).flatten(0, 1).swapaxes(0, 1)
        states, _ = self.cell(self.embed(segments))
        corrections = self.head(states[-1]).view(*past.shape[:2], -1)
        return self.linear(normed) + corrections + last


def plain_fit(windows: Windows, n_epochs: int) -> None:
    """Train the plain network."""
    X, y = (torch.tensor(part, dtype=torch.float32).mT for part in (windows.X, windows.y))
    n_train = len(X) - round(windows.validation_fraction * len(X))
    torch.manual_seed(0)
    model = PlainForecaster(X.shape[2], y.shape[2], 24)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
    for _ in range(n_epochs):
        for batch in torch.randperm(n_train).split(BATCH_SIZE):
            optimizer.zero_grad()
            (model(X[batch]) - y[batch]).square().mean().backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()


def fit_rows(*, is_smoke: bool) -> Iterator[Record]:
    """Compare the default fit with the plain loop."""
    windows = etth1(96, 96)
    n_epochs, n_seeds = 10, 5
    settings: dict[str, Any] = {}
    if is_smoke:
        n_epochs, n_seeds, settings = 1, 1, {"search_epochs": 1, "max_epochs": 1}
    _, yardstick = timed(lambda: plain_fit(windows, n_epochs))
    taken = []
    for seed in range(n_seeds):
        model = GrowingDARTSRegressor(
            validation_fraction=windows.validation_fraction, random_state=seed, **settings
        )
        taken.append(timed(lambda model=model: model.fit(windows.X, windows.y))[1])
    print("  CPU seconds of each seed:", *(f"{seconds:.1f}" for seconds in taken))
    what = f"default search, mean of {n_seeds} seeds"
    yield record("fit", what, f"{n_epochs} epochs of a plain GRU", float(np.mean(taken)), yardstick)


# -- steps ------------------------------------------------------------------------------------


def dag_cell() -> TwoInputCell:
    """Return DARTS's graph with eight mixed nodes behind its first one."""
    frame = Cell((Node("highway_tanh", "x", "h"),), outputs=(0,), carry=False)
    cell = mixed_cell(frame, SoftmaxRelaxation())
    for _ in range(8):
        cell.append_dag_node(DAG_OPERATIONS, generator=generator())
    return cell


def two_input_cell() -> TwoInputCell:
    """Return a two-input cell with four mixed nodes of all default operations."""
    cell = mixed_cell(Cell((Node("lin_tanh", "x", "h"),), outputs=(0,)), SigmoidRelaxation())
    del cell.nodes[:]
    for _ in range(4):
        sources = cell.sources()
        cell.append_node(DEFAULT_OPERATIONS, (sources, sources), generator=generator())
    return cell


def mixed_cell(start: Cell, relaxation: Any) -> TwoInputCell:
    """Return a cell of the yardstick's width."""
    return TwoInputCell(
        start,
        N_HIDDEN,
        N_HIDDEN,
        mixing=Mixing(relaxation),
        generator=generator(),
        dtype=torch.float32,
    )


def by_hand(cell: TwoInputCell, inputs: Tensor) -> Tensor:
    """Return the last state of DARTS's graph, edge by edge and operation by operation."""
    state = torch.zeros(inputs.shape[1], N_HIDDEN)
    first, *others = cell.nodes
    for x in inputs:
        plan = first.plan()
        entering = x @ plan.input_weight + plan.input_bias
        values = {"h": state, "s0": plan.value({"h": state}, entering)}
        state = first.output_weight * values["s0"]
        for node in others:
            values[node.name] = node_value(node, values)
            state = state + node.output_weight * values[node.name]
    return state


def step_of(module: nn.Module, last_state: Callable[[], Tensor]) -> Callable[[], object]:
    """Return a function that computes the gradients of a loss of the last state."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    return lambda: torch.autograd.grad(last_state().square().mean(), parameters, allow_unused=True)


def step_rows(*, is_smoke: bool) -> Iterator[Record]:
    """Compare steps of the supernets with a loop and with nn.GRU."""
    inputs = torch.randn(N_STEPS, BATCH_SIZE, N_HIDDEN, generator=generator())
    graph, mixed, gru = dag_cell(), two_input_cell(), nn.GRU(N_HIDDEN, N_HIDDEN)
    n_runs = 1 if is_smoke else 5
    taken = interleaved(
        {
            "graph": step_of(graph, lambda: graph(inputs)[-1]),
            "by hand": step_of(graph, lambda: by_hand(graph, inputs)),
        },
        n_runs,
    )
    yield record(
        "steps", "graph of 8 mixed nodes", "edge by edge", taken["graph"], taken["by hand"]
    )
    taken = interleaved(
        {
            "mixed": step_of(mixed, lambda: mixed(inputs)[-1]),
            "gru": step_of(gru, lambda: gru(inputs)[0][-1]),
        },
        4 * n_runs,
    )
    yield record("steps", "4 mixed two-input nodes", "nn.GRU", taken["mixed"], taken["gru"])


def derived_rows(*, is_smoke: bool) -> Iterator[Record]:
    """Compare fixed cells with nn.GRU, in training and without gradients."""
    for shape, (n_steps, n_sequences) in SHAPES.items():
        inputs = torch.randn(n_steps, n_sequences, N_HIDDEN, generator=generator())
        gru = nn.GRU(N_HIDDEN, N_HIDDEN)
        cells = {
            name: DerivedCell(
                NAMED_CELLS[name], N_HIDDEN, N_HIDDEN, generator=generator(), dtype=torch.float32
            )
            for name in ("highway", "product", "gru", "lstm", "darts")
        }
        training = {n: step_of(cell, last_state(cell, inputs)) for n, cell in cells.items()}
        training["nn.GRU"] = step_of(gru, lambda m=gru, x=inputs: m(x)[0][-1])
        forecasts = {n: without_gradients(cell, inputs) for n, cell in cells.items()}
        forecasts["nn.GRU"] = without_gradients(gru, inputs)
        for kind, functions in (("training step", training), ("forecast", forecasts)):
            taken = interleaved(functions, 1 if is_smoke else 30)
            for name in cells:
                label = f"{name}, {kind}, {shape}"
                yield record("derived", label, "nn.GRU", taken[name], taken["nn.GRU"])


def last_state(cell: nn.Module, inputs: Tensor) -> Callable[[], Tensor]:
    """Return a function that runs a cell."""
    return lambda: cell(inputs)[-1]


def without_gradients(module: nn.Module, inputs: Tensor) -> Callable[[], object]:
    """Return a function that runs a module for its output alone."""

    def run() -> object:
        with torch.no_grad():
            return module(inputs)

    return run


# -- one row, and imports -----------------------------------------------------------------------


def row_rows(*, is_smoke: bool) -> Iterator[Record]:
    """Compare predictions of single rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 12))
    y = X[:, 0] * X[:, 1]
    budget = {"search_epochs": 1, "max_epochs": 1} if is_smoke else {}
    fixed = GrowingDARTSRegressor(genotype="product", random_state=0, **budget).fit(X, y)
    found = GrowingDARTSRegressor(random_state=0, **budget).fit(X, y)
    theirs = MLPRegressor(random_state=0, max_iter=300).fit(X, y)
    n_calls = 200

    def calls(model: Any) -> Callable[[], object]:
        return lambda: [model.predict(X[:1]) for _ in range(n_calls)]

    models = {"mlp": theirs, "a fixed cell": fixed, "a default fit": found}
    functions = {name: calls(model) for name, model in models.items()}
    taken = interleaved(functions, 1 if is_smoke else 7)
    seconds = {name: value / n_calls for name, value in taken.items()}
    for name in ("a fixed cell", "a default fit"):
        yield record("row", f"{name} predicts", "MLPRegressor", seconds[name], seconds["mlp"])


def import_rows(*, is_smoke: bool) -> Iterator[Record]:
    """Compare imports, each in a process of its own."""

    # As an installed package is imported: its bytecode is there, from the first run at the latest.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def seconds(statement: str) -> float:
        code = f"import time; {statement}; print(time.process_time())"
        run = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            text=True,
            env=environment,
        )
        return float(run.stdout)

    n_runs = 1 if is_smoke else 5
    taken = {
        statement: min(seconds(statement) for _ in range(n_runs)) for statement in (PEERS, *IMPORTS)
    }
    for statement in IMPORTS:
        yield record("import", statement, PEERS, taken[statement], taken[PEERS])


def record(part: str, what: str, yardstick: str, seconds: float, its: float) -> Record:
    """Return a row, and print it."""
    row = {
        "part": part,
        "what": what,
        "yardstick": yardstick,
        "cpu_seconds": seconds,
        "yardstick seconds": its,
        "ratio": seconds / its,
    }
    print(f"  {what}: {row['ratio']:.2f} of {yardstick}", flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--smoke", action="store_true", help="each once, no file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    made = {
        "fit": fit_rows,
        "steps": step_rows,
        "derived": derived_rows,
        "row": row_rows,
        "import": import_rows,
    }
    start = time.monotonic()
    rows = [row for part in options.parts for row in made[part](is_smoke=options.smoke)]
    if not options.smoke:
        records = merged("speed", rows, ["part", "what"])
        order = {part: place for place, part in enumerate(PARTS)}
        records.sort(key=lambda row: order[row["part"]])
        keep("speed", records, pd.DataFrame(records).set_index(["part", "what"]))
    print(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
