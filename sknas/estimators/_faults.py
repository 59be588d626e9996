"""Warn of a fit in which something stayed not finite whatever was done about it."""

from __future__ import annotations

import inspect
import warnings

from sknas.exceptions import SearchWarning
from sknas.reporting import SearchReport

__all__ = ["warn_of_faults"]


def warn_of_faults(report: SearchReport) -> None:
    """Warn where a phase gave up, as if the caller of this package did.

    Parameters
    ----------
    report : SearchReport
        Of one call.
    """
    lost = report.faults[report.faults["gave_up"]]
    if not len(lost):
        return
    first = lost.iloc[0]
    phases = ", ".join(dict.fromkeys(lost["phase"]))
    is_seed = report.chosen == "seed"
    result = "the linear seed is" if is_seed else f"the stage {report.chosen!r} is"
    warnings.warn(
        f"In epoch {first['epoch']} ({first['phase']}) {first['not_finite']} was not finite again "
        f"and again, down to a learning rate of {first['learning_rate']:.3g}. Training was given "
        f"up there (phases: {phases}), and {result} the result. Lower learning_rate or "
        "arch_learning_rate, look for extreme values in the data, or leave out operations of your "
        "own that overflow; search_report_.faults tells more.",
        SearchWarning,
        stacklevel=1 + _n_own_frames(),
    )


def _n_own_frames() -> int:
    """Return how many frames from the caller on are of this package."""
    frame, n_own = inspect.currentframe(), -1
    while frame is not None and frame.f_globals.get("__name__", "").startswith("sknas."):
        frame, n_own = frame.f_back, n_own + 1
    return n_own
