"""A search that is long enough lets mixed nodes find one more contender for the race."""

import pytest

from sknas.edits import AddBranch, AddMixedBranch
from sknas.search.backbone import TwoInputBackbone
from tests.small import FEW, product, regressor, search_rows

X, Y = product()


def beginning(model):
    return [event.edit for event in model.growth_events_ if event.epoch == 0]


def test_the_cell_that_mixed_nodes_find_races_with_the_hand_made_ones():
    model = regressor(search_epochs=30, max_epochs=1, max_nodes=3, operations=FEW).fit(X, Y)
    mixed, *hand_made, found = beginning(model)
    assert isinstance(mixed, AddMixedBranch)
    assert not model.growth_events_[0].is_accepted
    assert model.growth_events_[0].output_change == 0.0
    assert all(isinstance(edit, AddBranch) for edit in (found, *hand_made))
    cells = [edit.branch.layers[0] for edit in hand_made]
    assert cells == TwoInputBackbone().contenders(is_sequence=False)  # ties go to them
    operations = {node.operation for node in found.branch.layers[0].nodes}
    assert operations <= set(FEW)
    n_candidates = search_rows(model, "n_candidates")
    assert n_candidates[0] == 3 * len(FEW)
    assert min(n_candidates[:6]) < n_candidates[0]


@pytest.mark.parametrize("n_epochs", [8, 11, 29])
def test_a_short_search_has_no_time_for_a_proposal(n_epochs):
    given = {"search_epochs": n_epochs, "max_epochs": 1, "max_nodes": 3, "operations": FEW}
    model = regressor(**given).fit(X, Y)
    assert beginning(model)
    assert not any(isinstance(edit, AddMixedBranch) for edit in beginning(model))
