"""A search that is too short for what was chosen to act in it says so, once, and what would do."""

import re
import warnings

import pytest

from sknas.exceptions import SearchWarning
from sknas.search import (
    EffectPruning,
    EigenvalueWatch,
    PlateauGrowth,
    ProximityRegularizer,
)
from sknas.supernet import AnnealedEdges, CosineSkip
from tests.small import EAGER, classifier, data_for, product, regressor, search_rows

pytestmark = pytest.mark.usefixtures("short_epochs")
X, Y = product()
SOON = {"growth": PlateauGrowth(patience=1), "pruning": EffectPruning(n_rounds=1, protection=0)}
RAMPED = [
    ("arch_regularizer", "proximity", r"arch_regularizer=ProximityRegularizer\(\) is zero"),
    (
        "arch_regularizer",
        ProximityRegularizer(strength=2.0),
        r"Regularizer\(strength=2.0\) is zero",
    ),
    ("auxiliary_skip", "linear", r"auxiliary_skip=LinearSkip\(\) does not fall"),
    ("auxiliary_skip", CosineSkip(start=0.5), r"auxiliary_skip=CosineSkip\(start=0.5\) does not"),
]
every_ramp = pytest.mark.parametrize(("name", "given", "told"), RAMPED)


def told_by(fit):
    """Return the warnings of a call."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fit()
    assert all(warning.category is SearchWarning for warning in told)
    return told


def warned(**parameters):
    """Return what a fit warns of; each warning points here."""
    brief = {"max_epochs": 1, "refit": "inherit"}
    told = told_by(lambda: regressor(**brief, **parameters).fit(X, Y))
    assert all(warning.filename == __file__ for warning in told)
    return [str(warning.message) for warning in told]


@every_ramp
def test_a_search_whose_moves_are_mixed_for_one_epoch_warns_of_what_ramps_or_fades(
    name, given, told
):
    (message,) = warned(search_epochs=9, max_nodes=3, **{name: given})
    assert re.search(told, message)
    assert message.startswith("A search of 9 epochs prunes a new node after one epoch, in which ")
    assert message.endswith("Raise search_epochs to at least 12.")
    assert warned(search_epochs=12, max_nodes=3, **{name: given}) == []


@every_ramp
def test_where_no_number_of_epochs_would_do_the_rules_are_named(name, given, told):
    (message,) = warned(search_epochs=12, max_nodes=3, **SOON, **{name: given})
    assert re.search(told, message)
    assert message.endswith(
        "Give growth a patience, or pruning a protection, of at least 2 epochs."
    )
    lasting = {**SOON, "growth": PlateauGrowth(patience=2)}
    assert warned(search_epochs=12, max_nodes=3, **lasting, **{name: given}) == []


@pytest.mark.parametrize(("n_epochs", "is_told"), [(11, True), (12, False)])
def test_the_skip_of_a_move_is_at_its_full_weight_when_it_is_cut_just_where_it_is_told_of(
    n_epochs, is_told
):
    given = {**EAGER, "initial_genotype": "product", "mode": "interleaved", "max_nodes": 12}
    with pytest.warns(SearchWarning) if is_told else warnings.catch_warnings():
        model = regressor(**{**given, "search_epochs": n_epochs}, auxiliary_skip="linear").fit(X, Y)
    born = next(event.epoch for event in model.growth_events_ if "AddNode" in str(event.edit))
    n_candidates = search_rows(model, "n_candidates")[born:]
    last = int((n_candidates < n_candidates[0]).argmax()) - 1
    assert search_rows(model, "skip_weight")[born:][last] == float(is_told)


def test_modes_that_mix_for_longer_or_not_at_all_are_not_warned_of():
    for mode in ("sequential", "fixed", "random"):
        options = {"arch_regularizer": "proximity", "auxiliary_skip": "linear"}
        assert warned(search_epochs=9, max_nodes=3, mode=mode, **options) == []
    assert len(warned(search_epochs=2, max_nodes=1, mode="fixed", **options)) == 2
    assert warned(search_epochs=9, max_nodes=3, arch_regularizer="admm") == []
    assert warned(search_epochs=9, max_nodes=0, **options) == []
    assert warned(search_epochs=9, genotype="product", **options) == []


def test_a_watch_that_cannot_get_its_checks_is_told_how_many_epochs_would_do():
    common = {"max_nodes": 3, "collapse_watch": "eigenvalue"}
    (message,) = warned(mode="fixed", search_epochs=9, **common)
    assert message == (
        "A search of 9 epochs prunes what is mixed after at most 8 epoch(s), too few for "
        "collapse_watch=EigenvalueWatch() to judge. Raise search_epochs to at least 11, or give a "
        "watch that needs fewer checks."
    )
    assert warned(mode="fixed", search_epochs=11, **common) == []
    # The longest mixed phase of an interleaved search is that which finds a cell for the race.
    common["collapse_watch"] = EigenvalueWatch(every=1, lag=2, warmup=3)
    (message,) = warned(search_epochs=9, **common)
    n_least = int(re.search("at least ([0-9]+), or", message).group(1))
    assert len(warned(search_epochs=n_least - 1, **common)) == 1
    assert warned(search_epochs=n_least, **common) == []


def test_a_watch_is_told_where_more_epochs_would_not_do():
    short = {"search_epochs": 18, "max_nodes": 1, "initial_genotype": "linear", **SOON}
    (message,) = warned(**{**short, "collapse_watch": EigenvalueWatch(every=400)})
    assert message.endswith("to judge. Give a watch that needs fewer checks.")
    assert warned(**short, collapse_watch=EigenvalueWatch(every=1, lag=2, warmup=3)) == []


@pytest.mark.parametrize("make", [regressor, classifier])
def test_a_partial_fit_tells_how_many_epochs_of_a_fit_would_do_for_its_third_of_them(make):
    data = data_for(make)
    is_warned = {}
    for n_epochs in (33, 34):
        model = make(max_nodes=3, search_epochs=n_epochs, max_epochs=1, auxiliary_skip="linear")
        model.fit(*data)
        shifted = (data[0], 1 - data[1]) if make is regressor else (data[0], ~data[1])
        told = told_by(lambda model=model, shifted=shifted: model.partial_fit(*shifted))
        is_warned[n_epochs] = [str(warning.message) for warning in told]
    assert is_warned[34] == []
    (message,) = is_warned[33]
    assert message.startswith("A search of 11 epochs")
    assert message.endswith("Raise search_epochs to at least 34.")


@pytest.mark.parametrize("given", ["softmax", AnnealedEdges()])
def test_an_edge_choice_for_a_graph_that_has_no_operands_is_said_to_do_nothing(given):
    common = {"max_nodes": 3, "edge_choice": given}
    (message,) = warned(backbone="dag", **common)
    assert message.startswith(f"edge_choice={given!r} is without effect with backbone='dag'")
    assert warned(backbone="dag", max_nodes=3) == []
    assert warned(**common) == []
