"""A genotype is frozen data: equal by value, readable, and the same after JSON."""

import copy
import dataclasses
import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sknas.genotype import NAMED_CELLS, Branch, Cell, Genotype, Node
from sknas.genotype.drawing import draw_cell, draw_graph_cell
from sknas.ops import DAG_OPERATIONS, DEFAULT_OPERATIONS, get_op, registered_ops

NODE = Node("lin_tanh", "x", "h")
CELL = Cell((NODE,), outputs=(0,))


@st.composite
def cells(draw):
    """Draw any valid cell."""
    has_memory = draw(st.booleans())
    nodes = []
    for index in range(draw(st.integers(1, 5))):
        names = ["x", "h", *(f"s{i}" for i in range(index)), *(["c"] if has_memory else [])]
        right = draw(st.sampled_from([*names, None]))
        operation = draw(st.sampled_from(registered_ops()))
        nodes.append(Node(operation, draw(st.sampled_from(names)), right))
    places = st.integers(0, len(nodes) - 1)
    outputs = tuple(draw(st.lists(places, min_size=1, unique=True)))
    return Cell(tuple(nodes), outputs, draw(places) if has_memory else None, draw(st.booleans()))


SIZES = st.integers(1, 100)
branches = st.builds(
    Branch,
    st.lists(cells(), min_size=1, max_size=3).map(tuple),
    SIZES,
    SIZES,
    st.sampled_from(["independent", "mixed"]),
    SIZES,
    st.none() | SIZES,
)
genotypes = st.builds(Genotype, st.lists(branches, max_size=3).map(tuple))


@given(genotype=genotypes)
def test_json_gives_back_what_it_was_given(genotype):
    assert Genotype.from_json(genotype.to_json()) == genotype
    assert Genotype.from_dict(json.loads(json.dumps(genotype.to_dict()))) == genotype


@given(genotype=genotypes)
def test_equal_genotypes_have_equal_hashes_text_and_pickles(genotype):
    for twin in (copy.deepcopy(genotype), pickle.loads(pickle.dumps(genotype))):
        assert twin == genotype
        assert hash(twin) == hash(genotype)
        assert str(twin) == str(genotype)
        assert twin.to_json() == genotype.to_json()


@given(first=genotypes, second=genotypes)
def test_different_genotypes_have_different_json(first, second):
    assert (first == second) == (first.to_json() == second.to_json())


@given(cell=cells())
def test_the_text_of_a_cell_names_every_node_and_what_becomes_of_it(cell):
    lines = str(cell).splitlines()
    assert lines[: len(cell.nodes)] == [f"s{i} = {node}" for i, node in enumerate(cell.nodes)]
    proposal = " + ".join(f"s{i}" for i in cell.outputs)
    assert lines[-1].startswith("h' = ")
    assert proposal in lines[-1]
    assert ("z(x, h)" in lines[-1]) == cell.carry
    assert (f"c' = s{cell.memory}" in lines) == (cell.memory is not None)


@given(genotype=genotypes)
def test_the_text_of_a_genotype_contains_the_text_of_its_parts(genotype):
    text = str(genotype)
    assert text.startswith("linear seed")
    assert text.count("+ branch of") == len(genotype.branches)
    for spec in genotype.branches:
        heading = f"+ branch of {spec.hidden_size} units on segments of {spec.segment_length}"
        assert heading in text
        for cell in spec.layers:
            assert all(f"    {line}\n" in f"{text}\n" for line in str(cell).splitlines())


@given(genotype=genotypes)
def test_the_counts_are_those_of_the_parts(genotype):
    nodes = [n for spec in genotype.branches for cell in spec.layers for n in cell.nodes]
    assert genotype.n_nodes == len(nodes)
    assert genotype.operations == tuple(node.operation for node in nodes)
    products = {"hadamard", "gate", "modulate"}
    assert genotype.is_multiplicative == bool(products & {node.operation for node in nodes})


def test_the_data_name_their_format_and_its_version():
    data = json.loads(Genotype.named("gru").to_json())
    assert (data["format"], data["version"]) == ("sknas.genotype", 1)


def test_nothing_of_a_genotype_can_be_changed():
    genotype = Genotype.named("gru")
    spec = genotype.branches[0]
    for part in (genotype, spec, spec.layers[0], spec.layers[0].nodes[0]):
        for field in dataclasses.fields(part):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(part, field.name, None)


# -- named and random ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMED_CELLS)
def test_a_named_genotype_is_its_cell_as_often_as_asked(name):
    genotype = Genotype.named(name, hidden_size=5, segment_length=3, n_layers=2)
    assert genotype == Genotype((Branch((NAMED_CELLS[name],) * 2, 5, 3, "mixed", 5),))
    assert set(genotype.operations) <= set(registered_ops())


