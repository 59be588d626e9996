"""An edge of DARTS's graph that weighs nothing closes without effect, and costs nothing."""

import math

import pytest
import torch

from sknas.blocks import REGRESSION_LOSSES, WindowData
from sknas.edits import DropEdgeOp, DropNode
from sknas.ops import DAG_OPERATIONS
from sknas.search.bilevel import weight_step
from sknas.search.probe import Probe, measure_removals
from sknas.supernet import ClampRelaxation, DagNode, MixedNode
from tests.tiny import RELAXATIONS, batch, generator, graph, learner, set_progress, windows

every_relaxation = pytest.mark.parametrize("relaxation", RELAXATIONS, ids=str)


def mixed(net):
    """Return the places and nodes of the graph that are not settled."""
    return [(place, node) for place, node in net.nodes() if isinstance(node, DagNode)]


def close_gates(node, source, names=DAG_OPERATIONS):
    """Let pairs weigh nothing, under every relaxation."""
    with torch.no_grad():
        for name in names:
            node.alphas[node.operations.index(name), node.sources.index(source)] = -1e4


def drop_edge(one, place, source, names=DAG_OPERATIONS):
    for name in names:
        one.apply(DropEdgeOp(place, source, name), generator())


@every_relaxation
def test_edges_of_no_weight_close_without_effect_and_so_they_do_on_averaged_weights(relaxation):
    net, past = graph(relaxation, n_nodes=3), windows()
    set_progress(net, 0.5)
    place, node = mixed(net)[-1]
    one = learner(net)
    weight_step(one, batch(), REGRESSION_LOSSES["mse"](), math.inf)
    close_gates(node, "s0")
    close_gates(node, "s2")
    before = net(past)
    with one.average.swapped_in():
        averaged = net(past)
    for source in ("s0", "s2"):
        drop_edge(one, place, source)
        torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)
        with one.average.swapped_in():
            torch.testing.assert_close(net(past), averaged, rtol=0, atol=1e-12)
    assert net.node(place).open_sources(0) == ["s1"]


@every_relaxation
def test_a_node_that_weighs_a_single_pair_is_settled_without_changing_the_function(relaxation):
    net, past = graph(relaxation, n_nodes=3), windows()
    place, node = mixed(net)[-1]
    others = [pair for pair in node.pairs() if pair != ("s1", "highway_relu")]
    for source, name in others:
        close_gates(node, source, [name])
    before = net(past)
    for source, name in others:
        DropEdgeOp(place, source, name).apply(net)
    assert isinstance(net.node(place), MixedNode)
    torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)


def test_a_birth_scalar_of_zero_closes_its_edge_without_effect():
    net, past = graph(n_nodes=3), windows()
    place, node = mixed(net)[-1]
    with torch.no_grad():
        node.births[0] = 0.0
    before = net(past)
    drop_edge(learner(net), place, "s0")
    torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)


def test_a_node_of_no_weight_and_no_output_can_be_dropped_without_effect():
    net, past = graph(n_nodes=3), windows()
    (place, dropped), *others = mixed(net)
    for _, node in others:
        close_gates(node, dropped.name)
    with torch.no_grad():
        dropped.output_weight.zero_()
    before = net(past)
    DropNode(place).apply(net)
    torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)


def test_an_edge_whose_clamped_gates_are_zero_dies_without_effect():
    net, past = graph(ClampRelaxation()), windows()
    place, node = mixed(net)[-1]
    one = learner(net)
    close_gates(node, "s0")
    with torch.no_grad():
        for _, other in mixed(net):
            other.alphas.clamp_(-1.0, 1.0)
    before = net(past)
    one.step_arch()  # without a gradient: only what is out of range moves
    assert net.node(place).open_sources(0) == ["s1"]
    torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)


@every_relaxation
def test_an_edge_of_no_weight_costs_nothing_and_the_only_other_one_does(relaxation):
    net = graph(relaxation, n_nodes=3, operations=DAG_OPERATIONS[:1])
    place, node = mixed(net)[-1]
    for source in ("s0", "s2"):
        close_gates(node, source, DAG_OPERATIONS[:1])
    past, _, weight = batch()
    data = WindowData(past, net(past).detach(), weight)
    probe = Probe(data, torch.arange(len(past)), REGRESSION_LOSSES["mse"]())
    found = {
        r.edit.source: r.cost
        for r in measure_removals(net, probe, is_measured=True)
        if r.edit.place == place
    }
    assert found["s0"] == pytest.approx(0.0, abs=1e-20)
    assert found["s2"] == pytest.approx(0.0, abs=1e-20)
    assert found["s1"] > 1e-9


@every_relaxation
def test_the_strengths_of_the_other_pairs_stay_when_an_edge_of_no_weight_closes(relaxation):
    net = graph(relaxation, n_nodes=3)
    place, node = mixed(net)[-1]
    close_gates(node, "s1")

    def strengths():
        pairs = zip(node.pairs(), node.strengths().tolist(), strict=True)
        return {pair: strength for pair, strength in pairs if pair[0] != "s1"}

    before = strengths()
    drop_edge(learner(net), place, "s1")
    assert strengths() == pytest.approx(before, rel=1e-12)


def test_weights_that_learn_alone_go_on_in_the_node_that_takes_a_nodes_place():
    net = graph(operations=DAG_OPERATIONS[:1])
    (place, node), one = mixed(net)[-1], learner(net)
    one.newborn = [node.births, node.output_weight]
    drop_edge(one, place, "s0", DAG_OPERATIONS[:1])
    settled = net.node(place)
    wanted = [settled.births, settled.output_weight]
    assert [id(p) for p in one.newborn] == [id(p) for p in wanted]
