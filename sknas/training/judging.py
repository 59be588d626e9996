"""What judges: validation losses and their mean, and what rules may look at."""

from __future__ import annotations

import math

from scipy.stats import t as student_t
from torch import Tensor, nn

from sknas.blocks.window_data import losses
from sknas.edits import Evidence
from sknas.search.collapse_watch import Watcher
from sknas.search.plan import Plan
from sknas.search.probe import Probe
from sknas.training.problem import Problem, Schedule

__all__ = [
    "is_clear_gain",
    "is_likely_gain",
    "make_evidence",
    "make_probe",
    "make_watcher",
    "mean_loss",
    "validation_losses",
]

_N_EVIDENCE_SAMPLES = 256
_LIKELY = 2.0 / 3.0


def validation_losses(network: nn.Module, problem: Problem, *, by_target: bool = False) -> Tensor:
    """Return each validation sample's loss.

    Parameters
    ----------
    network : nn.Module
        What predicts.
    problem : Problem
        Data and split.
    by_target : bool, default=False
        Whether to keep the losses of a sample's targets apart.

    Returns
    -------
    Tensor of shape (n_validation,), or (n_validation, targets)
        Losses, unweighted.
    """
    data, index = problem.data, problem.validation
    return losses(network, data, index, problem.judge, by_target=by_target)


def mean_loss(each: Tensor, problem: Problem) -> float:
    """Return the weighted mean of validation losses.

    Parameters
    ----------
    each : Tensor of shape (n_validation,)
        Losses.
    problem : Problem
        Data and split.

    Returns
    -------
    float
        The mean; NaN without validation samples.
    """
    weight = problem.data.weight[problem.validation]
    total = float(weight.sum())
    return float((each * weight).sum()) / total if total > 0 else math.nan


def is_clear_gain(
    before: Tensor, after: Tensor, problem: Problem, *, share: float, n_errors: float
) -> bool:
    """Say whether validation losses have clearly fallen.

    Their mean has to fall by a share, and by some standard errors of the paired differences. Those
    of separate samples are differences of roots, whose tails are lighter; where windows overlap,
    the errors are those of blocks, whose means need no such help.

    Parameters
    ----------
    before, after : Tensor of shape (n_validation,)
        Losses of two networks.
    problem : Problem
        Data and split.
    share : float
        Share of the mean loss before.
    n_errors : float
        Standard errors.

    Returns
    -------
    bool
        Whether the second network is clearly better.
    """
    is_large = mean_loss(before - after, problem) > share * mean_loss(before, problem)
    probe = make_probe(problem)
    gains = before.sqrt() - after.sqrt() if probe.n_overlapping == 1 else before - after
    return is_large and mean_loss(gains, problem) > n_errors * probe.standard_error(gains)


def is_likely_gain(before: Tensor, after: Tensor, problem: Problem, *, share: float) -> bool:
    """Say whether losses have more likely fallen than not.

    A validation part that holds a long horizon only a few times, or few samples of a class, can
    hardly make a gain clear, and to be sure of it there would be to prefer, always, what was there
    before. So the odds must be two to one. Each sample is a piece of evidence, or, where windows
    overlap, what each stretch of time as long as they do says of each target; the mean of the
    pieces has Student's distribution.

    Parameters
    ----------
    before, after : Tensor of shape (n_validation,), or (n_validation, targets) where they overlap
        Losses of two networks.
    problem : Problem
        Data and split.
    share : float
        Share of the mean loss before that has to be gained, too.

    Returns
    -------
    bool
        Whether the second network is likely better.
    """
    gains, n = before - after, len(before)
    mean = mean_loss(gains.view(n, -1).mean(dim=1), problem)
    if not mean > share * mean_loss(before.view(n, -1).mean(dim=1), problem):
        return False
    probe = make_probe(problem)
    n_pieces = probe.n_blocks * (gains.numel() // n)
    return bool(mean > student_t.ppf(_LIKELY, n_pieces - 1) * probe.standard_error(gains))


def make_probe(problem: Problem, n_samples: int | None = None) -> Probe:
    """Return what judges by validation.

    Parameters
    ----------
    problem : Problem
        Data and split.
    n_samples : int or None, default=None
        Judge by an even selection of at most that many samples; None takes all.

    Returns
    -------
    Probe
        The judge.
    """
    step = 1 if n_samples is None else max(1, -(-len(problem.validation) // n_samples))
    # Neighbouring windows share all but one step; tabular rows and shuffled samples share none.
    n_overlapping = problem.shape.lookback + problem.shape.horizon - 1 if problem.is_in_time else 1
    return Probe(problem.data, problem.validation[::step], problem.judge, -(-n_overlapping // step))


def make_evidence(problem: Problem) -> Evidence:
    """Return an even selection of the training samples, for rules and moves to look at.

    Parameters
    ----------
    problem : Problem
        Data and split.

    Returns
    -------
    Evidence
        At most 256 samples.
    """
    step = -(-len(problem.train) // _N_EVIDENCE_SAMPLES)
    return Evidence(problem.data.take(problem.train[::step]), problem.objective)


def make_watcher(problem: Problem, schedule: Schedule, plan: Plan) -> Watcher | None:
    """Return the plan's watch at work on an even selection of the architecture split.

    Parameters
    ----------
    problem : Problem
        Data and split.
    schedule : Schedule
        Whose batch size bounds the selection.
    plan : Plan
        Whose watch it is.

    Returns
    -------
    Watcher or None
        None where the plan has no watch.
    """
    if plan.collapse_watch is None:
        return None
    step = max(1, -(-len(problem.arch) // schedule.batch_size))
    batch = problem.data.take(problem.arch[::step])
    return Watcher(plan.collapse_watch, batch, problem.objective)
