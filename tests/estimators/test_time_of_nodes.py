"""What cools, hardens, ramps or fades does so while a node is mixed, and is through at its end."""

import numpy as np
import pytest

from sknas.search import PlateauGrowth
from tests.small import FEW, product, regressor, search_rows

pytestmark = pytest.mark.usefixtures("short_epochs")
X, Y = product()
SEARCHES = {
    "mixed start": {"initial_genotype": "linear", "initial_nodes": 3},
    "plain DARTS": {"mode": "fixed"},
    "graph": {"mode": "fixed", "backbone": "dag", "operations": "default"},
    "proposal": {"search_epochs": 30},
}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_mixed_phase_begins_at_zero_and_has_reached_one_when_candidates_go(name):
    parameters = {"search_epochs": 20, "operations": FEW, **SEARCHES[name]}
    model = regressor(max_epochs=1, max_nodes=3, **parameters).fit(X, Y)
    progress, n_open = search_rows(model, "progress"), search_rows(model, "n_candidates")
    last = int(np.flatnonzero(np.diff(n_open))[0])  # the last epoch with every candidate
    assert last >= 2
    assert progress[: last + 1] == pytest.approx(np.linspace(0, 1, last + 1))


@pytest.mark.parametrize(("n_epochs", "grows_to_the_end"), [(24, True), (40, False)])
def test_what_a_sequential_search_grew_has_cooled_before_it_is_pruned(n_epochs, grows_to_the_end):
    model = regressor(
        mode="sequential",
        initial_genotype="linear",
        operations=FEW,
        growth=PlateauGrowth(patience=2),
        search_epochs=n_epochs,
        max_nodes=3,
        max_epochs=1,
    ).fit(X, Y)
    progress, n_open, n_nodes = (
        search_rows(model, name) for name in ("progress", "n_candidates", "n_nodes")
    )
    last_growth = int(np.flatnonzero(np.diff(n_nodes))[-1]) + 1
    is_pruned = np.diff(n_open[last_growth:]) < 0
    assert is_pruned.any()
    assert progress[last_growth + int(is_pruned.argmax())] == 1.0
    # Where nothing can grow any more, pruning does not wait for the end.
    assert (len(progress) == n_epochs) == grows_to_the_end
