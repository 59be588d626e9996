"""What happened when: the phases of a fit as bands with names, and a row for every move."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from sknas.inspection._text import shortened, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "ROW_HEIGHT",
    "Stretch",
    "label_timeline",
    "mark_moves",
    "phases_of",
    "shade_phases",
]

ROW_HEIGHT = 0.185  # inches of a row of text
_LABEL, _QUIET = "#3f4754", "#626b7a"
_ACCEPTED, _REFUSED = "#1f6fb4", "#8a92a0"
_SHADE = "#f1f3f6"
_SIZE = 8.0
_LINE = 0.145  # inches that a line of this size covers
_OFF = 0.09  # inches between a mark and its label


@dataclass(frozen=True, eq=False)
class Stretch:
    """Epochs in a row that belong to one phase.

    Attributes
    ----------
    name : str
        Of the phase.
    rows : DataFrame
        Their records.
    """

    name: str
    rows: pd.DataFrame

    @property
    def start(self) -> float:
        """The end of the epoch before it."""
        return float(self.rows["epoch"].iloc[0]) - 1.0

    @property
    def stop(self) -> float:
        """The end of its last epoch."""
        return float(self.rows["epoch"].iloc[-1])


def phases_of(history: pd.DataFrame) -> Iterator[Stretch]:
    """Iterate over the phases of a fit, in order.

    Parameters
    ----------
    history : DataFrame
        A row an epoch, with ``epoch`` and ``phase``.

    Yields
    ------
    Stretch
        A phase that bears another name than those beside it.
    """
    number = (history["phase"] != history["phase"].shift()).cumsum()
    for _, rows in history.groupby(number, sort=False):
        yield Stretch(str(rows["phase"].iloc[0]), rows)


def shade_phases(axes: Axes, phases: Iterable[Stretch]) -> None:
    """Shade every second phase.

    Parameters
    ----------
    axes : Axes
        The panel.
    phases : iterable of Stretch
        In order.
    """
    for place, phase in enumerate(phases):
        color = _SHADE if place % 2 else "white"
        band = axes.axvspan(phase.start, phase.stop, facecolor=color, linewidth=0, zorder=0)
        band.set_gid(f"phase:{phase.name}")


def mark_moves(axes: Axes, moves: pd.DataFrame) -> None:
    """Draw an upright where a move was made; what was undone is dotted.

    Parameters
    ----------
    axes : Axes
        The panel.
    moves : DataFrame
        A row a move, with ``epoch`` and ``accepted``.
    """
    for epoch, accepted in moves.groupby("epoch")["accepted"].any().items():
        color, style = (_ACCEPTED, "-") if accepted else (_REFUSED, ":")
        axes.axvline(epoch, color=color, linestyle=style, linewidth=0.9, alpha=0.6, zorder=0.9)


def label_timeline(
    axes: Axes, phases: Sequence[Stretch], moves: pd.DataFrame, size: tuple[float, float]
) -> None:
    """Write the names of the phases, and below them a row for each move: its mark, edit and gain.

    Parameters
    ----------
    axes : Axes
        The panel; its limits of time are final.
    phases : sequence of Stretch
        In order.
    moves : DataFrame
        A row a move, with ``epoch``, ``edit``, ``gain`` and ``accepted``.
    size : tuple of float
        Width and height of the panel in inches.
    """
    scale = _Scale(*axes.get_xlim(), size[0])
    top = ROW_HEIGHT * _name_phases(axes, phases, scale)
    row = max(size[1] - top, 0.0) / max(len(moves), 1)
    heights = [top + row * (place + 0.5) for place in range(len(moves))]
    axes.set_ylim(size[1], 0)
    for accepted, color, label in ((True, _ACCEPTED, "kept"), (False, _REFUSED, "undone")):
        is_such = (moves["accepted"] == accepted).to_numpy(dtype=bool)
        if is_such.any():
            axes.scatter(
                moves["epoch"].to_numpy()[is_such],
                [y for y, such in zip(heights, is_such, strict=True) if such],
                s=20,
                facecolor=color if accepted else "white",
                edgecolor=color,
                linewidth=1.1,
                label=label,
                zorder=3,
            )
    for place in _legible(moves["accepted"].tolist(), heights):
        _label_move(axes, moves.iloc[place], heights[place], scale)


@dataclass(frozen=True)
class _Scale:
    """Epochs to inches from the left end of a panel."""

    first: float
    last: float
    width: float

    def inches(self, epoch: float) -> float:
        return (epoch - self.first) / (self.last - self.first) * self.width

    def epoch(self, inches: float) -> float:
        return self.first + inches / self.width * (self.last - self.first)


def _name_phases(axes: Axes, phases: Sequence[Stretch], scale: _Scale) -> int:
    """Write names where phases begin, in as many rows as keep them apart; return how many."""
    ends: list[float] = []  # of the last name in each row
    for phase in phases:
        length = text_width(phase.name, _SIZE)
        start = max(0.0, min(scale.inches(phase.start) + 0.04, scale.width - length))
        row = next((at for at, end in enumerate(ends) if end + 0.08 <= start), len(ends))
        ends[row : row + 1] = [start + length]
        _write(axes, scale.epoch(start), ROW_HEIGHT * (row + 0.5), phase.name, _LABEL, "left")
    return len(ends)


def _label_move(axes: Axes, move: pd.Series, height: float, scale: _Scale) -> None:
    """Write an edit and its gain on the side of its mark that has more room."""
    gain = "" if pd.isna(move["gain"]) else f"  {100 * move['gain']:+.1f} %"
    at = scale.inches(move["epoch"])
    is_left = at > scale.width / 2
    room = (at if is_left else scale.width - at) - _OFF - text_width(gain, _SIZE)
    text = shortened(str(move["edit"]), _SIZE, room) + gain
    place = scale.epoch(at - _OFF if is_left else at + _OFF)
    color = _LABEL if move["accepted"] else _QUIET
    _write(axes, place, height, text, color, "right" if is_left else "left")


def _write(axes: Axes, x: float, y: float, text: str, color: str, align: str) -> None:
    written = axes.text(x, y, text, color=color, fontsize=_SIZE, ha=align, va="center")
    written.set_in_layout(False)


def _legible(accepted: Sequence[bool], heights: Sequence[float]) -> list[int]:
    """Return the moves whose labels stay apart: where room is short, first those that were kept."""
    chosen: list[int] = []
    for wanted in (True, False):
        for place, height in enumerate(heights):
            is_free = all(abs(height - heights[other]) >= _LINE for other in chosen)
            if accepted[place] == wanted and is_free:
                chosen.append(place)
    return chosen
