"""Seeded 64-bit hashes of rows, from what they hold and not from where they stand."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.generic]  # numbers, booleans, dates or strings
Indices = NDArray[np.intp]
Hashes = NDArray[np.uint64]

_MASK = (1 << 64) - 1
_STRIDE = 0x9E3779B97F4A7C15  # odd, 2**64 over the golden ratio: SplitMix64's step
_CHUNK = 1 << 18  # entries looked at at once, so that memory stays small


def row_hashes(arrays: Sequence[Rows], seed: int) -> Hashes:
    """Hash every row: the sum of its entries' hashes, each keyed by its column.

    Parameters
    ----------
    arrays : sequence of ndarray of shape (n_rows, ...)
        The parts of a row.
    seed : int
        Choice of the hash.

    Returns
    -------
    ndarray of shape (n_rows,), dtype=uint64
        The hashes; rows equal in all entries (-0.0 and 0.0 are, and all NaN) have the
        same.
    """
    n_rows = len(arrays[0])
    hashes = np.zeros(n_rows, dtype=np.uint64)
    for number, array in enumerate(arrays, start=1):
        array_key = _mixed_int(_mixed_int(seed) + number * _STRIDE)
        n_columns = math.prod(array.shape[1:])
        keys = _key_stream(array_key, n_columns)
        for rows in chunks(np.arange(n_rows), n_columns):
            chunk = slice(rows[0], rows[-1] + 1)
            bits = _bits(array[chunk].reshape(len(rows), n_columns))
            hashes[chunk] += _mixed(bits ^ keys).sum(axis=1)
    return _mixed(hashes)


def chunks(rows: Indices, n_columns: int) -> list[Indices]:
    """Cut row numbers into parts of so few rows that copies of them stay small."""
    size = max(1, _CHUNK // max(1, n_columns))
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def float_bits(values: Rows) -> Hashes:
    """Code numbers as 64 bits, the same for both zeros and for all NaN."""
    canonical = values.astype(np.float64) + 0.0  # turns -0.0 into 0.0
    canonical[np.isnan(canonical)] = np.nan
    return canonical.view(np.uint64)


def _bits(values: Rows) -> Hashes:
    """Code entries as 64 bits; equal entries get equal bits."""
    kind = values.dtype.kind
    if kind in "US":
        return _string_bits(values)
    return float_bits(values)


def _string_bits(values: Rows) -> Hashes:
    """Hash strings so that the width they are stored with does not matter."""
    unit = np.uint32 if values.dtype.kind == "U" else np.uint8
    n_characters = values.dtype.itemsize // np.dtype(unit).itemsize
    characters = np.ascontiguousarray(values).view(unit)
    codes: Hashes = characters.reshape(*values.shape, n_characters).astype(np.uint64)
    mixed = _mixed(codes ^ _key_stream(_STRIDE, n_characters))
    return np.where(codes == 0, np.uint64(0), mixed).sum(axis=-1)


def _key_stream(start: int, n_keys: int) -> Hashes:
    """Draw the keys of SplitMix64 that follow the state `start`."""
    steps = np.arange(1, n_keys + 1, dtype=np.uint64)
    return _mixed(steps * np.uint64(_STRIDE) + np.uint64(start & _MASK))


def _mixed_int(value: int) -> int:
    return int(_mixed(np.array([value & _MASK], dtype=np.uint64))[0])


def _mixed(values: Hashes) -> Hashes:
    """Apply the finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    mixed = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
