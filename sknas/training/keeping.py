"""Who keeps the state of a phase, so that it can go on after a crash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["NOTHING_KEPT", "Keeper"]

Objects = Mapping[str, object]


class Keeper:
    """Keeps the state of a phase at the ends of its epochs; this one keeps nothing."""

    def kept(self, givens: Objects) -> dict[str, Any] | None:
        """Return the state to go on from.

        Parameters
        ----------
        givens : mapping of str to object
            What the phase has anyway and states may refer to, by names; it is not kept.

        Returns
        -------
        dict or None
            What `keep` was given, as copies around the givens; None to begin.
        """
        del givens
        return None

    def keep(self, state: Objects, givens: Objects) -> None:
        """Keep a state.

        Parameters
        ----------
        state : mapping of str to object
            All that the phase needs to go on; not changed, and not held.
        givens : mapping of str to object
            What the phase has anyway, the same as for `kept`.
        """


NOTHING_KEPT = Keeper()
