"""A network's outputs at some origins: points, or quantiles of which the median is the point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sknas.forecasting._blocks_ahead import strayed

__all__ = ["Outputs", "check_levels"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Outputs:
    """Outputs in standardised units.

    Parameters
    ----------
    values : ndarray of shape (n, n_quantiles, n_steps, n_targets)
        One output where there are no levels.
    quantiles : tuple of float
        Levels; empty for points.
    horizon : int
        Steps of the network; further ones went on from its own medians or points.
    """

    values: Array
    quantiles: tuple[float, ...]
    horizon: int

    @property
    def points(self) -> Array:
        """Points, or medians, of shape (n, n_steps, n_targets), standardised."""
        return self.values[:, self.quantiles.index(0.5) if self.quantiles else 0]

    def levels(self, alphas: Sequence[float], name: str) -> Array:
        """Return the network's own quantiles, between its levels by interpolation.

        Beyond the horizon they stray from the median as conformal intervals do, see `strayed`.

        Parameters
        ----------
        alphas : sequence of float
            Probabilities.
        name : str
            Which parameter asks for them.

        Returns
        -------
        ndarray of shape (n_alphas, n, n_steps, n_targets)
            Standardised.

        Raises
        ------
        ValueError
            If one lies outside the levels.
        """
        check_levels(alphas, self.quantiles, name)
        by_level = self.values.swapaxes(0, 1)
        place = np.interp(alphas, self.quantiles, np.arange(len(self.quantiles)))
        below = np.floor(place).astype(int)
        above = np.minimum(below + 1, len(self.quantiles) - 1)
        share = (place - below)[:, None, None, None]
        found: Array = (1.0 - share) * by_level[below] + share * by_level[above]
        if found.shape[2] <= self.horizon:
            return found
        return self.points + strayed(found - self.points, self.horizon)

    def first_steps(self, n: int) -> Outputs:
        """Return the outputs of the first steps.

        Parameters
        ----------
        n : int
            How many.

        Returns
        -------
        Outputs
            Of these.
        """
        return replace(self, values=self.values[:, :, :n])


def check_levels(alphas: Sequence[float], quantiles: tuple[float, ...], name: str) -> None:
    """Raise unless probabilities lie within the levels of a network.

    Parameters
    ----------
    alphas : sequence of float
        Probabilities.
    quantiles : tuple of float
        Levels of the network, ascending.
    name : str
        Which parameter asks for them.

    Raises
    ------
    ValueError
        If one lies outside.
    """
    low, high = quantiles[0], quantiles[-1]
    near = 1e-9  # (1 - 0.95) / 2 is a bit more than 0.025
    outside = [alpha for alpha in alphas if not low - near <= alpha <= high + near]
    if outside:
        raise ValueError(
            f"{name} must lie within the quantile_levels {low:g} to {high:g} of the fit; "
            f"got quantile {outside[0]:g}."
        )
