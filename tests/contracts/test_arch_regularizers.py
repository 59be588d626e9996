"""What every architecture regularizer owes to a search."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from sknas.edits import AddDagNode, AddNode, AddOp, DropEdge, DropEdgeOp, DropNode, DropOp
from sknas.search import ProximityRegularizer, ZeroOneRegularizer
from sknas.search.arch_choices import open_choices
from sknas.search.arch_regularizers import ArchPenalty
from sknas.search.bilevel import arch_step, weight_step
from sknas.supernet import GumbelRelaxation, NodePlace
from sknas.supernet.sampling import sampling
from tests import tiny
from tests.regularized import (
    EVERY,
    MIXED,
    OBJECTIVE,
    PAIRS,
    WEIGHTS,
    choice,
    cost,
    learner,
    one_hot,
    rounds,
    tensor,
)
from tests.tiny import (
    OPERATIONS,
    RELAXATIONS,
    batch,
    branch,
    every_backbone,
    generator,
    graph,
    perturb,
    set_progress,
    supernet,
    two_input,
)

every_regularizer = pytest.mark.parametrize("regularizer", EVERY, ids=str)
every_relaxation = pytest.mark.parametrize("relaxation", RELAXATIONS, ids=str)


def values(parameters):
    return [p.detach().clone() for p in parameters]


def same(first, second):
    return len(first) == len(second) and all(map(torch.equal, first, second))


def indecision(net):
    """Return how far the mixing weights of open choices are from zero and one, on average."""
    rests = [c.weights[c.is_open] for c in open_choices(net) if c.kind != "edges"]
    return float((torch.cat(rests) * (1 - torch.cat(rests))).mean().detach())


@every_regularizer
@given(
    weights=WEIGHTS, place=st.integers(0, 5), progress=st.floats(0, 1), n_rounds=st.integers(0, 3)
)
def test_nothing_costs_less_than_a_decision(regularizer, weights, place, progress, n_rounds):
    decided = choice(one_hot(len(weights), place % len(weights)), progress=progress)
    for i in range(n_rounds):
        regularizer.end_step([decided], 10 * (i + 1))
    at_best = cost(regularizer, [decided])
    goal = 0.0 if not isinstance(regularizer, ZeroOneRegularizer) else -0.25
    assert at_best == pytest.approx(goal * regularizer.strength, abs=1e-15)
    undecided = choice(weights, progress=progress)
    undecided.memory.update(copy.deepcopy(decided.memory))
    assert cost(regularizer, [undecided]) >= at_best


@every_regularizer
def test_at_a_decision_the_gradient_is_finite(regularizer):
    decided = choice(one_hot(4))
    (gradient,) = torch.autograd.grad(regularizer.penalty([decided]), decided.parameter)
    assert gradient.isfinite().all()


@every_backbone
@every_relaxation
@every_regularizer
def test_alone_it_leads_to_a_decision(regularizer, relaxation, build):
    net = build(relaxation)
    set_progress(net, 0.5)
    penalty = ArchPenalty(clone(regularizer).set_params(strength=1.0))
    free = net.free_arch_parameters()
    optimizer = torch.optim.SGD(free, lr=1.0)
    before = indecision(net)
    n_steps = 0
    while n_steps < 4000 and indecision(net) > 0.1 * before:
        n_steps += 1
        for p, g in zip(
            free, torch.autograd.grad(penalty.value(net), free, allow_unused=True), strict=True
        ):
            p.grad = g
        optimizer.step()
        penalty.end_step(net)
    assert indecision(net) <= 0.1 * before


@every_backbone
def test_the_choices_are_those_of_the_free_architecture_parameters(build):
    net = build()
    found = [id(c.parameter) for c in open_choices(net)]
    assert found == [id(p) for p in net.free_arch_parameters()]
    for c in open_choices(net):
        assert c.weights.shape == c.scale.shape == c.is_open.shape == c.parameter.shape
    assert open_choices(supernet(branch())) == []


@every_relaxation
@every_regularizer
def test_settled_nodes_and_operands_feel_nothing(regularizer, relaxation):
    settling = [DropEdge(MIXED, "left", name) for name in ("x", "h", "s0", "s1", "s2")]
    net = learner(regularizer, relaxation, *settling).supernet
    set_progress(net, 0.7)
    node = net.node(MIXED)
    assert len(node.open_sources(0)) == 1 < len(node.open_sources(1))
    penalty = ArchPenalty(regularizer)
    for step in range(2):
        arch = net.arch_parameters()
        gradients = torch.autograd.grad(penalty.value(net), arch, allow_unused=True)
        free = {id(p) for p in net.free_arch_parameters()}
        for p, gradient in zip(arch, gradients, strict=True):
            assert gradient is None or id(p) in free
            if gradient is not None and p is node.edge_logits:
                assert not gradient[0].any()
        penalty.end_step(net)
        penalty.n_steps = 9 + 10 * step  # so that the next step is one that updates


@every_regularizer
def test_a_settled_operand_costs_nothing(regularizer):
    alone = choice([0.3, 0.7], kind="edges")
    both = choice([0.3, 0.7], kind="edges")
    # A second operand with one source left, whose weight is one.
    both.weights = torch.stack([both.weights, tensor([1.0, 0.0])])
    both.scale = torch.ones_like(both.weights)
    both.is_open = torch.tensor([[True, True], [False, False]])
    for n_steps in (9, 10):
        for open_ in (alone, both):
            regularizer.end_step([open_], n_steps)
        assert cost(regularizer, [both]) == pytest.approx(cost(regularizer, [alone]), rel=1e-12)


@every_regularizer
def test_where_nothing_is_to_decide_no_step_is_taken(regularizer):
    one = tiny.learner(supernet(branch()), weight_decay=0.0, regularizer=regularizer)
    before = values(one.supernet.parameters())
    assert arch_step(one, batch(), OBJECTIVE) is None
    assert same(values(one.supernet.parameters()), before)


@every_backbone
@every_regularizer
def test_it_moves_architecture_parameters_and_never_weights(regularizer, build):
    strong = clone(regularizer).set_params(strength=10.0)
    plain, drawn = learner(build=build), learner(strong, build=build)
    for one in (plain, drawn):
        set_progress(one.supernet, 0.5)
        weight_step(one, batch(), OBJECTIVE, 1.0)
    assert same(values(plain.supernet.parameters()), values(drawn.supernet.parameters()))
    weights = values(drawn.supernet.weight_parameters())
    for one in (plain, drawn):
        rounds(one, 12)
    assert same(values(drawn.supernet.weight_parameters()), weights)
    drawn_arch = values(drawn.supernet.free_arch_parameters())
    assert not same(values(plain.supernet.free_arch_parameters()), drawn_arch)


@every_backbone
@every_regularizer
def test_the_loss_that_a_step_returns_is_without_the_penalty(regularizer, build):
    losses = [
        arch_step(learner(given, build=build), batch(), OBJECTIVE)
        for given in (None, clone(regularizer).set_params(strength=100.0))
    ]
    assert losses[0] == losses[1]


@every_backbone
@every_regularizer
def test_without_strength_it_does_nothing(regularizer, build):
    idle = clone(regularizer).set_params(strength=0.0)
    plain, drawn = learner(build=build), learner(idle, build=build)
    for one in (plain, drawn):
        rounds(one, 12)
    assert same(values(plain.supernet.parameters()), values(drawn.supernet.parameters()))


@every_regularizer
def test_a_search_leaves_the_object_as_it_was(regularizer):
    given, before = clone(regularizer), copy.deepcopy(vars(regularizer))
    one = learner(given)
    rounds(one, 12)
    assert vars(given) == before
    assert clone(given).get_params() == given.get_params()


EDITS = [
    (two_input, AddNode(0, 0, OPERATIONS)),
    (two_input, AddOp(MIXED, "lin_relu")),
    (two_input, DropEdge(MIXED, "left", "x")),
    (two_input, DropOp(MIXED, OPERATIONS[1])),
    (graph, AddDagNode()),
    (graph, DropEdgeOp(PAIRS, "s1", "highway_relu")),
    (graph, DropNode(NodePlace(0, 0, 1))),
]


@every_regularizer
@pytest.mark.parametrize(
    ("build", "edit"), EDITS, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_what_is_remembered_follows_edits_copies_and_undoing(regularizer, build, edit):
    one = learner(regularizer, build=build)
    rounds(one, 12)
    before = one.snapshot()
    one.apply(edit, generator())
    rounds(one, 12)
    held = {id(p) for p in one.supernet.arch_parameters()}
    assert {id(p) for p in one.penalty.memory} <= held
    assert {id(p) for p in before.penalty.memory}.isdisjoint(held)
    for c in open_choices(one.supernet, one.penalty.memory):
        for kept in c.memory.values():
            assert kept.shape in (c.weights.shape, ())
    # A snapshot goes on like one that never saw the edit.
    twin = learner(regularizer, build=build)
    rounds(twin, 12)
    rounds(before, 12)
    rounds(twin, 12)
    assert same(values(before.supernet.parameters()), values(twin.supernet.parameters()))


@every_backbone
@every_regularizer
def test_a_regularizer_sees_gates_without_the_noise_that_training_draws(regularizer, build):
    net, source = build(GumbelRelaxation()), generator()
    perturb(net, seed=1)
    set_progress(net, 0.5)
    free = net.free_arch_parameters()
    state = source.get_state()

    def cost_and_gradients():
        cost = ArchPenalty(regularizer).value(net)
        return [cost.detach(), *torch.autograd.grad(cost, free, materialize_grads=True)]

    calm = cost_and_gradients()
    with sampling(net, source):
        sampled = cost_and_gradients()
    assert torch.equal(source.get_state(), state)
    assert all(torch.equal(one, other) for one, other in zip(calm, sampled, strict=True))


@every_backbone
def test_draws_are_drawn_towards_a_decision(build):
    net = build(GumbelRelaxation())
    perturb(net, seed=1)
    set_progress(net, 0.5)
    free = net.free_arch_parameters()
    with sampling(net, generator()):
        cost = ArchPenalty(ProximityRegularizer()).value(net)
        gradients = torch.autograd.grad(cost, free)
    assert all(gradient.any() for gradient in gradients)
