"""Where a loss, a gradient or a weight is not finite: go back, learn more slowly, or give up."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from dataclasses import dataclass

from sknas.search.last_good import LastGood, Learning

__all__ = ["MOST_ROLLBACKS", "Fault", "Rescue"]

_LOGGER = logging.getLogger("sknas")

MOST_ROLLBACKS = 5


@dataclass(frozen=True)
class Fault:
    """What was not finite in an epoch, and what was done about it.

    Attributes
    ----------
    epoch : int
        The epoch, of its phase.
    not_finite : str
        What was seen first.
    n_steps : int
        Steps that were not taken for it.
    n_rollbacks : int
        How often the phase went back to the last good state, and halved its rates.
    learning_rate : float
        The rate after it.
    has_given_up : bool
        Whether the rest of the epoch was left out.
    """

    epoch: int
    not_finite: str
    n_steps: int
    n_rollbacks: int
    learning_rate: float
    has_given_up: bool

    def after(self, n_epochs: int) -> Fault:
        """Return the same fault in a history in which so many epochs came before.

        Parameters
        ----------
        n_epochs : int
            Epochs before the phase.

        Returns
        -------
        Fault
            With a later epoch.
        """
        return dataclasses.replace(self, epoch=n_epochs + self.epoch)

    def __str__(self) -> str:
        text = f"epoch {self.epoch}: {self.not_finite} was not finite"
        if self.n_steps:
            text += f"; {self.n_steps} step(s) not taken"
        if self.n_rollbacks:
            text += (
                f"; went back {self.n_rollbacks} time(s), to a learning rate of "
                f"{self.learning_rate:.3g}"
            )
        return text + ("; gave up the rest of the epoch" if self.has_given_up else "")


class Rescue:
    """Watches the steps of a phase, and helps it out.

    A step whose loss or gradient is not finite is never taken, so that one faulty batch among
    others costs its own step and nothing else. Where the next step of the same kind fails as well,
    or where a weight, a moment or an average is not finite, the fault is not the batch's: all goes
    back to where it was when the epoch began, and rates are halved. So it does where validation is
    not finite. After five times without a good epoch in between, it gives up.

    Attributes
    ----------
    faults : list of Fault
        A record an epoch in which something was not finite.
    n_rollbacks : int
        How often the phase went back.
    has_given_up : bool
        Whether no further steps are to be taken.
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.n_rollbacks = 0
        self.has_given_up = False
        self._n_in_a_row = 0
        self._streaks: Counter[str] = Counter()
        self._good: LastGood | None = None
        self._rates: list[float] = []
        self._clear()

    def begin_epoch(self, learning: Learning) -> None:
        """Keep the state at the beginning of an epoch, which is a good one.

        Parameters
        ----------
        learning : Learning
            What the steps of the epoch will change.
        """
        self._rates = self._rates or learning.rates
        self._good = LastGood(learning)
        self._clear()

    def follow(self, learning: Learning) -> None:
        """Keep the present state if what learns has been edited since.

        Parameters
        ----------
        learning : Learning
            What learns now.
        """
        if self._good is not None and not self._good.fits(learning):
            self._good = LastGood(learning)

    def note(self, kind: str, not_finite: str | None, learning: Learning) -> None:
        """Hear of a step.

        Parameters
        ----------
        kind : str
            Which steps it is one of.
        not_finite : str or None
            For what it was not taken; None where it was.
        learning : Learning
            What the step should have changed.
        """
        if not_finite is None:
            self._streaks[kind] = 0
            self._n_taken += 1
            return
        self._streaks[kind] += 1
        self._n_left_out += 1
        is_batch_alone = self._streaks[kind] == 1 and learning.is_finite()
        self._see(not_finite, learning, goes_back=not is_batch_alone)

    def end_steps(self, learning: Learning) -> None:
        """Look at the weights, moments and averages that the steps of an epoch have led to.

        Parameters
        ----------
        learning : Learning
            What they have changed.
        """
        if not learning.is_finite():
            self._see("a weight or a moment", learning, goes_back=True)

    def end_epoch(self, epoch: int, learning: Learning, *, has_failed: bool) -> None:
        """Hear how an epoch was judged, and record what was not finite in it.

        Parameters
        ----------
        epoch : int
            Its number in the phase.
        learning : Learning
            What was judged.
        has_failed : bool
            Whether the validation loss is not finite though it has been.
        """
        if has_failed and not self.has_given_up:
            self._see("the validation loss", learning, goes_back=True)
        if self._first is not None:
            fault = Fault(
                epoch,
                self._first,
                self._n_left_out,
                self._n_back,
                learning.rates[0],
                self.has_given_up,
            )
            self.faults.append(fault)
            _LOGGER.warning("%s", fault)
        if self._n_taken and not self._n_back:
            self._n_in_a_row = 0
        self._good = None  # the next epoch's beginning takes its place

    def forgive(self, learning: Learning) -> None:
        """Go on, at the first rates, since something else may learn from now on.

        Parameters
        ----------
        learning : Learning
            What has failed; it may come back with less that can fail.
        """
        learning.set_rates(self._rates)
        self.has_given_up, self._n_in_a_row = False, 0
        self._streaks.clear()

    def _clear(self) -> None:
        self._first: str | None = None
        self._n_taken = self._n_left_out = self._n_back = 0

    def _see(self, not_finite: str, learning: Learning, *, goes_back: bool) -> None:
        self._first = self._first or not_finite
        if not goes_back:
            return
        if self._good is not None and self._good.fits(learning):
            self._good.restore(learning)
        learning.set_rates([0.5 * rate for rate in learning.rates])
        self._streaks.clear()
        self._n_back += 1
        self._n_in_a_row += 1
        self.n_rollbacks += 1
        self.has_given_up = self._n_in_a_row >= MOST_ROLLBACKS or not learning.is_finite()
