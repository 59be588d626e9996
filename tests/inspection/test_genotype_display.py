"""Every node and edge of a genotype is drawn, no edge runs through a box, every text is legible."""

import functools
import itertools
import pickle
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression

from sknas import Genotype
from sknas.genotype import NAMED_CELLS, Branch, Cell, Node
from sknas.genotype.drawing import draw_graph_cell
from sknas.inspection import GenotypeDisplay
from tests.inspection.seen import assert_texts_stand_apart, named, overlap, visible_texts
from tests.small import EAGER, classifier, data_for, futures, regressor

OPERATIONS = ("hadamard", "lin_tanh", "gate", "add", "first", "highway_identity", "lin_sigmoid")
GRAPH = ("highway_tanh", "highway_sigmoid", "highway_relu", "highway_identity")
NAMED = {name: Genotype.named(name, hidden_size=8, segment_length=4) for name in NAMED_CELLS}
MANY = Genotype(
    (*Genotype.named("gru", n_layers=2).branches, *NAMED["lstm"].branches, *NAMED["rnn"].branches)
)


def random_genotype(n_nodes, seed):
    return Genotype.random(seed, operations=OPERATIONS, n_nodes=n_nodes)


def graph_genotype(n_nodes, seed):
    first = Node("highway_tanh", "h", "x")
    cell = draw_graph_cell(np.random.RandomState(seed), GRAPH, n_nodes, first)
    return Genotype((Branch((cell,), 8, 4, "mixed"),))


def edges_of(cell):
    """Return what is to be drawn: kind, source and target of every edge."""
    for index, node in enumerate(cell.nodes):
        for side in ("left", "right"):
            if (source := getattr(node, side)) is not None:
                yield f"{side}:{source}:s{index}"
    yield from (f"output:s{index}:h'" for index in cell.outputs)
    if cell.carry:
        yield "carry:h:h'"
    if cell.memory is not None:
        yield f"memory:s{cell.memory}:c'"


def cells_of(genotype):
    return [cell for branch in genotype.branches for cell in branch.layers]


def assert_drawn(display):
    """Check that each panel has the boxes, operations and edges of its cell, and no others."""
    for axes, cell in zip(display.axes_, cells_of(display.genotype), strict=True):
        patches = named(axes)
        edges = {name for name in patches if ":" in name}
        assert edges == set(edges_of(cell))
        nodes = {f"s{index}" for index in range(len(cell.nodes))}
        ends = {edge.split(":")[1] for edge in edges} - nodes
        assert set(patches) - edges == nodes | ends | {edge.split(":")[2] for edge in edges}
        texts = [text.get_text() for text in axes.texts]
        for operation in {node.operation for node in cell.nodes}:
            n_nodes = sum(node.operation == operation for node in cell.nodes)
            assert texts.count(operation) == n_nodes
        for node in nodes:
            assert sum(text.split(" ")[0] == node for text in texts) == 1


def assert_edges_pass_boxes_by(display):
    """Check that each edge begins and ends at its boxes' rims, and enters no other box."""
    for axes in display.axes_:
        patches = named(axes)
        boxes = {name: patch for name, patch in patches.items() if ":" not in name}
        inside = {name: shrunk(box.get_window_extent()) for name, box in boxes.items()}
        arrows = {name: patch for name, patch in patches.items() if ":" in name}
        ways = [
            *(patch.get_transform().transform_path(patch.get_path()) for patch in axes.patches
              if patch not in boxes.values() and patch not in arrows.values()),
            *(axes.transData.transform_path(arrow._path_original) for arrow in arrows.values()),
        ]  # fmt: skip
        for way in ways:
            points = flattened(way)
            for name, box in inside.items():
                assert not box.count_contains(points), name
        for line in axes.lines:
            points = axes.transData.transform(line.get_xydata())
            steps = np.linspace(points[0], points[-1], 9)
            assert not any(box.count_contains(steps) for box in inside.values())
        for name, arrow in arrows.items():
            x, y = axes.transData.transform(arrow._path_original.vertices[-1])
            target = boxes[name.split(":")[2]].get_window_extent()
            assert target.x0 < x < target.x1
            assert y == pytest.approx(target.y1, abs=2.0)


def shrunk(box):
    return box.padded(-2.0)


def flattened(path):
    """Return points along a path of curves, close to each other."""
    points = []
    for curve, code in path.iter_bezier():
        del code
        points += [curve(t) for t in np.linspace(0, 1, 30)]
    return np.array(points)


