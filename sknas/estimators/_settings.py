"""An estimator's parameters, resolved: bounds, lengths and step sizes that fit the data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from sknas.estimators._preparation import default_segment_length
from sknas.genotype import Genotype
from sknas.search import ArchRegularizer, ArchSchedule, CollapseWatch, GrowthRule, PruningRule
from sknas.search.backbone import Backbone
from sknas.search.plan import Plan
from sknas.search.space import SearchSpace
from sknas.supernet import Mixing, Supernet
from sknas.training import Problem, Schedule, samples_per_step

__all__ = [
    "Settings",
    "arch_fraction",
    "are_few",
    "check_channel_modes",
    "half_time",
    "is_costly",
    "make_plan",
    "make_schedule",
    "make_space",
    "resolve_genotype",
]

SEARCH_STEPS = 3000
SHORT_SEARCH_STEPS = 900
TRAIN_STEPS = 2000
FRESH_STEPS = 3000
TRAINED_SHARE = 0.95  # of a time budget; the rest is for choosing, judging and calibrating
MIN_EPOCH_STEPS = 40
MAX_EPOCH_STEPS = 100
PATIENCE_STEPS = 400
PATIENCE_PASSES = 1.5  # through the training part
MAX_NORM = 1.0
SMALL_DATA = 5000
SMALL_DATA_DROPOUT = 0.3
FEW_SEPARATE = 250  # forecasts that share no step; with fewer, weights decay at the full rate
FEWEST_SEPARATE = 32  # with fewer, validation cannot tell cells apart
ARCH_FRACTION = 0.25
MOST_ARCH_FRACTION = 0.5
LONG_HORIZON = 128


@dataclass(frozen=True)
class Settings:
    """An estimator's parameters, resolved to objects; the names are those of the parameters."""

    backbone: Backbone
    operations: tuple[str, ...]
    initial_genotype: str | Genotype
    initial_nodes: int
    max_nodes: int
    hidden_size: int | str
    n_layers: int
    genotype: str | Genotype | None
    segment_length: int | str
    channel_mode: str
    window_norm: str
    has_gains: bool
    linear_seed: bool
    mode: str
    growth: GrowthRule
    pruning: PruningRule
    mixing: Mixing
    arch_schedule: ArchSchedule[Any]
    arch_fraction: float
    arch_order: int
    arch_regularizer: ArchRegularizer | None
    collapse_watch: CollapseWatch | None
    arch_learning_rate: float
    size_penalty: float
    max_params: int | None
    search_epochs: int | str
    max_epochs: int | str
    time_budget: float | None
    batch_size: int | str
    learning_rate: float
    weight_decay: float | str
    dropout: float | str
    early_stopping: bool
    refit: str
    refit_full: bool
    n_models: int | str


def arch_fraction(given: float | str, schedule: ArchSchedule[Any]) -> float:
    """Return the share of the training part that architecture parameters learn on.

    With ``"schedule"`` it is the schedule's share of steps, DARTS-PRIME's ``dyno_split``; at most
    the half that DARTS takes, since a step before every weight step is no reason to take all.
    """
    if given == "auto":
        return ARCH_FRACTION
    if given != "schedule":
        return float(given)
    if not 0.0 < schedule.share <= 1.0:
        raise ValueError(
            "arch_fraction='schedule' needs an arch_schedule whose share of steps is in (0, 1]; "
            f"got {schedule!r} with a share of {schedule.share!r}."
        )
    return min(schedule.share, MOST_ARCH_FRACTION)


