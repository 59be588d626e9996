"""The growth timeline of a fit: phases, moves, losses, weights and gates over its epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sknas.estimators.searched import SearchedNetwork
from sknas.inspection._curves import (
    MixedNode,
    add_gate_key,
    add_key,
    draw_gates,
    draw_losses,
    draw_sizes,
    mixed_nodes,
)
from sknas.inspection._learned import learned
from sknas.inspection._timeline import (
    ROW_HEIGHT,
    label_timeline,
    mark_moves,
    phases_of,
    shade_phases,
)
from sknas.inspection.panels import emptied, given_axes, import_pyplot, inches, name_panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["SearchHistoryDisplay"]

_WIDTH = 9.5  # inches of a figure of its own
_HEIGHTS = 2.2, 1.1, 1.1  # of losses, weights and the gates of a node
_BETWEEN = 0.3  # of a panel's name
_TICK_HEIGHT = 0.3  # from one number of an axis to the next


class SearchHistoryDisplay:
    """Draw what a fit did, epoch by epoch, in panels over one axis of time.

    Make it with `from_estimator`, which draws at once. Phases are shaded in turn. A move stands at
    the epoch after which it was made, with the share of the validation loss that it took off.

    Parameters
    ----------
    history : DataFrame
        A row an epoch, as in an estimator's `search_history_`.
    moves : DataFrame, default=None
        A row a move, as in `search_report_.moves`; None is none.
    gates : DataFrame, default=None
        A row an epoch and candidate, as in `search_report_.gates`; None is none.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The figure of the last plot.
    axes_ : ndarray of shape (n_panels,)
        Its panels from the top, a matplotlib Axes each: phases and moves, losses, weights, and the
        gates of each node that is shown.

    Examples
    --------
    >>> rows = [(1, "search", 0.9, 0.8, 12), (2, "search", 0.7, 0.6, 40)]
    >>> columns = ["epoch", "phase", "train_loss", "val_loss", "n_params"]
    >>> SearchHistoryDisplay(pd.DataFrame(rows, columns=columns)).plot().axes_.shape
    (3,)
    """

    figure_: Figure
    axes_: NDArray[Any]

    def __init__(
        self,
        history: pd.DataFrame,
        *,
        moves: pd.DataFrame | None = None,
        gates: pd.DataFrame | None = None,
    ) -> None:
        self.history = history
        self.moves = moves
        self.gates = gates

    @classmethod
    def from_estimator(
        cls,
        estimator: SearchedNetwork,
        *,
        max_nodes: int = 4,
        ax: Axes | NDArray[Any] | None = None,
    ) -> SearchHistoryDisplay:
        """Draw the history of an estimator, calls of `partial_fit` included.

        Parameters
        ----------
        estimator : estimator
            A fitted regressor, classifier or forecaster of this package.
        max_nodes : int, default=4
            Most nodes to show the gates of, from the first that was mixed; 0 shows none.
        ax : matplotlib Axes or array of them, default=None
            Where to draw; see `plot`.

        Returns
        -------
        SearchHistoryDisplay
            The drawn display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If it is no estimator of this package.
        NotFittedError
            If it is not fitted.
        ValueError
            If it was trained for no epoch.
        """
        history, report = learned(estimator, "search_history_", "search_report_")
        display = cls(history, moves=report.moves, gates=report.gates)
        return display.plot(ax, max_nodes=max_nodes)

    def plot(
        self, ax: Axes | NDArray[Any] | None = None, *, max_nodes: int = 4
    ) -> SearchHistoryDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            One Axes, which is divided, or as many as there are panels: three, and one for each node
            whose gates are shown. None makes a figure.
        max_nodes : int, default=4
            Most nodes to show the gates of, from the first that was mixed; 0 shows none.

        Returns
        -------
        SearchHistoryDisplay
            This display, with `figure_` and `axes_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If there is no epoch to draw, `max_nodes` is below 0, or `ax` holds a number of axes
            that does not fit.
        """
        import_pyplot()
        if max_nodes < 0:
            raise ValueError(f"max_nodes must be at least 0; got {max_nodes!r}.")
        if not len(self.history):
            raise ValueError("history must have a row an epoch; got none, as nothing was trained.")
        nodes = [] if self.gates is None else list(mixed_nodes(self.gates))
        shown = nodes[:max_nodes]
        panels = self._room(ax, len(shown))
        self._draw_curves(panels, shown, len(nodes))
        figure = panels[0].figure
        if figure.get_layout_engine() is not None:
            figure.draw_without_rendering()  # until then the engine has not placed the panels
        self._label(panels, shown)
        self.figure_, self.axes_ = figure, panels
        return self

    @property
    def _known_moves(self) -> pd.DataFrame:
        if self.moves is None:
            return pd.DataFrame(columns=["epoch", "edit", "gain", "accepted"])
        return self.moves

    def _room(self, ax: Axes | NDArray[Any] | None, n_nodes: int) -> NDArray[Any]:
        """Return the panels, from the top."""
        heights = [ROW_HEIGHT * (1.2 + len(self._known_moves)), *_HEIGHTS[:2]]
        heights += [_HEIGHTS[2]] * n_nodes
        if ax is None:
            size = _WIDTH, sum(heights) + _BETWEEN * len(heights) + 0.4
            figure = import_pyplot().figure(figsize=size, layout="constrained")
            figure.get_layout_engine().set(rect=(0, 0, 0.99, 1))
            return figure.subplots(len(heights), sharex=True, height_ratios=heights)
        given = given_axes(ax, len(heights))
        if given.size > 1:
            return given
        room = max(0.5, inches(given[0])[1] - _BETWEEN * len(heights))
        # Rows of letters do not shrink with the curves.
        others = room - min(heights[0], 0.4 * room)
        heights[0] = (room - others) * sum(heights[1:]) / others
        is_placed = given[0].figure.get_layout_engine() is not None
        gap = 0.0 if is_placed else _BETWEEN * len(heights) / room
        cells = emptied(given[0]).subgridspec(len(heights), 1, height_ratios=heights, hspace=gap)
        return np.asarray(cells.subplots(sharex=True), dtype=object)

    def _draw_curves(self, panels: NDArray[Any], shown: list[MixedNode], n_nodes: int) -> None:
        from matplotlib.ticker import MaxNLocator

        phases = list(phases_of(self.history))
        margin = 0.012 * (phases[-1].stop - phases[0].start)
        timeline, losses, sizes, *gates = panels
        draw_losses(losses, phases)
        draw_sizes(sizes, self.history)
        names = ["phases and moves" if len(self._known_moves) else "phases", "loss", "weights"]
        for axes, node in zip(gates, shown, strict=True):
            draw_gates(axes, node)
            names.append(node.name)
        if shown and len(shown) < n_nodes:
            names[-1] += f" (the first {len(shown)} of {n_nodes} nodes)"
        for axes, name in zip(panels, names, strict=True):
            name_panel(axes, name, 1)
            shade_phases(axes, phases)
            axes.set_xlim(phases[0].start - margin, phases[-1].stop + margin)
            axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
            if axes is not timeline:
                mark_moves(axes, self._known_moves)
        timeline.set_yticks([])
        timeline.grid(visible=False)
        timeline.spines["left"].set_visible(False)
        panels[-1].set_xlabel("epoch", fontsize="small")

    def _label(self, panels: NDArray[Any], shown: list[MixedNode]) -> None:
        """Write what has to know how large the panels are."""
        from matplotlib.ticker import MaxNLocator

        sizes = [inches(axes) for axes in panels]
        label_timeline(panels[0], list(phases_of(self.history)), self._known_moves, sizes[0])
        for axes, (width, _) in zip(panels[:3], sizes[:3], strict=True):
            add_key(axes, width)
        for axes, (_, height) in zip(panels[1:], sizes[1:], strict=True):
            if axes.get_yscale() == "linear":
                n_ticks = min(max(int(height / _TICK_HEIGHT), 1), 5)
                axes.yaxis.set_major_locator(MaxNLocator(n_ticks, integer=axes is panels[2]))
        for axes, (width, _), node in zip(panels[3:], sizes[3:], shown, strict=True):
            add_gate_key(axes, width, node)
