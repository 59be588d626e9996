"""What every architecture regularizer owes to a search, and the formulas behind their names."""

import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from torch import nn

import sknas.search
from sknas.blocks import REGRESSION_LOSSES
from sknas.edits import (
    AddDagBranch,
    AddDagNode,
    AddNode,
    AddOp,
    DropEdge,
    DropEdgeOp,
    DropNode,
    DropOp,
    removals_by_choice,
)
from sknas.search import AdmmRegularizer, ArchRegularizer, ProximityRegularizer, ZeroOneRegularizer
from sknas.search.arch_choices import Choice, open_choices
from sknas.search.arch_regularizers import ArchPenalty
from sknas.search.bilevel import arch_step, weight_step
from sknas.search.learner import Learner, LearningRates
from sknas.supernet import DagNode, NodePlace
from tests.oracles.admm import admm_states
from tests.tiny import (
    OPERATIONS,
    RELAXATIONS,
    batch,
    branch,
    generator,
    members,
    perturb,
    supernet,
)

OBJECTIVE = REGRESSION_LOSSES["mse"]()
EVERY = [cls() for cls in members(ArchRegularizer, sknas.search)]
every_regularizer = pytest.mark.parametrize("regularizer", EVERY, ids=str)
every_relaxation = pytest.mark.parametrize("relaxation", RELAXATIONS, ids=str)
MIXED = NodePlace(0, 0, 4)  # the mixed node behind the GRU's four
PAIRS = NodePlace(0, 0, 2)  # the last node of the graph


def two_input(relaxation=None):
    """Return a settled cell with a mixed node of two operands behind it."""
    return supernet(branch(), relaxation=relaxation, operations=OPERATIONS)


def graph(relaxation=None):
    """Return DARTS's graph of two mixed nodes behind its first one."""
    net = supernet(relaxation=relaxation)
    AddDagBranch(branch("rnn"), 2).apply(net, generator())
    perturb(net)
    return net


every_backbone = pytest.mark.parametrize("build", [two_input, graph], ids=lambda b: b.__name__)
WEIGHTS = st.lists(st.floats(0, 1), min_size=2, max_size=6)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def choice(weights, *, births=None, kind="operations", cell=(0, 0)):
    """Build an open choice of which the mixing weights themselves are the parameter."""
    free = nn.Parameter(tensor(weights))
    scale = torch.ones_like(free) if births is None else tensor(births)
    return Choice(cell, kind, free, free * 1.0, scale, torch.ones_like(free, dtype=torch.bool))


def one_hot(n, place=0):
    return [float(i == place) for i in range(n)]


def learner(regularizer=None, relaxation=None, *edits, build=two_input):
    net = build(relaxation)
    for edit in edits:
        edit.apply(net, generator())
    rates = LearningRates(weight=0.01, arch=0.02, weight_decay=0.1)
    return Learner.start(net, rates, regularizer)


def values(parameters):
    return [p.detach().clone() for p in parameters]


def same(first, second):
    return len(first) == len(second) and all(map(torch.equal, first, second))


def cost(regularizer, choices, progress=0.5):
    return float(regularizer.penalty(choices, progress).detach())


def rounds(one, n=25):
    for i in range(n):
        arch_step(one, batch(seed=i), OBJECTIVE)


def indecision(net):
    """Return how far the mixing weights of open choices are from zero and one, on average."""
    rests = [c.weights[c.is_open] for c in open_choices(net) if c.kind != "edges"]
    return float((torch.cat(rests) * (1 - torch.cat(rests))).mean().detach())


# -- every regularizer ----------------------------------------------------------------------------


