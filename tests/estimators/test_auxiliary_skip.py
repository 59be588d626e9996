"""The weight of the auxiliary skip is in the history, and falls as its name says."""

from itertools import pairwise

import joblib
import numpy as np
import pytest

from sknas.ops import DAG_OPERATIONS
from sknas.supernet import CosineSkip, LinearSkip
from tests.small import EAGER, FEW, FIXED, history, product, regressor, search_rows

pytestmark = pytest.mark.usefixtures("short_epochs")
X, Y = product()
TWO_NODES = {**FIXED, "max_nodes": 2}
DAG = {
    **TWO_NODES,
    "backbone": "dag",
    "operations": "default",
    "pruning": "magnitude",
    "max_nodes": 3,
}
BACKBONES = pytest.mark.parametrize("parameters", [TWO_NODES, DAG], ids=["two_input", "dag"])


@BACKBONES
def test_the_weight_falls_to_zero_before_anything_is_pruned(parameters):
    for skip, shape in [("linear", LinearSkip()), ("cosine", CosineSkip())]:
        model = regressor(**parameters, auxiliary_skip=skip).fit(X, Y)
        weights = search_rows(model, "skip_weight")
        n_open = int((np.diff(search_rows(model, "n_candidates")) == 0).argmin()) + 1
        assert 6 < n_open < 12
        expected = [shape.weight(i / (n_open - 1)) for i in range(n_open)]
        assert weights[:n_open].tolist() == pytest.approx(expected, abs=1e-12)
        assert not weights[n_open - 1 :].any()


@BACKBONES
def test_the_search_sees_it_and_it_is_no_operation_of_the_genotype(parameters):
    plain, skipping = (
        regressor(**parameters, linear_seed=False, auxiliary_skip=given).fit(X, Y)
        for given in (None, "linear")
    )
    assert not search_rows(plain, "skip_weight").any()
    losses = [search_rows(model, "train_loss") for model in (plain, skipping)]
    assert (losses[0][:4] != losses[1][:4]).all()
    operations = DAG_OPERATIONS if "backbone" in parameters else FEW
    assert set(skipping.genotype_.operations) <= set(operations)


@pytest.mark.parametrize("mode", ["sequential", "interleaved"])
def test_a_growing_search_starts_it_with_every_newborn_and_no_growth_changes_the_output(mode):
    model = regressor(**{**EAGER, "mode": mode, "search_epochs": 16}, auxiliary_skip="linear")
    model.fit(X, Y)
    weights = search_rows(model, "skip_weight")
    assert (weights[1:] == 1.0).any()
    assert weights[-1] == 0.0
    assert all(event.output_change <= 1e-6 for event in model.growth_events_)
    born = [event.epoch for event in model.growth_events_ if "AddNode" in str(event.edit)]
    assert born
    assert all(weights[epoch] == 1.0 for epoch in born)


def test_a_proposal_fades_it_over_its_open_epochs():
    common = {"search_epochs": 40, "max_nodes": 3, "linear_seed": False}
    model = regressor(**common, auxiliary_skip="linear").fit(X, Y)
    weights = search_rows(model, "skip_weight")
    n_open = int((weights == 0.0).argmax()) + 1
    assert n_open > 2
    assert weights[:n_open].tolist() == pytest.approx(np.linspace(1, 0, n_open).tolist())
    n_candidates = search_rows(model, "n_candidates")
    assert len(set(n_candidates[:n_open])) == 1
    assert n_candidates[n_open] < n_candidates[0]


@pytest.mark.parametrize(("name", "skip"), [("linear", LinearSkip()), ("cosine", CosineSkip())])
def test_the_name_of_a_skip_means_it_with_its_defaults(name, skip):
    before = joblib.hash(skip)
    twins = [regressor(**TWO_NODES, auxiliary_skip=given).fit(X, Y) for given in (name, skip)]
    assert history(twins[0]).equals(history(twins[1]))
    assert joblib.hash(skip) == before


def test_a_skip_that_starts_at_zero_is_none():
    none, idle = (
        regressor(**TWO_NODES, auxiliary_skip=given).fit(X, Y)
        for given in (None, LinearSkip(start=0))
    )
    assert history(none).equals(history(idle))


def test_a_skips_start_can_be_set_from_outside_and_is_checked():
    model = regressor(**TWO_NODES, auxiliary_skip=CosineSkip())
    model.set_params(auxiliary_skip__start=0.25)
    weights = search_rows(model.fit(X, Y), "skip_weight")
    assert weights[0] == 0.25
    assert all(early >= late for early, late in pairwise(weights))
    with pytest.raises(ValueError, match=r"'start'.*Got -1"):
        model.set_params(auxiliary_skip__start=-1).fit(X, Y)
    with pytest.raises(ValueError, match=r"'auxiliary_skip'.*Got 'none'"):
        regressor(auxiliary_skip="none").fit(X, Y)