def test_the_linear_genotype_has_no_branch():
    assert Genotype.named("linear") == Genotype()
    assert str(Genotype()) == "linear seed"


def test_an_unknown_name_is_refused_with_the_names_there_are():
    for name in ("linear", *NAMED_CELLS):
        with pytest.raises(ValueError, match=rf"name must be one of \[.*{name!r}.*\]; got 'grue'"):
            Genotype.named("grue")


@given(
    seed=st.integers(0, 10**6),
    n_nodes=st.integers(1, 9),
    operations=st.lists(st.sampled_from(DEFAULT_OPERATIONS), min_size=1, unique=True),
)
def test_a_random_genotype_is_valid_and_leaves_no_node_unread(seed, n_nodes, operations):
    genotype = Genotype.random(seed, operations=operations, n_nodes=n_nodes)
    (cell,) = genotype.branches[0].layers
    assert Cell(cell.nodes, cell.outputs, cell.memory, cell.carry) == cell
    assert len(cell.nodes) == n_nodes
    assert set(genotype.operations) <= set(operations)
    read = {name for node in cell.nodes for name in node.operands}
    for index in range(n_nodes):
        assert (index in cell.outputs) != (f"s{index}" in read)


@given(seed=st.integers(0, 10**6), n_nodes=st.integers(2, 9))
def test_a_random_cell_of_a_graph_reads_one_earlier_node_each_and_the_input_once(seed, n_nodes):
    first = Node("highway_tanh", "h", "x")
    rng = np.random.RandomState(seed)
    cell = draw_graph_cell(rng, DAG_OPERATIONS, n_nodes, first)
    assert cell.nodes[0] == first
    assert cell.outputs == tuple(range(1, n_nodes))
    for index, node in enumerate(cell.nodes[1:], start=1):
        assert node.operation in DAG_OPERATIONS
        assert node.left in {f"s{i}" for i in range(index)}
        assert node.right is None


@given(seed=st.integers(0, 10**6), n_nodes=st.integers(1, 9))
def test_a_random_cell_without_a_state_neither_reads_nor_carries_one(seed, n_nodes):
    rng = np.random.RandomState(seed)
    cell = draw_cell(rng, DEFAULT_OPERATIONS, n_nodes, has_state=False)
    assert not cell.carry
    assert not any("h" in node.operands for node in cell.nodes)


def test_a_random_genotype_comes_from_its_seed_alone():
    def draw(source):
        return Genotype.random(source, operations=DEFAULT_OPERATIONS)

    assert draw(3) == draw(3) == draw(np.random.RandomState(3))
    assert len({draw(seed) for seed in range(20)}) > 15
    source = np.random.RandomState(0)
    assert draw(source) != draw(source)


def test_a_random_draw_reaches_every_operation_and_every_source():
    drawn = [Genotype.random(seed, operations=DEFAULT_OPERATIONS) for seed in range(200)]
    last = [genotype.branches[0].layers[0].nodes[-1] for genotype in drawn]
    assert {node.operation for node in last} == set(DEFAULT_OPERATIONS)
    assert {node.left for node in last} == {"x", "h", "s0", "s1", "s2"} == {n.right for n in last}


