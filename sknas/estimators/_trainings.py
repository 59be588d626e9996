"""What a search found, as it is to be trained: how often, from which weights, on which channels."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sknas.estimators._preparation import default_segment_length
from sknas.estimators._settings import Settings, are_few, is_costly
from sknas.genotype import Branch, Genotype
from sknas.training import Problem

__all__ = ["Trainings", "mixed_version", "near_lookback", "near_versions", "resolve_refit"]

NEAR_PART = 8  # of a window: so much of it is near
SHORTEST_NEAR = 24
MOST_MIXED_INPUTS = 1500  # of a segment of all channels


@dataclass(frozen=True)
class Trainings:
    """How often what a search found is trained, and from which weights.

    Attributes
    ----------
    inherits : bool
        Whether one training goes on from searched weights.
    n_fresh : int
        Trainings that begin anew.
    are_averaged : bool
        Whether the mean of all of them is wanted, so that they should err in different places.
    """

    inherits: bool
    n_fresh: int
    are_averaged: bool

    def fresh(self, found: Genotype, tied: Sequence[Genotype]) -> Iterator[tuple[str, Genotype]]:
        """Iterate over what is to be trained anew.

        Networks of one cell err in the same places more often than those of two: what was found is
        trained once, and of what is averaged further members are those that tied with it.

        Parameters
        ----------
        found : Genotype
            What the search derived.
        tied : sequence of Genotype
            As good as that when they raced.

        Yields
        ------
        name : str
            Of the stage.
        genotype : Genotype
            What to train.
        """
        own = [found] * (not self.inherits)
        others = tied if self.are_averaged else ()
        numbers: Counter[str] = Counter()
        for genotype in [*own, *others, *[found] * self.n_fresh][: self.n_fresh]:
            name = "retrained" if genotype is found else "runner-up"
            numbers[name] += 1
            yield name if numbers[name] == 1 else f"{name} {numbers[name]}", genotype


def resolve_refit(problem: Problem, settings: Settings) -> Trainings:
    """Return whether to go on from searched weights, to begin anew, or both.

    Trained on and trained anew are two networks, whose mean is better than either, where a training
    costs little. Where many channels share a network a step costs much, and searched weights that
    are trained on end as well as new ones do, and sooner. But where forecasts are few, weights that
    have passed through a search have learned too much of them, and single trainings scatter.

    Parameters
    ----------
    problem : Problem
        Data and split.
    settings : Settings
        Resolved parameters.

    Returns
    -------
    Trainings
        What to train.
    """
    is_free = settings.size_penalty == 0 and not problem.shape.is_embedded
    are_averaged = is_free and settings.n_models == "auto"
    if settings.refit != "auto":
        inherits, n_fresh = settings.refit != "scratch", int(settings.refit != "inherit")
    elif are_few(problem):
        inherits, n_fresh = False, 3 if are_averaged else 1
    else:
        inherits, n_fresh = True, 0 if is_costly(problem) else 1
    return Trainings(inherits, n_fresh, are_averaged)


def mixed_version(genotype: Genotype, problem: Problem, settings: Settings) -> Genotype | None:
    """Return what was found for single channels as it is to be tried on all of them together.

    A cell that reads all channels sees what they tell of each other, and errs elsewhere than one
    that reads each alone, so that the mean of both is better than either. But it has one sequence
    to learn from where the other has one a channel: where forecasts are few it learns little.

    Parameters
    ----------
    genotype : Genotype
        What the search derived.
    problem : Problem
        Data and split.
    settings : Settings
        Resolved parameters.

    Returns
    -------
    Genotype or None
        None where it is not to be tried.
    """
    is_wanted = settings.channel_mode == "auto" and settings.n_models == "auto"
    is_free = settings.size_penalty == 0 and settings.genotype is None
    shape, branches = problem.shape, genotype.branches
    has_others = shape.n_channels - shape.n_covariates > 1
    if not (is_wanted and is_free and has_others and branches) or are_few(problem):
        return None
    n_inputs = shape.n_channels * max(branch.segment_length for branch in branches)
    is_mixed_already = any(branch.channel_mode == "mixed" for branch in branches)
    if is_mixed_already or n_inputs > MOST_MIXED_INPUTS:
        return None
    return Genotype(tuple(dataclasses.replace(branch, channel_mode="mixed") for branch in branches))


def near_lookback(problem: Problem, settings: Settings) -> int | None:
    """Return how many of a window's steps, the newest ones, a network of its own may read.

    A network of long windows sees a slow course, and one of short windows has fewer weights that
    old steps could mislead. They err in different places, so that the mean of both is better than
    either, by more than the mean of two networks of one kind is.

    Parameters
    ----------
    problem : Problem
        Data and split.
    settings : Settings
        Resolved parameters.

    Returns
    -------
    int or None
        None where no such network is to be trained: windows are short, or what is older would
        change how the newest steps are read.
    """
    is_free = settings.size_penalty == 0 and settings.genotype is None
    is_wanted = settings.n_models == "auto" and settings.channel_mode == "auto" and is_free
    shape = problem.shape
    is_whole = not (shape.has_missing or shape.has_padding or problem.window_norm == "revin")
    if not (is_wanted and is_whole) or shape.target_channels is None or are_few(problem):
        return None
    lookback = round(shape.lookback / NEAR_PART)
    return lookback if lookback >= SHORTEST_NEAR else None


def near_versions(found: Genotype, problem: Problem) -> list[Genotype]:
    """Return what was found for long windows as it is to be trained on short ones.

    Parameters
    ----------
    found : Genotype
        The architecture, perhaps of a mean.
    problem : Problem
        Of the short windows.

    Returns
    -------
    list of Genotype
        The first branch of each channel mode, with segments that suit the windows.
    """
    length = default_segment_length(
        problem.shape.lookback, problem.shape.horizon, continues_channels=True
    )
    branches: dict[str, Branch] = {}
    for branch in found.branches:
        near = dataclasses.replace(branch, segment_length=length, reach=None)
        branches.setdefault(branch.channel_mode, near)
    return [Genotype((branch,)) for branch in branches.values()]
