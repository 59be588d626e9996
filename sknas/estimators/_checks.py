"""Checks of what a user hands over, beyond those of scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray

from sknas._validation import check_weights
from sknas.genotype import NAMED_CELLS, Genotype
from sknas.genotype.serialization import MOST_CHARACTERS

__all__ = [
    "as_weights",
    "check_codes",
    "check_device",
    "check_distance",
    "check_numbers",
    "check_size",
    "is_three_deep",
    "read_genotype",
]

Array = NDArray[Any]

LARGEST = 1e307  # of which a few are added without overflow
FARTHEST = 1e30  # whose products a cell can form in float64
FEW = 4096  # numbers
MOST_COUNTED = 2.0**53  # samples that are counted exactly
P = ParamSpec("P")
T = TypeVar("T")


def is_three_deep(X: Any) -> bool:
    """Say whether input is 3-D, without converting it.

    Parameters
    ----------
    X : object
        An array, a frame or nested lists.

    Returns
    -------
    bool
        Whether it has three dimensions.
    """
    depth = 0
    while isinstance(X, (list, tuple)) and len(X):
        X, depth = X[0], depth + 1
    return depth + len(getattr(X, "shape", ())) == 3


def check_numbers(given: Any, name: str) -> None:
    """Raise where numpy would silently make plain numbers of something else.

    Parameters
    ----------
    given : object
        What the user gave.
    name : str
        What it is called in messages.

    Raises
    ------
    TypeError
        If it holds dates or durations, or is a tensor that requires a gradient.
    ValueError
        If it is a masked array of which something is masked.
    """
    if type(given) is np.ndarray and given.dtype.kind == "f":
        return
    dtypes = getattr(given, "dtypes", [getattr(given, "dtype", None)])
    for dtype in dtypes if isinstance(dtypes, (list, pd.Series)) else [dtypes]:
        if getattr(dtype, "kind", "") in ("m", "M"):
            raise TypeError(f"{name} must hold numbers, not dates or durations; got {dtype}.")
    if getattr(given, "requires_grad", False):
        raise TypeError(f"{name} must not require a gradient; got a tensor that does (detach it).")
    if isinstance(given, np.ma.MaskedArray) and np.ma.getmaskarray(given).any():
        n_masked = int(np.ma.getmaskarray(given).sum())
        raise ValueError(
            f"{name} must not have masked entries, which would be read as though they were not; "
            f"got {n_masked}."
        )


def check_size(values: Array, name: str) -> None:
    """Raise unless an array has entries, of which sums and differences do not overflow.

    Parameters
    ----------
    values : ndarray
        Checked numbers; NaN are passed over.
    name : str
        What it is called in messages.

    Raises
    ------
    ValueError
        If an axis is empty, or an entry as large as the largest number there is.
    """
    if values.size == 0:
        raise ValueError(f"{name} must not have an empty axis; got shape {values.shape}.")
    if values.dtype != np.float64:
        return
    largest = _magnitude(values)
    if largest > LARGEST:
        raise ValueError(f"{name} must be within +-{LARGEST:.0e}; got a magnitude of {largest!r}.")


def check_distance(standardised: Array, name: str) -> None:
    """Raise where standardised numbers are so far out that a network's outputs overflow.

    Parameters
    ----------
    standardised : ndarray
        In units of the training part; NaN are passed over.
    name : str
        What the numbers are called in messages.

    Raises
    ------
    ValueError
        If one is farther from the mean than `FARTHEST` standard deviations.
    """
    largest = _magnitude(standardised)
    if largest > FARTHEST:
        raise ValueError(
            f"{name} must be within {FARTHEST:.0e} standard deviations of the mean of the training "
            f"part; got a value {largest:.3g} away."
        )


def _magnitude(values: Array) -> float:
    if values.size < FEW:  # one pass more is less than one call more
        return float(np.fmax.reduce(np.abs(values), axis=None))
    highest, lowest = (float(of.reduce(values, axis=None)) for of in (np.fmax, np.fmin))
    return max(highest, -lowest)


def check_codes(X: Array) -> None:
    """Raise unless X holds category codes.

    Parameters
    ----------
    X : ndarray of shape (n_timepoints, n_columns) or (n_samples, n_steps, n_channels)
        Checked input; missing steps are NaN.

    Raises
    ------
    ValueError
        If there is more than one column, or an entry is no integer or negative.
    """
    if X.shape[-1] != 1:
        raise ValueError(
            "X must have one column (2-D) or one channel (3-D) of codes with embedding_size; "
            f"got {X.shape[-1]}."
        )
    is_wrong = (X < 0) | (np.round(X) != X) & ~np.isnan(X)
    if is_wrong.any():
        raise ValueError(
            "X must hold non-negative integers, the codes of categories, with embedding_size; "
            f"got {X[is_wrong][0].item()!r}."
        )


def check_device(device: str) -> None:
    """Raise unless torch has the device here.

    Parameters
    ----------
    device : str
        The estimator's parameter.

    Raises
    ------
    ValueError
        If torch does not know the device, or it is not on this machine.
    """
    try:
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as error:
        raise ValueError(f"device must be one that torch has here; got {device!r}.") from error


def as_weights(sample_weight: ArrayLike | None, X: Array) -> NDArray[np.float64]:
    """Return checked sample weights.

    Whole numbers count samples. Others say what samples are worth beside each other, and have a
    mean of one where they are positive.

    Parameters
    ----------
    sample_weight : array-like or None
        Weights.
    X : ndarray
        Samples.

    Returns
    -------
    ndarray of shape (n_samples,)
        Weights.
    """
    return in_samples(check_weights(sample_weight, X))


def in_samples(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights in units of samples: whole numbers as they are, others with a mean of one.

    Parameters
    ----------
    weights : ndarray of shape (n_samples,)
        Non-negative weights; those of zero do not enter the mean.

    Returns
    -------
    ndarray of shape (n_samples,)
        Proportional weights.
    """
    largest = weights.max()
    if largest <= MOST_COUNTED / len(weights) and (weights == np.round(weights)).all():
        return weights
    weights = weights / largest  # so that no sum overflows
    scaled: NDArray[np.float64] = weights / weights[weights > 0].mean()
    # Equal weights are ones, whatever the division has rounded.
    whole = np.round(scaled)
    return whole if np.allclose(scaled, whole, rtol=0.0, atol=1e-9) else scaled