@pytest.mark.parametrize("name", NAMED)
def test_a_named_cell_is_drawn_whole(name):
    display = GenotypeDisplay.from_genotype(NAMED[name])
    assert_drawn(display)
    assert_texts_stand_apart(display.figure_)
    assert_edges_pass_boxes_by(display)


@pytest.mark.parametrize("make", [random_genotype, graph_genotype])
@pytest.mark.parametrize(("n_nodes", "seed"), [(2, 0), (4, 1), (10, 2), (10, 3)])
def test_a_drawn_cell_is_drawn_whole(make, n_nodes, seed):
    display = GenotypeDisplay.from_genotype(make(n_nodes, seed))
    assert_drawn(display)
    assert_texts_stand_apart(display.figure_)
    assert_edges_pass_boxes_by(display)


@settings(max_examples=15)
@given(st.sampled_from([random_genotype, graph_genotype]), st.integers(2, 12), st.integers(0, 999))
def test_any_cell_is_drawn_whole(make, n_nodes, seed):
    display = GenotypeDisplay.from_genotype(make(n_nodes, seed))
    assert_drawn(display)
    assert_edges_pass_boxes_by(display)
    plt.close(display.figure_)


def test_a_node_that_reads_one_thing_twice_has_two_edges():
    display = GenotypeDisplay.from_genotype(NAMED["product"])
    arrows = named(display.axes_[0])
    left, right = (arrows[f"{side}:x:s0"]._path_original.vertices[-1] for side in ("left", "right"))
    assert left[0] < right[0]


def test_each_layer_of_each_branch_has_its_panel():
    display = GenotypeDisplay.from_genotype(MANY)
    assert_drawn(display)
    assert_texts_stand_apart(display.figure_)
    titles = [axes.texts[0].get_text() for axes in display.axes_]
    assert titles == [
        "Linear seed + branch 1 of 3, layer 1 of 2",
        "Linear seed + branch 1 of 3, layer 2 of 2",
        "+ branch 2 of 3",
        "+ branch 3 of 3",
    ]
    assert display.axes_[2].texts[1].get_text() == "8 units on segments of 4, channels mixed"


def test_panels_do_not_run_into_each_other():
    display = GenotypeDisplay.from_genotype(MANY)
    boxes = [axes.get_window_extent() for axes in display.axes_]
    assert not any(overlap(box, other) for box, other in itertools.combinations(boxes, 2))


def test_no_more_panels_are_drawn_than_asked_for():
    display = GenotypeDisplay.from_genotype(MANY, max_panels=2)
    assert len(display.axes_) == 2
    assert "branch 1 of 3" in display.axes_[0].texts[0].get_text()
    with pytest.raises(ValueError, match="max_panels must be at least 1; got 0"):
        display.plot(max_panels=0)


def test_the_linear_seed_alone_is_said_to_be_so():
    display = GenotypeDisplay.from_genotype(Genotype())
    texts = [text for text, _ in visible_texts(display.figure_)]
    assert texts == ["Linear seed", "without any branch"]
    assert_texts_stand_apart(display.figure_)


def test_what_edges_mean_is_told_of_those_that_are_there():
    texts = [text for text, _ in visible_texts(GenotypeDisplay.from_genotype(MANY).figure_)]
    meanings = "left operand", "right operand", "summed to v", "kept as memory", "carried state"
    assert [texts.count(meaning) for meaning in meanings] == [1] * 5
    dense = GenotypeDisplay.from_genotype(NAMED["dense"])
    texts = [text for text, _ in visible_texts(dense.figure_)]
    assert [texts.count(meaning) for meaning in meanings] == [1, 0, 1, 0, 0]


# -- where it is drawn ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("genotype", "layout", "size"),
    [
        (NAMED["gru"], None, (4.0, 3.0)),
        (NAMED["gru"], "constrained", (14.0, 7.0)),
        (MANY, "constrained", (4.0, 3.0)),
        (MANY, None, (14.0, 7.0)),
        (random_genotype(10, 0), "constrained", (4.0, 3.0)),
    ],
)
def test_it_is_drawn_in_the_axes_given(genotype, layout, size):
    figure, (left, right) = plt.subplots(1, 2, figsize=size, layout=layout)
    right.set_axis_off()
    display = GenotypeDisplay.from_genotype(genotype, ax=left)
    assert display.figure_ is figure
    n_feet = len(display.axes_) > 1
    assert len(figure.axes) == 1 + len({*display.axes_, left}) + n_feet
    assert_drawn(display)
    assert_texts_stand_apart(figure)
    figure.canvas.draw()
    room = left.get_window_extent().padded(1.0)
    for axes in display.axes_:
        for patch in named(axes).values():
            box = patch.get_window_extent()
            assert room.x0 <= box.x0 <= box.x1 <= room.x1


