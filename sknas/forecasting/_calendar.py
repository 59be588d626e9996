"""The calendar of a time axis: labels to positions on a regular grid, and back."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sknas.forecasting._axes import Axis, DateAxis, PeriodAxis, RowAxis, Times, axis_of
from sknas.forecasting._inference import Frequency, month_advice, read_frequency
from sknas.forecasting._marks import most_frequent
from sknas.forecasting._order import check_order, check_present
from sknas.forecasting._rulers import Ruler, Steps
from sknas.forecasting._wording import label_text, rows_text

__all__ = ["Calendar", "Positions"]

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class Calendar:
    """A regular grid of times, numbered from 0 at the first label it was made from.

    Parameters
    ----------
    axis : DateAxis, PeriodAxis, IntegerAxis or RowAxis
        The kind of labels.
    freq : pd.offsets.BaseOffset or int
        Distance of the grid; of integers and array rows a number.
    ruler : Ruler
        The marks of the frequency.
    start : int
        Number of the mark at position 0.
    step : int
        Marks from one position to the next.
    has_freq : bool, default=False
        Whether the index told its frequency, and indexes made here shall.

    Examples
    --------
    >>> months = pd.DatetimeIndex(["2020-01-31", "2020-02-29", "2020-03-31", "2020-06-30"])
    >>> calendar = Calendar.of(months)
    >>> calendar.freqstr, calendar.position(months).tolist()
    ('ME', [0, 1, 2, 5])
    >>> [str(label.date()) for label in calendar.labels(np.array([-1, 3]))]
    ['2019-12-31', '2020-04-30']
    """

    axis: Axis
    freq: pd.offsets.BaseOffset | int
    ruler: Ruler
    start: int
    step: int
    has_freq: bool = False

    @classmethod
    def of(
        cls,
        labels: pd.Index | ArrayLike,
        freq: Frequency = None,
        *,
        is_new: NDArray[np.bool_] | None = None,
        rows: NDArray[np.integer] | None = None,
        name: str = "index",
    ) -> Calendar:
        """Find the grid on which all labels lie.

        Parameters
        ----------
        labels : pd.Index or array-like of shape (n,)
            A time axis, increasing.
        freq : str, pd.offsets.BaseOffset, int or None, default=None
            Frequency; for integers their step. None takes the index's own, or the one that most
            steps have.
        is_new : ndarray of shape (n,), dtype=bool, or None, default=None
            Where another series begins, within which labels increase anew.
        rows : ndarray of shape (n,) or None, default=None
            Row numbers of the labels, for messages.
        name : str, default="index"
            What the labels are called in messages.

        Returns
        -------
        Calendar
            The grid. Positions that no label has are gaps.

        Raises
        ------
        TypeError
            If the labels are neither dates nor periods nor integers.
        ValueError
            If labels are missing, repeated, not in order or off the grid, if the frequency
            cannot be told, or if `freq` does not fit the labels.
        """
        axis, index = axis_of(labels, name)
        if not len(index):
            raise ValueError(f"{name} must have at least one label; got none.")
        rows = np.arange(len(index)) if rows is None else rows
        is_next = np.ones(len(index) - 1, dtype=bool) if is_new is None else ~is_new[1:]
        check_order(index, is_next, rows, name)
        axis, freq, scale = read_frequency(axis, index, freq, is_next, rows, name)
        counts = scale.ruler.count(axis.times(index))
        # Of a frequency of several marks, most labels tell which ones count.
        phase, _ = most_frequent((counts - counts[0]) % scale.step)
        has_freq = getattr(index, "freq", None) is not None
        calendar = cls(axis, freq, scale.ruler, int(counts[0]) + phase, scale.step, has_freq)
        calendar.position(index, rows=rows, name=name)
        return calendar

    @classmethod
    def of_rows(cls) -> Calendar:
        """Return the calendar of an array, of which each row is one step.

        Returns
        -------
        Calendar
            Position and label of a row are its number.
        """
        return cls(RowAxis(), 1, Steps(), 0, 1)

    @property
    def kind(self) -> str:
        """One of "datetime", "period", "integer" and "none"."""
        return self.axis.kind

    @property
    def name(self) -> Hashable:
        """Name of the index."""
        return self.axis.name

    @property
    def freqstr(self) -> str:
        """The frequency as pandas writes it, or the step of integers."""
        if isinstance(self.axis, PeriodAxis):
            return self.axis.freqstr
        return str(getattr(self.freq, "freqstr", self.freq))

    def __str__(self) -> str:
        return f"{self.axis} with frequency {self.freqstr!r}"

    def check_kind(self, labels: pd.Index | ArrayLike, name: str = "labels") -> pd.Index:
        """Return labels as an index, if they are of this calendar's kind.

        Parameters
        ----------
        labels : pd.Index or array-like of shape (n,)
            Labels.
        name : str, default="labels"
            What they are called in messages.

        Returns
        -------
        pd.Index
            The labels.

        Raises
        ------
        TypeError
            If they are no time axis at all.
        ValueError
            If they are of another kind, frequency of periods, or time zone.
        """
        axis, index = axis_of(labels, name)
        if str(axis) != str(self.axis) and not (self.kind == "none" and axis.kind == "integer"):
            raise ValueError(f"{name} must hold {self.axis}; got {axis}.")
        check_present(index, np.arange(len(index)), name)
        return index

    def find(
        self, labels: pd.Index | ArrayLike, name: str = "labels"
    ) -> tuple[Positions, NDArray[np.bool_]]:
        """Return positions of labels, and which labels lie on the grid.

        Parameters
        ----------
        labels : pd.Index or array-like of shape (n,)
            Labels of this calendar's kind.
        name : str, default="labels"
            What they are called in messages.

        Returns
        -------
        positions : ndarray of shape (n,), dtype=int64
            Positions; one nearby for a label off the grid.
        is_on : ndarray of shape (n,), dtype=bool
            Whether a label is that of its position.
        """
        index = self.check_kind(labels, name)
        positions = (self.ruler.count(self.axis.times(index)) - self.start) // self.step
        marks = self.axis.labels(self._times(positions))
        return positions, np.asarray(marks == index, dtype=bool)

    def position(
        self,
        labels: pd.Index | ArrayLike,
        *,
        rows: NDArray[np.integer] | None = None,
        name: str = "labels",
    ) -> Positions:
        """Return positions of labels.

        Parameters
        ----------
        labels : pd.Index or array-like of shape (n,)
            Labels of this calendar's kind, in any order.
        rows : ndarray of shape (n,) or None, default=None
            Their row numbers, for messages.
        name : str, default="labels"
            What they are called in messages.

        Returns
        -------
        ndarray of shape (n,), dtype=int64
            Positions, below 0 before the origin.

        Raises
        ------
        ValueError
            If a label is off the grid or of another kind.
        """
        positions, is_on = self.find(labels, name)
        if is_on.all():
            return positions
        off = np.flatnonzero(~is_on)
        index = labels if isinstance(labels, pd.Index) else pd.Index(labels)
        rows = off if rows is None else rows[off]
        raise ValueError(
            f"{name} must lie on the grid of frequency {self.freqstr!r} (set freq if that is not "
            f"the right one); got {rows_text(rows, index[off])} off it.{month_advice(self.freq)}"
        )

    def labels(self, positions: NDArray[np.integer] | ArrayLike) -> pd.Index:
        """Return the labels at some positions.

        Parameters
        ----------
        positions : array-like of shape (n,), integers
            Positions, within the known range or not.

        Returns
        -------
        pd.Index
            An index of the kind, name and time zone that the calendar was made from, and with
            its frequency if that had it and the positions are consecutive.

        Raises
        ------
        ValueError
            If a label is beyond what pandas can hold.
        """
        places = np.asarray(positions, dtype=np.int64)
        index = self.axis.labels(self._times(places))
        if self.has_freq and len(places) and (np.diff(places) == 1).all():
            return _with_freq(index, self.freq)
        return index

    def missing(self, labels: pd.Index | ArrayLike) -> pd.Index:
        """Return the labels of gaps.

        Parameters
        ----------
        labels : pd.Index or array-like of shape (n,)
            Labels of one series.

        Returns
        -------
        pd.Index
            What the grid has between the first and the last of them and they have not.
        """
        positions = np.unique(self.position(labels))
        before = np.flatnonzero(np.diff(positions) > 1)
        return self.labels(_concatenated_ranges(positions[before] + 1, positions[before + 1]))

    def range_text(self, first: int, last: int) -> str:
        """Name the labels from one position to another.

        Parameters
        ----------
        first, last : int
            Positions, both included.

        Returns
        -------
        str
            One label, or the first and the last with their number.
        """
        if first == last:
            return label_text(self.labels([first])[0])
        ends = map(label_text, self.labels([first, last]))
        return f"{' to '.join(ends)} ({last - first + 1} rows)"

    def _times(self, positions: Positions) -> Times:
        if not len(positions):
            return positions
        ends = np.array([positions.min(), positions.max()])
        counts = [self.start + self.step * int(end) for end in ends]
        if max(map(abs, counts)) < 2**63:
            times = self.ruler.times(self.start + self.step * positions)
            # A time that wrapped around belongs to another mark.
            if (self.ruler.count(self.ruler.times(np.array(counts))) == counts).all():
                return times
        unit = f" of resolution {self.axis.unit!r}" if isinstance(self.axis, DateAxis) else ""
        raise ValueError(f"positions must have labels within int64{unit}; got {ends.tolist()}.")


def _concatenated_ranges(first: Positions, stop: Positions) -> Positions:
    """Return all integers of several ranges, one after another."""
    lengths = stop - first
    begins = np.cumsum(lengths) - lengths
    within = np.arange(int(lengths.sum())) - np.repeat(begins, lengths)
    return np.repeat(first, lengths) + within


def _with_freq(index: pd.Index, freq: pd.offsets.BaseOffset) -> pd.Index:
    """Return dates that know their frequency; periods always do."""
    if not isinstance(index, pd.DatetimeIndex):
        return index
    try:
        index.freq = freq
    except ValueError:  # pandas does not see the grid where daylight saving moved a label
        return index
    return index