def test_the_operations_called_multiplicative_are_those_that_multiply_their_operands():
    # A product is not the sum of what its operands do alone: its mixed second difference is not 0.
    torch = pytest.importorskip("torch")
    one, zero = torch.ones(1, 1), torch.zeros(1, 1)

    def value(name, a, b):
        return float(get_op(name).combine(a, b, b))

    for name in ("add", "first", "second", "hadamard", "modulate", "gate"):
        mixed = value(name, one, one) - value(name, one, zero)
        mixed -= value(name, zero, one) - value(name, zero, zero)
        cell = Cell((Node(name, "x", "h"),), outputs=(0,))
        assert Genotype((Branch((cell,), 1, 1, "mixed"),)).is_multiplicative == (mixed != 0)


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Cell((), (0,)), "at least one node and one output"),
        (lambda: Cell((NODE,), ()), "at least one node and one output"),
        (lambda: Cell((Node("add", "s0", "x"),), (0,)), r"node 0 may read .* got 's0'"),
        (lambda: Cell((NODE, Node("add", "s0", "s1")), (0,)), "node 1 may read .* got 's1'"),
        (lambda: Cell((Node("add", "c", "x"),), (0,)), r"may read \['h', 'x'\]; got 'c'"),
        (lambda: Cell((NODE,), (1,)), "must name nodes 0 to 0; got 1"),
        (lambda: Cell((NODE,), (-1,)), "must name nodes 0 to 0; got -1"),
        (lambda: Cell((NODE,), (0,), memory=2), "must name nodes 0 to 0; got 2"),
        (
            lambda: Cell((NODE, NODE), (0, 1, 0)),
            r"outputs must name each node once; got \(0, 1, 0\)",
        ),
        (lambda: Cell((NODE,), (0.0,)), r"outputs must name nodes by integers; got 0\.0"),
        (lambda: Cell((NODE, NODE), (0, True)), "outputs must name nodes by integers; got True"),
        (lambda: Cell((NODE,), ("0",)), "outputs must name nodes by integers; got '0'"),
        (lambda: Cell((NODE,), (0,), memory=0.0), r"memory must name nodes by integers; got 0\.0"),
        (
            lambda: Cell((NODE,), (0,), memory=False),
            "memory must name nodes by integers; got False",
        ),
        (lambda: Branch((), 4, 1, "mixed"), "at least one layer"),
        (lambda: Branch((CELL,), 0, 1, "mixed"), "hidden_size must be .* at least 1; got 0"),
        (lambda: Branch((CELL,), 4, 1.5, "mixed"), "segment_length must be an integer .* got 1.5"),
        (lambda: Branch((CELL,), True, 1, "mixed"), "hidden_size must be an integer .* got True"),
        (lambda: Branch((CELL,), 4, 1, "mixed", -2), "n_embedded must be .* got -2"),
        (lambda: Branch((CELL,), 4, 1, "both"), "channel_mode must be .* got 'both'"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def changed(**entries):
    return {**Genotype.named("lstm").to_dict(), **entries}


def broken_branch(**entries):
    (spec,) = Genotype.named("lstm").to_dict()["branches"]
    return changed(branches=[{**spec, **entries}])


def broken_cell(**entries):
    (spec,) = Genotype.named("gru").to_dict()["branches"]
    return broken_branch(layers=[{**spec["layers"][0], **entries}])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "must have the format 'sknas.genotype'"),
        ([1, 2], "must have the format 'sknas.genotype'"),
        (changed(format="onnx"), "must have the format 'sknas.genotype'"),
        (
            changed(version=99),
            r"version must be 1, which sknas \d.* reads; got 99. Install",
        ),
        (changed(version=0), r"version must be 1, which sknas \d.* reads; got 0\.$"),
        (changed(version=None), r"version must be 1, which sknas \d.* reads; got None\.$"),
        (changed(version=True), r"version must be 1, which .* got True\.$"),
        (changed(version=1.0), r"version must be 1, which .* got 1\.0\.$"),
        (changed(branches=None), "branches of a genotype must be a list; got None"),
        (changed(branches=""), "branches of a genotype must be a list; got ''"),
        (changed(branches={}), "branches of a genotype must be a list; got {}"),
        (changed(branches=["gru"]), "lacks or misnames an entry: 'layers'; got 'gru'"),
        (changed(branches=[{}] * 1001), "branches of a genotype must be at most 1000; got 1001"),
        (changed(branches=[{}]), "lacks or misnames an entry: 'layers'"),
        (broken_branch(hidden_size="8"), "hidden_size must be an integer"),
        (broken_branch(layers=[]), "at least one layer"),
        (broken_branch(layers={}), "layers of a genotype must be a list; got {}"),
        (broken_branch(hidden_size=10**9), "hidden_size .* at most 65536; got 1000000000"),
        (broken_branch(segment_length=1e300), "segment_length .* at most 65536; got 1e"),
        (broken_branch(n_embedded=[[]]), r"n_embedded must be an integer .* got \[\[\]\]"),
        (broken_branch(channel_mode=[]), r"channel_mode of a genotype must be a word; got \[\]"),
        (broken_cell(nodes=[["add", "x"]]), r"two operands.* got \['add', 'x'\]"),
        (broken_cell(nodes=[["add", 5, "x"]]), r"two operands.* got \['add', 5, 'x'\]"),
        (broken_cell(nodes=["axh"]), "two operands.* got 'axh'"),
        (broken_cell(nodes=[["add", "x", []]]), "two operands.* got"),
        (broken_cell(nodes=[["add", None, "x"]]), "two operands.* got"),
        (broken_cell(nodes=[["o" * 999, "x", "x"]]), "two operands.* got"),
        (broken_cell(nodes=[["add", "x", "h"]] * 501), "nodes .* at most 500; got 501"),
        (broken_cell(outputs="0"), "outputs of a genotype must be a list; got '0'"),
        (broken_cell(memory=[0]), r"memory .* must not nest; got \[0\]"),
        (broken_cell(carry="no"), "carry must be a boolean; got 'no'"),
        (broken_cell(carry=1), "carry must be a boolean; got 1"),
        (broken_cell(outputs=["0"]), "outputs must name nodes by integers; got '0'"),
        (broken_cell(outputs=[2, 2]), r"outputs must name each node once; got \(2, 2\)"),
        (broken_cell(outputs=[7]), "must name nodes 0 to 3; got 7"),
        (broken_cell(memory=1.0), r"memory must name nodes by integers; got 1\.0"),
    ],
)
def test_data_that_are_no_genotype_are_refused_with_what_is_wrong(data, message):
    with pytest.raises(ValueError, match=message):
        Genotype.from_dict(data)