@every_regularizer
@given(
    weights=WEIGHTS, place=st.integers(0, 5), progress=st.floats(0, 1), n_rounds=st.integers(0, 3)
)
def test_nothing_costs_less_than_a_decision(regularizer, weights, place, progress, n_rounds):
    decided = choice(one_hot(len(weights), place % len(weights)))
    for i in range(n_rounds):
        regularizer.end_step([decided], 10 * (i + 1))
    at_best = cost(regularizer, [decided], progress)
    goal = 0.0 if not isinstance(regularizer, ZeroOneRegularizer) else -0.25
    assert at_best == pytest.approx(goal * regularizer.strength, abs=1e-15)
    undecided = choice(weights)
    undecided.memory.update(copy.deepcopy(decided.memory))
    assert cost(regularizer, [undecided], progress) >= at_best


@every_regularizer
def test_at_a_decision_the_gradient_is_finite(regularizer):
    decided = choice(one_hot(4))
    (gradient,) = torch.autograd.grad(regularizer.penalty([decided], 0.5), decided.parameter)
    assert gradient.isfinite().all()


@every_backbone
@every_relaxation
@every_regularizer
def test_alone_it_leads_to_a_decision(regularizer, relaxation, build):
    net = build(relaxation)
    net.set_progress(0.5)
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
    net.set_progress(0.7)
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
    rates = LearningRates(0.01, 0.02, 0.0)
    one = Learner.start(supernet(branch()), rates, regularizer)
    before = values(one.supernet.parameters())
    assert arch_step(one, batch(), OBJECTIVE) is None
    assert same(values(one.supernet.parameters()), before)


@every_backbone
@every_regularizer
def test_it_moves_architecture_parameters_and_never_weights(regularizer, build):
    strong = clone(regularizer).set_params(strength=10.0)
    plain, drawn = learner(build=build), learner(strong, build=build)
    for one in (plain, drawn):
        one.supernet.set_progress(0.5)
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


# -- proximity ------------------------------------------------------------------------------------


@given(weights=WEIGHTS, progress=st.floats(0.01, 1), strength=st.floats(0.01, 10))
def test_proximity_is_the_distance_to_the_decision_ramped_by_progress(weights, progress, strength):
    open_ = choice(weights)
    rule = ProximityRegularizer(strength=strength)
    penalty = rule.penalty([open_], progress)
    goal = tensor(one_hot(len(weights), weights.index(max(weights))))
    rest = tensor(weights) - goal
    length = math.sqrt(sum(float(r) ** 2 for r in rest))
    assert float(penalty.detach()) == pytest.approx(progress * strength / 2 * length)
    assert cost(rule, [open_], 0.0) == 0.0
    if length > 1e-6:  # the gradient is the unit vector away from the decision
        (gradient,) = torch.autograd.grad(penalty, open_.parameter)
        torch.testing.assert_close(gradient, progress * strength / 2 * rest / length)


def test_proximity_takes_one_norm_for_each_cell():
    rule = ProximityRegularizer(strength=2.0)
    first, second = [0.5, 0.5], [0.2, 0.4]
    lengths = [math.hypot(0.5, 0.5), math.hypot(0.2, 0.6)]
    together = rule.penalty([choice(first), choice(second, kind="edges")], 1.0)
    apart = rule.penalty([choice(first), choice(second, cell=(1, 0))], 1.0)
    assert float(together.detach()) == pytest.approx(math.hypot(*lengths))
    assert float(apart.detach()) == pytest.approx(sum(lengths))


def test_the_decision_ranks_gates_times_birth_scalars():
    open_ = choice([0.3, 0.4, 0.2], births=[1.0, 0.1, 4.0])
    assert open_.one_hot(open_.weights).tolist() == [0.0, 0.0, 1.0]


def test_the_decision_is_a_constant_and_moves_with_the_weights():
    net = supernet(branch(), operations=OPERATIONS)
    penalty = ArchPenalty(ProximityRegularizer())
    net.set_progress(1.0)
    node, goals = net.node(MIXED), set()
    for place in range(len(OPERATIONS)):
        with torch.no_grad():
            node.alphas.fill_(0.0)[place] = 9.0
            node.births.fill_(1.0)
        found = open_choices(net, penalty.memory)[0]
        goal = found.one_hot(found.weights)
        assert not goal.requires_grad
        goals.add(int(goal.argmax()))
    assert goals == set(range(len(OPERATIONS)))


