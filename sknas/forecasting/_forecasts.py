"""Forecasts in standardised units, and how they come back in the caller's frames."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sknas.forecasting._frames import write_panel
from sknas.forecasting._outputs import Outputs
from sknas.forecasting._panel import Panel
from sknas.forecasting._scales import PanelScales

__all__ = ["Forecasts", "Values", "last_rows"]

Array = NDArray[np.float64]
Values: TypeAlias = pd.DataFrame | pd.Series | NDArray[Any]


@dataclass(frozen=True, eq=False)
class Forecasts:
    """What a network says of the steps after a context.

    Parameters
    ----------
    outputs : Outputs
        Of each series, in its units.
    moved : ndarray of shape (n_series, n_targets)
        How much each context moves, see `movement`.
    context : Panel
        The rows before them.
    scales : PanelScales
        Units of the context's series.
    """

    outputs: Outputs
    moved: Array
    context: Panel
    scales: PanelScales

    @property
    def points(self) -> Array:
        """Points, or medians, of shape (n_series, n_steps, n_targets), standardised."""
        return self.outputs.points

    def frame(self, standardised: Array) -> Values:
        """Return numbers as the caller's kind of container, its index continued.

        Parameters
        ----------
        standardised : ndarray of shape (n_series, n_steps, n_targets)
            Numbers in units of the series.

        Returns
        -------
        DataFrame, Series or ndarray
            In the units of the data.
        """
        values = self._restored(standardised)
        keys = self.context.keys
        row_keys = None if keys is None else keys.repeat(standardised.shape[1])
        flat = values.reshape(-1, values.shape[2])
        return write_panel(flat, row_keys, self._positions(values.shape[1]), self.context)

    def table(self, named: Sequence[tuple[tuple[Hashable, ...], Array]]) -> pd.DataFrame:
        """Return several numbers a target beside each other.

        Parameters
        ----------
        named : sequence of (tuple, ndarray of shape (n_series, n_steps, n_targets))
            The lower levels of the columns, and numbers in units of the series.

        Returns
        -------
        DataFrame
            Columns (target, *levels), target by target; that of a series without a name is 0.
        """
        n_steps = named[0][1].shape[1]
        context = self.context
        times = context.calendar.labels(self._positions(n_steps))
        index: pd.Index = times
        if context.keys is not None:
            index = _with_keys(context.keys.repeat(n_steps), times)
        columns, values = [], []
        for place, target in enumerate(context.targets):
            for names, standardised in named:
                columns.append((*_parts(target), *names))
                values.append(self._restored(standardised)[:, :, place].ravel())
        return pd.DataFrame(
            np.stack(values, axis=1), index=index, columns=pd.MultiIndex.from_tuples(columns)
        )

    def _restored(self, standardised: Array) -> Array:
        return self.scales.restore(standardised, np.arange(len(standardised)))

    def _positions(self, n_steps: int) -> NDArray[np.int64]:
        return (self.context.stop[:, None] + np.arange(n_steps)).ravel()


def _parts(target: Hashable) -> tuple[Hashable, ...]:
    """Return the levels of a target's name."""
    return target if isinstance(target, tuple) else (target,)


def _with_keys(keys: pd.Index, times: pd.Index) -> pd.MultiIndex:
    levels = [keys.get_level_values(level) for level in range(keys.nlevels)]
    return pd.MultiIndex.from_arrays([*levels, times], names=[*keys.names, times.name])


def last_rows(values: NDArray[Any], starts: NDArray[Any], n: int, fill: float) -> NDArray[Any]:
    """Return the last rows of each series.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        Rows of all series, one series after the other.
    starts : ndarray of shape (n_series + 1,)
        First row of each series, and the number of rows.
    n : int
        How many.
    fill : float
        What stands in front of a series that has fewer.

    Returns
    -------
    ndarray of shape (n_series, n, n_columns)
        The newest row last.
    """
    rows = np.arange(-n, 0) + np.asarray(starts)[1:, None]  # (n_series, n)
    is_there = rows >= np.asarray(starts)[:-1, None]
    found: NDArray[Any] = np.where(is_there[..., None], values[np.maximum(rows, 0)], fill)
    return found
