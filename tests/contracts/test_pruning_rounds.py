"""A real round of pruning takes the candidates first that the network does without."""

import pytest
import torch

import sknas.search
from sknas.blocks import REGRESSION_LOSSES, WindowData
from sknas.edits import DropEdge, DropEdgeOp, DropOp
from sknas.search import MagnitudePruning, PruningRule, SearchState
from sknas.search.probe import Probe, measure_removals
from sknas.search.pruning_round import prune_round
from sknas.supernet import DagNode, MixedNode
from tests.tiny import (
    OPERATIONS,
    RELAXATIONS,
    batch,
    branch,
    generator,
    graph,
    learner,
    members,
    set_progress,
    supernet,
)

RULES = [cls() for cls in members(PruningRule, sknas.search)] + [MagnitudePruning(scope="cell")]
N_ROUNDS = 3
every_rule = pytest.mark.parametrize("rule", RULES, ids=str)
every_relaxation = pytest.mark.parametrize("relaxation", RELAXATIONS, ids=str)


def even(net):
    """Let every candidate have some weight, none of it by luck."""
    set_progress(net, 0.3)
    with torch.no_grad():
        for _, node in net.nodes():
            if node.n_candidates > 1:
                node.alphas.copy_(
                    torch.linspace(0.4, 0.8, node.alphas.numel()).view_as(node.alphas)
                )
                node.births.copy_(torch.linspace(0.8, 1.2, len(node.births)))
            if isinstance(node, MixedNode):
                node.edge_logits.zero_()
    return net


def mute(net, edits):
    """Let the candidates that these edits take away weigh nothing, under every relaxation."""
    with torch.no_grad():
        for edit in edits:
            node = net.node(edit.place)
            if isinstance(edit, DropEdgeOp):
                row = node.operations.index(edit.operation)
                node.alphas[row, node.sources.index(edit.source)] = -1e4
            elif isinstance(edit, DropOp):
                node.alphas[node.operations.index(edit.operation)] = -1e4
            else:
                slot = ("left", "right").index(edit.side)
                node.edge_logits[slot, node.sources.index(edit.source)] = -1e4


def two_input(relaxation):
    """Return a mixed node of four operations and two operands of three sources each."""
    net = even(supernet(branch("highway"), relaxation=relaxation, operations=OPERATIONS))
    place = list(net.nodes())[-1][0]
    first = [DropOp(place, "lin_tanh"), DropEdge(place, "left", "h"), DropEdge(place, "right", "x")]
    return net, first


def whole_graph(relaxation):
    """Return a graph of three nodes, and as many pairs of each as the first of the rounds takes.

    Of the second and the third node the first edge goes as a whole.
    """
    net = even(graph(relaxation, n_nodes=3))
    first = []
    for (place, node), n_first in zip(list(net.nodes())[1:], (1, 4, 7), strict=True):
        pairs = sorted(node.pairs(), key=lambda pair: pair[0])
        first += [DropEdgeOp(place, source, name) for source, name in pairs[:n_first]]
    return net, first


every_backbone = pytest.mark.parametrize(
    "build", [two_input, whole_graph], ids=lambda build: build.__name__
)


def fitted(net):
    """Return a judge to whom the network as it is has no loss."""
    past, _, weight = batch()
    data = WindowData(past, net(past).detach(), weight)
    return Probe(data, torch.arange(len(past)), REGRESSION_LOSSES["mse"]())


def open_edits(net):
    return {removal.edit for removal in measure_removals(net, None, is_measured=False)}


def prune(net, probe, rule, n_rounds_left):
    state = SearchState(1, 10, (), n_rounds_left=n_rounds_left)
    prune_round(learner(net), probe, rule, state, generator())


def assert_fits(net, probe):
    torch.testing.assert_close(net(probe.data.past), probe.data.target, rtol=0, atol=1e-12)


@every_rule
@every_relaxation
@every_backbone
def test_candidates_of_gate_zero_go_first_and_the_output_is_as_it_was(build, relaxation, rule):
    net, useless = build(relaxation)
    mute(net, useless)
    probe, before = fitted(net), open_edits(net)
    prune(net, probe, rule, N_ROUNDS)
    assert before - open_edits(net) == set(useless)
    assert_fits(net, probe)


@every_rule
@every_relaxation
def test_edges_whose_birth_scalar_is_zero_go_first_and_so(relaxation, rule):
    net, useless = whole_graph(relaxation)
    mute(net, useless)
    with torch.no_grad():
        for _, node in list(net.nodes())[2:]:
            node.alphas[:, 0] = 0.5
            node.births[0] = 0.0
    probe, before = fitted(net), open_edits(net)
    prune(net, probe, rule, N_ROUNDS)
    assert before - open_edits(net) == set(useless)
    assert_fits(net, probe)


@every_relaxation
def test_over_a_cell_the_weakest_pairs_of_all_nodes_go_first(relaxation):
    net = even(graph(relaxation, n_nodes=3))
    place, node = list(net.nodes())[-1]
    useless = {DropEdgeOp(place, source, name) for source, name in node.pairs()[2:]}
    mute(net, useless)
    probe, before = fitted(net), open_edits(net)
    # Of 4, 8 and 12 pairs a round takes 1, 4 and 7 where nodes are ranked apart.
    prune(net, probe, MagnitudePruning(scope="cell"), N_ROUNDS)
    gone = before - open_edits(net)
    assert len(gone) == 12
    assert gone > useless


@every_rule
@every_relaxation
@every_backbone
def test_the_last_round_keeps_the_only_candidates_of_any_weight(build, relaxation, rule):
    net, _ = build(relaxation)
    kept = {}
    for removal in measure_removals(net, None, is_measured=False):
        kept[removal.group] = removal.edit  # the last of each choice
    useless = open_edits(net) - set(kept.values())
    mute(net, useless)
    probe = fitted(net)
    prune(net, probe, rule, 1)
    assert net.is_settled
    assert not any(isinstance(node, DagNode) for _, node in net.nodes())
    assert_fits(net, probe)
