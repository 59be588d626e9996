"""Where the boxes and edges of a graph in rows stand, so that no edge runs through a box.

A layered drawing (Sugiyama, Tagawa, Toda 1981): an edge over several rows has a lane in each row
between, which all edges of its source share; rows are ordered for few crossings, and then shifted
until edges are as straight as boxes allow. Edges bend in the gaps between rows alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from sklearn.isotonic import isotonic_regression

from sknas.inspection._cell_graph import NEXT_STATE, CellGraph, GraphEdge

__all__ = ["Layout", "lay_out"]

_LANE_WIDTH = 0.1
_LANE_WEIGHT = 4.0  # of a bend inside an edge, beside that of one at its end
_PORT = 0.25  # how far off the centre operands enter, as a share of the width
_N_SWEEPS = 24


@dataclass(frozen=True)
class Layout:
    """Places in inches, to the right of the left end of everything.

    Attributes
    ----------
    x : dict of str to float
        Centre of each box.
    row_of : dict of str to int
        Row of each box, from the top.
    routes : list of (GraphEdge, list of float)
        Of each edge the places where it leaves its source, passes each row between, and enters its
        target.
    width : float
        Of everything.
    """

    x: dict[str, float]
    row_of: dict[str, int]
    routes: list[tuple[GraphEdge, list[float]]]
    width: float


class _Item(NamedTuple):
    """What takes room in a row: a box, or the lane of a box higher up."""

    row: int
    name: str
    is_lane: bool


class _Link(NamedTuple):
    """A stretch of edges between two rows."""

    above: _Item
    below: _Item
    port: float  # where it enters, off the centre of the lower item


_Rows: TypeAlias = Sequence[Sequence[_Item]]


def lay_out(graph: CellGraph, widths: Mapping[str, float], *, gap: float) -> Layout:
    """Find places for everything.

    Parameters
    ----------
    graph : CellGraph
        What to draw.
    widths : mapping of str to float
        Width of each box.
    gap : float
        Least distance of two boxes.

    Returns
    -------
    Layout
        The places.
    """
    row_of = graph.row_of
    if not row_of:
        return Layout({}, {}, [], 0.0)
    links = _links(graph, widths)
    rows = _ordered(_items(graph, links), links)
    sizes = {
        item: _LANE_WIDTH if item.is_lane else widths[item.name] for row in rows for item in row
    }
    x = _straightened(rows, links, sizes, gap)
    _align_lanes(x, rows, sizes, gap)
    left = min(x[item] - sizes[item] / 2 for item in x)
    width = max(x[item] + sizes[item] / 2 for item in x) - left
    x = {item: place - left for item, place in x.items()}
    at = {item.name: place for item, place in x.items() if not item.is_lane}
    joins = _joins(graph.edges, row_of, x, widths)
    routes = []
    for edge in graph.edges:
        between = range(row_of[edge.source] + 1, row_of[edge.target])
        lanes = [x[_Item(row, edge.source, is_lane=True)] for row in between]
        port = joins.get(edge, _port(edge, graph.edges, widths))
        routes.append((edge, [at[edge.source], *lanes, at[edge.target] + port]))
    return Layout(at, row_of, routes, width)


def _port(edge: GraphEdge, edges: Sequence[GraphEdge], widths: Mapping[str, float]) -> float:
    """Return where an operand enters: left and right of the centre, or there if it is alone."""
    n_operands = sum(other.target == edge.target for other in edges)
    if edge.kind not in ("left", "right") or n_operands == 1:
        return 0.0
    return (_PORT if edge.kind == "right" else -_PORT) * widths[edge.target]


def _joins(
    edges: Sequence[GraphEdge],
    row_of: Mapping[str, int],
    x: Mapping[_Item, float],
    widths: Mapping[str, float],
) -> dict[GraphEdge, float]:
    """Return where the edges of the next state enter it, side by side in the order they come in."""
    joining = [edge for edge in edges if edge.target == NEXT_STATE]
    joining.sort(key=lambda edge: x[_entering(edge, row_of)])
    places = (np.arange(len(joining)) + 0.5) / len(joining) - 0.5
    return {
        edge: float(0.8 * widths[NEXT_STATE] * place)
        for edge, place in zip(joining, places, strict=True)
    }


def _entering(edge: GraphEdge, row_of: Mapping[str, int]) -> _Item:
    """Return the item that an edge comes from to its target's row."""
    row = row_of[edge.target] - 1
    return _Item(row, edge.source, is_lane=row_of[edge.source] < row)


