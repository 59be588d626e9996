"""Small multiples: a grid of panels over one common axis of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from types import ModuleType

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.gridspec import SubplotSpec

__all__ = [
    "Panels",
    "emptied",
    "given_axes",
    "import_pyplot",
    "make_panels",
    "name_panel",
    "plain_times",
]

# With three ticks at least, or fewer than five at most, matplotlib finds none for some spans.
_FEWEST_TICKS = 2
_TICKS = {1: 8, 2: 6, 3: 5}  # time labels that fit beside each other, by columns of panels
_NAME_LENGTH = {1: 90, 2: 52, 3: 34}  # characters of a panel's name that do


def import_pyplot() -> ModuleType:
    """Return `matplotlib.pyplot`.

    Returns
    -------
    module
        It, imported now.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Displays need matplotlib, which is not installed; the extra `plot` brings it: "
            "pip install 'sknas[plot]'."
        ) from error
    return plt


@dataclass(frozen=True, eq=False)
class Panels:
    """Axes to draw in, and where the one legend of all of them goes.

    Attributes
    ----------
    axes : ndarray of shape (n_panels,)
        An Axes for each panel, row by row.
    n_columns : int
        How many stand beside each other.
    key : Axes or None
        Room for the legend alone; None where the figure, or the first panel, has it.
    is_own_figure : bool
        Whether the figure was made for these panels.
    """

    axes: NDArray[Any]
    n_columns: int
    key: Axes | None
    is_own_figure: bool

    def set_time_axis(self, index: pd.Index) -> None:
        """Label the axis of time with few ticks, in a grid under the lowest panels alone.

        Parameters
        ----------
        index : DatetimeIndex, PeriodIndex or numeric Index
            Times of the kind that is shown.
        """
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
        from matplotlib.ticker import Locator, MaxNLocator, ScalarFormatter

        n_ticks = _TICKS[self.n_columns]
        is_grid = self.is_own_figure or self.key is not None
        for place, axes in enumerate(self.axes):
            locator: Locator
            if isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex)):
                locator = AutoDateLocator(minticks=_FEWEST_TICKS, maxticks=n_ticks)
                axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
            else:
                locator = MaxNLocator(n_ticks, integer=pd.api.types.is_integer_dtype(index))
                formatter = ScalarFormatter(useOffset=False)
                formatter.set_scientific(False)
                axes.xaxis.set_major_formatter(formatter)
            axes.xaxis.set_major_locator(locator)
            axes.yaxis.set_major_locator(MaxNLocator(4))
            is_labelled = not is_grid or place + self.n_columns >= len(self.axes)
            axes.xaxis.set_tick_params(labelbottom=is_labelled)
            axes.xaxis.get_offset_text().set_visible(is_labelled)

    def add_legend(self, entries: list[Artist], title: str | None) -> None:
        """Say once what the lines of all panels are.

        Parameters
        ----------
        entries : list of Artist
            Lines and patches with labels.
        title : str or None
            What is to be said of the panels as a whole.
        """
        figure, first = self.axes[0].figure, self.axes[0]
        row = {"handles": entries, "ncols": len(entries), "frameon": False}
        small = {"title": title, "fontsize": "small", "title_fontsize": "small"}
        if self.is_own_figure:
            if title is not None:
                figure.suptitle(title, fontsize="medium")
            figure.legend(loc="outside lower center", **row)
        elif self.key is not None:
            self.key.legend(loc="upper center", borderaxespad=0, **row, **small)
        elif len(self.axes) == 1:  # on the line of the panel's name
            at = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0}
            first.legend(**at, **row, **small)
        else:
            first.legend(handles=entries, loc="best", frameon=False, **small)


