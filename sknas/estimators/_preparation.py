"""Arrays -> a `Problem`: samples in canonical order, split, standardised, as tensors."""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator

from sknas.blocks import NetworkShape, Objective, WindowData
from sknas.estimators._checks import check_distance
from sknas.estimators._layout import Layout
from sknas.training import Problem, float_type, samples_per_step
from sknas.windows import (
    Scaler,
    Split,
    Vocabulary,
    chronological_split,
    fit_scaler,
    fit_vocabulary,
    group_duplicates,
    hashed_split,
    splitter_split,
    stratified_split,
)

__all__ = ["Prepared", "Samples", "Scales", "default_segment_length", "prepare"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Scales:
    """The units that a network's weights are in.

    Parameters
    ----------
    x : Scaler or Vocabulary
        Of the channels; where they hold category codes, what numbers these.
    y : Scaler or None
        Of the targets; None for classes.
    """

    x: Scaler | Vocabulary
    y: Scaler | None


@dataclass(frozen=True)
class Samples:
    """What a fit was given, checked.

    Parameters
    ----------
    X : ndarray
        2-D rows, or (n_samples, n_steps, n_channels).
    y : ndarray of shape (n_samples, horizon, n_targets), or (n_samples,) of class indices
        Targets.
    weights : ndarray of shape (n_samples,)
        Sample weights.
    layout : Layout
        Kind of input.
    n_classes : int
        0 for regression.
    target_channels : tuple of int or None
        The channel each target continues.
    scales : Scales or None, default=None
        Scales of an earlier fit; None measures them.
    context : ndarray of shape (at most lookback - 1, n_channels) or None, default=None
        Standardised rows that directly precede `X`, for rows in time order.
    embedding_size : int, default=0
        Width of the vectors that category codes become; 0 where `X` holds numbers.
    quantiles : tuple of float, default=()
        Levels of a network's outputs; empty for points.
    """

    X: Array
    y: Array
    weights: NDArray[np.float64]
    layout: Layout
    n_classes: int
    target_channels: tuple[int, ...] | None
    scales: Scales | None = None
    context: Array | None = None
    embedding_size: int = 0
    quantiles: tuple[float, ...] = ()

    @property
    def horizon(self) -> int:
        """Steps of the output."""
        return 1 if self.n_classes else int(self.y.shape[1])

    @property
    def shape(self) -> NetworkShape:
        """Sizes of a network for them; where `X` holds codes, once its scales are known."""
        known = None if self.scales is None else self.scales.x
        return NetworkShape(
            self.layout.n_channels,
            self.layout.lookback,
            self.n_classes or self.y.shape[2],
            self.horizon,
            self.target_channels,
            self.layout.has_padding,
            known.n_categories if isinstance(known, Vocabulary) else 0,
            self.embedding_size,
            quantiles=self.quantiles,
        )


@dataclass(frozen=True)
class Prepared:
    """A problem, and the scales that its units are standardised by."""

    problem: Problem
    x_scaler: Scaler | Vocabulary
    y_scaler: Scaler | None
    rows: Array


def prepare(
    samples: Samples,
    *,
    objective: Objective,
    window_norm: str,
    channel_mode: str,
    validation: Any,
    validation_fraction: float,
    arch_fraction: float,
    batch_size: int | str,
    seed: int,
    split_seed: int,
    device: str,
) -> Prepared:
    """Split, standardise and hand over to torch.

    Parameters
    ----------
    samples : Samples
        What the fit was given.
    objective : Objective
        The loss.
    window_norm, channel_mode : str
        Resolved parameters of the estimator.
    validation, validation_fraction, batch_size
        Parameters of the estimator.
    arch_fraction : float
        Share of the training part that architecture parameters learn on.
    seed : int
        Seed of every draw of the fit.
    split_seed : int
        Seed of the shuffles that split the samples.
    device : str
        Where tensors live.

    Returns
    -------
    Prepared
        The problem, the scales, and the standardised rows.
    """
    rule = _validation_rule(validation, samples)
    if samples.target_channels is None:
        channel_mode = "mixed"
    n_sequences = samples.shape.n_targets if channel_mode == "independent" else 1
    size = samples_per_step(batch_size, len(samples.X), n_sequences)
    is_shuffled = isinstance(rule, str) and rule in ("shuffle", "stratified")
    is_hashed = is_shuffled and not samples.layout.is_time_ordered
    if is_hashed and len(samples.X) <= size:
        samples = _canonical(samples, split_seed)
    outer = _split(samples, rule, validation_fraction, split_seed)
    if samples.scales is None:  # a network that goes on may learn nothing
        _check_weights(samples.weights, outer)
    inner = _inner_split(samples, rule, outer, arch_fraction, split_seed)
    scales = samples.scales or _fit_scales(samples, np.sort(outer.train))
    samples = dataclasses.replace(samples, scales=scales)
    x_scaler, y_scaler = scales.x, scales.y
    with np.errstate(over="ignore"):
        rows = x_scaler.transform(samples.X)
        target = samples.y if y_scaler is None else y_scaler.transform(samples.y).swapaxes(1, 2)
    check_distance(rows, "X")
    check_distance(target, "y")
    past = samples.layout.past(rows, samples.context)
    dtype = float_type(len(past), size)
    if rows.dtype != _numpy_type(dtype):
        past = samples.layout.past(rows.astype(_numpy_type(dtype)), samples.context)
    with warnings.catch_warnings():
        # The windows are a read-only view of overlapping rows, and nothing writes to them.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        data = WindowData(
            torch.from_numpy(past).to(device),
            torch.from_numpy(np.ascontiguousarray(target)).to(
                device, torch.int64 if samples.n_classes else dtype
            ),
            torch.from_numpy(samples.weights).to(device, dtype),
        )
    # Samples without weight that a split has left out stay out.
    everything = np.unique(
        np.concatenate([outer.train, outer.validation, np.flatnonzero(samples.weights > 0)])
    )
    train, weight, arch, held_out, usable = (
        torch.from_numpy(part).to(device)
        for part in (outer.train, *inner, outer.validation, everything)
    )
    problem = Problem(
        data,
        samples.shape,
        train=train,
        weight=weight,
        arch=arch,
        validation=held_out,
        everything=usable,
        objective=objective,
        window_norm=window_norm,
        channel_mode=channel_mode,
        dtype=dtype,
        generator=Generator().manual_seed(seed),
        n_classes=samples.n_classes,
        is_in_time=samples.layout.is_time_ordered or _is_in_time(rule, outer),
    )
    return Prepared(problem, x_scaler, y_scaler, rows)


