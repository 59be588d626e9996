"""A search that searches: data from teachers with random multiplicative cells.

    python benchmarks/teacher.py --teachers 6 --seeds 3 --random 5

A teacher is a recurrent network whose cell is a random genotype with at least one multiplicative
operation. The searched cell, the fixed GRU, the fixed LSTM and random genotypes learn its output
from the same noisy samples with the same training; the figure is R^2 on fresh samples.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from _table import keep, summarise, timed

from sknas import Genotype, GrowingDARTSRegressor
from sknas.blocks import NetworkShape
from sknas.derived import DerivedNetwork, NetworkSpec
from sknas.estimators._preparation import default_segment_length
from sknas.ops import DEFAULT_OPERATIONS

N_STEPS, N_CHANNELS, N_TRAIN, N_TEST, NOISE = 6, 2, 4000, 2000, 0.05
OPERATIONS = ("hadamard", "lin_tanh", "lin_sigmoid", "gate", "add")


def teacher(seed: int) -> Genotype:
    """Draw a genotype of four nodes until it multiplies, and answers to what it reads."""
    rng = np.random.RandomState(seed)
    while True:
        genotype = Genotype.random(rng, operations=OPERATIONS, n_nodes=4, hidden_size=4)
        if "hadamard" in genotype.operations and np.ptp(answers(genotype, noise(16, seed), seed)):
            return genotype


def noise(n_samples: int, seed: int) -> np.ndarray:
    """Return noise sequences."""
    return np.random.RandomState(seed).normal(size=(n_samples, N_STEPS, N_CHANNELS))


def answers(genotype: Genotype, X: np.ndarray, seed: int) -> np.ndarray:
    """Return what a recurrent network of that cell makes of each sequence."""
    generator = torch.Generator().manual_seed(seed)
    spec = NetworkSpec(genotype, NetworkShape(N_CHANNELS, N_STEPS, 1, 1), "none", "mixed")
    network = DerivedNetwork(spec, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        for parameter in network.trunk.branches.parameters():
            parameter.copy_(parameter * 2.0)
        head = network.trunk.branches[0].heads[0]
        head.copy_(torch.randn(head.shape, generator=generator, dtype=torch.float64))
        return network(torch.from_numpy(X.swapaxes(1, 2).copy()))[:, 0, 0].numpy()


def samples(genotype: Genotype, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return noise sequences and the teacher's standardised, noisy answer to them."""
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(N_TRAIN + N_TEST, N_STEPS, N_CHANNELS))
    y = answers(genotype, X, seed)
    y = (y - y.mean()) / y.std()
    return X, y + NOISE * rng.normal(size=len(y))


def run(
    method: str, number: int, seed: int, X: np.ndarray, y: np.ndarray, **parameters: Any
) -> dict[str, Any]:
    """Fit on the first samples, score on the rest and return one record."""
    # The samples are independent of each other: an even shuffle is the right validation.
    model = GrowingDARTSRegressor(random_state=seed, validation="shuffle", **parameters)
    _, seconds = timed(lambda: model.fit(X[:N_TRAIN], y[:N_TRAIN]))
    score = model.score(X[N_TRAIN:], y[N_TRAIN:])
    print(f"  {method}, seed {seed}: R2 {score:.4f}, {seconds:.0f} CPU s", flush=True)
    if method == "search":
        print(model.search_report_, model.genotype_, sep="\n", flush=True)
    return {
        "teacher": number,
        "method": method,
        "seed": seed,
        "r2": score,
        "cpu_seconds": seconds,
        "n_params": model.n_params_,
        "genotype": str(model.genotype_),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teachers", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--random", type=int, default=5)
    parser.add_argument("--refit", choices=["inherit", "scratch", "both"], default="both")
    options = parser.parse_args()
    torch.set_num_threads(1)
    records = []
    for number in range(options.teachers):
        genotype = teacher(number)
        print(f"teacher {number}:\n{genotype}", flush=True)
        X, y = samples(genotype, number)
        records.append(run("linear", number, 0, X, y, genotype="linear"))
        for seed in range(options.seeds):
            records += [
                run("gru", number, seed, X, y, genotype="gru"),
                run("lstm", number, seed, X, y, genotype="lstm"),
                run("search", number, seed, X, y, refit=options.refit),
            ]
        for draw in range(options.random):
            drawn = Genotype.random(
                100 * number + draw,
                operations=DEFAULT_OPERATIONS,
                n_nodes=4,
                segment_length=default_segment_length(N_STEPS, 1, continues_channels=False),
            )
            records.append(run("random genotypes", number, draw, X, y, genotype=drawn))
    metrics = ["r2", "cpu_seconds", "n_params"]
    name = "teacher" if options.refit == "both" else f"teacher-{options.refit}"
    table = summarise(records, ["method"], metrics)
    by_teacher = summarise(records, ["teacher", "method"], metrics)
    print(by_teacher.to_string(float_format="{:.4f}".format))
    # Teachers differ far more than methods do: compare within each teacher.
    each = by_teacher["r2"].unstack("method")
    behind = each.rsub(each["search"], axis=0)
    table["search minus it"] = behind.mean()
    table["standard error"] = behind.std() / np.sqrt(len(each))
    keep(name, records, table)


if __name__ == "__main__":
    main()
