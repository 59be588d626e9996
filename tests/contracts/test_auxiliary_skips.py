"""What every auxiliary skip owes to a node, and what a node with one computes."""

import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

import sknas.supernet
from sknas.blocks import REGRESSION_LOSSES, WindowData
from sknas.edits import (
    AddDagNode,
    AddHadamard,
    AddMixedBranch,
    AddNode,
    AddOp,
    DropEdge,
    DropEdgeOp,
    DropOp,
)
from sknas.search import MagnitudePruning
from sknas.search.discretization import discretize
from sknas.search.inheritance import derive
from sknas.search.learner import Learner, LearningRates
from sknas.search.probe import Probe
from sknas.search.pruning_round import prune_round
from sknas.search.state import SearchState
from sknas.supernet import (
    AuxiliarySkip,
    CosineSkip,
    DagNode,
    LinearSkip,
    NodePlace,
    SigmoidRelaxation,
)
from tests.oracles.highway_dag import node_value as dag_value
from tests.oracles.mixed_node import cell_states
from tests.tiny import (
    OPERATIONS,
    batch,
    branch,
    choices,
    every_backbone,
    generator,
    graph,
    members,
    normal,
    supernet,
    two_input,
    windows,
)

EVERY = [cls() for cls in members(AuxiliarySkip, sknas.supernet)]
every_skip = pytest.mark.parametrize("skip", EVERY, ids=str)
MIXED = NodePlace(0, 0, 4)  # the mixed node behind the GRU's four
SHARES = st.floats(0, 1)


# -- how it falls ---------------------------------------------------------------------------------


@every_skip
@given(share=SHARES, other=SHARES, start=st.floats(0, 4))
def test_the_weight_falls_from_its_start_to_exactly_zero(skip, share, other, start):
    rule = clone(skip).set_params(start=start)
    assert rule.weight(0.0) == start
    assert rule.weight(1.0) == 0.0
    early, late = sorted([share, other])
    assert start >= rule.weight(early) >= rule.weight(late) >= 0.0


@given(share=SHARES)
def test_the_line_is_straight_and_the_cosine_half_a_wave(share):
    assert LinearSkip().weight(share) == pytest.approx(1 - share)
    assert CosineSkip().weight(share) == pytest.approx((1 + math.cos(math.pi * share)) / 2)


@every_skip
@given(n_epochs=st.integers(2, 30))
def test_the_weight_takes_equal_steps_and_is_zero_in_the_last_epoch(skip, n_epochs):
    node, seen = two_input(skip=skip).node(MIXED), []
    for epoch in range(1, n_epochs + 1):
        seen.append(node.skip_weight)
        node.advance(n_epochs - epoch)
    expected = [skip.weight(i / (n_epochs - 1)) for i in range(n_epochs)]
    assert seen == pytest.approx(expected, abs=1e-12)
    assert seen[-1] == node.skip_weight == 0.0


@given(left=st.lists(st.integers(-3, 20), min_size=1, max_size=10))
def test_the_weight_never_rises_whatever_the_expected_end(left):
    node, weights = two_input(skip=LinearSkip()).node(MIXED), [1.0]
    for n_left in left:
        node.advance(n_left)
        weights.append(node.skip_weight)
    assert weights == sorted(weights, reverse=True)
    assert (weights[-1] == 0.0) == (min(left) <= 1)


@every_skip
def test_a_skip_is_described_by_its_parameters(skip):
    twin = clone(skip).set_params(start=0.5)
    assert type(twin)(**twin.get_params()).weight(0.0) == 0.5
    assert repr(skip) == f"{type(skip).__name__}()"


# -- what a node computes -------------------------------------------------------------------------


@every_skip
@pytest.mark.parametrize("n_faded", [0, 1, 3])
def test_a_node_adds_the_weight_times_its_first_operand(skip, n_faded):
    net = two_input(skip=skip)
    for _ in range(n_faded):
        net.advance(4)
    cell = net.cell(0, 0)
    inputs = normal(4, 5, cell.n_inputs, seed=3)
    found = cell(inputs)
    torch.testing.assert_close(found, cell_states(cell, inputs)[0], rtol=1e-11, atol=1e-11)
    net.end_skips()
    assert (found - cell(inputs)).abs().max() > 1e-4


@every_skip
@pytest.mark.parametrize("drops", [(), ("s0", "s1")])
def test_a_node_of_the_graph_adds_the_weight_times_the_mean_of_its_open_sources(skip, drops):
    net = graph(skip=skip)
    net.advance(5)
    for source in drops[:1]:
        for name in net.node(NodePlace(0, 0, 2)).operations:
            DropEdgeOp(NodePlace(0, 0, 2), source, name).apply(net)
    values = {name: normal(5, 4, seed=i) for i, name in enumerate(("h", "s0", "s1"))}
    for _, node in net.nodes():
        if isinstance(node, DagNode):
            assert 0 < node.skip_weight < 1
            found = node.plan().value(values, values["h"])
            torch.testing.assert_close(found, dag_value(node, values), rtol=1e-11, atol=1e-11)
            mean = torch.stack([values[name] for name in node.open_sources(0)]).mean(dim=0)
            weight, node.skip = node.skip_weight, None
            plain = node.plan().value(values, values["h"])
            torch.testing.assert_close(found - plain, weight * mean)


@every_backbone
def test_without_a_skip_and_at_its_end_the_output_is_the_same_to_the_last_bit(build):
    plain, faded, ended = build(), build(skip=LinearSkip()), build(skip=LinearSkip())
    past = windows()
    assert not torch.equal(plain(past), faded(past))
    ended.end_skips()
    assert torch.equal(plain(past), ended(past))
    plain.advance(1)
    faded.advance(1)
    assert torch.equal(plain(past), faded(past))


