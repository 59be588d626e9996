"""Draws a cell in an Axes: boxes with their operations, and edges that bend between the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sknas.genotype import INPUT, MEMORY, STATE, Cell
from sknas.inspection._cell_graph import NEXT_MEMORY, NEXT_STATE, CellGraph, GraphEdge
from sknas.inspection._layout import lay_out
from sknas.inspection._text import text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.path import Path

__all__ = ["KEY_HEIGHT", "CellDrawing", "draw_key", "key_width"]

_TEXT, _SMALL_TEXT = "#1d222b", "#5b6472"
_FONT, _SMALL_FONT = 9.0, 7.5
_LINE, _EDGE = "#b6bcc6", "#8a92a0"
_LEFT, _RIGHT = "#3f4754", "#1f6fb4"
_NODE_FILL, _END_FILL = "#f4f6f9", "#e3eaf3"

# Inches, at full size.
_BOX_HEIGHT = 0.44
_ROW_GAP = 0.46
_BOX_GAP = 0.2
_PADDING = 0.11
_MARGIN = 0.12
_HEADER_HEIGHT = 0.5
KEY_HEIGHT = 0.34
_KEY_LINE, _KEY_GAP = 0.3, 0.22

_STYLES = {
    "left": ("left operand", _LEFT, "-"),
    "right": ("right operand", _RIGHT, "-"),
    "output": ("summed to v", _EDGE, "-"),
    "memory": ("kept as memory", _EDGE, (0, (1, 1.5))),
    "carry": ("carried state", _EDGE, (0, (4, 2))),
}
_NAMES = {INPUT: "input x", STATE: "state h", MEMORY: "memory c"}


@dataclass(frozen=True)
class _Box:
    """A name and what is said below it in small letters, if anything."""

    title: str
    note: str
    fill: str

    @property
    def width(self) -> float:
        """Width in inches."""
        longest = max(text_width(self.title, _FONT), text_width(self.note, _SMALL_FONT))
        return longest + 2 * _PADDING


class CellDrawing:
    """A cell laid out in inches, to be drawn at that size or smaller.

    Parameters
    ----------
    cell : Cell or None
        The cell; None leaves what stands above it alone.
    title, subtitle : str
        What stands above it.
    notes : sequence of str
        What each node says below its operation.

    Attributes
    ----------
    width, height : float
        Inches it takes at full size.
    kinds : tuple of str
        Kinds of its edges.
    """

    KINDS: ClassVar[tuple[str, ...]] = tuple(_STYLES)

    def __init__(self, cell: Cell | None, title: str, subtitle: str, notes: Sequence[str]) -> None:
        self.title, self.subtitle = title, subtitle
        graph = CellGraph((), ()) if cell is None else CellGraph.of(cell)
        self._boxes = {} if cell is None else _boxes(cell, graph, notes)
        widths = {name: box.width for name, box in self._boxes.items()}
        self._layout = lay_out(graph, widths, gap=_BOX_GAP)
        found = {edge.kind for edge in graph.edges}
        self.kinds = tuple(kind for kind in _STYLES if kind in found)
        header = max(text_width(title, _FONT, is_bold=True), text_width(subtitle, _SMALL_FONT))
        self._inner_width = max(self._layout.width, header)
        self._n_rows = len(graph.rows)
        self.width = self._inner_width + 2 * _MARGIN
        rows = self._n_rows * _BOX_HEIGHT + max(0, self._n_rows - 1) * _ROW_GAP
        self.height = _HEADER_HEIGHT + rows + 2 * _MARGIN

    def scale_in(self, room: tuple[float, float], kinds: Sequence[str] = ()) -> float:
        """Return the share of the full size at which there is room.

        Parameters
        ----------
        room : tuple of float
            Width and height in inches.
        kinds : sequence of str, default=()
            Kinds of edges whose meaning is to be told at the foot.

        Returns
        -------
        float
            At most 1.
        """
        width = max(self.width, key_width(kinds) + 2 * _MARGIN)
        height = self.height + (KEY_HEIGHT if kinds else 0.0)
        return min(1.0, room[0] / width, room[1] / height)

    def draw(
        self, axes: Axes, room: tuple[float, float], scale: float, kinds: Sequence[str] = ()
    ) -> None:
        """Draw in the middle of an Axes, from its top.

        Parameters
        ----------
        axes : Axes
            Where; its limits become inches at full size.
        room : tuple of float
            Width and height of the Axes in inches.
        scale : float
            Share of the full size.
        kinds : sequence of str, default=()
            Kinds of edges whose meaning is to be told at the foot.
        """
        width, height = room[0] / scale, room[1] / scale
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        self._draw_header(axes, (width - self._inner_width) / 2, _MARGIN, scale)
        origin = (width - self._layout.width) / 2, _MARGIN + _HEADER_HEIGHT
        self._draw_ways(axes, origin, scale)
        for edge, stops in self._layout.routes:
            self._draw_arrow(axes, edge, stops, origin, scale)
        for name, box in self._boxes.items():
            self._draw_box(axes, name, box, origin, scale)
        middle = self.height + (KEY_HEIGHT - _MARGIN) / 2
        draw_key(axes, kinds, (width - key_width(kinds)) / 2, middle, scale)

    def _draw_header(self, axes: Axes, left: float, top: float, scale: float) -> None:
        axes.text(
            left, top, self.title, fontsize=_FONT * scale, fontweight="bold", color=_TEXT, va="top"
        )
        axes.text(
            left,
            top + 0.18,
            self.subtitle,
            fontsize=_SMALL_FONT * scale,
            color=_SMALL_TEXT,
            va="top",
        )

    def _draw_box(
        self, axes: Axes, name: str, box: _Box, origin: tuple[float, float], scale: float
    ) -> None:
        from matplotlib.patches import FancyBboxPatch

        x = origin[0] + self._layout.x[name]
        top = origin[1] + _top(self._layout.row_of[name])
        rounding = 0.06 if name in self._node_names else _BOX_HEIGHT / 2
        patch = FancyBboxPatch(
            (x - box.width / 2, top),
            box.width,
            _BOX_HEIGHT,
            boxstyle=f"round,pad=0,rounding_size={rounding}",
            facecolor=box.fill,
            edgecolor=_LINE,
            linewidth=0.9 * scale,
            zorder=3,
        )
        patch.set_gid(name)
        axes.add_patch(patch)
        middle = top + _BOX_HEIGHT / 2
        shift = 0.085 if box.note else 0.0
        look: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 4}
        axes.text(x, middle - shift, box.title, fontsize=_FONT * scale, color=_TEXT, **look)
        if box.note:
            axes.text(
                x,
                middle + 1.15 * shift,
                box.note,
                fontsize=_SMALL_FONT * scale,
                color=_SMALL_TEXT,
                **look,
            )

    @property
    def _node_names(self) -> set[str]:
        return {name for name, box in self._boxes.items() if box.fill == _NODE_FILL}

    def _draw_ways(self, axes: Axes, origin: tuple[float, float], scale: float) -> None:
        """Draw what the edges of a source share: the way of the longest, but for its end."""
        from matplotlib.patches import PathPatch

        longest: dict[str, list[float]] = {}
        for edge, stops in self._layout.routes:
            if len(stops) > max(2, len(longest.get(edge.source, []))):
                longest[edge.source] = stops
        line = {"edgecolor": _EDGE, "linewidth": scale, "zorder": 1}
        for source, stops in longest.items():
            xs, ys = self._places(source, stops, origin)
            axes.add_patch(PathPatch(_bends(xs[:-1], ys[:-1]), fill=False, **line))
            lane = [xs[-2]] * 2, [ys[-2], ys[-2] + _BOX_HEIGHT]
            axes.plot(*lane, color=_EDGE, linewidth=scale, zorder=1)

    def _draw_arrow(
        self,
        axes: Axes,
        edge: GraphEdge,
        stops: list[float],
        origin: tuple[float, float],
        scale: float,
    ) -> None:
        """Draw the end of an edge, which is its own."""
        from matplotlib.patches import FancyArrowPatch

        xs, ys = self._places(edge.source, stops, origin)
        _, color, style = _STYLES[edge.kind]
        arrow = FancyArrowPatch(
            path=_bends(xs[-2:], ys[-2:]),
            arrowstyle="-|>,head_length=3,head_width=1.5",
            mutation_scale=1.4 * scale,
            linestyle=style,
            linewidth=1.1 * scale,
            color=color,
            shrinkA=0,
            shrinkB=0,
            zorder=2,
        )
        arrow.set_gid(f"{edge.kind}:{edge.source}:{edge.target}")
        axes.add_patch(arrow)

    def _places(
        self, source: str, stops: list[float], origin: tuple[float, float]
    ) -> tuple[list[float], list[float]]:
        """Return where a way passes the tops of rows, from that of its source."""
        row = self._layout.row_of[source]
        ys = [origin[1] + _top(row + place) for place in range(len(stops))]
        return [origin[0] + stop for stop in stops], ys


def _top(row: int) -> float:
    return row * (_BOX_HEIGHT + _ROW_GAP)


def _bends(xs: list[float], ys: list[float]) -> Path:
    """Return the path from the foot of the first row to the top of the last.

    Through a row it is upright; between rows it bends, from upright to upright.
    """
    from matplotlib.path import Path

    points, codes = [(xs[0], ys[0] + _BOX_HEIGHT)], [Path.MOVETO]
    for place, (x, top) in enumerate(zip(xs[1:], ys[1:], strict=True)):
        if place:
            points.append((xs[place], ys[place] + _BOX_HEIGHT))
            codes.append(Path.LINETO)
        middle = top - _ROW_GAP / 2
        points += [(xs[place], middle), (x, middle), (x, top)]
        codes += [Path.CURVE4] * 3
    return Path(points, codes)


def _boxes(cell: Cell, graph: CellGraph, notes: Sequence[str]) -> dict[str, _Box]:
    boxes = {}
    for name in (name for row in graph.rows for name in row):
        if name in _NAMES:
            boxes[name] = _Box(_NAMES[name], "", _END_FILL)
        elif name == NEXT_STATE:
            rule = "h + z(x, h) · (v - h)" if cell.carry else "v"
            boxes[name] = _Box("next state h'", rule, _END_FILL)
        elif name == NEXT_MEMORY:
            boxes[name] = _Box("next memory c'", "", _END_FILL)
        else:
            index = int(name[1:])
            boxes[name] = _Box(cell.nodes[index].operation, notes[index], _NODE_FILL)
    return boxes


def key_width(kinds: Sequence[str]) -> float:
    """Return the width in inches of the line that tells what edges mean.

    Parameters
    ----------
    kinds : sequence of str
        Kinds of edges.

    Returns
    -------
    float
        Inches at full size.
    """
    texts = [text_width(_STYLES[kind][0], _SMALL_FONT) for kind in kinds]
    return sum(texts) + len(texts) * (_KEY_LINE + 0.06) + max(0, len(texts) - 1) * _KEY_GAP


def draw_key(axes: Axes, kinds: Sequence[str], x: float, y: float, scale: float) -> None:
    """Tell what edges mean, in one line.

    Parameters
    ----------
    axes : Axes
        Where; its limits are inches.
    kinds : sequence of str
        Kinds of edges.
    x, y : float
        Left end and height.
    scale : float
        Share of the full size.
    """
    for kind in kinds:
        label, color, style = _STYLES[kind]
        axes.plot([x, x + _KEY_LINE], [y, y], color=color, linestyle=style, linewidth=1.3 * scale)
        x += _KEY_LINE + 0.06
        axes.text(
            x, y, label, fontsize=_SMALL_FONT * scale, color=_SMALL_TEXT, va="center_baseline"
        )
        x += text_width(label, _SMALL_FONT) + _KEY_GAP