def _links(graph: CellGraph, widths: Mapping[str, float]) -> list[list[_Link]]:
    """Return the stretches below every row but the last; those that edges share once."""
    row_of = graph.row_of
    found: list[dict[_Link, None]] = [{} for _ in graph.rows[1:]]
    for edge in graph.edges:
        above = _Item(row_of[edge.source], edge.source, is_lane=False)
        for row in range(row_of[edge.source] + 1, row_of[edge.target]):
            lane = _Item(row, edge.source, is_lane=True)
            found[row - 1][_Link(above, lane, 0.0)] = None
            above = lane
        below = _Item(row_of[edge.target], edge.target, is_lane=False)
        found[below.row - 1][_Link(above, below, _port(edge, graph.edges, widths))] = None
    return [list(links) for links in found]


def _items(graph: CellGraph, links: list[list[_Link]]) -> list[list[_Item]]:
    """Return the items of each row, boxes before lanes."""
    rows = [
        dict.fromkeys(_Item(row, name, is_lane=False) for name in names)
        for row, names in enumerate(graph.rows)
    ]
    for link in (link for below in links for link in below):
        rows[link.below.row].setdefault(link.below)
    return [list(row) for row in rows]


# -- the order of each row ------------------------------------------------------------------------


def _ordered(rows: list[list[_Item]], links: list[list[_Link]]) -> list[list[_Item]]:
    """Sort rows by the mean place of what they are linked with, and swap neighbours, while it pays.

    Starts from the order given and from its mirror image; the first of the best is taken.
    """
    candidates = []
    for start in (rows, [row[::-1] for row in rows]):
        order = [list(row) for row in start]
        best, fewest = order, _n_crossings(order, links)
        for sweep in range(_N_SWEEPS):
            order = _swept(order, links, is_down=sweep % 2 == 0)
            n_crossings = _n_crossings(order, links)
            if n_crossings < fewest:
                best, fewest = order, n_crossings
        candidates.append(_swapped(best, links))
    return min(candidates, key=lambda order: _n_crossings(order, links))


def _swept(
    order: list[list[_Item]], links: list[list[_Link]], *, is_down: bool
) -> list[list[_Item]]:
    order = [list(row) for row in order]
    rows = range(1, len(order)) if is_down else range(len(order) - 2, -1, -1)
    for row in rows:
        place = _places(order[row - 1] if is_down else order[row + 1])
        found: dict[_Item, list[float]] = {item: [] for item in order[row]}
        for above, below, port in links[row - 1] if is_down else links[row]:
            if is_down:
                found[below].append(place[above])
            else:
                found[above].append(place[below] + np.sign(port) * _PORT)
        own = _places(order[row])
        order[row].sort(key=lambda item: np.mean(found[item]) if found[item] else own[item])
    return order


def _swapped(order: list[list[_Item]], links: list[list[_Link]]) -> list[list[_Item]]:
    """Swap neighbours as long as that takes crossings away."""
    order = [list(row) for row in order]
    fewest, is_better = _n_crossings(order, links), True
    while is_better and fewest:
        is_better = False
        for row in order:
            for place in range(len(row) - 1):
                row[place], row[place + 1] = row[place + 1], row[place]
                n_crossings = _n_crossings(order, links)
                if n_crossings < fewest:
                    fewest, is_better = n_crossings, True
                else:
                    row[place], row[place + 1] = row[place + 1], row[place]
    return order


