"""The parameters that all estimators share: their documentation and their constraints."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np

from sknas._validation import HasMethods, Interval, StrOptions
from sknas.blocks import REGRESSION_LOSSES, WINDOW_NORMS
from sknas.estimators._options import (
    ARCH_REGULARIZER,
    ARCH_SCHEDULE,
    AUXILIARY_SKIP,
    BACKBONE,
    COLLAPSE_WATCH,
    EDGE_CHOICE,
    GROWTH,
    PRUNING,
    RELAXATION,
    VALIDATION,
)
from sknas.genotype import NAMED_CELLS, Genotype
from sknas.search import ArchRegularizer, ArchSchedule, CollapseWatch, GrowthRule, PruningRule
from sknas.supernet import AuxiliarySkip, EdgeChoice, Relaxation

__all__ = ["ATTRIBUTES", "CONSTRAINTS", "document", "parameters_section"]

T = TypeVar("T")

_NAMES = StrOptions({"linear", *NAMED_CELLS})
_AUTO = StrOptions({"auto"})


def _at_least(kind: type, low: float, closed: str = "left") -> Interval:
    return Interval(kind, low, None, closed=closed)


CONSTRAINTS: dict[str, list[Any]] = {
    "backbone": [StrOptions(set(BACKBONE))],
    "operations": [StrOptions({"default"}), list, tuple],
    "initial_genotype": [str, Genotype],
    "initial_nodes": [_at_least(Integral, 1)],
    "max_nodes": [_at_least(Integral, 0)],
    "hidden_size": [_AUTO, _at_least(Integral, 1)],
    "n_layers": [_at_least(Integral, 1)],
    "genotype": [None, str, Genotype],
    "lookback": [None, _at_least(Integral, 1)],
    "embedding_size": [None, _at_least(Integral, 1)],
    "segment_length": [_AUTO, _at_least(Integral, 1)],
    "channel_mode": [StrOptions({"auto", "independent", "mixed"})],
    "window_norm": [StrOptions({"auto", *WINDOW_NORMS})],
    "linear_seed": ["boolean"],
    "channel_gains": ["boolean"],
    "target_channels": [None, list, tuple, np.ndarray],
    "channels_first": ["boolean"],
    "mode": [StrOptions({"sequential", "interleaved", "fixed", "random"})],
    "growth": [StrOptions(set(GROWTH)), GrowthRule],
    "pruning": [StrOptions(set(PRUNING)), PruningRule],
    "relaxation": [StrOptions({"auto", *RELAXATION}), Relaxation],
    "edge_choice": [StrOptions(set(EDGE_CHOICE)), EdgeChoice],
    "arch_schedule": [StrOptions(set(ARCH_SCHEDULE)), ArchSchedule],
    "arch_fraction": [StrOptions({"auto", "schedule"}), Interval(Real, 0, 1, closed="neither")],
    "arch_order": [Interval(Integral, 1, 2, closed="both")],
    "arch_regularizer": [None, StrOptions(set(ARCH_REGULARIZER)), ArchRegularizer],
    "auxiliary_skip": [None, StrOptions(set(AUXILIARY_SKIP)), AuxiliarySkip],
    "collapse_watch": [None, StrOptions(set(COLLAPSE_WATCH)), CollapseWatch],
    "arch_learning_rate": [_at_least(Real, 0, "neither")],
    "size_penalty": [_at_least(Real, 0)],
    "max_params": [None, _at_least(Integral, 1)],
    "search_epochs": [_AUTO, _at_least(Integral, 1)],
    "max_epochs": [_AUTO, _at_least(Integral, 1)],
    "time_budget": [None, _at_least(Real, 0, "neither")],
    "batch_size": [_AUTO, _at_least(Integral, 1)],
    "learning_rate": [_at_least(Real, 0, "neither")],
    "loss": [StrOptions({*REGRESSION_LOSSES, "quantile"})],
    "quantile_levels": [list, tuple, np.ndarray],
    "weight_decay": [_AUTO, _at_least(Real, 0)],
    "dropout": [_AUTO, Interval(Real, 0, 1, closed="left")],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "validation": [StrOptions(set(VALIDATION)), HasMethods(["split"])],
    "refit": [StrOptions({"auto", "inherit", "scratch", "both"})],
    "refit_full": ["boolean"],
    "n_models": [StrOptions({"auto"}), _at_least(Integral, 1)],
    "device": [str],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
    "checkpoint_dir": [str, os.PathLike, None],
    "warm_start": ["boolean"],
}

_SHARED = """\
    backbone : {"two_input", "dag"}, default="two_input"
        Search space of the cell: every candidate operation takes two inputs; or DARTS's graph, in
        which every node has an edge from each earlier one.
    operations : "default" or sequence of str, default="default"
        Candidate operations of a mixed node; names registered in `sknas.ops`. ``"dag"`` takes
        highway operations alone.
    initial_genotype : str or Genotype, default="auto"
        Where growth starts from. ``"auto"`` lets a cell pruned from mixed nodes and hand-made ones
        of at most `max_nodes` nodes race on validation; a name or a `Genotype` starts from that;
        ``"linear"`` starts from `initial_nodes` mixed nodes. ``mode="fixed"`` starts from
        `max_nodes` mixed nodes, and takes no others.
    initial_nodes : int, default=1
        Mixed nodes to start from where growth starts from ``"linear"``; at most `max_nodes`, with
        the first node of ``"dag"``, which mixes nothing, counted.
    max_nodes : int, default=12
        Largest number of nodes over all cells; 0 is the linear seed alone. ``"dag"`` needs 2.
    hidden_size : int or "auto", default="auto"
        Width of the states of a new branch; ``"auto"`` is 64, and 128 where at least 5000 sequences
        are trained on, but for samples that are a sequence for each of their channels, if the
        horizon is at most 128. Without effect, as are `n_layers` and `segment_length`, where
        `genotype` is a `Genotype` or the path of one, whose branches have their own; of that there
        is a warning.
    n_layers : int, default=1
        Growth may give a branch up to this many layers and one more, each as a move; a search
        starts with one. With a named `genotype` every branch has just this many.
    genotype : None, str or Genotype, default=None
        Train this architecture instead of searching: a `Genotype`, the path of its JSON, or
        ``"linear"``, ``"rnn"``, ``"pooling"``, ``"highway"``, ``"product"``, ``"gru"``, ``"lstm"``,
        ``"dense"``, ``"darts"``.
    lookback : int or None, default=None
        Number of rows that a prediction reads, where the rows of a 2-D X are consecutive time
        steps. None for tabular rows, and for 3-D X.
    embedding_size : int or None, default=None
        Width of a learned vector for each category code: X holds non-negative integers, say the
        tokens of a text, in one column of rows in time order or one channel of 3-D X. Codes that
        training never saw share one vector. None reads X as numbers.
    segment_length : int or "auto", default="auto"
        Time steps that make one recurrent step; ``"auto"`` is the divisor of the lookback next
        to a quarter of it where targets continue channels; else next to half the geometric mean of
        lookback and horizon, at most a quarter of the lookback; 1 with `embedding_size`.
    channel_mode : {"auto", "independent", "mixed"}, default="auto"
        Whether every target reads its own channel, with weights shared, or all channels.
        ``"auto"`` lets the validation loss of the linear seed decide, and trains what was found for
        single channels on all of them as well: where validation prefers the mean of both networks,
        it is the result. Targets that continue no channel always use ``"mixed"``. Of windows of 192
        steps or more, what was found is trained on the newest eighth as well, and the mean of both
        is the result on the same terms.
    window_norm : {"auto", "none", "last", "level", "revin"}, default="auto"
        Normalisation of each window, undone on the prediction. With ``"level"`` branches read what
        they do with ``"last"``, and the linear seed the last values as well. ``"auto"`` is
        ``"level"`` where a linear seed of all channels validates better by one percent with it, and
        levels of several channels tell more than each channel's own, else ``"last"``, as with
        ``channel_mode="independent"`` and ``linear_seed=False``;
        ``"none"`` where targets continue no channels, or windows have one step.
    linear_seed : bool, default=True
        Start from the closed-form linear solution; False starts it at zero. With
        `embedding_size` only its constant is solved, the classes' frequencies.
    channels_first : bool, default=False
        3-D X is (n_samples, n_channels, n_steps).
    mode : {"sequential", "interleaved", "fixed", "random"}, default="interleaved"
        Grow, then prune; prune after every growth; plain DARTS from `max_nodes` nodes; or random
        search: cells of at most `max_nodes` nodes are drawn, and the one that wins a race is the
        result.
    growth : {"plateau", "periodic", "gradmax", "north"} or GrowthRule, default="plateau"
        When to grow: where the validation loss is flat; every few epochs; on a plateau too, but by
        the move whose newborn weights have the largest gradient; or where the states of a branch
        use all of its width, which then grows.
    pruning : {"effect", "magnitude"} or PruningRule, default="effect"
        Which candidates to remove.
    relaxation : {"auto", "softmax", "sigmoid", "scaled_sigmoid", "clamp", "gumbel"} or \
            Relaxation, default="auto"
        How architecture parameters become mixing weights; ``"auto"`` is ``"softmax"`` for
        ``backbone="dag"`` with ``mode="fixed"``, which is DARTS, else ``"sigmoid"``.
    edge_choice : {"annealed", "softmax"} or EdgeChoice, default="annealed"
        How two-input nodes weigh the sources of an operand: by a softmax that cools while the node
        is mixed, or by one that does not. Without effect with ``backbone="dag"``.
    arch_schedule : {"alternate", "every_k", "information"} or ArchSchedule, default="alternate"
        When to take an architecture step, while something is undecided: before every weight step,
        before every second one, or while the weights' gradients are small.
    arch_fraction : float, "auto" or "schedule", default="auto"
        Share of the training part that architecture parameters learn on, and weights do not, while
        something is undecided. ``"auto"`` is a quarter; ``"schedule"`` the share of weight steps
        that `arch_schedule` puts an architecture step before, at most a half.
    arch_order : {1, 2}, default=1
        Whether an architecture step takes the gradient as it is (1), or that after one virtual
        step of the weights (2), at about four times the cost.
    arch_regularizer : None, {"proximity", "admm", "zero_one"} or ArchRegularizer, default=None
        What is added to the architecture loss to draw open choices towards a decision.
    auxiliary_skip : None, {"linear", "cosine"} or AuxiliarySkip, default=None
        How the weight of a skip beside each newborn mixed node falls from 1 to 0 while the node is
        mixed, in a line or along a cosine; None adds no such skip. It is no candidate.
    collapse_watch : None, {"eigenvalue"} or CollapseWatch, default=None
        What ends a mixed phase early: ``"eigenvalue"`` goes back some epochs and decides there
        where the architecture loss has become sharp in the architecture parameters.
    arch_learning_rate : float, default=0.01
        Adam's step size for architecture parameters.
    size_penalty : float, default=0.0
        What all weights of a network together cost, in units of the training loss. Above 0, the
        search prices the weights of candidates, removals and moves. In the trained network units
        whose share of that cost exceeds what they are worth are removed, and the narrower network
        is trained on; it wins if its validation loss and cost are less together. In
        `partial_fit` only the search prices weights: nothing is narrowed, and whether a grown
        network stays is a matter of loss alone.
    max_params : int or None, default=None
        Largest number of weights, during the search and in the result.
    search_epochs : int or "auto", default="auto"
        Epochs of the search; ``"auto"`` counts gradient steps.
    max_epochs : int or "auto", default="auto"
        Most epochs of the derived network's training; ``"auto"`` counts gradient steps.
    time_budget : float or None, default=None
        Seconds for the whole fit; the best network so far is kept when they are over, at least the
        linear seed. Half of them at most goes into choices between linear seeds, such as the
        lookback, and the last twentieth is for choosing and judging the result.
    batch_size : int or "auto", default="auto"
        Samples a gradient step; ``"auto"`` is 64, of many channels fewer (256 channels' windows in
        all, where each is a sequence of its own), or all samples where they are at most 1024.
    learning_rate : float, default=0.002
        AdamW's step size for weights.
    weight_decay : float or "auto", default="auto"
        AdamW's weight decay, of matrices alone. ``"auto"`` is 250 times the horizon over the number
        of training windows, at most 1, where targets continue channels: long forecasts overlap,
        and leave less to learn from. It is 0 elsewhere.
    dropout : float or "auto", default="auto"
        Share of a branch's last states that training drops; ``"auto"`` is 0.3 where fewer than
        5000 sequences are trained on, else 0.
    early_stopping : bool, default=True
        End the derived network's training when validation no longer improves.
    validation_fraction : float, default=0.2
        Share of the samples that validation decides on.
    validation : str or splitter, default="auto"
        ``"chronological"`` (the last share, with a gap before it), ``"shuffle"``,
        ``"stratified"``, or a scikit-learn splitter, whose first split is taken. ``"auto"`` is
        chronological for rows in time order and for 3-D regression windows, stratified for
        classification and a shuffle for tabular regression.
    refit : {"auto", "inherit", "scratch", "both"}, default="auto"
        Whether the derived network goes on from the searched weights, is trained anew, or both,
        and validation chooses. ``"auto"`` is both, but that it only goes on where at least 5000
        sequences are trained on and a sample is one for each of its channels; and that three
        networks are trained anew where fewer than 32 forecasts share no step. A warm start with
        ``"both"`` only inherits.
    refit_full : bool, default=False
        Train on over all samples at the end, those that validated and those in gaps between splits
        included, for as long as validation found best. If that is cut short, the weights are those
        at the end of its last whole epoch, or, in its first, those before.
    n_models : int or "auto", default="auto"
        Networks whose mean is the result, unless one of them validates clearly better. All have
        the architecture that was found; those still missing are trained anew from other draws, so
        that each takes the time of a training more. The mean is one network with the branches of
        all, within `max_params`. ``"auto"`` averages what `refit` and `channel_mode` train, and
        nothing where codes are embedded or weights have a price; where the race for the first
        branch ended in a tie, a cell that tied is trained in place of the found one's second
        network. Without effect on the linear seed alone.
    device : str, default="cpu"
        Device to train on.
    random_state : int, RandomState or None, default=None
        Source of every random draw; the caller's generators are left as found.
    verbose : int, default=0
        1 shows a progress bar over all phases, with the validation loss now and at best, nodes,
        weights, and the time that the epochs which there may still be would take; and what a
        `time_budget` leaves.
    checkpoint_dir : str, path-like or None, default=None
        A folder in which `fit` keeps its state at the end of each epoch and phase, the last two,
        under a name made of data and parameters: many fits can share it, such as those of a grid.
        After a crash the same `fit` goes on from there and ends with the same bytes; what it had
        taken counts for `time_budget`. One that has ended is read from there, too. Needs a
        `random_state` that is not None. Nobody but you should be able to write to the folder.
    warm_start : bool, default=False
        Let the next `fit` start from the present network: its genotype, weights, scales, window
        normalisation and channel mode. The data need the shape of those before, and are split as
        they were, so that equal rows are held out again; after `refit_full` those have been
        trained on, and flatter the network before."""

_REGRESSION = """\
    channel_gains : bool, default=True
        Whether channels that share a branch weigh its units by gains of their own, so that each has
        a head of its own that differs from the shared one by a factor a unit. Without effect where
        a branch reads all channels at once, or there is one.
    target_channels : None or sequence of int, default=None
        The channel that each target continues. None maps target j to channel j where X has time
        steps and y is 3-D (or 2-D, with `lookback`) with as many targets as X has channels, and
        maps nothing elsewhere; an empty sequence maps nothing. Of targets that plainly do not
        continue their channels, such as those of an X that a scaler in front has scaled, there is
        an `InputWarning`.
    loss : {"mse", "mae", "huber", "quantile"}, default="mse"
        What training minimises, in standardised units. With ``"quantile"`` the network has an
        output for each of `quantile_levels`, and predicts the median. The linear seed is a ridge
        regression in any case, shifted to the median of its errors with ``"mae"``, and to their
        quantiles with ``"quantile"``.
    quantile_levels : sequence of float, default=(0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
        Ascending probabilities in (0, 1), one of them 0.5, for ``loss="quantile"``.
"""

_CLASSIFICATION = """\
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, as in scikit-learn.
"""


def _entries(text: str) -> dict[str, str]:
    """Return the entries of a numpydoc section by the name of their parameter."""
    parts = re.split(r"(?m)^(?=    \w+ : )", text)
    return {part.split(" : ")[0].strip(): part.rstrip("\n") for part in parts if part.strip()}


def parameters_section(names: Iterable[str], own: str = "") -> str:
    """Return the numpydoc text of parameters.

    Parameters
    ----------
    names : iterable of str
        The parameters, in the order of the constructor.
    own : str, default=""
        Entries that an estimator words for itself.

    Returns
    -------
    str
        The body of a Parameters section.
    """
    entries = _entries(_SHARED) | _entries(_REGRESSION) | _entries(_CLASSIFICATION) | _entries(own)
    return "\n".join(entries[name] for name in names)


ATTRIBUTES = """\
    genotype_ : Genotype
        The architecture found, or given.
    module_ : torch.nn.Module
        The derived network, in double precision, on the CPU. It maps standardised windows
        (batch, channels, lookback), or numbered codes (batch, 1, lookback), to standardised
        outputs (batch, targets, horizon), or logits. Predictions are made by a copy of it, which
        changes of its weights do not reach.
    search_history_ : pandas.DataFrame
        A row an epoch, over search and training.
    growth_events_ : list of GrowthEvent
        Every growth tried: epoch, edit, n_params, val_loss, output_change, gain, is_accepted,
        score.
    search_report_ : SearchReport
        Scores, sizes and seconds of the stages, and what each move gained; prints as a table.
    n_params_ : int
        Number of weights of the derived network.
    n_iter_ : int
        Epochs in all.
    n_features_in_ : int
        Columns of a 2-D X, channels of a 3-D X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names, where X had them."""


def document(own: str = "") -> Callable[[type[T]], type[T]]:
    """Return a decorator that fills the shared sections into an estimator's docstring.

    Parameters
    ----------
    own : str, default=""
        Entries of parameters that the estimator words for itself.

    Returns
    -------
    callable
        Takes a class whose docstring holds ``%(parameters)s`` and ``%(attributes)s``.
    """

    def filled(estimator_class: type[T]) -> type[T]:
        names = [name for name in inspect.signature(estimator_class).parameters if name != "self"]
        if estimator_class.__doc__ is not None:
            estimator_class.__doc__ = estimator_class.__doc__.replace(
                "%(parameters)s", parameters_section(names, own).lstrip()
            ).replace("%(attributes)s", ATTRIBUTES.lstrip())
        return estimator_class

    return filled
