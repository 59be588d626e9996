"""One round of pruning: measure what may go, ask the rule, remove what it names."""

from __future__ import annotations

import dataclasses

from torch import Generator

from sknas.search.learner import Learner
from sknas.search.probe import Probe, measure_removals
from sknas.search.pruning import PruningRule
from sknas.search.state import SearchState

__all__ = ["prune_round"]


def prune_round(
    learner: Learner, probe: Probe, rule: PruningRule, state: SearchState, generator: Generator
) -> None:
    """Remove what the rule proposes, measured with averaged weights and without auxiliary skips.

    Parameters
    ----------
    learner : Learner
        What is pruned, in place.
    probe : Probe
        What judges.
    rule : PruningRule
        What to remove.
    state : SearchState
        What is known, the removals excepted.
    generator : torch.Generator
        Source of draws.
    """
    learner.supernet.end_skips()
    with learner.average.swapped_in():
        removals = measure_removals(
            learner.supernet,
            probe,
            is_measured=rule.needs_costs,
            size_penalty=learner.size_penalty,
        )
    for edit in rule.propose(dataclasses.replace(state, removals=tuple(removals))):
        learner.apply(edit, generator)