def make_space(problem: Problem, settings: Settings, supernet: Supernet) -> SearchSpace:
    shape = problem.shape
    length = settings.segment_length
    if length == "auto":
        # Neighbouring codes have nothing to average: a step each.
        is_embedded = shape.is_embedded
        continues = shape.target_channels is not None
        length = default_segment_length(shape.lookback, shape.horizon, continues_channels=continues)
        length = 1 if is_embedded else length
    if int(length) > shape.lookback:
        raise ValueError(
            f"segment_length must be at most the lookback {shape.lookback}; got {length!r}."
        )
    lengths = [int(length), int(length) // 2, 2 * int(length)]
    if settings.max_params is not None and settings.max_params < supernet.n_params:
        raise ValueError(
            f"max_params must be at least the linear seed's {supernet.n_params} weights; "
            f"got {settings.max_params!r}."
        )
    return SearchSpace(
        settings.operations,
        settings.max_nodes,
        settings.max_params,
        _n_units(problem, settings),
        settings.n_layers + 1,
        tuple(n for n in lengths if 1 <= n <= shape.lookback),
        problem.channel_mode,
        shape.is_sequence,
        settings.backbone,
    )


def make_schedule(problem: Problem, settings: Settings, start: float) -> Schedule:
    batch_size = samples_per_step(
        settings.batch_size, len(problem.data.past), problem.n_sequences_each
    )
    n_batches = max(1, -(-len(problem.weight) // batch_size))
    n_steps = max(MIN_EPOCH_STEPS, n_batches)
    if settings.search_epochs == "auto" and settings.max_epochs == "auto":
        n_steps = min(n_steps, MAX_EPOCH_STEPS)

    def epochs(wanted: int | str, auto_steps: int) -> int:
        return max(1, -(-auto_steps // n_steps)) if wanted == "auto" else int(wanted)

    # Steps on all samples go as far as more steps on some of them.
    is_short = is_costly(problem) or n_batches == 1
    search_steps = SHORT_SEARCH_STEPS if is_short else SEARCH_STEPS
    patience_steps = max(PATIENCE_STEPS, PATIENCE_PASSES * len(problem.train) / batch_size)
    budget = math.inf if settings.time_budget is None else settings.time_budget
    return Schedule(
        epochs(settings.search_epochs, search_steps),
        epochs(settings.max_epochs, TRAIN_STEPS),
        epochs(settings.max_epochs, FRESH_STEPS),
        n_steps,
        batch_size,
        settings.learning_rate,
        _weight_decay(problem, settings),
        settings.arch_learning_rate,
        max(3, round(patience_steps / n_steps)) if settings.early_stopping else None,
        _dropout(problem, settings),
        MAX_NORM,
        settings.linear_seed,
        start + TRAINED_SHARE * budget,
    )


def half_time(settings: Settings, start: float) -> float:
    """Return when half of the time budget is spent: by then there should be a seed."""
    return start + (math.inf if settings.time_budget is None else settings.time_budget / 2)


def make_plan(schedule: Schedule, settings: Settings) -> Plan:
    return Plan(
        settings.mode,
        schedule.search_epochs,
        settings.growth,
        settings.pruning,
        settings.arch_schedule,
        settings.arch_regularizer,
        settings.arch_order,
        settings.collapse_watch,
        settings.size_penalty,
    )


def _weight_decay(problem: Problem, settings: Settings) -> float:
    """Return a decay in inverse proportion to the forecasts that share no step of the future."""
    if settings.weight_decay != "auto":
        return float(settings.weight_decay)
    if problem.shape.target_channels is None:
        return 0.0
    return min(1.0, FEW_SEPARATE / max(1.0, _n_separate(problem)))


def _n_separate(problem: Problem) -> float:
    """Return how many forecasts to train on share no step of the future."""
    return len(problem.train) / problem.shape.horizon


def _dropout(problem: Problem, settings: Settings) -> float:
    if settings.dropout != "auto":
        return float(settings.dropout)
    return SMALL_DATA_DROPOUT if _n_sequences(problem) < SMALL_DATA else 0.0


def are_few(problem: Problem) -> bool:
    """Say whether so few forecasts share no step that validation tells little."""
    return problem.shape.target_channels is not None and _n_separate(problem) < FEWEST_SEPARATE


def _n_units(problem: Problem, settings: Settings) -> int:
    if settings.hidden_size != "auto":
        return int(settings.hidden_size)
    if _n_sequences(problem) < SMALL_DATA:
        return 64
    # Wider costs too much where every channel is a sequence, unless the state foretells much.
    return 64 if is_costly(problem) and problem.shape.horizon <= LONG_HORIZON else 128


def is_costly(problem: Problem) -> bool:
    """Say whether data are many, and every sample is a sequence for each of its channels."""
    return _n_sequences(problem) >= SMALL_DATA and problem.n_sequences_each > 1


def _n_sequences(problem: Problem) -> int:
    return len(problem.train) * problem.n_sequences_each


def resolve_genotype(
    genotype: str | Genotype, space: SearchSpace, settings: Settings, problem: Problem
) -> Genotype:
    if isinstance(genotype, Genotype):
        check_channel_modes(genotype, problem, "genotype")
        return genotype
    return Genotype.named(
        genotype,
        hidden_size=space.hidden_size,
        segment_length=space.segment_lengths[0],
        channel_mode=problem.channel_mode,
        n_layers=settings.n_layers,
    )


def check_channel_modes(genotype: Genotype, problem: Problem, name: str) -> None:
    """Raise where a branch reads each target's own channel, and the targets have none."""
    modes = [branch.channel_mode for branch in genotype.branches]
    if problem.shape.target_channels is None and "independent" in modes:
        raise ValueError(
            f"{name} must have branches with channel_mode='mixed' where targets continue no "
            f"channel of X; got {modes!r}."
        )
