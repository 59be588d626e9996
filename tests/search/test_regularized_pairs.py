"""What regularizers make of the pairs of edge and operation in a node of DARTS's graph."""

import math

import pytest
import torch

from sknas.edits import DropEdgeOp, removals_by_choice
from sknas.search import AdmmRegularizer, ProximityRegularizer, ZeroOneRegularizer
from sknas.search.arch_choices import open_choices
from sknas.search.arch_regularizers import ArchPenalty
from sknas.supernet import DagNode
from tests.regularized import PAIRS, learner, rounds
from tests.tiny import RELAXATIONS, generator, graph, perturb, set_progress

every_relaxation = pytest.mark.parametrize("relaxation", RELAXATIONS, ids=str)


@every_relaxation
def test_the_decision_of_a_graphs_node_is_the_pair_that_pruning_by_magnitude_would_keep(
    relaxation,
):
    for seed in range(5):
        net = graph(relaxation)
        perturb(net, seed=seed)
        DropEdgeOp(PAIRS, "s0", "highway_relu").apply(net)
        places = [place for place, node in net.nodes() if isinstance(node, DagNode)]
        assert len(places) == len(open_choices(net)) == 2
        for place, found in zip(places, open_choices(net), strict=True):
            node = net.node(place)
            kept = max(removals_by_choice(place, node)["pair"], key=lambda pair: pair[1])[0]
            goal = found.one_hot(found.weights)
            assert goal.sum() == 1.0
            row, edge = goal.nonzero().flatten().tolist()
            assert (node.sources[edge], node.operations[row]) == (kept.source, kept.operation)


def test_none_is_no_goal_has_no_distance_and_takes_what_the_others_give_away():
    net = graph()
    with torch.no_grad():
        for _, node in net.nodes():
            if isinstance(node, DagNode):
                node.alphas[-1] = 9.0
    set_progress(net, 1.0)
    penalty = ArchPenalty(ProximityRegularizer(strength=1.0))
    for found in open_choices(net):
        assert not found.is_open[-1].any()
        assert not found.weights[-1].any()
        assert not found.one_hot(found.weights)[-1].any()
    lengths = [
        float((c.weights - c.one_hot(c.weights)).detach()[:-1].square().sum())
        for c in open_choices(net)
    ]
    assert float(penalty.value(net).detach()) == pytest.approx(0.5 * math.sqrt(sum(lengths)))
    free = net.free_arch_parameters()
    optimizer = torch.optim.SGD(free, lr=5.0)
    for _ in range(2000):
        for p, g in zip(free, torch.autograd.grad(penalty.value(net), free), strict=True):
            p.grad = g
        optimizer.step()
    for found in open_choices(net):
        goal = found.one_hot(found.weights)
        edges = goal.any(dim=0)
        assert (found.weights.sum(dim=0)[~edges] < 0.15).all()
        assert found.weights[goal.bool()] > 0.85


def test_zero_one_counts_every_open_pair_once_and_none_never():
    net = graph()
    DropEdgeOp(PAIRS, "s1", "highway_tanh").apply(net)
    gates = torch.cat([node.gates() for _, node in net.nodes() if isinstance(node, DagNode)])
    assert len(gates) == 4 + 7
    penalty = ArchPenalty(ZeroOneRegularizer(strength=2.0)).value(net)
    torch.testing.assert_close(penalty, -2.0 * (gates - 0.5).square().mean())


def test_a_closed_pair_is_neither_goal_nor_missed():
    one = learner(AdmmRegularizer(), build=graph)
    rounds(one, 12)
    node = one.supernet.node(PAIRS)
    goal = one.penalty.memory[node.alphas]["target"]
    row, edge = goal.nonzero().flatten().tolist()
    one.apply(DropEdgeOp(PAIRS, node.sources[edge], node.operations[row]), generator())
    one.penalty.value(one.supernet)
    kept = one.penalty.memory[node.alphas]
    assert kept["target"][row, edge] == kept["dual"][row, edge] == 0
    assert kept["target"].sum() == 1.0
    assert kept["dual"].abs().max() > 0
