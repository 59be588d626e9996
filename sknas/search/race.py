"""The race for the first branch: successive halving among whole cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Generator, Tensor

from sknas.edits import AddBranch
from sknas.genotype import Cell
from sknas.search.learner import Learner
from sknas.search.state import Move
from sknas.supernet import Supernet

__all__ = ["Race", "n_contenders"]

_SHARE = 2  # the race takes at most one epoch in two
_FINAL = 3  # so many contenders race to the end, and what was slow to learn may still win
# A later contender must beat an earlier one by this share of the loss, or by as much as that of one
# if the loss is more: the error of standardised targets is near one and more is likely entropy, in
# nats, where two hundredths are two per cent of the perplexity.
_TOLERANCE = 0.02


def n_contenders(n_cells: int, n_epochs: int, *, is_whole_search: bool = False) -> int:
    """Return how many cells may race in a search of that length.

    Parameters
    ----------
    n_cells : int
        Cells there are.
    n_epochs : int
        Epochs of the search.
    is_whole_search : bool, default=False
        Whether nothing comes after the race.

    Returns
    -------
    int
        At least 1.
    """
    n, share = n_cells, 1 if is_whole_search else _SHARE
    while n > 1 and _length(n) > n_epochs // share:
        n -= 1
    return n


def _length(n: int) -> int:
    """Epochs of a race whose first turns are one epoch; turns double from round to round."""
    total, turn = 0, 1
    while n > 1:
        total += n * turn
        n, turn = _n_survivors(n), 2 * turn
    return max(total, 1)


def _n_survivors(n: int) -> int:
    """Half of them, rounded up; the last three are the final."""
    return -(-n // 2) if n > _FINAL else 1


@dataclass
class _Contender:
    edit: AddBranch
    learner: Learner
    n_params: int
    output_change: float
    losses: list[float] = field(default_factory=list)

    @property
    def best(self) -> float:
        return min(self.losses, default=float("inf"))


@dataclass
class Race:
    """Contenders train in turn; the better half goes on, for turns twice as long.

    Attributes
    ----------
    current : Learner
        Who trains now.
    is_over : bool
        Whether one is left.
    winner : int
        Place of the best in the list of edits.
    runners_up : list of int
        Once the race is over, the places of those that were as good as the winner, the best first.
    """

    contenders: list[_Contender]
    n_epochs_a_turn: int
    loss_before: float
    tolerance: float = _TOLERANCE

    def __post_init__(self) -> None:
        self._running = list(range(len(self.contenders)))
        self._turn = 0
        self._n_epochs = 0
        self.is_over = False
        self.runners_up: list[int] = []

    @classmethod
    def start(
        cls,
        seed: Learner,
        edits: Sequence[AddBranch],
        n_epochs: int,
        generator: Generator,
        probe: Callable[[Supernet], Tensor],
        loss_before: float,
        *,
        is_whole_search: bool = False,
    ) -> Race:
        """Give every contender a copy of the seed, and apply its edit.

        Parameters
        ----------
        seed : Learner
            What all start from.
        edits : sequence of AddBranch
            One for each contender, those first that win where none is better.
        n_epochs : int
            Epochs of the whole search.
        generator : torch.Generator
            Source of newborn weights.
        probe : callable
            Returns a supernet's outputs on a few samples.
        loss_before : float
            The seed's validation loss.
        is_whole_search : bool, default=False
            Whether nothing comes after the race: then it takes all the epochs, and the least loss
            alone decides.

        Returns
        -------
        Race
            Ready for its first epoch.
        """
        before = probe(seed.supernet)
        contenders = []
        n = n_contenders(len(edits), n_epochs, is_whole_search=is_whole_search)
        for edit in edits[:n]:
            learner = seed.snapshot()
            learner.apply(edit, generator)
            change = float((probe(learner.supernet) - before).abs().max())
            contenders.append(_Contender(edit, learner, learner.supernet.n_params, change))
        share = 1 if is_whole_search else _SHARE
        n_turn = max(1, n_epochs // (share * _length(len(contenders))))
        return cls(contenders, n_turn, loss_before, 0.0 if is_whole_search else _TOLERANCE)

    @property
    def current(self) -> Learner:
        """Who trains now; the winner once the race is over."""
        return self.contenders[self._running[self._turn]].learner

    @property
    def current_best(self) -> float:
        """Least validation loss so far of who trains now; infinite before the first."""
        return self.contenders[self._running[self._turn]].best

    @property
    def winner(self) -> int:
        """Place of the winner in the list of edits."""
        return self._running[0]

    @property
    def winning_cell(self) -> Cell:
        """The winner's cell."""
        return self.contenders[self.winner].edit.branch.layers[0]

    @property
    def winner_losses(self) -> list[float]:
        """The winner's validation losses."""
        return self.contenders[self.winner].losses

    def end_epoch(self, loss: float) -> None:
        """Note the present contender's loss and pass the turn.

        Parameters
        ----------
        loss : float
            Its validation loss.
        """
        self.contenders[self._running[self._turn]].losses.append(loss)
        self._n_epochs += 1
        if self._n_epochs < self.n_epochs_a_turn:
            return
        self._n_epochs = 0
        self._turn += 1
        if self._turn == len(self._running):
            ranked = sorted(self._running, key=lambda place: self.contenders[place].best)
            tied = self._tied(ranked)
            self._running = self._survivors(ranked, tied)
            self.runners_up = [p for p in ranked if p in tied and p not in self._running]
            self._turn = 0
            self.n_epochs_a_turn *= 2
            self.is_over = len(self._running) == 1

    def _survivors(self, ranked: list[int], tied: list[int]) -> list[int]:
        """Keep the better half; those as good as the best come before others, in their order."""
        ranked = [*tied, *(place for place in ranked if place not in tied)]
        return ranked[: _n_survivors(len(ranked))]

    def _tied(self, ranked: list[int]) -> list[int]:
        """Return those that are as good as the best, in their order.

        What is not better than the seed yet has not shown what it can, so that by how much it is
        worse says nothing. Where the least loss alone decides, nothing is as good as the best.
        """
        if self.tolerance <= 0.0:
            return []
        least = self.contenders[ranked[0]].best
        limit = least + self.tolerance * min(least, 1.0)
        shown = {place: min(self.contenders[place].best, self.loss_before) for place in ranked}
        return sorted(place for place in ranked if shown[place] <= limit)

    @property
    def moves(self) -> list[Move]:
        """The contenders as moves made at birth; the winner's stayed."""
        return [
            Move(
                0,
                contender.edit,
                contender.n_params,
                contender.output_change,
                self.loss_before,
                contender.best,
                place == self.winner,
            )
            for place, contender in enumerate(self.contenders)
        ]
