"""What weights cost decides, during the search, between candidates that are as good."""

import numpy as np
import pytest

from tests.small import EAGER, product, regressor, search_rows

pytestmark = pytest.mark.usefixtures("short_epochs")
OPEN = {"mode": "fixed", "max_epochs": 1, "linear_seed": False, "dropout": 0.0}
ALIKE = {
    **OPEN,
    "max_nodes": 1,
    "operations": ("lin_identity", "lin_relu", "gate", "first"),
    "search_epochs": 10,
    "learning_rate": 0.02,
}
N_OPEN = 6  # epochs of it in which nothing is pruned yet


def affine_law():
    """Draw a law that ``first`` states as well as ``lin_identity`` does, with fewer weights."""
    inputs = np.random.default_rng(0).normal(size=(120, 3))
    return inputs, inputs @ [1.0, -2.0, 0.5]


@pytest.mark.parametrize("relaxation", ["softmax", "sigmoid", "scaled_sigmoid", "clamp", "gumbel"])
def test_of_two_candidates_that_are_as_good_the_cheaper_one_is_kept(relaxation):
    X, y = affine_law()
    free, priced = (
        [
            regressor(**ALIKE, relaxation=relaxation, size_penalty=penalty, random_state=seed).fit(
                X, y
            )
            for seed in range(3)
        ]
        for penalty in (0.0, 1.0)
    )
    assert [model.genotype_.operations for model in priced] == [("first",)] * 3
    assert [model.genotype_.operations for model in free] != [("first",)] * 3

    def derived(models, column):
        return [model.search_report_.stages.loc["derived", column] for model in models]

    assert sum(derived(priced, "n_params")) < sum(derived(free, "n_params"))
    assert max(derived(priced, "val_loss")) < 0.02
    for one, other in zip(free, priced, strict=True):
        gates_left = [
            search_rows(model, "expected_params")[:N_OPEN].mean() for model in (one, other)
        ]
        assert gates_left[1] < gates_left[0]


def test_the_history_counts_weights_by_gates_until_all_is_decided():
    X, y = affine_law()
    model = regressor(**{**ALIKE, "max_epochs": 2}, size_penalty=0.2).fit(X, y)
    expected, n_params = (search_rows(model, name) for name in ("expected_params", "n_params"))
    assert (expected[:N_OPEN] < n_params[:N_OPEN]).all()
    is_decided = search_rows(model, "n_candidates") == 1
    assert (expected[is_decided] <= n_params[is_decided]).all()
    assert np.isnan(search_rows(model, "expected_params", "train")).all()


def test_in_a_graph_whose_candidates_cost_the_same_a_new_node_has_to_pay_for_its_weights():
    X, y = product()
    graph = {**OPEN, "backbone": "dag", "max_nodes": 3, "learning_rate": 0.02}
    entropies = [
        search_rows(
            regressor(**graph, search_epochs=8, size_penalty=penalty).fit(X, y), "gate_entropy"
        )
        for penalty in (0.0, 1.0)
    ]
    assert (entropies[0] == entropies[1]).all()
    grown = {**graph, **EAGER, "mode": "interleaved", "operations": "default", "max_nodes": 4}
    grown["search_epochs"] = 24  # until training alone gains little
    kept = [
        sum(e.is_accepted for e in regressor(**grown, size_penalty=p).fit(X, y).growth_events_)
        for p in (0.0, 1e10)
    ]
    assert kept[0] > 0 == kept[1]