def make_panels(n_panels: int, ax: Axes | NDArray[Any] | None) -> Panels:
    """Make room for panels, in a new figure or in what the caller gave.

    Parameters
    ----------
    n_panels : int
        How many.
    ax : Axes, array of Axes or None
        One Axes, which is used as it is for one panel and divided for several; as many as there
        are panels; or None for a new figure.

    Returns
    -------
    Panels
        The room.

    Raises
    ------
    ValueError
        If `ax` holds another number of axes.
    """
    n_columns = 1 if n_panels <= 3 else 2 if n_panels <= 6 else 3
    n_rows = -(-n_panels // n_columns)
    if ax is None:
        height = 3.6 if n_panels == 1 else 1.2 + (2.0 if n_columns == 1 else 1.75) * n_rows
        figure = import_pyplot().figure(figsize=(9.5, height), layout="constrained")
        grid = figure.subplots(n_rows, n_columns, sharex=True, squeeze=False)
        return Panels(_without_spares(grid, n_panels), n_columns, None, is_own_figure=True)
    given = given_axes(ax, n_panels)
    if given.size == n_panels:
        # How they stand is not known; names and ticks are fit for a row of them.
        return Panels(given, min(n_panels, 3), None, is_own_figure=False)
    whole: Axes = given[0]
    halves = emptied(whole).subgridspec(2, 1, height_ratios=[0.1, 0.9])
    key = whole.figure.add_subplot(halves[0])
    key.set_axis_off()
    inner = halves[1].subgridspec(n_rows, n_columns, hspace=0.35, wspace=0.25)
    grid = inner.subplots(sharex=True, squeeze=False)
    return Panels(_without_spares(grid, n_panels), n_columns, key, is_own_figure=False)


def given_axes(ax: Axes | NDArray[Any], n_panels: int) -> NDArray[Any]:
    """Return the axes that the caller gave.

    Parameters
    ----------
    ax : Axes or array of Axes
        One, or as many as there are panels.
    n_panels : int
        How many panels there are.

    Returns
    -------
    ndarray of shape (n_given,)
        They.

    Raises
    ------
    ValueError
        If there is another number of them.
    """
    given = np.asarray(ax, dtype=object).reshape(-1)
    if given.size not in (1, n_panels):
        raise ValueError(
            f"ax must be one Axes or as many as there are panels, {n_panels}; got {given.size}."
        )
    return given


def emptied(whole: Axes) -> SubplotSpec:
    """Return the room of an Axes in its grid, to be divided; nothing of the Axes is shown.

    Parameters
    ----------
    whole : Axes
        One of a grid of subplots.

    Returns
    -------
    SubplotSpec
        Its room.

    Raises
    ------
    ValueError
        If it stands in no grid.
    """
    room = whole.get_subplotspec()
    if room is None:
        raise ValueError("ax must stand in a grid of subplots to be divided; got a free Axes.")
    whole.set_axis_off()
    return room


def inches(axes: Axes) -> tuple[float, float]:
    """Return the size of an Axes as it stands now.

    Parameters
    ----------
    axes : Axes
        The Axes.

    Returns
    -------
    width, height : float
        Inches.
    """
    frame = axes.get_window_extent()
    return frame.width / axes.figure.dpi, frame.height / axes.figure.dpi


def name_panel(axes: Axes, name: str, n_columns: int) -> None:
    """Write a name above a panel and take off the frame's upper and right side.

    Parameters
    ----------
    axes : Axes
        The panel.
    name : str
        What it shows; shortened where it would run into the next panel.
    n_columns : int
        How many panels stand beside each other.
    """
    length = _NAME_LENGTH[n_columns]
    short = name if len(name) <= length else f"{name[: length - 1].rstrip()}…"
    axes.set_title(short, loc="left", fontsize="medium")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#b6bcc6")
    axes.tick_params(color="#b6bcc6", labelsize="small")
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_offset_text().set_fontsize("small")
    axes.grid(visible=True, color="#eceef1", linewidth=0.8)
    axes.set_axisbelow(True)


def plain_times(index: pd.Index) -> NDArray[np.float64]:
    """Return the places of an index on the axis of time.

    Parameters
    ----------
    index : DatetimeIndex, PeriodIndex or numeric Index
        Times. Periods stand at their start; zones are left out, so that local time is shown.

    Returns
    -------
    ndarray of shape (n_times,), dtype=float64
        Numbers: matplotlib's days, or the index itself.
    """
    from matplotlib.dates import date2num

    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if isinstance(index, pd.DatetimeIndex):
        return np.asarray(date2num(index.tz_localize(None).to_numpy()), dtype=np.float64)
    return index.to_numpy(dtype=np.float64)


def _without_spares(grid: NDArray[Any], n_panels: int) -> NDArray[Any]:
    """Take the panels at the end of a grid that nothing is drawn in off it."""
    panels = grid.reshape(-1)
    for spare in panels[n_panels:]:
        spare.remove()
    return panels[:n_panels]