def test_as_many_axes_as_cells_are_used_one_by_one():
    figure, grid = plt.subplots(2, 2, figsize=(8, 8))
    display = GenotypeDisplay.from_genotype(MANY, ax=grid)
    assert list(display.axes_) == list(grid.ravel())
    assert len(figure.axes) == 4
    assert_drawn(display)
    with pytest.raises(ValueError, match=r"ax must be one Axes or as many .* 4; got 3"):
        GenotypeDisplay.from_genotype(MANY, ax=grid.ravel()[:3])


def test_a_free_axes_holds_one_cell_and_no_more():
    free = plt.figure().add_axes((0.1, 0.1, 0.8, 0.8))
    assert_drawn(GenotypeDisplay.from_genotype(NAMED["lstm"], ax=free))
    with pytest.raises(ValueError, match="ax must stand in a grid"):
        GenotypeDisplay.from_genotype(MANY, ax=free)


# -- what an estimator knows ----------------------------------------------------------------------


@functools.cache
def fitted():
    return regressor(**{**EAGER, "linear_seed": False}).fit(*data_for(regressor))


def test_the_weights_of_an_estimator_are_told():
    model = fitted()
    display = GenotypeDisplay.from_estimator(model)
    assert display.genotype == model.genotype_
    assert_drawn(display)
    assert_texts_stand_apart(display.figure_)
    (cell,) = model.module_.trunk.branches[0].layers
    texts = [text.get_text() for text in display.axes_[0].texts]
    weights = dict(zip(cell.genotype.outputs, cell.output_weights.tolist(), strict=True))
    for place, node in enumerate(cell.nodes):
        note = f"s{place} · scale {float(node.scale):.2f}"
        note += f" · in v {weights[place]:.2f}" if place in weights else ""
        assert note in texts


def test_the_cell_of_a_graph_search_is_drawn():
    options = {"backbone": "dag", "operations": "default", "mode": "fixed", "search_epochs": 5}
    model = regressor(
        **{**EAGER, **options, "initial_nodes": 3, "linear_seed": False, "lookback": 6}
    ).fit(*futures())
    assert {name.split("_")[0] for name in model.genotype_.operations} == {"highway"}
    gates = model.search_report_.gates
    assert gates["gate"].between(0.0, 1.0).all()
    assert set(gates["source"]) == {"s0", "s1"}
    assert (gates.groupby(["epoch", "branch", "node", "source"])["gate"].sum() <= 1.0).all()
    display = GenotypeDisplay.from_estimator(model)
    assert_drawn(display)
    assert_texts_stand_apart(display.figure_)


def test_an_estimator_of_the_seed_alone_is_drawn():
    model = classifier(max_nodes=0).fit(*data_for(classifier))
    display = GenotypeDisplay.from_estimator(model)
    assert len(display.weights) == 0
    assert display.axes_[0].texts[0].get_text() == "Linear seed"


def test_a_loaded_estimator_is_drawn_as_before():
    model = fitted()
    before = GenotypeDisplay.from_estimator(model).weights
    after = GenotypeDisplay.from_estimator(pickle.loads(pickle.dumps(model))).weights
    assert before.equals(after)


def test_an_unfitted_estimator_is_refused():
    with pytest.raises(NotFittedError, match=r"GrowingDARTSRegressor has no genotype_ yet"):
        GenotypeDisplay.from_estimator(regressor())


@pytest.mark.parametrize("other", [LinearRegression(), NAMED["gru"], None])
def test_another_object_is_refused(other):
    with pytest.raises(TypeError, match="estimator must be a fitted GrowingDARTS estimator; got"):
        GenotypeDisplay.from_estimator(other)


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'sknas\[plot\]'"):
        GenotypeDisplay.from_genotype(NAMED["gru"])


def test_a_genotype_shows_itself_in_a_notebook():
    cell = Cell((Node("lin_tanh", "x", "h"),), outputs=(0,))
    html = Genotype((Branch((cell,), 4, 1, "mixed"),))._repr_html_()
    assert html.startswith("<pre>linear seed\n")
    assert "s0 = lin_tanh(x, h)" in html
    assert "h&#x27; = h + z(x, h) * (s0 - h)</pre>" in html
