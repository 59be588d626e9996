"""What a fit tells of itself: the stages' scores, the moves, seconds and sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from sknas.edits import Edit
from sknas.search import Move

__all__ = ["GrowthEvent", "SearchReport"]

_GATE_COLUMNS = {
    "epoch": "int64",
    "branch": "int64",
    "layer": "int64",
    "node": "int64",
    "source": "str",
    "operation": "str",
    "gate": "float64",
}
_FAULT_COLUMNS = {
    "epoch": "int64",
    "phase": "str",
    "not_finite": "str",
    "steps": "int64",
    "rollbacks": "int64",
    "learning_rate": "float64",
    "gave_up": "bool",
}


@dataclass(frozen=True)
class GrowthEvent:
    """One growth of the supernet, kept or undone.

    It reads as a record too: ``event["epoch"]``, ``dict(event)``, ``pandas.DataFrame(events)``.

    Attributes
    ----------
    epoch : int
        Epoch after which it happened; 0 is birth.
    edit : Edit
        The edit; ``str(edit)`` is readable.
    n_params : int
        Weights of the supernet after it.
    val_loss : float
        Best validation loss at the end of its trial.
    output_change : float
        Largest measured change of an output at that moment, in standardised units.
    gain : float
        Share of the validation loss that it took off.
    is_accepted : bool
        Whether it stayed.
    score : float or None
        Norm of the gradient of what it added, where the growth rule chose it by that.
    """

    epoch: int
    edit: Edit
    n_params: int
    val_loss: float
    output_change: float
    gain: float
    is_accepted: bool
    score: float | None = None

    @classmethod
    def of(cls, move: Move) -> GrowthEvent:
        """Make the record of a move.

        Parameters
        ----------
        move : Move
            The move.

        Returns
        -------
        GrowthEvent
            Its record.
        """
        return cls(
            move.epoch,
            move.edit,
            move.n_params,
            move.loss_after,
            move.output_change,
            move.gain,
            move.is_accepted,
            move.score,
        )

    def keys(self) -> Iterator[str]:
        """Return the names of the fields."""
        return iter(self.__dataclass_fields__)

    def __getitem__(self, name: str) -> object:
        if name not in self.__dataclass_fields__:
            raise KeyError(name)
        return getattr(self, name)


@dataclass(frozen=True)
class SearchReport:
    """Which stage won, what each scored, and what every move gained on validation.

    Attributes
    ----------
    stages : DataFrame
        A row a stage (``naive``, ``seed``, ``previous``, ``supernet``, ``derived``, ``trained``,
        ``retrained``, ``runner-up``, ``averaged``, ``mixed``, ``blended``, ``near``, ``nearer``,
        ``far and near``, ``narrowed``) with its validation loss, its number of weights and the
        seconds it took. Those of a `partial_fit` bear the number of the call, and are scored on its
        own validation part.
    moves : DataFrame
        A row a move tried: epoch, edit, weights, loss before and after, gain, accepted.
    chosen : str
        The stage whose network predicts.
    stopped_by : str
        ``"schedule"``, ``"time_budget"``, ``"callback"`` or ``"interrupt"``.
    notes : tuple of str
        What else is to be told, such as a collapse that the search went back from.
    gates : DataFrame
        A row an epoch and candidate of a node that was mixed then: ``epoch``, ``branch``,
        ``layer``, ``node``, ``source``, ``operation`` and ``gate``, its weight in the mixture.
        The source is that of a candidate of DARTS's graph, a pair of edge and operation; else it is
        empty. Without rows where nothing was mixed.
    faults : DataFrame
        A row an epoch in which a loss, a gradient, an output or a weight was not finite: ``epoch``,
        ``phase``, ``not_finite``, ``steps`` that were not taken for it, ``rollbacks`` to the last
        good state, the ``learning_rate`` after them, and whether the rest of the epoch was left
        out, ``gave_up``.
    """

    stages: pd.DataFrame
    moves: pd.DataFrame
    chosen: str
    stopped_by: str
    notes: tuple[str, ...] = ()
    gates: pd.DataFrame = field(default_factory=lambda: _table([], _GATE_COLUMNS))
    faults: pd.DataFrame = field(default_factory=lambda: _table([], _FAULT_COLUMNS))

    @classmethod
    def build(
        cls,
        stages: list[dict[str, Any]],
        moves: list[Move],
        chosen: str,
        stopped_by: str,
        notes: Sequence[str] = (),
        gates: Sequence[dict[str, Any]] = (),
        faults: Sequence[dict[str, Any]] = (),
    ) -> SearchReport:
        """Gather the tables.

        Parameters
        ----------
        stages : list of dict
            ``stage``, ``val_loss``, ``n_params`` and ``seconds`` of each stage, in order.
        moves : list of Move
            Moves tried.
        chosen : str
            The stage that won.
        stopped_by : str
            What ended the fit.
        notes : sequence of str, default=()
            What else is to be told.
        gates : sequence of dict, default=()
            A record an epoch and candidate that was mixed.
        faults : sequence of dict, default=()
            A record an epoch in which something was not finite.

        Returns
        -------
        SearchReport
            The report.
        """
        columns = ["epoch", "edit", "n_params", "loss_before", "loss_after", "gain", "accepted"]
        rows = [
            (m.epoch, str(m.edit), m.n_params, m.loss_before, m.loss_after, m.gain, m.is_accepted)
            for m in moves
        ]
        return cls(
            pd.DataFrame(stages).set_index("stage"),
            pd.DataFrame(rows, columns=columns),
            chosen,
            stopped_by,
            tuple(notes),
            _table(gates, _GATE_COLUMNS),
            _table(faults, _FAULT_COLUMNS),
        )

    def followed_by(self, later: SearchReport) -> SearchReport:
        """Return the report of this and of later training.

        Parameters
        ----------
        later : SearchReport
            What came after.

        Returns
        -------
        SearchReport
            The tables of both, with the later end.
        """
        return SearchReport(
            pd.concat([self.stages, later.stages]),
            _stacked(self.moves, later.moves),
            later.chosen,
            later.stopped_by,
            self.notes + later.notes,
            _stacked(self.gates, later.gates),
            _stacked(self.faults, later.faults),
        )

    def __str__(self) -> str:
        stages = self.stages.to_string(float_format=lambda value: f"{value:.4g}", na_rep="-")
        lines = [stages, f"chosen on validation: {self.chosen}; stopped by: {self.stopped_by}"]
        lines += self.notes
        if len(self.faults):
            lines += ["", self.faults.to_string(index=False, float_format=_five)]
        if len(self.moves):
            moves = self.moves.assign(gain=self.moves["gain"].map("{:+.2%}".format))
            lines += ["", moves.to_string(index=False, float_format=_five)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        stages = self.stages.to_html(float_format=lambda value: f"{value:.4g}", na_rep="-")
        moves = self.moves.to_html(index=False, float_format=_five)
        faults = self.faults.to_html(index=False, float_format=_five) if len(self.faults) else ""
        chosen = f"<p>chosen on validation: <b>{self.chosen}</b>; stopped by: {self.stopped_by}</p>"
        notes = "".join(f"<p>{note}</p>" for note in self.notes)
        return f"{stages}{chosen}{notes}{faults}{moves}"


def _five(value: float) -> str:
    return f"{value:.5g}"


def _table(rows: Sequence[dict[str, Any]], types: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(types)).astype(dict(types))


def _stacked(first: pd.DataFrame, then: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of both; an empty table has no say in the types of columns."""
    tables = [table for table in (first, then) if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else first
