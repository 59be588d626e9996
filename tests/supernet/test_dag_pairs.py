"""The pairs of an edge and an operation in DARTS's graph: which there are, and how they go."""

import copy

import pytest
import torch

from sknas.edits import AddDagNode, AddHadamard, DropEdgeOp, DropNode, Narrow, Widen
from sknas.genotype import Node
from sknas.ops import DAG_OPERATIONS
from sknas.search.discretization import discretize
from sknas.search.probe import measure_removals
from sknas.search.pruning import MagnitudePruning
from sknas.search.state import SearchState
from sknas.supernet import ClampRelaxation, MixedNode, NodePlace, SoftmaxRelaxation
from tests.supernet.graphs import (
    assert_cell_equals_the_oracle,
    drop_at_random,
    graph,
    mixed,
    settle,
)
from tests.tiny import branch, generator, learner, normal, supernet, windows


@pytest.mark.parametrize("n_rounds", [1, 3])
def test_pruning_by_magnitude_keeps_the_edge_whose_operation_weighs_most(n_rounds):
    # DARTS's rule with one edge a node: the largest weight over all edges, none not counted.
    net = graph(3, SoftmaxRelaxation(), is_perturbed=False)
    wanted = {1: ("s0", "highway_sigmoid"), 2: ("s0", "highway_relu"), 3: ("s1", "highway_tanh")}
    for place, node in mixed(net):
        source, name = wanted[place.node]
        with torch.no_grad():
            node.alphas[:] = normal(*node.alphas.shape, seed=place.node) * 0.1
            node.alphas[node.operations.index(name), node.sources.index(source)] = 1.0
    _, node = mixed(net)[1]
    with torch.no_grad():
        # The largest alpha of all stands on an edge where none weighs still more.
        node.alphas[0, node.sources.index("s1")] = 3.0
        node.alphas[-1, node.sources.index("s1")] = 6.0
    for left in range(n_rounds, 0, -1):
        removals = tuple(measure_removals(net, None, is_measured=False))
        state = SearchState(1, 1, (), removals=removals, n_rounds_left=left)
        for edit in MagnitudePruning().propose(state):
            edit.apply(net)
    (cell,) = discretize(net).branches[0].layers
    assert cell.nodes[1:] == tuple(Node(name, source, None) for source, name in wanted.values())


def test_a_birth_scalar_counts_in_a_pairs_strength():
    net = graph(2, SoftmaxRelaxation(), is_perturbed=False)
    place, node = mixed(net)[-1]
    with torch.no_grad():
        node.births[0] = -3.0
    strengths = {r.edit: r.strength for r in measure_removals(net, None, is_measured=False)}
    for name in DAG_OPERATIONS:
        assert strengths[DropEdgeOp(place, "s0", name)] == pytest.approx(0.6)
        assert strengths[DropEdgeOp(place, "s1", name)] == pytest.approx(0.2)


def test_a_new_node_has_an_edge_from_every_earlier_one_and_none_from_input_or_state():
    net = supernet(branch("gru"))
    AddDagNode(0, 0).apply(net)
    ((_, node),) = mixed(net)
    assert node.sources == ["s0", "s1", "s2", "s3"]
    assert node.output_weight.item() == 0.0
    AddHadamard(next(p for p, n in net.nodes() if n.is_output)).apply(net)
    AddDagNode(0, 0).apply(net)
    assert mixed(net)[-1][1].sources == ["s0", "s1", "s2", "s3", "s4", "s5"]


def test_the_only_pair_there_can_be_is_settled_from_birth():
    net, past = supernet(branch("rnn")), windows()
    before = net(past)
    AddDagNode(0, 0, ("highway_relu",)).apply(net)
    assert net.is_settled
    torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)
    assert discretize(net).operations == ("lin_tanh", "highway_relu")


def test_a_dropped_node_takes_its_edges_with_it():
    net = graph(3)
    place, _ = mixed(net)[0]
    before = copy.deepcopy(net)
    DropNode(place).apply(net)
    kept = [node for _, node in mixed(net)]
    assert [node.sources for node in kept] == [["s0"], ["s0", "s2"]]
    for node in kept:
        old = before.node(NodePlace(0, 0, node.index))
        columns = [old.sources.index(name) for name in node.sources]
        assert torch.equal(node.alphas, old.alphas[:, columns])
        # The node is a mean over one edge less; what is left of it stays as large as it was.
        share = len(node.sources) / len(old.sources)
        torch.testing.assert_close(node.births, share * old.births[columns])
    assert_cell_equals_the_oracle(net)


def test_a_node_whose_other_edge_goes_with_its_source_is_settled():
    net = graph(2)
    place, node = mixed(net)[1]
    for source, name in node.pairs():
        if (source, name) != ("s0", "highway_relu") and source == "s0":
            DropEdgeOp(place, source, name).apply(net)
    DropNode(mixed(net)[0][0]).apply(net)
    assert net.is_settled
    assert discretize(net).operations == ("highway_tanh", "highway_relu")


def test_architecture_parameters_candidates_and_entropy_are_those_of_the_pairs():
    net = graph(3, SoftmaxRelaxation(), is_perturbed=False)
    assert [id(p) for p in net.free_arch_parameters()] == [id(n.alphas) for _, n in mixed(net)]
    assert net.n_candidates == 1 + 4 * (1 + 2 + 3)
    equal = torch.tensor([4.0, 8.0, 12.0]).log().mean().item()
    assert net.gate_entropy() == pytest.approx(equal)
    settle(net, 0)
    assert net.free_arch_parameters() == []
    assert net.gate_entropy() == 0.0


def test_a_pair_that_is_not_open_or_is_the_last_one_is_not_dropped():
    net = graph(1, operations=DAG_OPERATIONS[:2])
    ((place, _),) = mixed(net)
    for edit in (
        DropEdgeOp(place, "s0", "highway_sigmoid"),
        DropEdgeOp(place, "x", "highway_tanh"),
    ):
        with pytest.raises(ValueError, match="must be one of several open pairs"):
            edit.apply(net)
    DropEdgeOp(place, "s0", "highway_tanh").apply(net)
    with pytest.raises(ValueError, match=r"several open pairs \[\]; got \('s0', 'highway_relu'\)"):
        DropEdgeOp(place, "s0", "highway_relu").apply(net)


def test_units_that_nothing_reads_can_be_taken_out_again():
    net, past = graph(3), windows()
    drop_at_random(net, 21)
    before = net(past)
    Widen(0, 3).apply(net, generator())
    torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)
    Narrow(0, (0, 1, 2, 3)).apply(net)
    torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)
    assert_cell_equals_the_oracle(net)


def test_pairs_whose_clamped_gates_have_closed_leave_the_node_and_one_lives_on():
    net = graph(2, ClampRelaxation(), is_perturbed=False)
    one = learner(net)
    (_, first), (place, second) = mixed(net)
    with torch.no_grad():
        first.alphas[:] = -1.0
        first.alphas[2, 0] = -0.5  # the largest
        second.alphas[:] = 0.5
        second.alphas[1, 0] = -1.0
    one.step_arch()  # without a gradient: only what is out of range moves
    assert discretize_first(net) == DAG_OPERATIONS[2]
    assert len(second.pairs()) == 7
    assert ("s0", DAG_OPERATIONS[1]) not in net.node(place).pairs()


def discretize_first(net):
    """Return the operation of the node behind s0, which is settled."""
    node = list(net.nodes())[1][1]
    assert isinstance(node, MixedNode)
    (operation,) = node.operations
    return operation