def read_genotype(genotype: Any) -> str | Genotype | None:
    """Return a genotype, a known name or None; a path is read as JSON.

    Parameters
    ----------
    genotype : None, str or Genotype
        The estimator's parameter.

    Returns
    -------
    str, Genotype or None
        What to build.

    Raises
    ------
    ValueError
        If a string is neither a known name nor a file of genotype JSON.
    """
    if genotype is None or isinstance(genotype, Genotype):
        return genotype
    if genotype == "linear" or genotype in NAMED_CELLS:
        name: str = genotype
        return name
    path = Path(genotype)
    try:
        size = path.stat().st_size if path.is_file() else None
    except (OSError, ValueError):  # a text that cannot be a path, such as the JSON itself
        size = None
    if size is None:
        hint = " Give the text to Genotype.from_json." if genotype.lstrip()[:1] == "{" else ""
        raise ValueError(
            f"genotype must be one of {['linear', *sorted(NAMED_CELLS)]}, a Genotype or the path "
            f"of a JSON file; got {genotype[:200]!r}.{hint}"
        )
    if size > MOST_CHARACTERS:
        raise ValueError(
            f"genotype must be the path of a file of at most {MOST_CHARACTERS} bytes; got "
            f"{genotype!r} of {size}."
        )
    return Genotype.from_json(path.read_text(encoding="utf-8"))