def default_segment_length(lookback: int, horizon: int, *, continues_channels: bool) -> int:
    """Return the divisor of the lookback next to a wanted length, by ratio.

    That is a quarter of the lookback for forecasts, of any horizon (`benchmarks/accuracy.py`); else
    ``sqrt(lookback * horizon) / 2``, at most the same quarter.

    Parameters
    ----------
    lookback, horizon : int
        Steps read, and steps predicted.
    continues_channels : bool
        Whether what is predicted continues what is read.

    Returns
    -------
    int
        A segment length that makes 4 to 24 recurrent steps, where a divisor does.
    """
    shorter = lookback / 4 if continues_channels else np.sqrt(lookback * horizon) / 2
    wanted = max(1.0, float(np.clip(shorter, lookback / 24, lookback / 4)))
    divisors = [n for n in range(1, lookback + 1) if lookback % n == 0]
    nearest = min(divisors, key=lambda n: abs(np.log(n / wanted)))
    return nearest if 0.5 <= nearest / wanted <= 2.0 else round(wanted)


def _numpy_type(dtype: torch.dtype) -> type[np.floating[Any]]:
    return np.float64 if dtype == torch.float64 else np.float32


def _validation_rule(validation: Any, samples: Samples) -> Any:
    if not isinstance(validation, str) or validation != "auto":
        return validation
    if samples.layout.is_time_ordered:
        return "chronological"
    if samples.n_classes:
        return "chronological" if _is_running_text(samples) else "stratified"
    return "chronological" if samples.layout.kind == "sequences" else "shuffle"


