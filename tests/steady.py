"""Tiny fits of the three estimators, in which branches win, and all that they tell as bytes."""

import contextlib
import dataclasses
import gc
import hashlib
import os
import pickle
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import sknas.estimators._settings as settings
from sknas import GrowingDARTSClassifier, GrowingDARTSForecaster, GrowingDARTSRegressor
from sknas.datasets import make_coupled_oscillation, make_product
from tests.interruptions import moments, raising_at

N_STEPS, N_ROWS = 4, 120
# The linear seed starts at zero, so that what the search draws is what predicts.
BRIEF = {
    "hidden_size": 4,
    "search_epochs": 6,
    "max_epochs": 2,
    "max_nodes": 2,
    "linear_seed": False,
    "random_state": 0,
}


@contextlib.contextmanager
def short_epochs(n_steps=N_STEPS):
    """Let an epoch of small data have so few gradient steps."""
    before = settings.MIN_EPOCH_STEPS
    settings.MIN_EPOCH_STEPS = n_steps
    try:
        yield
    finally:
        settings.MIN_EPOCH_STEPS = before


@dataclasses.dataclass(frozen=True)
class Case:
    """An estimator, what to fit it to, and what it then tells."""

    make: Callable[..., Any]
    data: tuple[Any, ...]
    tell: Callable[[Any], Any]

    def fitted(self, **parameters):
        return self.make(**{**BRIEF, **parameters}).fit(*self.data)

    def told(self, model):
        """Return predictions as an array of numbers."""
        return np.asarray(self.tell(model), dtype=np.float64)

    def digest(self, model):
        """Return a number for the genotype and all bytes of the predictions."""
        what = self.told(model).tobytes() + model.genotype_.to_json().encode()
        return hashlib.sha256(what).hexdigest()


def _forecaster(**parameters):
    return GrowingDARTSForecaster(**{"lookback": 4, "horizon": 2, **parameters})


def _cases():
    X, y = make_product(80, 2, random_state=0)
    series = make_coupled_oscillation(N_ROWS, random_state=0)
    labels = np.where(y > 0, "b", "a")
    return {
        "regressor": Case(GrowingDARTSRegressor, (X, y), lambda model: model.predict(X)),
        "classifier": Case(
            GrowingDARTSClassifier, (X, labels), lambda model: model.predict_proba(X)
        ),
        "forecaster": Case(
            _forecaster, (series,), lambda model: model.predict_interval(5, coverage=0.8)
        ),
    }


CASES = _cases()


# -- interrupts -----------------------------------------------------------------------------------


def fault_of(case, moment, error=KeyboardInterrupt, **parameters):
    """Let an error come at a moment of a fit.

    Returns
    -------
    place : str or None
        The function that raised; None where the fit was over before.
    fault : str
        What is wrong with what is left; empty where nothing is.
    """
    model = case.make(**{**BRIEF, **parameters})
    with raising_at(moment, error) as counter:
        try:
            model.fit(*case.data)
        except error:
            is_raised = True
        else:
            is_raised = False
    if counter.place is None:
        return None, ""
    if not is_raised:
        return counter.place, "it was not raised again"
    return counter.place, _fault(case, model, error, has_seed=counter.has_seed)


def _fault(case, model, error, *, has_seed):
    if not hasattr(model, "module_"):
        if has_seed and error is KeyboardInterrupt:
            return "what was found is lost"
        left = [name for name in vars(model) if name.endswith("_") or name.startswith("_")]
        return f"an estimator that is not fitted has {left}" if left else ""
    if error is not KeyboardInterrupt:
        return "a fit that failed left a result"
    if model.search_report_.stopped_by != "interrupt":
        return f"it is said to be stopped by {model.search_report_.stopped_by}"
    if len(model.search_history_) != model.n_iter_:
        return "the history is not that of all epochs"
    told = case.told(model)
    if not np.isfinite(told).all():
        return "predictions are not finite"
    again = case.told(pickle.loads(pickle.dumps(model)))
    return "" if again.tobytes() == told.tobytes() else "a copy predicts something else"


def late_moments(case, n, **parameters):
    """Return the last calls of a fit, in which its result is chosen, kept and calibrated."""
    with raising_at(0) as counter:
        case.fitted(**parameters)
    source = np.random.default_rng(0)
    last = min(counter.n_calls, 1500)
    return sorted(counter.n_calls - source.choice(last, size=min(n, last), replace=False))


def faults(case, n, error=KeyboardInterrupt, **parameters):
    """Interrupt so many fits at moments spread over them, half as many more at their ends.

    Returns
    -------
    n_tried : int
        Fits that were interrupted.
    found : list of str
        What was wrong, with moment and place.
    """
    spread = moments(lambda: case.fitted(**parameters), n)
    places, found = 0, []
    for moment in [*spread, *late_moments(case, n // 2, **parameters)]:
        place, fault = fault_of(case, moment, error, **parameters)
        places += place is not None
        if fault:
            found.append(f"call {moment}, {place}: {fault}")
    return places, found


# -- threads --------------------------------------------------------------------------------------


def in_threads(works):
    """Run each piece of work in a thread of its own, all at once; return what each returns."""
    results, gate = [None] * len(works), threading.Barrier(len(works))

    def run(place, work):
        gate.wait(60)
        results[place] = work()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# -- soaking --------------------------------------------------------------------------------------


def one_life(case):
    """Fit, predict, learn on, pickle and forget an estimator."""
    model = case.fitted(search_epochs=2, max_epochs=1, max_nodes=1)
    case.told(model)
    if hasattr(model, "update"):
        later = make_coupled_oscillation(N_ROWS + 20, random_state=0).iloc[N_ROWS:]
        model.update(later, refit=True)
    else:
        model.partial_fit(*case.data)
    case.told(pickle.loads(pickle.dumps(model)))


def soak(n_rounds, n_warm=5):
    """Repeat the lives of all three estimators, and measure what the process holds after each.

    Returns
    -------
    list of dict
        Of each round behind the first `n_warm`: ``allocated`` (bytes that Python traces),
        ``resident`` (bytes of the process), ``files`` (open ones) and ``threads``; None where the
        system does not tell.
    """
    readings = []
    tracemalloc.start()
    try:
        for number in range(n_warm + n_rounds):
            for case in CASES.values():
                one_life(case)
            gc.collect()
            if number >= n_warm:
                readings.append(_reading())
    finally:
        tracemalloc.stop()
    return readings


def _reading():
    status, open_files = Path("/proc/self/statm"), Path("/proc/self/fd")
    page = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
    tasks = Path("/proc/self/task")
    return {
        "allocated": tracemalloc.get_traced_memory()[0],
        "resident": int(status.read_text().split()[1]) * page if status.exists() else None,
        "files": len(list(open_files.iterdir())) if open_files.exists() else None,
        "threads": len(list(tasks.iterdir())) if tasks.exists() else threading.active_count(),
    }


def slope(values):
    """Return by how much values rise a round; the median of all pairs' slopes (Theil and Sen)."""
    n = len(values)
    pairs = [(values[j] - values[i]) / (j - i) for i in range(n) for j in range(i + 1, n)]
    return float(np.median(pairs))
