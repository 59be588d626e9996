"""An estimator's parameters become objects: strings are looked up, contradictions refused."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from typing import Any

from sklearn.base import clone

from sknas._validation import validate_parameters
from sknas.estimators._checks import check_device, read_genotype
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
from sknas.estimators._settings import Settings, arch_fraction
from sknas.exceptions import SearchWarning
from sknas.genotype import NAMED_CELLS, Genotype
from sknas.search import ArchSchedule
from sknas.search.backbone import Backbone
from sknas.supernet import Mixing

__all__ = ["resolve"]


def resolve(parameters: Mapping[str, Any]) -> Settings:
    """Return what a fit is to do; parameters without a rule of their own pass as they are.

    Parameters
    ----------
    parameters : mapping
        Of the estimator, each within its constraints.

    Returns
    -------
    Settings
        Objects in place of strings.

    Raises
    ------
    ValueError
        If parameters contradict each other, or one breaks a rule that its constraints cannot say.
    """
    backbone = BACKBONE[parameters["backbone"]]()
    operations = _operations(parameters, backbone)
    _check_validation(parameters["validation"])
    check_device(parameters["device"])
    _check_start(parameters)
    _check_edge_choice(parameters)
    genotype = read_genotype(parameters["genotype"])
    _check_sizes(parameters, genotype)
    arch_schedule: ArchSchedule[Any] = _looked_up(parameters["arch_schedule"], ARCH_SCHEDULE)
    resolved = {
        "backbone": backbone,
        "operations": operations,
        # A classifier's targets are classes, which continue no channel.
        "has_gains": parameters.get("channel_gains", True),
        "genotype": genotype,
        "initial_genotype": _initial(parameters["initial_genotype"]),
        "growth": _looked_up(parameters["growth"], GROWTH),
        "pruning": _looked_up(parameters["pruning"], PRUNING),
        "mixing": _mixing(parameters),
        "arch_schedule": arch_schedule,
        "arch_fraction": arch_fraction(parameters["arch_fraction"], arch_schedule),
        "arch_regularizer": _looked_up(parameters["arch_regularizer"], ARCH_REGULARIZER),
        "collapse_watch": _looked_up(parameters["collapse_watch"], COLLAPSE_WATCH),
    }
    names = {field.name for field in dataclasses.fields(Settings)} - set(resolved)
    return Settings(**{name: parameters[name] for name in names} | resolved)


def _initial(given: str | Genotype) -> str | Genotype:
    """Return what a search starts from; a genotype without branches is the linear seed."""
    return "linear" if isinstance(given, Genotype) and not given.branches else given


def _looked_up(given: Any, names: Mapping[str, type[Any]]) -> Any:
    """Return the object that a string names, or a copy of the given one, its parameters checked."""
    if given is None:
        return None
    found = names[given]() if isinstance(given, str) else clone(given)
    validate_parameters(found, found._parameter_constraints)
    return found


def _operations(parameters: Mapping[str, Any], backbone: Backbone) -> tuple[str, ...]:
    given, max_nodes = parameters["operations"], parameters["max_nodes"]
    operations = backbone.operations if isinstance(given, str) else given
    if not len(operations):
        raise ValueError(f"operations must name at least one; got {given!r}.")
    for name in operations:
        backbone.check_operation(name)
    if 0 < max_nodes <= backbone.n_frame_nodes:
        raise ValueError(
            f"max_nodes must be 0 or at least {backbone.n_frame_nodes + 1} with "
            f"backbone={parameters['backbone']!r}; got {max_nodes}."
        )
    return tuple(operations)


def _mixing(parameters: Mapping[str, Any]) -> Mixing:
    given = parameters["relaxation"]
    if given == "auto":
        # DARTS's graph without growth is DARTS, whose relaxation is a softmax.
        is_darts = parameters["backbone"] == "dag" and parameters["mode"] == "fixed"
        given = "softmax" if is_darts else "sigmoid"
    return Mixing(
        _looked_up(given, RELAXATION),
        _looked_up(parameters["edge_choice"], EDGE_CHOICE),
        _looked_up(parameters["auxiliary_skip"], AUXILIARY_SKIP),
    )


def _check_validation(validation: Any) -> None:
    if isinstance(validation, str) and validation not in VALIDATION:
        # A string has a method "split" too, so the constraints let every one pass.
        raise ValueError(
            f"validation must be one of {list(VALIDATION)} or a splitter; got {validation!r}."
        )


def _check_edge_choice(parameters: Mapping[str, Any]) -> None:
    if parameters["backbone"] == "dag" and parameters["edge_choice"] != "annealed":
        warnings.warn(
            f"edge_choice={parameters['edge_choice']!r} is without effect with backbone='dag', "
            "whose nodes have no operands to choose sources for; relaxation weighs their edges.",
            SearchWarning,
            stacklevel=7,
        )


def _check_sizes(parameters: Mapping[str, Any], genotype: str | Genotype | None) -> None:
    """Warn of sizes that a given genotype, which has its own, does not take."""
    if not isinstance(genotype, Genotype):
        return
    for name, default, sizes in (
        ("hidden_size", "auto", {branch.hidden_size for branch in genotype.branches}),
        ("segment_length", "auto", {branch.segment_length for branch in genotype.branches}),
        ("n_layers", 1, {len(branch.layers) for branch in genotype.branches}),
    ):
        given = parameters[name]
        if given not in (default, *(sizes if len(sizes) == 1 else ())):
            warnings.warn(
                f"{name}={given!r} is without effect where genotype is a Genotype, whose branches "
                f"have their own; got {sorted(sizes)!r}. Leave {name} at {default!r}, or build the "
                "genotype with the one you want.",
                SearchWarning,
                stacklevel=7,
            )


def _check_start(parameters: Mapping[str, Any]) -> None:
    """Check that what the search starts from exists, and is within its bounds."""
    initial, max_nodes = _initial(parameters["initial_genotype"]), parameters["max_nodes"]
    if isinstance(initial, str) and initial not in ("auto", "linear", *NAMED_CELLS):
        raise ValueError(
            f"initial_genotype must be 'auto', 'linear', one of {sorted(NAMED_CELLS)} or a "
            f"Genotype; got {initial!r}."
        )
    if parameters["genotype"] is None and parameters["mode"] == "random" and initial != "auto":
        raise ValueError(
            "initial_genotype must be 'auto' with mode='random', which draws what it starts from; "
            f"got {initial!r}."
        )
    is_fixed = parameters["genotype"] is None and parameters["mode"] == "fixed"
    if is_fixed and initial not in ("auto", "linear"):
        raise ValueError(
            "initial_genotype must be 'auto' or 'linear' with mode='fixed', which starts from "
            f"max_nodes mixed nodes; got {initial!r}."
        )
    n_initial = len(NAMED_CELLS[initial].nodes) if initial in NAMED_CELLS else 0
    n_initial = initial.n_nodes if isinstance(initial, Genotype) else n_initial
    if parameters["genotype"] is None and n_initial > max_nodes > 0:
        raise ValueError(
            f"initial_genotype must have at most max_nodes={max_nodes} nodes; "
            f"got {n_initial} nodes."
        )
    if parameters["initial_nodes"] > max(max_nodes, 1):
        warnings.warn(
            f"initial_nodes={parameters['initial_nodes']} exceeds max_nodes={max_nodes}; the "
            "search starts from max_nodes nodes. Raise max_nodes to start from more.",
            SearchWarning,
            stacklevel=7,
        )
