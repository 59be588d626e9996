"""Tables of numbers, read from frames, series and arrays and checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import NoneType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sknas.forecasting._wording import any_of, label_text, rows_text

__all__ = ["Floats", "Table", "in_order_of", "read_table"]

Floats = NDArray[np.floating[Any]]

LARGEST = 1e307  # of which a few are added without overflow


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers with the labels they came with.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        Floating-point numbers; NaN is missing.
    index : pd.Index of length n_rows
        Labels of rows; of an array their numbers.
    columns : pd.Index of length n_columns
        Names of columns; of an array their numbers.
    kind : {"frame", "series", "1-D array", "2-D array"}
        What the caller handed over.
    """

    values: Floats
    index: pd.Index
    columns: pd.Index
    kind: str

    @property
    def has_index(self) -> bool:
        """Whether the caller's object has labels."""
        return not self.kind.endswith("array")


def read_table(
    data: pd.DataFrame | pd.Series | ArrayLike, name: str, *, dtype_kinds: str = "iuf"
) -> Table:
    """Read numbers, whatever holds them.

    Parameters
    ----------
    data : pd.DataFrame, pd.Series or array-like of shape (n_rows,) or (n_rows, n_columns)
        Numbers.
    name : str
        What they are called in messages.
    dtype_kinds : str, default="iuf"
        Kinds of numbers that are accepted, as numpy abbreviates them.

    Returns
    -------
    Table
        Values are float64, or float32 where nothing wider came.

    Raises
    ------
    TypeError
        If the container is none of these, such as a sparse matrix or a frame of polars.
    ValueError
        If there is no row or no column, a name of a column is there twice, or something is no
        number or infinite.
    """
    if isinstance(data, pd.Series):
        table = _from_frame(data.to_frame(), "series", name, dtype_kinds)
        table = replace(table, columns=pd.Index([data.name]))
    elif isinstance(data, pd.DataFrame):
        table = _from_frame(data, "frame", name, dtype_kinds)
    else:
        table = _from_array(data, name, dtype_kinds)
    rows, columns = np.nonzero(np.isinf(table.values))
    if len(rows):
        where = f"column {label_text(table.columns[columns[0]])}, "
        raise ValueError(
            f"{name} must be finite; got infinity in {where if table.has_index else ''}"
            f"{rows_text(rows, table.index[rows])}."
        )
    if table.values.dtype == np.float64 and _magnitude(table.values) > LARGEST:
        largest = _magnitude(table.values)
        raise ValueError(f"{name} must be within +-{LARGEST:.0e}; got a magnitude of {largest!r}.")
    return table


def in_order_of(table: Table, columns: pd.Index, kind: str, name: str) -> Table:
    """Put columns into the order of those seen at fit.

    Parameters
    ----------
    table : Table
        What came.
    columns : pd.Index
        Columns seen at fit.
    kind : {"frame", "series", "1-D array", "2-D array"}
        What they came in.
    name : str
        What the table is called in messages.

    Returns
    -------
    Table
        The same with these columns.

    Raises
    ------
    ValueError
        If others came. The name of a single series does not matter.
    """
    is_unnamed = not table.has_index or kind.endswith("array") or kind == table.kind == "series"
    if is_unnamed and len(columns) == len(table.columns):
        return replace(table, columns=columns)
    order = table.columns.get_indexer(columns)
    if not is_unnamed and (order >= 0).all() and len(order) == len(table.columns):
        is_same = (order == np.arange(len(order))).all()
        values = table.values if is_same else table.values[:, order]
        return replace(table, values=values, columns=columns)
    raise ValueError(
        f"{name} must have the columns that fit saw, {_listed(columns)}; "
        f"got {_listed(table.columns)}."
    )


def _magnitude(values: Floats) -> float:
    """Return the largest absolute number, without a copy; NaN are passed over."""
    highest, lowest = (float(of.reduce(values, axis=None)) for of in (np.fmax, np.fmin))
    return max(highest, -lowest)


def _listed(columns: pd.Index) -> str:
    return f"{len(columns)} ({any_of(map(label_text, columns[:10]), len(columns), 10)})"


def _from_frame(frame: pd.DataFrame, kind: str, name: str, dtype_kinds: str) -> Table:
    _check_shape(frame.shape, name)
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()].unique()
        raise ValueError(f"{name} must not repeat names of columns; got {_listed(twice)} again.")
    narrow = True
    for column, dtype in zip(frame.columns, frame.dtypes, strict=True):
        if isinstance(dtype, pd.SparseDtype):
            raise TypeError(
                f"{name} must be dense (.sparse.to_dense()); "
                f"got dtype {dtype} in column {label_text(column)}."
            )
        if _kind_of(dtype) not in dtype_kinds:
            raise ValueError(
                f"{name} must hold real numbers; got dtype {dtype} in column {label_text(column)}."
            )
        narrow &= _is_narrow(dtype)
    values = frame.to_numpy(dtype=np.float32 if narrow else np.float64, na_value=np.nan)
    return Table(values, frame.index, frame.columns, kind)


def _from_array(data: ArrayLike, name: str, dtype_kinds: str) -> Table:
    is_foreign = hasattr(data, "toarray") or hasattr(data, "columns") or hasattr(data, "to_pandas")
    if is_foreign or isinstance(data, (str, bytes, dict, set, NoneType)):
        came = f"{type(data).__module__.split('.')[0]}.{type(data).__name__}"
        raise TypeError(
            f"{name} must be a DataFrame or Series of pandas, or a dense array of numpy; got "
            f"{came} (convert it, and set the column of time as the index)."
        )
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ValueError(f"{name} must have rows of one length; got {type(data)}.") from error
    if np.ma.isMA(data):
        array = np.ma.filled(data.astype(np.float64), np.nan)
    if array.ndim not in (1, 2):
        raise ValueError(f"{name} must have 1 or 2 axes; got shape {array.shape}.")
    kind = f"{array.ndim}-D array"
    array = array[:, np.newaxis] if array.ndim == 1 else array
    _check_shape(array.shape, name)
    if array.dtype.kind not in dtype_kinds:
        raise ValueError(f"{name} must hold real numbers; got dtype {array.dtype}.")
    values: Floats = array.astype(np.float32 if _is_narrow(array.dtype) else np.float64, copy=False)
    return Table(values, pd.RangeIndex(len(array)), pd.RangeIndex(array.shape[1]), kind)


def _check_shape(shape: tuple[int, ...], name: str) -> None:
    if 0 in shape:
        raise ValueError(f"{name} must have at least one row and one column; got shape {shape}.")


def _kind_of(dtype: object) -> str:
    """Return numpy's abbreviation of the numbers that a column of pandas holds."""
    if pd.api.types.is_extension_array_dtype(dtype) and not pd.api.types.is_numeric_dtype(dtype):
        return "O"
    kind: str = getattr(dtype, "kind", "O")
    return kind


def _is_narrow(dtype: object) -> bool:
    """Say whether float32 holds what the caller wrote."""
    return str(dtype).lower() in ("float16", "float32", "halffloat", "float[pyarrow]")