# -- admm -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("period", [1, 4])
def test_the_goals_and_what_is_missing_are_those_of_the_recursion(period):
    paths = torch.rand(13, 5, generator=generator(3), dtype=torch.float64)
    births = [0.5, 1.0, 1.5, 1.0, 0.7]
    rule, memory, found = AdmmRegularizer(strength=3.0, period=period), {}, []
    for step, weights in enumerate(paths, start=1):
        open_ = choice(weights.tolist(), births=births)
        open_.memory = memory
        found.append(cost(rule, [open_], 0.3))
        rule.end_step([open_], step)
    expected, target, dual = admm_states(paths.tolist(), births, period)
    assert found == pytest.approx([1.5 * length for length in expected])
    assert memory["target"].tolist() == target
    assert memory["dual"].tolist() == pytest.approx(dual)


def test_after_a_removal_survivors_keep_their_account_and_the_goal_is_one_of_them():
    for removed in OPERATIONS:
        one = learner(AdmmRegularizer())
        rounds(one)
        dual = one.penalty.memory[one.supernet.node(MIXED).alphas]["dual"].clone()
        one.apply(DropOp(MIXED, removed), generator())
        one.penalty.value(one.supernet)
        kept = one.penalty.memory[one.supernet.node(MIXED).alphas]
        survivors = [i for i, name in enumerate(OPERATIONS) if name != removed]
        assert dual.abs().max() > 0
        assert torch.equal(kept["dual"], dual[survivors])
        assert sorted(kept["target"].tolist()) == [0.0, 0.0, 1.0]


def test_a_closed_source_is_neither_goal_nor_missed():
    one = learner(AdmmRegularizer())
    rounds(one)
    node = one.supernet.node(MIXED)
    goal = one.penalty.memory[node.edge_logits]["target"]
    closed = node.sources[int(goal[0].argmax())]
    one.apply(DropEdge(MIXED, "left", closed), generator())
    one.penalty.value(one.supernet)
    kept, column = one.penalty.memory[node.edge_logits], node.sources.index(closed)
    assert kept["target"][0, column] == kept["dual"][0, column] == 0
    assert kept["target"].sum(dim=1).tolist() == [1.0, 1.0]


def test_a_new_candidate_has_nothing_missing_yet():
    one = learner(AdmmRegularizer())
    rounds(one)
    dual = one.penalty.memory[one.supernet.node(MIXED).alphas]["dual"].clone()
    one.apply(AddOp(MIXED, "lin_relu"), generator())
    one.penalty.value(one.supernet)
    kept = one.penalty.memory[one.supernet.node(MIXED).alphas]
    assert torch.equal(kept["dual"], torch.cat([dual, dual.new_zeros(1)]))
    assert kept["target"].sum() == 1.0


# -- zero-one -------------------------------------------------------------------------------------


@given(weights=WEIGHTS, strength=st.floats(0.01, 10))
def test_zero_one_is_minus_the_mean_square_distance_of_gates_from_a_half(weights, strength):
    gates, edges = choice(weights), choice([0.5, 0.5], kind="edges")
    rule = ZeroOneRegularizer(strength=strength)
    expected = -strength * sum((w - 0.5) ** 2 for w in weights) / len(weights)
    assert cost(rule, [gates, edges], 0.5) == pytest.approx(expected)
    assert cost(rule, [edges], 0.5) == 0.0


def test_only_proximity_depends_on_progress():
    for regularizer in EVERY:
        open_ = choice([0.2, 0.7, 0.4])
        regularizer.end_step([open_], 10)
        early, late = (cost(regularizer, [open_], progress) for progress in (0.1, 0.9))
        assert (early == late) == (not isinstance(regularizer, ProximityRegularizer))


# -- pairs of edge and operation ------------------------------------------------------------------


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
    net.set_progress(1.0)
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
