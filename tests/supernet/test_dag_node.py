"""Nodes of DARTS's graph against an oracle that follows the formula edge by edge."""

import copy
import math

import pytest
import torch

from sknas.blocks import REGRESSION_LOSSES
from sknas.edits import AddDagNode, AddOp, DropEdge, DropEdgeOp, DropOp
from sknas.genotype import Genotype
from sknas.ops import DAG_OPERATIONS
from sknas.search.bilevel import arch_step, weight_step
from sknas.search.discretization import discretize
from sknas.search.inheritance import derive
from sknas.supernet import GumbelRelaxation, MixedNode, SoftmaxRelaxation
from sknas.supernet.sampling import sampling
from tests.supernet.graphs import (
    RELAXATIONS,
    assert_cell_equals_the_oracle,
    drop_at_random,
    graph,
    mixed,
    settle,
)
from tests.tiny import batch, branch, generator, learner, set_progress, supernet, windows

every_relaxation = pytest.mark.parametrize(
    "relaxation", RELAXATIONS, ids=lambda r: type(r).__name__
)


@pytest.mark.parametrize("n_drops", [0, 5, 17, 21])
@pytest.mark.parametrize("progress", [0.0, 0.7])
@every_relaxation
def test_a_cell_equals_the_formula_edge_by_edge_and_so_do_its_gradients(
    relaxation, progress, n_drops
):
    net = graph(relaxation=relaxation)
    set_progress(net, progress)
    drop_at_random(net, n_drops)
    assert_cell_equals_the_oracle(net)


@pytest.mark.parametrize("operations", [("highway_relu",), ("highway_identity", "highway_tanh")])
def test_a_cell_of_few_operations_equals_the_formula(operations):
    assert_cell_equals_the_oracle(graph(operations=operations))


def test_none_takes_weight_under_a_softmax_and_is_no_candidate():
    net = graph(relaxation=SoftmaxRelaxation(), is_perturbed=False)
    _, node = mixed(net)[-1]
    torch.testing.assert_close(node.gates(), torch.full((12,), 0.2, dtype=torch.float64))
    assert node.n_candidates == len(node.pairs()) == 12
    with torch.no_grad():
        node.alphas[-1] = 50.0
    assert float(node.gates().detach().max()) < 1e-20


@every_relaxation
def test_the_last_pair_settles_the_node_without_changing_the_function(relaxation):
    net, past = graph(1, relaxation, DAG_OPERATIONS[:2]), windows()
    ((place, node),) = mixed(net)
    with torch.no_grad():
        node.alphas[0] = -60.0  # the pair to be dropped weighs nothing
    before = net(past)
    change = DropEdgeOp(place, "s0", "highway_tanh").apply(net)
    settled = net.node(place)
    assert isinstance(settled, MixedNode)
    assert net.is_settled
    torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)
    # The same weights go on, with their optimizer state; only the alphas are gone.
    assert settled.projections is node.projections
    assert settled.output_weight is node.output_weight
    assert [r.old is node.births for r in change.replaced] == [True]
    assert [id(p) for p in change.removed] == [id(node.alphas)]


@every_relaxation
def test_optimizers_and_averages_follow_a_node_that_settles(relaxation):
    net = graph(2, relaxation, DAG_OPERATIONS[:1])
    (place, node), one = mixed(net)[-1], learner(net)
    for step in range(3):
        weight_step(one, batch(seed=step), REGRESSION_LOSSES["mse"](), math.inf)
        arch_step(one, batch(seed=step + 9), REGRESSION_LOSSES["mse"]())
    kept = [node.births, node.projections["both_1"].weights["left"], node.output_weight]
    before = [copy.deepcopy(one.weight_optimizer.state[p]) for p in kept]
    average = one.average.averages[node.births].clone()
    one.apply(DropEdgeOp(place, "s0", "highway_tanh"), generator())
    settled = net.node(place)
    after = [settled.births, settled.projections["both_1"].weights["left"]]
    for old, parameter in zip(before, [*after, settled.output_weight], strict=True):
        state, last = one.weight_optimizer.state[parameter], slice(-parameter.numel(), None)
        assert state["step"] == old["step"]
        assert torch.equal(state["exp_avg"].flatten(), old["exp_avg"].flatten()[last])
    gate = settled.births.detach() / kept[0].detach()[-1:]
    torch.testing.assert_close(one.average.averages[settled.births], average[-1:] * gate)
    for optimizer, wanted in (
        (one.weight_optimizer, net.weight_parameters()),
        (one.arch_optimizer, net.arch_parameters()),
    ):
        held = [id(p) for group in optimizer.param_groups for p in group["params"]]
        assert sorted(held) == sorted(id(p) for p in wanted)


@pytest.mark.parametrize("seed", range(6))
@every_relaxation
def test_the_derived_network_predicts_what_the_settled_supernet_does(relaxation, seed):
    net, past = graph(4, relaxation), windows()
    set_progress(net, seed / 6)
    settle(net, seed)
    derived = derive(net, generator=generator())
    torch.testing.assert_close(derived(past), net(past), rtol=0, atol=1e-12)
    (cell,) = derived.spec.genotype.branches[0].layers
    assert len(cell.nodes) == 5
    assert set(derived.spec.genotype.operations) <= set(DAG_OPERATIONS)
    assert all(node.right is None for node in cell.nodes[1:])
    assert Genotype.from_json(discretize(net).to_json()) == discretize(net)
    assert net.n_params - 1 == derived.n_params  # the output weight of s0 is not read


def test_a_graph_that_is_not_settled_has_no_genotype():
    with pytest.raises(ValueError, match="supernet must be settled"):
        discretize(graph())


def test_what_is_meant_for_two_input_nodes_is_refused():
    net = graph()
    place, _ = mixed(net)[0]
    for edit in (
        AddOp(place, "add"),
        DropOp(place, "highway_tanh"),
        DropEdge(place, "left", "s0"),
    ):
        with pytest.raises(ValueError, match="place must be a two-input node; got s1, a node of a"):
            edit.apply(net)


def test_other_operations_than_highway_ones_are_refused():
    with pytest.raises(ValueError, match="must be highway operations; got 'hadamard'"):
        AddDagNode(0, 0, ("highway_relu", "hadamard")).apply(supernet(branch("gru")))


def test_the_gates_are_drawn_in_training_and_free_of_noise_elsewhere():
    net, past = graph(2, GumbelRelaxation()), windows()
    quiet = net(past)
    with sampling(net, generator(1)):
        drawn, again = net(past), net(past)
    assert not torch.equal(drawn, quiet)
    assert not torch.equal(drawn, again)
    assert torch.equal(net(past), quiet)


def test_an_edge_without_operations_left_has_no_weight_in_a_draw():
    net, past = graph(3, GumbelRelaxation()), windows()
    node = mixed(net)[-1][1]
    node.is_open[:, 0] = False
    with sampling(net, generator(1)):
        weights = node.mixing_weights()
        output = net(past)
    assert (weights[:, 0] == 0).all()
    assert (weights[:, 1:].sum(dim=0) <= 1).all()
    assert torch.isfinite(output).all()