def _n_crossings(order: _Rows, links: list[list[_Link]]) -> int:
    """Return how many pairs of stretches cross."""
    total = 0
    for row, stretches in enumerate(links):
        above, below = _places(order[row]), _places(order[row + 1])
        tops = np.array([above[link.above] for link in stretches])
        ends = np.array([below[link.below] + np.sign(link.port) * _PORT for link in stretches])
        total += int(((tops[:, None] < tops) & (ends[:, None] > ends)).sum())
    return total


def _places(row: Sequence[_Item]) -> dict[_Item, int]:
    return {item: place for place, item in enumerate(row)}


# -- the place of each item -----------------------------------------------------------------------


def _straightened(
    rows: _Rows, links: list[list[_Link]], sizes: Mapping[_Item, float], gap: float
) -> dict[_Item, float]:
    """Move each row to where its links want it, in turn, its order and distances kept.

    The nearest places that keep distances are a monotone regression on what is left of the wishes
    when the least distances are taken off.
    """
    pulls: dict[_Item, list[tuple[_Item, float, float]]] = {item: [] for item in sizes}
    for link in (link for stretches in links for link in stretches):
        is_inner = link.above.is_lane and link.below.is_lane
        weight = _LANE_WEIGHT if is_inner else 1.0
        pulls[link.below].append((link.above, -link.port, weight))
        pulls[link.above].append((link.below, link.port, weight))
    steps = [_least_places(row, sizes, gap) for row in rows]
    x = {
        item: place - least[-1] / 2
        for row, least in zip(rows, steps, strict=True)
        for item, place in zip(row, least, strict=True)
    }
    downwards = list(range(len(rows)))
    for row in (downwards + downwards[::-1]) * (_N_SWEEPS // 2):
        wishes, weights = [], []
        for item in rows[row]:
            own = pulls[item]
            total = sum(weight for _, _, weight in own)
            wish = sum(weight * (x[other] + off) for other, off, weight in own) / max(total, 1.0)
            wishes.append(wish if own else x[item])
            weights.append(max(total, 1.0))
        moved = isotonic_regression(np.array(wishes) - steps[row], sample_weight=weights)
        x.update(zip(rows[row], (moved + steps[row]).tolist(), strict=True))
    return x


def _least_places(row: Sequence[_Item], sizes: Mapping[_Item, float], gap: float) -> list[float]:
    """Return the places of items that stand as near to each other as they may."""
    places = [0.0]
    for left, right in itertools.pairwise(row):
        places.append(places[-1] + _least_step(left, right, sizes, gap))
    return places


def _least_step(left: _Item, right: _Item, sizes: Mapping[_Item, float], gap: float) -> float:
    room = gap / 2 if left.is_lane or right.is_lane else gap
    return (sizes[left] + sizes[right]) / 2 + room


def _align_lanes(
    x: dict[_Item, float], rows: _Rows, sizes: Mapping[_Item, float], gap: float
) -> None:
    """Put the lanes of a source upright below each other, in place, for as long as neighbours let.

    Where those of one row do not, a new upright begins in that row.
    """
    room = {}
    for row in rows:
        bounds = [-np.inf, *(x[item] for item in row), np.inf]
        for place, item in enumerate(row):
            before, after = row[place - 1 : place], row[place + 1 : place + 2]
            low = bounds[place] + sum(_least_step(other, item, sizes, gap) for other in before)
            high = bounds[place + 2] - sum(_least_step(item, other, sizes, gap) for other in after)
            room[item] = low, high
    for name in sorted({item.name for item in x}):
        lanes = sorted(item for item in x if item.is_lane and item.name == name)
        while lanes:
            low, high, n_together = -np.inf, np.inf, 0
            for lane in lanes:
                ends = max(low, room[lane][0]), min(high, room[lane][1])
                if ends[0] > ends[1] + 1e-9:
                    break
                (low, high), n_together = ends, n_together + 1
            together, lanes = lanes[:n_together], lanes[n_together:]
            mean = float(np.mean([x[lane] for lane in together]))
            x.update(dict.fromkeys(together, min(max(mean, low), high)))
