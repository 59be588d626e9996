"""Static covariates: what is known of each series and does not change with time."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sknas.forecasting._wording import any_of, label_text

__all__ = ["StaticCovariates", "read_static"]

_N_SHOWN = 5


@dataclass(frozen=True, eq=False)
class StaticCovariates:
    """Static covariates of each series as numbers.

    Parameters
    ----------
    values : ndarray of shape (n_series, n_features), dtype=float64
        Numeric columns as they are; a categorical one as a column of zeros and ones for each of
        its categories.
    names : tuple of str, of length n_features
        Names of these, such as ``"price"`` or ``"region=north"``.
    columns : pd.Index
        Columns of the frame.
    categories : tuple, one entry a column of the frame
        The categories seen at fit; None for a numeric column.
    """

    values: NDArray[np.float64]
    names: tuple[str, ...]
    columns: pd.Index
    categories: tuple[tuple[Hashable, ...] | None, ...]


def read_static(
    S: pd.DataFrame, keys: pd.Index, *, like: StaticCovariates | None = None, name: str = "S"
) -> StaticCovariates:
    """Read the static covariates of some series.

    Parameters
    ----------
    S : pd.DataFrame
        One row a series, under its key, in any order; more series than needed are fine. Booleans,
        strings and categoricals are categories, other columns numbers.
    keys : pd.Index of length n_series
        Keys of series, such as those of a panel.
    like : StaticCovariates or None, default=None
        What fit saw: its columns in its order, and its categories.
    name : str, default="S"
        What the frame is called in messages.

    Returns
    -------
    StaticCovariates
        One row a key.

    Raises
    ------
    TypeError
        If `S` is no frame of pandas.
    ValueError
        If series or columns are missing or there twice, a number is missing or infinite, or a
        category was not seen at fit.
    """
    if not isinstance(S, pd.DataFrame):
        raise TypeError(f"{name} must be a DataFrame with series keys as its index; got {type(S)}.")
    _check_labels(S, keys, name)
    columns = S.columns if like is None else like.columns
    if set(columns) != set(S.columns):
        raise ValueError(
            f"{name} must have the columns that fit saw, {columns.tolist()}; "
            f"got {S.columns.tolist()}."
        )
    rows = S.index.get_indexer(keys)
    parts: list[NDArray[np.float64]] = []
    names: list[str] = []
    categories: list[tuple[Hashable, ...] | None] = []
    for number, column in enumerate(columns):
        data = S[column].iloc[rows]
        known = None if like is None else like.categories[number]
        is_number = _is_number(data) if like is None else known is None
        if is_number:
            parts.append(_numbers(data, column, name)[:, np.newaxis])
            names.append(str(column))
        else:
            known = _categories(data) if known is None else known
            parts.append(_one_hot(data, known, column, name))
            names.extend(f"{column}={category}" for category in known)
        categories.append(None if is_number else known)
    values = np.concatenate([np.empty((len(keys), 0)), *parts], axis=1)
    return StaticCovariates(values, tuple(names), columns, tuple(categories))


def _check_labels(S: pd.DataFrame, keys: pd.Index, name: str) -> None:
    """Raise unless each key has one row, and each column one name."""
    for what, labels in (("series", S.index), ("column", S.columns)):
        if labels.has_duplicates:
            twice = labels[labels.duplicated()].unique()
            text = any_of(map(label_text, twice[:_N_SHOWN]), len(twice), _N_SHOWN)
            raise ValueError(f"{name} must not have a {what} twice; got {text} again.")
    if S.index.nlevels != keys.nlevels:
        raise ValueError(
            f"{name}'s index must have {keys.nlevels} levels, as the keys of series; "
            f"got {S.index.nlevels}."
        )
    missing = keys[S.index.get_indexer(keys) < 0]
    if len(missing):
        text = any_of(map(label_text, missing[:_N_SHOWN]), len(missing), _N_SHOWN)
        raise ValueError(f"{name} must have a row for every series; got none for {text}.")


def _is_number(data: pd.Series) -> bool:
    is_bool = pd.api.types.is_bool_dtype(data.dtype)
    return pd.api.types.is_numeric_dtype(data.dtype) and not is_bool


def _numbers(data: pd.Series, column: Hashable, name: str) -> NDArray[np.float64]:
    if not _is_number(data) or data.dtype.kind == "c":
        raise ValueError(
            f"{name} must hold real numbers in column {label_text(column)}, as at fit; "
            f"got dtype {data.dtype}."
        )
    numbers = data.to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        raise ValueError(
            f"{name} must hold finite numbers in column {label_text(column)}; got "
            f"{numbers[bad[0]]} for series {label_text(data.index[bad[0]])}."
        )
    return np.asarray(numbers)


def _categories(data: pd.Series) -> tuple[Hashable, ...]:
    """Return the categories that are there, in the order of a categorical or of their names."""
    if isinstance(data.dtype, pd.CategoricalDtype):
        found = data.cat.remove_unused_categories().cat.categories
        return tuple(found.tolist())
    return tuple(sorted(data.dropna().unique().tolist(), key=lambda c: (str(type(c)), str(c))))


def _one_hot(
    data: pd.Series, known: tuple[Hashable, ...], column: Hashable, name: str
) -> NDArray[np.float64]:
    """Return a column of zeros and ones for each category."""
    numbers = {category: number for number, category in enumerate(known)}
    codes = np.array([numbers.get(category, -1) for category in data], dtype=np.intp)
    bad = np.flatnonzero(codes < 0)
    if len(bad):
        raise ValueError(
            f"{name} must hold one of the categories that fit saw, {list(known)}, in column "
            f"{label_text(column)}; got {data.iloc[bad[0]]!r} for series "
            f"{label_text(data.index[bad[0]])}."
        )
    return np.eye(len(known))[codes]
