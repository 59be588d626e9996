"""What comes of fits whose numbers are made not finite, beside the same fits undisturbed.

    python benchmarks/_faults.py
    python benchmarks/_faults.py --smoke

Each row is a fault that is put into the steps of one phase: in the loss, the gradient, the output,
the weights or the moments of AdamW; at one step, or at every one from there on. It tells how many
steps were not taken, how often the phase went back to its last good state and halved its rates,
whether it gave up, and the validation loss of the result over that of the linear seed, and over
that of the undisturbed fit.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from sknas import GrowingDARTSRegressor
from sknas.datasets import make_product
from sknas.exceptions import SearchWarning

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.faults import Spoiler

FITS: dict[str, dict[str, Any]] = {
    "default": {},
    "mixed": {"initial_genotype": "linear", "initial_nodes": 2, "max_nodes": 2},
    "second order": {
        "initial_genotype": "linear",
        "initial_nodes": 2,
        "max_nodes": 2,
        "arch_order": 2,
    },
    "given": {"genotype": "product"},
    "given, refit": {"genotype": "product", "refit_full": True},
    "narrowed": {"genotype": "product", "size_penalty": 0.01},
}
ONCE, ALWAYS = "once", "always"


@dataclass(frozen=True)
class Injected:
    """A fault that is put into a fit."""

    fit: str
    phase: str
    kind: str
    first: int
    lasts: str
    level: str = "weights"

    @property
    def steps(self) -> range:
        """The faulty steps of the phase."""
        return range(self.first, self.first + 1 if self.lasts == ONCE else 10**6)


PLACES = [
    ("default", "search", "weights"),
    ("mixed", "search", "architecture"),
    ("second order", "search", "architecture"),
    ("given", "train", "weights"),
    ("given, refit", "refit", "weights"),
    ("narrowed", "narrow", "weights"),
    ("narrowed", "tune", "weights"),
]
INJECTED = [
    *(
        Injected(fit, phase, kind, 40, lasts, level)
        for fit, phase, level in PLACES
        for kind in ("nan loss", "infinite loss", "gradient", "output", "overflow")
        for lasts in (ONCE, ALWAYS)
    ),
    *(
        Injected(fit, phase, kind, 40, ONCE, level)
        for fit, phase, level in PLACES
        for kind in ("weight", "moment")
    ),
]
# Nothing is put in: steps of such a length spoil the numbers by themselves, if anything does.
LONG_STEPS = [Injected("default", "all", f"rate {rate:g}", 0, ALWAYS) for rate in (1e3, 1e30)]


def fault_rows(*, smoke: bool = False) -> list[dict[str, Any]]:
    """Return a record for each fault.

    Parameters
    ----------
    smoke : bool, default=False
        Whether to put in a few of them only.

    Returns
    -------
    list of dict
        What was put in, and what came of it.
    """
    X, y = make_product(200, 2, random_state=0)
    injected = [*INJECTED, *LONG_STEPS]
    chosen = injected[:: len(injected) // 4] if smoke else injected
    undisturbed = {name: _fitted(name, X, y) for name in {each.fit for each in chosen}}
    return [_row(each, X, y, undisturbed[each.fit]) for each in chosen]


def _fitted(name: str, X: np.ndarray, y: np.ndarray, **changes: Any) -> GrowingDARTSRegressor:
    parameters = {"hidden_size": 8, "search_epochs": 8, "max_epochs": 6, **FITS[name], **changes}
    return GrowingDARTSRegressor(random_state=0, **parameters).fit(X, y)


def _row(
    each: Injected, X: np.ndarray, y: np.ndarray, undisturbed: GrowingDARTSRegressor
) -> dict[str, Any]:
    rate = float(each.kind.split()[1]) if each in LONG_STEPS else None
    changes = {} if rate is None else {"learning_rate": rate, "arch_learning_rate": rate}
    with warnings.catch_warnings(record=True) as caught, pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("always")
        if rate is None:
            Spoiler(patch, each.phase, each.kind, each.steps, level=each.level)
        model = _fitted(each.fit, X, y, **changes)
    report, before = model.search_report_, undisturbed.search_report_
    loss = report.stages.val_loss[report.chosen]
    return {
        "fit": each.fit,
        "phase": each.phase,
        "steps of": each.level,
        "fault": each.kind,
        "lasts": each.lasts,
        "not taken": int(report.faults["steps"].sum()),
        "rollbacks": int(report.faults["rollbacks"].sum()),
        "gave up": bool(report.faults["gave_up"].any()),
        "warned": any(issubclass(warning.category, SearchWarning) for warning in caught),
        "result": report.chosen,
        "finite": bool(np.isfinite(model.predict(X)).all()),
        "over seed": float(loss / report.stages.val_loss["seed"]),
        "over undisturbed": float(loss / before.stages.val_loss[before.chosen]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few faults only")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = pd.DataFrame(fault_rows(smoke=options.smoke))
    print(rows.to_string(index=False, float_format=lambda value: f"{value:.3f}"))


if __name__ == "__main__":
    main()
