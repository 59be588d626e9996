"""The category codes that training knows, numbered; all others share one number."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Number codes: 0 for any that is not known, then 1, 2, ... in increasing order of code.

    Parameters
    ----------
    codes : ndarray of shape (n_known,), dtype=float64
        The known codes, in increasing order.

    Examples
    --------
    >>> vocabulary = fit_vocabulary(np.array([[7.0], [3.0], [7.0]]))
    >>> vocabulary.transform(np.array([[3.0], [7.0], [5.0]])).ravel().tolist()
    [1.0, 2.0, 0.0]
    """

    codes: NDArray[np.float64]

    @property
    def n_categories(self) -> int:
        """Number of different results: the known codes, and one for all others."""
        return len(self.codes) + 1

    def transform(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the number of each code.

        Parameters
        ----------
        values : ndarray of any shape
            Codes; NaN stays NaN.

        Returns
        -------
        ndarray of the shape of `values`, dtype=float64
            Numbers from 0 to ``n_categories - 1``.
        """
        place = np.searchsorted(self.codes, values)
        # A code behind the last known one is compared with that one.
        is_known = self.codes[np.minimum(place, len(self.codes) - 1)] == values
        numbers = np.where(is_known, place + 1.0, 0.0)
        return np.where(np.isnan(values), np.nan, numbers)


def fit_vocabulary(values: NDArray[Any]) -> Vocabulary:
    """Collect the codes of training samples.

    Parameters
    ----------
    values : ndarray of any shape
        Codes; NaN are left out.

    Returns
    -------
    Vocabulary
        Every code that is there.

    Raises
    ------
    ValueError
        If there is none.
    """
    codes = np.unique(values[~np.isnan(values)]).astype(np.float64, copy=False)
    if not len(codes):
        raise ValueError(f"values must hold at least one code; got shape {values.shape}.")
    return Vocabulary(codes)
