"""What weights cost: a parameter-weighted sum of gates, and what a removal saves of it."""

import copy

import pytest
import torch

from sknas.blocks import REGRESSION_LOSSES, WindowData
from sknas.edits import DropOp
from sknas.ops import DEFAULT_OPERATIONS
from sknas.search import EffectPruning, MagnitudePruning, Removal, SearchState
from sknas.search.bilevel import VirtualStep, arch_step
from sknas.search.probe import Probe, measure_removals
from sknas.supernet import NodePlace
from tests import tiny
from tests.tiny import RELAXATIONS, batch, branch, choices, set_progress, supernet

OBJECTIVE = REGRESSION_LOSSES["mse"]()
PENALTY = 3.0
every_relaxation = pytest.mark.parametrize("relaxation", RELAXATIONS, ids=str)


def two_input(relaxation=None):
    return tiny.two_input(relaxation, operations=DEFAULT_OPERATIONS)


def graph(relaxation=None):
    return tiny.graph(relaxation, n_nodes=3, first="highway")


every_network = pytest.mark.parametrize("make", [two_input, graph])


def learner(net, size_penalty=PENALTY):
    return tiny.learner(net, size_penalty=size_penalty)


def open_nodes(net):
    return [node for _, node in net.nodes() if node.n_candidates > 1]


# -- the sum -------------------------------------------------------------------------------------


@every_relaxation
def test_a_candidate_is_as_large_as_the_node_with_nothing_else(relaxation):
    net = two_input(relaxation)
    ((place, node),) = ((p, n) for p, n in net.nodes() if n.n_candidates > 1)
    for name, size in zip(node.operations, node.candidate_sizes().tolist(), strict=True):
        alone = copy.deepcopy(net)
        for other in node.operations:
            if other != name:
                DropOp(place, other).apply(alone)
        assert alone.node(place).n_candidate_params == size
    assert len(set(node.candidate_sizes().tolist())) > 2


def test_the_pairs_of_a_graphs_node_share_its_weights():
    for node in open_nodes(graph()):
        n_edges = len(node.open_sources(0))
        sizes = node.candidate_sizes()
        assert len(sizes) == node.n_candidates == 4 * n_edges
        torch.testing.assert_close(sizes * n_edges, torch.full_like(sizes, node.n_candidate_params))
        # One operation on each edge, and nothing else, is the node with all of its weights.
        assert float(sizes[:n_edges].sum()) == pytest.approx(node.n_candidate_params)


@every_relaxation
@every_network
def test_the_expected_number_of_weights_is_what_gates_leave_of_it(make, relaxation):
    net = make(relaxation)
    set_progress(net, 0.3)
    expected = net.n_params
    for node in open_nodes(net):
        expected -= node.n_candidate_params
        pairs = zip(node.gates().tolist(), node.candidate_sizes().tolist(), strict=True)
        expected += sum(gate * size for gate, size in pairs)
    assert net.expected_params() == pytest.approx(expected)


def test_where_nothing_is_undecided_it_is_the_number_of_weights():
    net = supernet(branch(), branch("lstm"))
    assert net.expected_params() == net.n_params
    assert net.excess_params() == 0.0


# -- its gradient ----------------------------------------------------------------------------------


def analytic(name, gates, sizes):
    """Return the derivative of ``sum_o n_o g_o`` by the alphas, as it stands on paper."""
    sizes = sizes - sizes.min()
    if name in ("SoftmaxRelaxation", "GumbelRelaxation"):
        return gates * (sizes - (gates * sizes).sum())  # at temperature one
    if name == "ClampRelaxation":
        return sizes * ((gates > 0) & (gates < 1))
    return gates * (1 - gates) * sizes


@every_relaxation
@pytest.mark.parametrize("progress", [0.0, 0.9])
def test_the_gradient_is_that_of_gates_which_nothing_has_hardened(relaxation, progress):
    net = two_input(relaxation)
    set_progress(net, progress)
    (node,) = open_nodes(net)
    (gradient,) = torch.autograd.grad(learner(net).arch_penalty(), [node.alphas])
    gates, sizes = relaxation.weights(node.alphas.detach(), 0.0), node.candidate_sizes()
    expected = PENALTY * analytic(type(relaxation).__name__, gates, sizes) / net.n_params
    torch.testing.assert_close(gradient, expected)
    assert gradient.abs().max() > 0


@every_relaxation
def test_in_a_graph_all_candidates_cost_the_same_and_no_gate_is_moved(relaxation):
    net = graph(relaxation)
    gradients = torch.autograd.grad(learner(net).arch_penalty(), net.free_arch_parameters())
    assert not any(gradient.any() for gradient in gradients)


