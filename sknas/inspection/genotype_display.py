"""The cells of a genotype as graphs: what is read, by which operations, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sknas.estimators.searched import SearchedNetwork
from sknas.genotype import Branch, Genotype
from sknas.inspection._cell_drawing import KEY_HEIGHT, CellDrawing, draw_key, key_width
from sknas.inspection._learned import learned
from sknas.inspection.panels import emptied, given_axes, import_pyplot, inches

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sknas.derived import DerivedNetwork

__all__ = ["GenotypeDisplay"]

_PAGE_WIDTH, _LEAST_WIDTH = 11.0, 3.0  # inches


class GenotypeDisplay:
    """Draw each cell of a genotype: what it reads on top, its nodes, and its next state.

    Make it with `from_estimator`, which knows the weights, or with `from_genotype`; both draw at
    once. Where a node has two operands, the left one enters on the left. All edges that leave a box
    share their way until they enter another.

    Parameters
    ----------
    genotype : Genotype
        The architecture. Without branches it is the linear seed alone.
    weights : DataFrame, default=None
        ``scale``, which a node's value is multiplied with, and ``output``, what the cell's output
        weighs it with, NaN where it is none; a row a node, indexed by branch, layer and node.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        The figure of the last plot.
    axes_ : ndarray of shape (n_panels,)
        Its panels, a matplotlib Axes for each cell: branch by branch, and layer by layer in each.

    Examples
    --------
    >>> from sknas import Genotype
    >>> from sknas.inspection import GenotypeDisplay
    >>> GenotypeDisplay(Genotype.named("gru")).plot().axes_.shape
    (1,)
    """

    figure_: Figure
    axes_: NDArray[Any]

    def __init__(self, genotype: Genotype, *, weights: pd.DataFrame | None = None) -> None:
        self.genotype = genotype
        self.weights = weights

    @classmethod
    def from_estimator(
        cls,
        estimator: SearchedNetwork,
        *,
        max_panels: int = 12,
        ax: Axes | NDArray[Any] | None = None,
    ) -> GenotypeDisplay:
        """Draw what an estimator found, with its weights.

        Parameters
        ----------
        estimator : estimator
            A fitted regressor, classifier or forecaster of this package.
        max_panels : int, default=12
            Most cells to draw, from the first.
        ax : matplotlib Axes or array of them, default=None
            Where to draw; see `plot`.

        Returns
        -------
        GenotypeDisplay
            The drawn display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If it is no estimator of this package.
        NotFittedError
            If it is not fitted.
        """
        genotype, network = learned(estimator, "genotype_", "module_")
        return cls(genotype, weights=_weights_of(network)).plot(ax, max_panels=max_panels)

    @classmethod
    def from_genotype(
        cls,
        genotype: Genotype,
        *,
        max_panels: int = 12,
        ax: Axes | NDArray[Any] | None = None,
    ) -> GenotypeDisplay:
        """Draw an architecture, which has no weights.

        Parameters
        ----------
        genotype : Genotype
            The architecture.
        max_panels : int, default=12
            Most cells to draw, from the first.
        ax : matplotlib Axes or array of them, default=None
            Where to draw; see `plot`.

        Returns
        -------
        GenotypeDisplay
            The drawn display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        return cls(genotype).plot(ax, max_panels=max_panels)

    def plot(
        self, ax: Axes | NDArray[Any] | None = None, *, max_panels: int = 12
    ) -> GenotypeDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            One Axes, which is divided where there are several cells, or as many as there are
            cells; drawings shrink to fit. None makes a figure as large as they are.
        max_panels : int, default=12
            Most cells to draw, from the first.

        Returns
        -------
        GenotypeDisplay
            This display, with `figure_` and `axes_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `max_panels` is below 1, or `ax` holds a number of axes that does not fit.
        """
        import_pyplot()
        if max_panels < 1:
            raise ValueError(f"max_panels must be at least 1; got {max_panels!r}.")
        drawings = list(self._drawings())[:max_panels]
        if ax is None:
            self.figure_, self.axes_ = _drawn_alone(drawings)
        else:
            self.axes_ = _drawn_in(ax, drawings)
            self.figure_ = self.axes_[0].figure
        return self

    def _drawings(self) -> Iterator[CellDrawing]:
        branches = self.genotype.branches
        if not branches:
            yield CellDrawing(None, "Linear seed", "without any branch", [])
        for place, branch in enumerate(branches):
            count = f" {place + 1} of {len(branches)}" if len(branches) > 1 else ""
            for layer, cell in enumerate(branch.layers):
                title = f"Linear seed + branch{count}" if place == 0 else f"+ branch{count}"
                if len(branch.layers) > 1:
                    title += f", layer {layer + 1} of {len(branch.layers)}"
                notes = [self._note(place, layer, node) for node in range(len(cell.nodes))]
                yield CellDrawing(cell, title, _description(branch), notes)

    def _note(self, branch: int, layer: int, node: int) -> str:
        """Return the name of a node and its weights, if they are known."""
        if self.weights is None:
            return f"s{node}"
        scale, output = self.weights.loc[(branch, layer, node), ["scale", "output"]]
        note = f"s{node} · scale {scale:.2f}"
        return note if np.isnan(output) else f"{note} · in v {output:.2f}"


def _description(branch: Branch) -> str:
    plural = "s" if branch.hidden_size > 1 else ""
    reach = "" if branch.reach is None else f", newest {branch.reach} steps"
    return (
        f"{branch.hidden_size} unit{plural} on segments of {branch.segment_length}, "
        f"channels {branch.channel_mode}{reach}"
    )


def _weights_of(network: DerivedNetwork) -> pd.DataFrame:
    """Return the scale and the output weight of every node."""
    rows = {}
    for branch, stack in enumerate(network.trunk.branches):
        for layer, cell in enumerate(stack.layers):
            outputs = dict(zip(cell.genotype.outputs, cell.output_weights.tolist(), strict=True))
            for place, node in enumerate(cell.nodes):
                weights = float(node.scale), outputs.get(place, np.nan)
                rows[branch, layer, place] = weights
    index = pd.MultiIndex.from_tuples(list(rows) or [], names=["branch", "layer", "node"])
    return pd.DataFrame(list(rows.values()), index=index, columns=["scale", "output"])


# -- a figure of its own --------------------------------------------------------------------------


def _drawn_alone(drawings: list[CellDrawing]) -> tuple[Figure, NDArray[Any]]:
    """Draw on a page as large as needed: side by side, and below each other where it is full."""
    sizes = [_fitted(drawing) for drawing in drawings]
    kinds = _kinds(drawings)
    places, width, height = _flowed(sizes, max(_LEAST_WIDTH, key_width(kinds) + 0.5))
    whole = height + (KEY_HEIGHT if kinds else 0.0)
    figure = import_pyplot().figure(figsize=(width, whole))
    axes = []
    for drawing, (x, y), size in zip(drawings, places, sizes, strict=True):
        frame = x / width, 1 - (y + size[1]) / whole, size[0] / width, size[1] / whole
        axes.append(figure.add_axes(frame))
        axes[-1].set_axis_off()
        drawing.draw(axes[-1], size, drawing.scale_in(size))
    if kinds:
        _draw_foot(figure.add_axes((0, 0, 1, KEY_HEIGHT / whole)), kinds)
    return figure, _as_array(axes)


def _fitted(drawing: CellDrawing) -> tuple[float, float]:
    """Return the width and height of a drawing, shrunk to the page where it is wider."""
    scale = min(1.0, _PAGE_WIDTH / drawing.width)
    return scale * drawing.width, scale * drawing.height


def _flowed(
    sizes: list[tuple[float, float]], least_width: float
) -> tuple[list[tuple[float, float]], float, float]:
    """Return the place of the upper left corner of each panel, and width and height of all.

    Panels stand in rows, each in the middle.
    """
    rows: list[list[tuple[float, float]]] = [[]]
    for size in sizes:
        if rows[-1] and sum(width for width, _ in rows[-1]) + size[0] > _PAGE_WIDTH:
            rows.append([])
        rows[-1].append(size)
    widths = [sum(width for width, _ in row) for row in rows]
    page, places, y = max(least_width, *widths), [], 0.0
    for row, row_width in zip(rows, widths, strict=True):
        x = (page - row_width) / 2
        for width, _ in row:
            places.append((x, y))
            x += width
        y += max(height for _, height in row)
    return places, page, y


def _kinds(drawings: list[CellDrawing]) -> list[str]:
    """Return the kinds of edges that some drawing has, in one order for all."""
    return [kind for kind in CellDrawing.KINDS if any(kind in one.kinds for one in drawings)]


def _draw_foot(axes: Axes, kinds: list[str]) -> None:
    """Tell what edges mean in the middle of an Axes of its own."""
    axes.set_axis_off()
    width, height = inches(axes)
    scale = min(1.0, width / key_width(kinds))
    axes.set_xlim(0, width / scale)
    axes.set_ylim(0, height / scale)
    start = (width / scale - key_width(kinds)) / 2
    draw_key(axes, kinds, start, 0.6 * height / scale, scale)


# -- in the caller's axes -------------------------------------------------------------------------


def _drawn_in(ax: Axes | NDArray[Any], drawings: list[CellDrawing]) -> NDArray[Any]:
    """Draw in as many axes as there are drawings, or in one that is divided; return them."""
    given = given_axes(ax, len(drawings))
    for axes in given:
        axes.set_axis_off()
    figure, kinds = given[0].figure, _kinds(drawings)
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()  # until then the engine has not placed the axes
    if given.size == len(drawings):
        panels, first_kinds = given, kinds
    else:
        panels, foot = _divided(given[0], drawings)
        _draw_foot(foot, kinds)
        first_kinds = []
    rooms = [inches(axes) for axes in panels]
    keys = [first_kinds, *[[] for _ in drawings[1:]]]
    scale = min(map(CellDrawing.scale_in, drawings, rooms, keys))
    for drawing, axes, room, key in zip(drawings, panels, rooms, keys, strict=True):
        drawing.draw(axes, room, scale, key)
    return panels


def _divided(whole: Axes, drawings: list[CellDrawing]) -> tuple[NDArray[Any], Axes]:
    """Divide an Axes so that drawings are as large as can be; return panels and a foot."""
    width, height = inches(whole)
    height = max(height - KEY_HEIGHT, 0.1)

    def scale(n_columns: int) -> float:
        room = width / n_columns, height / -(-len(drawings) // n_columns)
        return min(one.scale_in(room) for one in drawings)

    n_columns = max(range(1, len(drawings) + 1), key=scale)
    n_rows = -(-len(drawings) // n_columns)
    ratios = [height / n_rows] * n_rows + [KEY_HEIGHT]
    cells = emptied(whole).subgridspec(
        n_rows + 1, n_columns, height_ratios=ratios, hspace=0, wspace=0
    )
    places = [divmod(place, n_columns) for place in range(len(drawings))]
    panels = [whole.figure.add_subplot(cells[place]) for place in places]
    for axes in panels:
        axes.set_axis_off()
    return _as_array(panels), whole.figure.add_subplot(cells[-1, :])


def _as_array(axes: list[Axes]) -> NDArray[Any]:
    array = np.empty(len(axes), dtype=object)
    array[:] = axes
    return array
