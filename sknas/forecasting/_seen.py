"""Which rows of an array have been taken in: enough to know them again, not to repeat them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sknas.forecasting._panel import Panel

__all__ = ["SeenRows"]

_N_BYTES = 16


@dataclass(frozen=True)
class SeenRows:
    """Digest of all rows that an array and its updates brought.

    Rows of other containers have labels, so that none of theirs is kept.

    Parameters
    ----------
    n_rows : int
        How many there are.
    exact, rounded : bytes
        Digests of the rows in double and in single precision.
    is_rounded : bool
        Whether some of them came in single precision.
    """

    n_rows: int = 0
    exact: bytes = b""
    rounded: bytes = b""
    is_rounded: bool = False

    def followed_by(self, panel: Panel) -> SeenRows:
        """Take in further rows.

        Parameters
        ----------
        panel : Panel
            Rows, as they came.

        Returns
        -------
        SeenRows
            All rows until now.
        """
        if panel.calendar.kind != "none":
            return self
        rows = panel.values
        return SeenRows(
            self.n_rows + len(rows),
            _digest(self.exact, rows, np.float64),
            _digest(self.rounded, rows, np.float32),
            is_rounded=self.is_rounded or rows.dtype == np.float32,
        )

    def begin(self, panel: Panel) -> bool:
        """Say whether a panel begins with all these rows.

        Parameters
        ----------
        panel : Panel
            Rows of an array.

        Returns
        -------
        bool
            Whether it does, in the lesser precision of the two.
        """
        rows = panel.values[: self.n_rows]
        if len(rows) < self.n_rows:
            return False
        if self.is_rounded or rows.dtype == np.float32:
            return _digest(b"", rows, np.float32) == self.rounded
        return _digest(b"", rows, np.float64) == self.exact

    def without(self, panel: Panel) -> tuple[Panel, int]:
        """Leave out all these rows where a panel begins with them.

        Parameters
        ----------
        panel : Panel
            Rows that were read as if they followed.

        Returns
        -------
        panel : Panel
            Those that do follow, if any.
        n_repeated : int
            How many were left out.
        """
        if panel.calendar.kind != "none" or not self.begin(panel):
            return panel, 0
        values = panel.values[self.n_rows :]
        return replace(panel, values=values, starts=np.array([0, len(values)])), self.n_rows


def _digest(before: bytes, rows: NDArray[np.floating[Any]], dtype: type[np.floating[Any]]) -> bytes:
    """Digest rows one by one, so that it does not matter how many come at once."""
    with np.errstate(over="ignore"):
        same = rows.astype(dtype)
    same[np.isnan(same)] = np.nan
    same += 0.0  # -0.0 is 0.0
    parts: Iterable[bytes] = (row.tobytes() for row in same)
    return reduce(
        lambda digest, part: blake2b(digest + part, digest_size=_N_BYTES).digest(), parts, before
    )