def _is_running_text(samples: Samples) -> bool:
    """Say whether the classes of coded sequences are so many that some have a single sample.

    A class of one cannot stand on both sides, and such classes are the next words of a text, whose
    windows overlap, rather than kinds of sequences.
    """
    if not samples.embedding_size or samples.layout.kind != "sequences":
        return False
    present = samples.weights > 0
    counts = np.bincount(samples.y[present], minlength=samples.n_classes)
    return bool((counts == 1).any())


def _canonical(samples: Samples, seed: int) -> Samples:
    """Merge equal samples and order the rest by content: a weight of k is then k samples."""
    chosen, weights = group_duplicates([samples.X, samples.y], samples.weights, seed)
    return dataclasses.replace(samples, X=samples.X[chosen], y=samples.y[chosen], weights=weights)


def _split(samples: Samples, rule: Any, fraction: float, seed: int) -> Split:
    n = len(samples.X)
    if rule == "chronological":
        return chronological_split(n, fraction, samples.layout.lookback + samples.horizon)
    content = [samples.X, samples.y]
    if rule == "stratified" and samples.n_classes:
        split = stratified_split(content, samples.y, samples.weights, fraction, seed)
    elif isinstance(rule, str):
        split = hashed_split(content, samples.weights, fraction, seed)
    else:
        split = splitter_split(rule, samples.X, samples.y)
    # Where all rows are equal there is nothing to hold out.
    return split if len(split.validation) else Split(split.train, split.train)


def _is_in_time(rule: Any, split: Split) -> bool:
    """Say whether a rule splits in time; a splitter does where it trains before it validates."""
    if isinstance(rule, str):
        return rule == "chronological"
    return bool(split.train[-1] < split.validation[0])


def _check_weights(weights: NDArray[np.float64], split: Split) -> None:
    for name, part in (("trained", split.train), ("validated", split.validation)):
        if not weights[part].any():
            raise ValueError(
                f"sample_weight must be positive for some of the samples that are {name} on, of "
                f"which there are {len(part)}; got zeros. Set validation to another split."
            )


def _inner_split(
    samples: Samples, rule: Any, outer: Split, fraction: float, seed: int
) -> tuple[Array, Array]:
    """Cut the architecture split from the training part, by the same rule.

    A splitter has no such rule: where its training part is before the other one, time decides.
    """
    train = outer.train
    if len(train) < 2:
        return train, train
    if rule == "chronological":  # which looks at no content, that would be copied in vain
        split = chronological_split(len(train), fraction, samples.layout.lookback + samples.horizon)
        return train[split.train], train[split.validation]
    part = Samples(
        samples.X[train],
        samples.y[train],
        samples.weights[train],
        samples.layout,
        samples.n_classes,
        samples.target_channels,
        embedding_size=samples.embedding_size,
    )
    if not isinstance(rule, str):
        is_in_time = samples.layout.is_time_ordered or _is_in_time(rule, outer)
        rule = "chronological" if is_in_time else "stratified"
    split = _split(part, rule, fraction, seed + 1)
    return train[split.train], train[split.validation]


def _fit_scales(samples: Samples, fitted: Array) -> Scales:
    if samples.embedding_size:
        return Scales(_fit_codes(samples, fitted), _fit_y_scaler(samples, None, fitted))
    x_scaler = _fit_x_scaler(samples, fitted)
    return Scales(x_scaler, _fit_y_scaler(samples, x_scaler, fitted))


def _fit_codes(samples: Samples, fitted: Array) -> Vocabulary:
    # A row of zero weight is masked in the loss and stays part of its text.
    is_used = samples.layout.is_time_ordered | (samples.weights[fitted] > 0)
    return fit_vocabulary(samples.X[fitted][is_used])


def _fit_x_scaler(samples: Samples, fitted: Array) -> Scaler:
    values = samples.X[fitted]
    if samples.layout.kind == "rows":
        # A row of zero weight is masked in the loss and stays part of its series.
        return fit_scaler(values)
    return fit_scaler(values, samples.weights[fitted])


def _fit_y_scaler(samples: Samples, x_scaler: Scaler | None, fitted: Array) -> Scaler | None:
    if samples.n_classes:
        return None
    if x_scaler is not None and samples.target_channels is not None:
        channels = list(samples.target_channels)
        return Scaler(x_scaler.center[channels], x_scaler.scale[channels])
    return fit_scaler(samples.y[fitted], samples.weights[fitted])
