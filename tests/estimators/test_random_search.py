"""Random search: drawn cells race over the whole search, and the best of them is the result."""

import numpy as np
import pytest

from sknas import Genotype
from sknas.edits import AddBranch
from sknas.ops import DAG_OPERATIONS, DEFAULT_OPERATIONS
from sknas.search.race import n_contenders
from tests.small import MAKERS, data_for, product, regressor, search_rows, sequences

pytestmark = pytest.mark.usefixtures("short_epochs")
X, Y = product()
RANDOM = {
    "mode": "random",
    "max_nodes": 4,
    "search_epochs": 12,
    "max_epochs": 1,
    "linear_seed": False,
    "learning_rate": 0.02,
}
BACKBONES = {"two_input": DEFAULT_OPERATIONS, "dag": DAG_OPERATIONS}


def contenders(model):
    assert all(event.epoch == 0 for event in model.growth_events_)
    assert all(isinstance(event.edit, AddBranch) for event in model.growth_events_)
    return [event.edit.branch for event in model.growth_events_]


@pytest.fixture(scope="module")
def searched(short_epochs):
    X3, _ = sequences()
    y3 = X3[:, -1].sum(axis=1)  # what a seed of zero leaves to any branch
    return {
        (backbone, kind): regressor(**RANDOM, backbone=backbone).fit(*data)
        for backbone in BACKBONES
        for kind, data in {"rows": (X, Y), "sequences": (X3, y3)}.items()
    }


@pytest.mark.parametrize("kind", ["rows", "sequences"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_result_is_the_drawn_cell_of_least_loss(searched, backbone, kind):
    model = searched[backbone, kind]
    events = model.growth_events_
    assert len(events) == n_contenders(100, RANDOM["search_epochs"], is_whole_search=True) > 3
    assert len(set(contenders(model))) == len(events)
    (winner,) = (event for event in events if event.is_accepted)
    assert winner.val_loss == min(event.val_loss for event in events)
    assert model.genotype_ == Genotype((winner.edit.branch,))
    stages = model.search_report_.stages
    assert stages.val_loss["supernet"] == pytest.approx(winner.val_loss)
    assert stages.n_params["trained"] == model.n_params_ <= winner.n_params


@pytest.mark.parametrize("kind", ["rows", "sequences"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_drawn_cells_keep_to_the_space(searched, backbone, kind):
    for branch in contenders(searched[backbone, kind]):
        (cell,) = branch.layers
        assert 1 <= len(cell.nodes) <= RANDOM["max_nodes"]
        assert {node.operation for node in cell.nodes} <= set(BACKBONES[backbone])
        assert branch.hidden_size == 4
        if kind == "rows":
            assert not any("h" in node.operands for node in cell.nodes)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_history_shows_the_contenders_in_turn_and_nothing_undecided(searched, backbone):
    model = searched[backbone, "sequences"]
    cells = [branch.layers[0] for branch in contenders(model)]
    n_nodes = search_rows(model, "n_nodes")
    assert n_nodes[: len(cells)].tolist() == [len(cell.nodes) for cell in cells]
    assert len(set(n_nodes)) > 1
    n_params = search_rows(model, "n_params")[: len(cells)]
    assert n_params.tolist() == [event.n_params for event in model.growth_events_]
    for column in ("arch_steps", "gate_entropy"):
        assert (search_rows(model, column) == 0).all()
    assert (search_rows(model, "n_candidates") == n_nodes).all()
    assert RANDOM["search_epochs"] / 2 < len(n_nodes) <= RANDOM["search_epochs"]


def test_the_draws_come_from_the_random_state_alone():
    one, same, other = (regressor(**{**RANDOM, "random_state": s}).fit(X, Y) for s in (3, 3, 4))
    assert contenders(one) == contenders(same)
    assert one.predict(X).tobytes() == same.predict(X).tobytes()
    columns = ["n_nodes", "n_params", "train_loss", "val_loss"]
    assert one.search_history_[columns].equals(same.search_history_[columns])
    assert set(contenders(one)) != set(contenders(other))
    assert search_rows(one, "n_params").tolist() != search_rows(other, "n_params").tolist()


def test_a_longer_search_draws_more_and_begins_with_the_same():
    few, many = (contenders(regressor(**{**RANDOM, "search_epochs": n}).fit(X, Y)) for n in (6, 12))
    assert 1 < len(few) < len(many)
    assert many[: len(few)] == few


def test_a_search_too_short_for_a_race_takes_the_first_draw():
    model = regressor(**{**RANDOM, "search_epochs": 1}).fit(X, Y)
    assert len(contenders(model)) == len(search_rows(model, "epoch")) == 1


def test_only_cells_within_the_bound_on_weights_are_drawn():
    free = [event.n_params for event in regressor(**RANDOM).fit(X, Y).growth_events_]
    bound = int(np.median(free))
    model = regressor(**RANDOM, max_params=bound).fit(X, Y)
    assert (model.search_history_["n_params"] <= bound).all()
    assert max(free) > bound >= model.n_params_
    assert len(contenders(model)) == len(free)


def test_a_bound_without_room_for_any_cell_warns():
    from sknas.exceptions import SearchWarning

    with pytest.warns(SearchWarning, match="max_params=4 leaves no room"):
        model = regressor(**RANDOM, max_params=4).fit(X, Y)
    assert model.genotype_ == Genotype()


def test_a_space_of_few_cells_gives_each_once():
    model = regressor(**{**RANDOM, "max_nodes": 1}, operations=("first", "hadamard")).fit(X, Y)
    cells = [branch.layers[0].nodes for branch in contenders(model)]
    assert sorted(str(nodes[0]) for nodes in cells) == ["first(x, -)", "hadamard(x, x)"]


@pytest.mark.parametrize("make", MAKERS)
def test_both_estimators_search_at_random_and_go_on_without_growth(make):
    data = data_for(make)
    model = make(**RANDOM).fit(*data)
    genotype, n_events = model.genotype_, len(model.growth_events_)
    shifted = (data[0] + 2.0, data[1])
    model.partial_fit(*shifted)
    assert (model.genotype_, len(model.growth_events_)) == (genotype, n_events)
    model = make(**RANDOM, warm_start=True).fit(*data)
    genotype = model.genotype_
    assert model.fit(*data).genotype_ == genotype
    assert model.growth_events_ == []


@pytest.mark.parametrize("initial", ["gru", "linear", Genotype.named("product")])
def test_a_start_for_growth_is_refused(initial):
    with pytest.raises(ValueError, match=r"initial_genotype must be 'auto' with mode='random'"):
        regressor(**RANDOM, initial_genotype=initial).fit(X, Y)


@pytest.mark.parametrize("initial", ["gru", "product", Genotype.named("product")])
def test_a_start_of_a_search_without_growth_is_refused_alike(initial):
    rule = r"initial_genotype must be 'auto' or 'linear' with mode='fixed'.*; got "
    with pytest.raises(ValueError, match=rule):
        regressor(mode="fixed", initial_genotype=initial).fit(X, Y)
