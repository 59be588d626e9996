"""DARTS's graph as the search space: every mode ends in a genotype of highway operations."""

import numpy as np
import pytest

import sknas.search
from sknas.genotype import NAMED_CELLS
from sknas.ops import DAG_OPERATIONS
from sknas.search import AdmmRegularizer, ArchRegularizer, PeriodicGrowth, ZeroOneRegularizer
from tests.small import MAKERS, classifier, data_for, product, regressor, search_rows, sequences
from tests.tiny import members

pytestmark = pytest.mark.usefixtures("short_epochs")
X, Y = product()
DAG = {
    "backbone": "dag",
    "max_nodes": 3,
    "pruning": "magnitude",
    "search_epochs": 8,
    "max_epochs": 1,
    "linear_seed": False,
    "learning_rate": 0.02,
}
EAGER_DAG = {
    **DAG,
    "initial_genotype": "linear",
    "growth": PeriodicGrowth(period=2, min_gain=-1e9),
    "search_epochs": 14,
}


def names(events):
    return [str(event.edit).partition("(")[0] for event in events]


@pytest.mark.parametrize("mode", ["sequential", "interleaved", "fixed"])
@pytest.mark.parametrize("make", MAKERS)
def test_a_fit_ends_in_a_network_of_highway_operations(make, mode):
    data = data_for(make)
    model = make(**{**DAG, "mode": mode, "search_epochs": 12}).fit(*data)
    assert model.genotype_.branches
    assert set(model.genotype_.operations) <= set(DAG_OPERATIONS)
    cell = model.genotype_.branches[0].layers[0]
    assert all(node.left.startswith("s") and node.right is None for node in cell.nodes[1:])
    assert np.isfinite(model.score(*data))


def test_a_fixed_search_mixes_all_pairs_of_edge_and_operation_until_it_prunes():
    model = regressor(**DAG, mode="fixed").fit(X, Y)
    n_candidates = search_rows(model, "n_candidates")
    assert set(search_rows(model, "n_nodes")) == {3}
    assert n_candidates[0] == 1 + 4 * (1 + 2)  # s0, and four operations an edge
    assert (np.diff(n_candidates) <= 0).all()
    assert n_candidates[-1] < n_candidates[0]
    assert search_rows(model, "arch_steps")[0] > 0
    assert model.growth_events_ == []


@pytest.mark.parametrize("mode", ["sequential", "interleaved"])
def test_a_growing_graph_adds_nodes_without_changing_the_output(mode):
    model = regressor(**EAGER_DAG, mode=mode).fit(X, Y)
    assert "AddDagNode" in names(model.growth_events_)
    assert not {"AddNode", "AddHadamard", "AddOp"} & set(names(model.growth_events_))
    assert all(event.output_change <= 1e-6 for event in model.growth_events_)
    assert search_rows(model, "n_nodes").max() == 3


def test_the_first_branch_of_a_sequence_is_raced_by_cells_of_the_graph():
    X3, y3 = sequences()
    parameters = {**DAG, "max_nodes": 9, "search_epochs": 12, "mode": "sequential"}
    model = regressor(**parameters).fit(X3, y3)
    raced = [event.edit.branch.layers[0] for event in model.growth_events_ if event.epoch == 0]
    assert NAMED_CELLS["darts"] in raced
    assert all({node.operation for node in cell.nodes} <= set(DAG_OPERATIONS) for cell in raced)


def test_the_relaxation_is_darts_softmax_where_the_search_is_darts():
    def fit(**parameters):
        return regressor(**{**DAG, "search_epochs": 5, **parameters}).fit(X, Y)

    own, softmax, sigmoid = (
        fit(mode="fixed", **given)
        for given in ({}, {"relaxation": "softmax"}, {"relaxation": "sigmoid"})
    )
    entropy = search_rows(own, "gate_entropy")
    assert (entropy == search_rows(softmax, "gate_entropy")).all()
    assert (entropy != search_rows(sigmoid, "gate_entropy")).any()


def test_the_relaxation_of_a_growing_graph_is_the_sigmoid():
    entropies = [
        search_rows(
            regressor(**{**EAGER_DAG, "search_epochs": 5, **given}).fit(X, Y), "gate_entropy"
        )
        for given in ({}, {"relaxation": "sigmoid"}, {"relaxation": "softmax"})
    ]
    assert (entropies[0] == entropies[1]).all()
    assert (entropies[0] != entropies[2]).any()


@pytest.mark.parametrize("operations", [("highway_relu",), ("highway_tanh", "highway_identity")])
def test_the_graph_uses_the_given_operations_only(operations):
    model = regressor(**DAG, mode="fixed", operations=operations, n_models=1).fit(X, Y)
    (_, *chosen) = model.genotype_.operations  # s0 is DARTS's own
    assert len(chosen) == 2
    assert set(chosen) <= set(operations)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"operations": ["highway_tanh", "add"]}, r"operations must be highway .*; got 'add'"),
        ({"operations": ["no_such_op"]}, r"operations must be among .*; got 'no_such_op'"),
        ({"max_nodes": 1}, r"max_nodes must be 0 or at least 2 with backbone='dag'; got 1"),
    ],
)
def test_what_the_graph_cannot_be_is_refused(parameters, message):
    for make in (regressor, classifier):
        with pytest.raises(ValueError, match=message):
            make(**{**DAG, **parameters}).fit(X, Y > 0)


@pytest.mark.parametrize("rule", members(ArchRegularizer, sknas.search))
def test_a_regularizer_lowers_the_entropy_of_the_gates_of_pairs(rule):
    # Gates that stand at a half feel nothing of a term that draws them away from it.
    relaxation = "softmax" if rule is ZeroOneRegularizer else "scaled_sigmoid"
    fixed = {**DAG, "mode": "fixed", "search_epochs": 14, "relaxation": relaxation}
    without, drawn = (
        search_rows(regularized.fit(X, Y), "gate_entropy")[:9]
        for regularized in (
            regressor(**fixed),
            regressor(**fixed, arch_regularizer=rule(strength=3.0)),
        )
    )
    assert drawn[-1] < 0.95 * without[-1]


@pytest.mark.parametrize("mode", ["sequential", "interleaved"])
def test_a_regularizer_follows_a_graph_that_grows_and_is_pruned(mode):
    rule = AdmmRegularizer(strength=1.0, period=3)
    model = regressor(**EAGER_DAG, mode=mode, arch_regularizer=rule).fit(X, Y)
    assert (np.diff(search_rows(model, "n_candidates")) < 0).any()
    plain = regressor(**EAGER_DAG, mode=mode).fit(X, Y)
    gates = [search_rows(each, "gate_entropy") for each in (model, plain)]
    assert gates[0].tolist() != gates[1].tolist()


def test_without_nodes_the_graph_is_the_linear_seed():
    assert regressor(backbone="dag", max_nodes=0).fit(X, Y).genotype_.branches == ()