@every_backbone
def test_the_skip_has_no_parameters_and_is_no_candidate(build):
    plain, skipping = build(), build(skip=LinearSkip())
    assert [p.shape for p in plain.parameters()] == [p.shape for p in skipping.parameters()]
    assert plain.n_candidates == skipping.n_candidates
    assert plain.n_params == skipping.n_params


# -- which nodes have one -------------------------------------------------------------------------


def test_only_newborn_nodes_of_several_candidates_have_one():
    net = supernet(branch(), auxiliary_skip=LinearSkip())
    assert net.skip_weight == 0.0
    AddHadamard(NodePlace(0, 0, 3)).apply(net)
    AddNode(0, 0, ("lin_tanh",)).apply(net)
    assert net.skip_weight == 0.0
    AddNode(0, 0, OPERATIONS).apply(net)
    AddDagNode(0, 0).apply(net)
    weights = [node.skip_weight for _, node in net.nodes()]
    assert weights[-2:] == [1.0, 1.0]
    assert not any(weights[:-2])


def test_a_later_newborn_begins_anew():
    net = two_input(skip=LinearSkip())
    net.advance(2)
    AddNode(0, 0, OPERATIONS).apply(net)
    assert [node.skip_weight for _, node in net.nodes()][-2:] == [0.5, 1.0]
    assert net.skip_weight == 1.0
    net.advance(1)
    assert net.skip_weight == 0.0


def test_a_node_of_one_operation_has_none_though_sources_are_open_and_gets_none_again():
    net = two_input(skip=LinearSkip())
    assert net.node(MIXED).skip_weight == 1.0
    for name in OPERATIONS[1:]:
        assert net.node(MIXED).skip_weight == 1.0
        DropOp(MIXED, name).apply(net)
    node = net.node(MIXED)
    assert len(node.open_sources(0)) > 1
    assert node.skip_weight == 0.0
    AddOp(MIXED, "lin_relu").apply(net)
    assert node.n_candidates == 2
    assert node.skip_weight == 0.0


def test_a_settled_node_of_the_graph_has_none():
    net = graph(skip=LinearSkip())
    place = NodePlace(0, 0, 2)
    while isinstance(net.node(place), DagNode):
        assert net.node(place).skip_weight == 1.0
        DropEdgeOp(place, *net.node(place).pairs()[0]).apply(net)
    assert net.node(place).is_settled
    assert net.node(place).skip_weight == 0.0


@every_backbone
def test_a_genotype_knows_nothing_of_it_and_its_network_predicts_the_same(build):
    net = build(skip=LinearSkip())
    past = windows()
    while not net.is_settled:
        drops = [drop for choice in choices(net) for drop in choice]
        drops[0].apply(net)
    genotype = discretize(net)
    plain = build()
    while not plain.is_settled:
        next(drop for choice in choices(plain) for drop in choice).apply(plain)
    assert genotype == discretize(plain)
    derived = derive(net, generator=generator())
    torch.testing.assert_close(derived(past), net(past), rtol=0, atol=1e-12)


@every_backbone
def test_a_round_of_pruning_takes_it_away_first(build):
    rates = LearningRates(0.01, 0.02, 0.0)
    pruned = []
    for skip in (None, LinearSkip()):
        one = Learner.start(build(skip=skip), rates)
        probe = Probe(WindowData(*batch()), torch.arange(12), REGRESSION_LOSSES["mse"]())
        state = SearchState(1, 9, (), n_rounds_left=3)
        prune_round(one, probe, MagnitudePruning(), state, generator())
        assert one.supernet.skip_weight == 0.0
        pruned.append(one.supernet(windows()))
    assert not build(skip=LinearSkip()).is_settled
    assert torch.equal(*pruned)


def test_copies_fade_apart():
    net = two_input(skip=LinearSkip())
    twin = copy.deepcopy(net)
    twin.advance(2)
    assert (net.skip_weight, twin.skip_weight) == (1.0, 0.5)


def test_closing_a_source_leaves_the_rest_of_the_operand_to_the_skip():
    net = two_input(skip=LinearSkip())
    DropEdge(MIXED, "left", "x").apply(net)
    cell = net.cell(0, 0)
    inputs = normal(3, 5, cell.n_inputs, seed=3)
    expected = cell_states(cell, inputs)[0]
    torch.testing.assert_close(cell(inputs), expected, rtol=1e-11, atol=1e-11)


# -- what it is for -------------------------------------------------------------------------------


def gate_of_first(skip, n_steps=200):
    """Learn the gates of a node that is to repeat its operand; return that of the identity."""
    net = supernet(relaxation=SigmoidRelaxation(), auxiliary_skip=skip)
    AddMixedBranch(branch("highway", segment_length=1), 1, ("lin_tanh", "first")).apply(net)
    ((_, node),) = net.nodes()
    operand, x = normal(64, 4, seed=1), normal(64, 3, seed=2)
    DropEdge(NodePlace(0, 0, 1), "left", "x").apply(net)
    optimizer = torch.optim.SGD([node.alphas], lr=1.0)
    for _ in range(n_steps):
        plan = node.plan()
        value = plan.value({"h": operand}, x @ plan.input_weight + plan.input_bias)
        loss = (value - operand).square().mean()
        (node.alphas.grad,) = torch.autograd.grad(loss, [node.alphas])
        optimizer.step()
    return float(node.gates()[1].detach())


@every_skip
def test_the_identity_need_not_grow_for_what_the_skip_carries(skip):
    assert gate_of_first(None) > 0.8
    assert gate_of_first(skip) < 0.2
    assert 0.4 < gate_of_first(clone(skip).set_params(start=0.5)) < 0.6
