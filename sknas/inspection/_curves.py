"""The curves of a fit over its epochs: losses, number of weights, and gates of mixed nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sknas.inspection._text import text_width
from sknas.inspection._timeline import Stretch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "MixedNode",
    "add_gate_key",
    "add_key",
    "draw_gates",
    "draw_losses",
    "draw_sizes",
    "mixed_nodes",
]

_MEASURED, _CHOSEN, _REST = "#8a92a0", "#1f6fb4", "#c9ced6"
_LEADERS = ("#1f6fb4", "#c8743c", "#4f8f5b", "#8064a2")  # few, so that they can be told apart
_LOG_RATIO = 20.0  # of the largest loss to the least from which they are shown by their logarithm


@dataclass(frozen=True, eq=False)
class MixedNode:
    """The gates of one node over the epochs in which it was mixed.

    Attributes
    ----------
    name : str
        The node and its place.
    gates : DataFrame
        Epochs by candidate; NaN where the candidate was gone.
    """

    name: str
    gates: pd.DataFrame

    @property
    def leaders(self) -> list[str]:
        """The candidates that lasted longest with the largest gates, the best first."""
        last = self.gates.apply(lambda column: column.last_valid_index())
        gate = [self.gates.loc[last[name], name] for name in self.gates]
        order = np.lexsort([-np.array(gate), -last.to_numpy(dtype=float)])
        return [str(self.gates.columns[place]) for place in order[: len(_LEADERS)]]


def mixed_nodes(gates: pd.DataFrame) -> Iterator[MixedNode]:
    """Iterate over the nodes that were mixed, in the order in which they first were.

    After a pause another node bears the name: the earlier one was undone, or decided.

    Parameters
    ----------
    gates : DataFrame
        A row an epoch and candidate, as in `SearchReport.gates`.

    Yields
    ------
    MixedNode
        The gates of one.
    """
    has_layers = gates["layer"].nunique() > 1
    found = []
    for (branch, layer, node), rows in gates.groupby(["branch", "layer", "node"], sort=False):
        place = f"branch {branch}, layer {layer}" if has_layers else f"branch {branch}"
        source = rows["source"].where(rows["source"] == "", rows["source"] + " → ")
        table = rows.assign(candidate=source + rows["operation"]).pivot_table(
            index="epoch", columns="candidate", values="gate", sort=False
        )
        table = table.sort_index()
        birth = (table.index.to_series().diff() > 1).cumsum()
        for number, life in table.groupby(birth):
            since = f", from epoch {life.index[0]}" if number else ""
            name = f"gates of s{node}, {place}{since}"
            found.append(MixedNode(name, life.dropna(axis=1, how="all")))
    yield from sorted(found, key=lambda one: one.gates.index[0])


def draw_losses(axes: Axes, phases: Iterable[Stretch]) -> None:
    """Draw the losses of training and validation, each phase by itself.

    Parameters
    ----------
    axes : Axes
        The panel.
    phases : iterable of Stretch
        In order.
    """
    looks = {"train_loss": ("training", _MEASURED, 1.0), "val_loss": ("validation", _CHOSEN, 1.5)}
    shown: list[float] = []
    for column, (label, color, width) in looks.items():
        for place, phase in enumerate(phases):
            losses = phase.rows[column].to_numpy(dtype=np.float64)
            epochs = phase.rows["epoch"].to_numpy(dtype=np.float64)
            if len(epochs) == 1:  # a point alone would stand between two phases
                epochs, losses = np.r_[phase.start, phase.stop], losses.repeat(2)
            (line,) = axes.plot(
                epochs,
                losses,
                color=color,
                linewidth=width,
                label=f"_{label}" if place else label,
            )
            line.set_gid(column)
            shown += losses[np.isfinite(losses)].tolist()
    if shown and min(shown) > 0 and max(shown) > _LOG_RATIO * min(shown):
        axes.set_yscale("log")


def draw_sizes(axes: Axes, history: pd.DataFrame) -> None:
    """Draw the number of weights in each epoch as steps.

    Parameters
    ----------
    axes : Axes
        The panel.
    history : DataFrame
        A row an epoch, with ``epoch`` and ``n_params``.
    """
    from matplotlib.ticker import FuncFormatter

    sizes = history["n_params"].to_numpy(dtype=np.float64)
    ends = history["epoch"].to_numpy(dtype=np.float64)
    epochs, sizes = np.r_[ends[0] - 1.0, ends], np.r_[sizes[0], sizes]
    axes.step(epochs, sizes, where="pre", color=_CHOSEN, linewidth=1.3)
    axes.set_ylim(0, 1.1 * max(1.0, np.nanmax(sizes, initial=1.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def draw_gates(axes: Axes, node: MixedNode) -> None:
    """Draw the gates of a node's candidates; those that lasted have colours and names.

    Parameters
    ----------
    axes : Axes
        The panel.
    node : MixedNode
        The node.
    """
    colors = dict(zip(node.leaders, _LEADERS, strict=False))
    for candidate in sorted(node.gates, key=lambda name: name in colors):
        gates = node.gates[candidate].to_numpy(dtype=np.float64)
        is_chosen = candidate in colors
        (line,) = axes.plot(
            node.gates.index.to_numpy(dtype=np.float64),
            gates,
            color=colors.get(candidate, _REST),
            linewidth=1.5 if is_chosen else 0.8,
            marker="o",
            markersize=2.0 if is_chosen else 1.2,
            label=candidate if is_chosen else f"_{candidate}",
        )
        line.set_gid(f"gate:{candidate}")
    axes.set_ylim(0, 1.08 * max(float(np.nanmax(node.gates.to_numpy())), 1e-9))


def add_gate_key(axes: Axes, width: float, node: MixedNode) -> None:
    """Name the candidates that lasted, as many as there is room for; the others lose their colour.

    Parameters
    ----------
    axes : Axes
        The panel, named and drawn.
    width : float
        Inches of it.
    node : MixedNode
        The node.
    """
    kept = add_key(axes, width, node.leaders)
    for line in axes.lines:
        if line.get_label() in set(node.leaders) - set(kept):
            line.set(color=_REST, linewidth=0.8, markersize=1.2, zorder=1.5)


def add_key(axes: Axes, width: float, order: Iterable[str] | None = None) -> list[str]:
    """Tell what the lines of a panel are, on the line of its name, as far as there is room.

    Parameters
    ----------
    axes : Axes
        The panel, named and drawn.
    width : float
        Inches of it.
    order : iterable of str, default=None
        Labels in the order of their importance; None is that of the lines.

    Returns
    -------
    list of str
        The labels there was room for.
    """
    handles, labels = axes.get_legend_handles_labels()
    found = dict(zip(labels, handles, strict=True))
    room = width - text_width(axes.get_title(loc="left"), 10.0) - 0.2
    kept = []
    for label in found if order is None else order:
        room -= text_width(label, 8.33) + 0.55
        if room < 0:
            break
        kept.append(label)
    if kept:
        axes.legend(
            [found[label] for label in kept],
            kept,
            ncols=len(kept),
            loc="lower right",
            bbox_to_anchor=(1, 1),
            borderaxespad=0,
            borderpad=0.2,
            columnspacing=1.2,
            handlelength=1.5,
            handletextpad=0.5,
            frameon=False,
            fontsize="small",
        ).set_in_layout(False)
    return kept