def text_of(cell_text):
    """Return the JSON of a GRU in which its memory, null, is another text."""
    return Genotype.named("gru").to_json().replace('"memory": null', f'"memory": {cell_text}')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "JSON of a genotype; got other text"),
        ("{", "JSON of a genotype; got other text"),
        ("null", "must have the format"),
        ("3", "must have the format"),
        ('"gru"', "must have the format"),
        (text_of("NaN"), "finite numbers; got NaN"),
        (text_of("-Infinity"), "finite numbers; got -Infinity"),
        (text_of("1e999"), "memory must name nodes by integers; got inf"),
        (text_of("9" * 5000), "digits"),
        (text_of('0, "memory": 1'), "must not name a key twice; got 'memory' again"),
        (text_of("[" * 800 + "]" * 800), "must not nest"),
        ("[" * 10**5, "nest 7 deep; got far more"),
        (text_of("[" * 10**5 + "]" * 10**5), "nest 7 deep; got far more"),
        (" " * (2**22 + 1), "at most 4194304 characters .* got 4194305"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_text_that_is_no_genotype_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Genotype.from_json(text)


def test_text_must_be_text():
    with pytest.raises(TypeError, match="text must be a str of JSON; got bytes"):
        Genotype.from_json(b"{}")


def test_a_genotype_of_far_too_many_nodes_is_refused_however_they_are_spread():
    (spec,) = Genotype.named("gru").to_dict()["branches"]
    layers = [{**spec["layers"][0], "nodes": [["add", "x", "h"]] * 500}] * 3
    branch = {**spec, "layers": layers}
    assert Genotype.from_dict(changed(branches=[branch] * 6)).n_nodes == 9000
    with pytest.raises(ValueError, match="at most 10000 nodes in all; got 10500"):
        Genotype.from_dict(changed(branches=[branch] * 7))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["layers", "nodes", "outputs", "memory", "carry", "branches"]), inner
        )
    ),
    max_leaves=8,
)


def places(data, path=()):
    """Return the path of every value in plain Python."""
    items = data.items() if isinstance(data, dict) else enumerate(data)
    found = [path]
    for key, value in items:
        inner = isinstance(value, (dict, list))
        found += places(value, (*path, key)) if inner else [(*path, key)]
    return found


@st.composite
def mutated(draw):
    """Draw the JSON of a genotype in which values were replaced, dropped or doubled."""
    data = json.loads(draw(genotypes).to_json())
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(data)))
        if not path:
            return json.dumps(draw(VALUES))
        parent = data
        for key in path[:-1]:
            parent = parent[key]
        change = draw(st.sampled_from(["replace", "drop", "double"]))
        if change == "replace":
            parent[path[-1]] = draw(VALUES)
        elif change == "drop":
            del parent[path[-1]]
        elif isinstance(parent, list):
            parent.append(parent[path[-1]])
    return json.dumps(data)


@st.composite
def cut(draw):
    """Draw the JSON of a genotype with a few characters gone or others in their place."""
    text = draw(genotypes).to_json()
    begin = draw(st.integers(0, len(text)))
    end = draw(st.integers(begin, min(begin + 9, len(text))))
    return text[:begin] + draw(st.text(max_size=5)) + text[end:]


@settings(derandomize=True, max_examples=400)
@given(text=mutated() | cut() | VALUES.map(json.dumps) | st.text())
def test_any_text_is_a_genotype_or_a_value_error(text):
    try:
        genotype = Genotype.from_json(text)
    except ValueError:
        return
    # What was read is what it says: it is written and read again, and can be hashed and shown.
    assert Genotype.from_json(genotype.to_json()) == genotype
    assert hash(genotype) == hash(copy.deepcopy(genotype))
    assert str(genotype).startswith("linear seed")


def test_reading_does_not_change_the_data():
    data = Genotype.named("lstm").to_dict()
    before = copy.deepcopy(data)
    Genotype.from_dict(data)
    assert data == before
