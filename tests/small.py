"""Estimators with a tiny budget, small data for them, and what two fits may be compared by."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from sknas import Genotype, GrowingDARTSClassifier, GrowingDARTSRegressor
from sknas.datasets import make_coupled_oscillation, make_gated_memory, make_product
from sknas.search import PeriodicGrowth

ROOT = Path(__file__).resolve().parents[1]
N_EPOCH_STEPS = 20  # where the fixture short_epochs is used
TINY = {"hidden_size": 4, "search_epochs": 3, "max_epochs": 3, "random_state": 0}
SEARCH = {"max_nodes": 3, "search_epochs": 8, "max_epochs": 3}  # long enough for a move
FEW = ("hadamard", "lin_tanh", "first")
# Grown from one mixed node, every few epochs, whatever it brings: what happens is known before.
EAGER = {
    "initial_genotype": "linear",
    "operations": FEW,
    "growth": PeriodicGrowth(period=2, min_gain=-1e9),
    "search_epochs": 14,
    "max_nodes": 3,
    "max_epochs": 1,
}
# DARTS without growth: one mixed node from the first epoch to the last.
FIXED = {**EAGER, "mode": "fixed", "max_nodes": 1, "search_epochs": 12}
GRU = {"genotype": "gru", "linear_seed": False, "segment_length": 2}
LOOKBACK = 6


def _tiny(parameters):
    """Return parameters with a tiny budget; a `Genotype` has widths of its own."""
    has_widths = isinstance(parameters.get("genotype"), Genotype)
    tiny = {name: TINY[name] for name in TINY if name != "hidden_size" or not has_widths}
    return {**tiny, **parameters}


def regressor(**parameters):
    return GrowingDARTSRegressor(**_tiny(parameters))


def classifier(**parameters):
    return GrowingDARTSClassifier(**_tiny(parameters))


MAKERS = [regressor, classifier]


def trained(**parameters):
    """Build a regressor of a branch that surely wins, for the seed beside it starts at zero."""
    return regressor(linear_seed=False, **parameters)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def product(n_samples=120, n_features=2, seed=0):
    return make_product(n_samples, n_features, random_state=seed)


def data_for(make, n_samples=120):
    """Return the product as numbers, or its sign as classes, as the estimator wants it."""
    X, y = product(n_samples)
    return (X, y > 0) if make is classifier else (X, y)


def held_together(n_rows=600):
    """Return random walks whose distance returns to a mean: levels tell of each other (1987)."""
    steps, pull = normal(n_rows, 2), 0.5
    rows = np.zeros((n_rows, 2))
    for t in range(1, n_rows):
        gap = rows[t - 1, 1] - rows[t - 1, 0]
        rows[t] = rows[t - 1] + steps[t] + [0.0, -pull * gap]
    return rows


def sequences(n_samples=100, n_steps=8, seed=0):
    return make_gated_memory(n_samples, n_steps, random_state=seed)


def futures(n_rows=120, horizon=3, seed=0):
    """Return a frame of rows in time order, and the `horizon` rows that follow each."""
    series = make_coupled_oscillation(n_rows + horizon, random_state=seed)
    values = series.to_numpy()
    y = np.stack([values[k : n_rows + k] for k in range(1, horizon + 1)], axis=1)
    return series.iloc[:n_rows], y


def search_rows(model, column, phase="search"):
    history = model.search_history_
    return history.loc[history["phase"] == phase, column].to_numpy()


def history(model):
    """Return what two fits that did the same have in common."""
    return model.search_history_.drop(columns="seconds")


def flushes_denormals():
    return float(torch.tensor(1e-310, dtype=torch.float64) * 0.5) == 0.0


def run_python(code, *arguments, **environment):
    """Run code in a fresh interpreter; return what it printed."""
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def predictions_in_a_fresh_process(model, X, folder):
    """Pickle a model and its input, load both elsewhere, and return the bytes predicted there."""
    path = Path(folder) / "model.pkl"
    path.write_bytes(pickle.dumps((model, X)))
    code = (
        "import pickle, sys; from pathlib import Path\n"
        "model, X = pickle.loads(Path(sys.argv[1]).read_bytes())\n"
        "print(model.predict(X).tobytes().hex())"
    )
    return bytes.fromhex(run_python(code, path))