@every_relaxation
def test_the_smallest_candidate_is_never_closed_for_its_price(relaxation):
    net = two_input(relaxation)
    (node,) = open_nodes(net)
    with torch.no_grad():
        node.alphas.fill_(0.1)
    (gradient,) = torch.autograd.grad(learner(net).arch_penalty(), [node.alphas])
    order = node.candidate_sizes().argsort()
    assert gradient[order[0]] <= 0 < gradient[order[-1]]
    assert (gradient[order].diff() >= 0).all()


@every_network
@pytest.mark.parametrize("looks_ahead", [False, True])
def test_an_architecture_step_goes_down_the_loss_and_the_price_together(make, looks_ahead):
    steps = {}
    for penalty in (0.0, PENALTY):
        one = learner(make(), penalty)
        free = one.supernet.free_arch_parameters()
        before = [p.detach().clone() for p in free]
        price = one.arch_penalty()
        one.arch_optimizer = torch.optim.SGD(one.supernet.arch_parameters(), lr=1.0)
        expected = [torch.zeros_like(p) for p in free]
        if penalty:
            found = torch.autograd.grad(price, free, allow_unused=True)
            expected = [
                torch.zeros_like(p) if g is None else g for p, g in zip(free, found, strict=True)
            ]
        arch_step(one, batch(), OBJECTIVE, VirtualStep(batch(seed=5), 1.0) if looks_ahead else None)
        steps[penalty] = [old - new.detach() for old, new in zip(before, free, strict=True)]
    for plain, priced, wanted in zip(steps[0.0], steps[PENALTY], expected, strict=True):
        torch.testing.assert_close(priced - plain, wanted, rtol=1e-6, atol=1e-9)
    assert any(g.abs().max() > 1e-6 for g in expected) == (make is two_input)


def test_the_weights_never_feel_the_price():
    net = two_input()
    price = learner(net).arch_penalty()
    weights = [p for p in net.weight_parameters() if p.requires_grad]
    gradients = torch.autograd.grad(price, weights, allow_unused=True)
    assert all(gradient is None for gradient in gradients)


def test_without_a_penalty_there_is_no_term():
    assert learner(two_input(), 0.0).arch_penalty() == 0.0


def test_a_copy_of_a_learner_pays_the_same_price():
    one = learner(two_input())
    assert one.snapshot().size_penalty == one.averaged_snapshot().size_penalty == PENALTY


# -- what a removal saves --------------------------------------------------------------------------


@every_network
def test_a_removal_saves_what_the_weights_cost_that_the_candidate_holds(make):
    net = make()
    probe = Probe(WindowData(*batch()), torch.arange(12), OBJECTIVE)
    free = measure_removals(net, probe, is_measured=True)
    priced = measure_removals(net, probe, is_measured=True, size_penalty=PENALTY)
    for removal, same in zip(free, priced, strict=True):
        without = copy.deepcopy(net)
        removal.edit.apply(without)
        n_gone = net.n_held_params - without.n_held_params
        if isinstance(removal.edit, DropOp):
            node = net.node(removal.edit.place)
            sizes = node.candidate_sizes().tolist()
            own = sizes[node.operations.index(removal.edit.operation)]
            assert n_gone == own + 1  # and the birth scalar
        assert removal.saving == 0.0
        assert same.saving == pytest.approx(PENALTY * n_gone / net.n_params)
        assert (same.edit, same.cost, same.strength) == (
            removal.edit,
            removal.cost,
            removal.strength,
        )
    assert (max(removal.saving for removal in priced) > 0.1) == (make is two_input)


@every_network
def test_what_a_settled_network_holds_is_what_it_has(make):
    net = make()
    assert net.n_held_params >= net.n_params
    while not net.is_settled:
        choices(net)[0][0].apply(net)
    assert net.n_held_params == net.n_params


def test_of_candidates_that_are_missed_alike_the_dearest_goes_and_effect_may_outweigh_it():
    place = NodePlace(0, 0, 0)

    def propose(rule, *cost_and_saving):
        removals = tuple(
            Removal(DropOp(place, f"{i}"), (place, "operation"), 0.5 + 0.1 * i, cost, saving)
            for i, (cost, saving) in enumerate(cost_and_saving)
        )
        state = SearchState(0, 10, (), removals=removals, n_rounds_left=1)
        return [removals.index(r) for r in removals if r.edit in rule.propose(state)]

    assert propose(EffectPruning(), (0.2, 0.0), (0.2, 0.1)) == [1]
    assert propose(EffectPruning(), (0.2, 0.1), (0.2, 0.0)) == [0]
    assert propose(EffectPruning(), (0.2, 0.0), (0.4, 0.1)) == [0]
    assert propose(MagnitudePruning(), (0.2, 0.0), (0.2, 0.1)) == [0]
