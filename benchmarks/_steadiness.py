"""Parts of `reliability`: budgets, interrupts, determinism, threads and long runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from sknas import GrowingDARTSClassifier, GrowingDARTSForecaster, GrowingDARTSRegressor
from tests.steady import CASES, fault_of, faults, in_threads, short_epochs, slope, soak

ROOT = Path(__file__).resolve().parent.parent
MIB = 2.0**20
BUDGETS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
SMOKE_BUDGETS = (0.2, 1.0)
FIT_ELSEWHERE = """
import sys
from tests.steady import CASES
case = CASES[sys.argv[1]]
print(case.digest(case.fitted()))
"""

Record = dict[str, Any]


def told(part: str, what: str, tried: int, n_faults: int = 0, **measured: Any) -> Record:
    """Return a row, and say that it is there."""
    print(f"  {part}: {what}: {n_faults} faults in {tried}", flush=True)
    return {"part": part, "what": what, "tried": tried, "faults": n_faults, **measured}


# -- budgets --------------------------------------------------------------------------------------


def _few_rows() -> tuple[Any, tuple[Any, ...]]:
    X = np.random.default_rng(0).normal(size=(60, 2))
    return GrowingDARTSRegressor(), (X, X[:, 0] * X[:, 1])


def _many_rows() -> tuple[Any, tuple[Any, ...]]:
    X = np.random.default_rng(0).normal(size=(50_000, 20))
    return GrowingDARTSClassifier(), (X, (3 * X[:, 0]).round().clip(-2, 2).astype(int))


def _long_windows() -> tuple[Any, tuple[Any, ...]]:
    walk = np.random.default_rng(0).normal(size=(6000, 3)).cumsum(axis=0)
    return GrowingDARTSForecaster(lookback=720, horizon=96), (walk,)


def _many_channels() -> tuple[Any, tuple[Any, ...]]:
    walk = np.random.default_rng(0).normal(size=(2000, 120)).cumsum(axis=0)
    return GrowingDARTSForecaster(lookback=48, horizon=12), (walk,)


SIZES: dict[str, Callable[[], tuple[Any, tuple[Any, ...]]]] = {
    "60 rows": _few_rows,
    "50 000 rows of five classes": _many_rows,
    "windows of 720 rows": _long_windows,
    "120 channels": _many_channels,
}


def budget_rows(*, is_smoke: bool) -> Iterator[Record]:
    """Measure by how much fits overrun their time budget; every second one refits on all rows."""
    names = list(SIZES)[:1] if is_smoke else list(SIZES)
    budgets = SMOKE_BUDGETS if is_smoke else BUDGETS
    pairs = [(name, budget) for name in names for budget in budgets]
    for number, (name, budget) in enumerate(pairs):
        model, data = SIZES[name]()
        whole = {"refit_full": True} if number % 2 else {"n_models": 3}
        model.set_params(time_budget=budget, random_state=0, **whole)
        start = time.monotonic()
        model.fit(*data)
        over = time.monotonic() - start - budget
        limit = max(1.0, 0.1 * budget)
        measured = {"worst": over, "limit": limit, "unit": "seconds over"}
        yield told("budget", f"{name}, {budget:g} s", 1, int(over > limit), **measured)


# -- interrupts -----------------------------------------------------------------------------------


def interrupt_rows(*, is_smoke: bool) -> Iterator[Record]:
    """Interrupt fits at moments spread over them, and look at what is left."""
    n = 4 if is_smoke else 200
    for name, case in CASES.items():
        for error in (KeyboardInterrupt, RuntimeError):
            with short_epochs():
                before = case.digest(case.fitted())
                tried, found = faults(case, n, error, refit_full=True)
                fault_of(case, 1000, error)
                if case.digest(case.fitted()) != before:
                    found.append("a later fit differs")
            for fault in found:
                print(f"    {fault}", flush=True)
            yield told("interrupts", f"{name}, {error.__name__}", tried, len(found))


# -- determinism ----------------------------------------------------------------------------------


def determinism_rows(*, is_smoke: bool) -> Iterator[Record]:
    """Compare fits of one seed here, in workers, in threads and in fresh processes."""
    n = 1 if is_smoke else 5
    for name, case in CASES.items():
        expected = case.digest(case.fitted())

        def differing(digests: list[str], expected: str = expected) -> int:
            return sum(digest != expected for digest in digests)

        fresh = [_digest_elsewhere(name, number) for number in range(n)]
        yield told("determinism", f"{name}, fresh process", n, differing(fresh))
        for backend in ("loky", "threading"):
            with joblib.parallel_config(backend, n_jobs=2):
                models = joblib.Parallel()(joblib.delayed(case.fitted)() for _ in range(2 * n))
            digests = [case.digest(model) for model in models]
            yield told("determinism", f"{name}, {backend}", 2 * n, differing(digests))


def _digest_elsewhere(name: str, number: int) -> str:
    """Fit in a fresh interpreter, with another hash seed and another number of threads."""
    unlike = {"PYTHONHASHSEED": str(number + 1), "OMP_NUM_THREADS": str(1 + number % 2)}
    run = subprocess.run(
        [sys.executable, "-c", FIT_ELSEWHERE, name],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **unlike},
        capture_output=True,
        check=True,
        text=True,
    )
    return run.stdout.strip()


# -- threads --------------------------------------------------------------------------------------


def thread_rows(*, is_smoke: bool) -> Iterator[Record]:
    """Predict from eight threads at once, with one estimator."""
    n = 5 if is_smoke else 200
    for name, case in CASES.items():
        with short_epochs():
            model = case.fitted()
        expected = case.told(model).tobytes()

        def differing(case: Any = case, model: Any = model, expected: bytes = expected) -> int:
            return sum(case.told(model).tobytes() != expected for _ in range(n))

        found = in_threads([differing] * 8)
        yield told("threads", f"{name}, 8 threads", 8 * n, sum(found))


# -- soaking --------------------------------------------------------------------------------------


def soak_rows(*, is_smoke: bool) -> Iterator[Record]:
    """Fit, predict, learn on, pickle and forget, again and again; nothing may pile up."""
    with short_epochs():
        readings = soak(3, n_warm=1) if is_smoke else soak(60)
    units = {"allocated": MIB, "resident": MIB, "files": 1.0, "threads": 1.0}
    for name, unit in units.items():
        values = [reading[name] for reading in readings]
        if None in values:
            continue
        each = "MiB a round" if unit == MIB else "a round"
        measured = {"worst": slope(values) / unit, "limit": 0.05 if unit == MIB else 0.0}
        is_rising = measured["worst"] > measured["limit"]
        yield told("soak", name, len(values), int(is_rising), **measured, unit=each)
