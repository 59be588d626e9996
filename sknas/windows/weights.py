"""Row weights, checked once for all who use them."""

import numpy as np
from numpy.typing import NDArray


def checked_weights(weights: NDArray[np.number] | None, n_rows: int) -> NDArray[np.float64]:
    """Check the weights of rows.

    Parameters
    ----------
    weights : ndarray of shape (n_rows,) or None
        Non-negative weight of each row; None is 1 for all.
    n_rows : int
        Number of rows.

    Returns
    -------
    ndarray of shape (n_rows,), dtype=float64
        The weights.

    Raises
    ------
    ValueError
        If `weights` has another length, a negative or non-finite entry, or no positive
        one.
    """
    if weights is None:
        weights = np.ones(n_rows)
    if weights.shape != (n_rows,):
        raise ValueError(
            f"weights must have one entry for each of {n_rows} rows; got shape {weights.shape}."
        )
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(
            f"weights must be finite and not negative; got a minimum of {float(weights.min())!r}."
        )
    if not (weights > 0).any():
        raise ValueError("weights must have a positive entry; got only zeros.")
    return weights.astype(np.float64)
