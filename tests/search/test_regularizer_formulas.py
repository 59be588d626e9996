"""The formulas behind the names of the regularizers: proximity, ADMM and zero-one."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sknas.edits import AddOp, DropEdge, DropOp
from sknas.search import AdmmRegularizer, ProximityRegularizer, ZeroOneRegularizer
from sknas.search.arch_choices import open_choices
from sknas.search.arch_regularizers import ArchPenalty
from tests.oracles.admm import admm_states
from tests.regularized import EVERY, MIXED, WEIGHTS, choice, cost, learner, one_hot, rounds, tensor
from tests.tiny import OPERATIONS, generator, set_progress, two_input

# -- proximity ------------------------------------------------------------------------------------


@given(weights=WEIGHTS, progress=st.floats(0.01, 1), strength=st.floats(0.01, 10))
def test_proximity_is_the_distance_to_the_decision_ramped_by_progress(weights, progress, strength):
    open_ = choice(weights, progress=progress)
    rule = ProximityRegularizer(strength=strength)
    penalty = rule.penalty([open_])
    goal = tensor(one_hot(len(weights), weights.index(max(weights))))
    rest = tensor(weights) - goal
    length = math.sqrt(sum(float(r) ** 2 for r in rest))
    assert float(penalty.detach()) == pytest.approx(progress * strength / 2 * length)
    assert cost(rule, [choice(weights, progress=0.0)]) == 0.0
    if length > 1e-6:  # the gradient is the unit vector away from the decision
        (gradient,) = torch.autograd.grad(penalty, open_.parameter)
        torch.testing.assert_close(gradient, progress * strength / 2 * rest / length)


def test_proximity_takes_one_norm_for_each_cell():
    rule = ProximityRegularizer(strength=2.0)
    first, second = [0.5, 0.5], [0.2, 0.4]
    lengths = [math.hypot(0.5, 0.5), math.hypot(0.2, 0.6)]
    at_end = {"progress": 1.0}
    together = rule.penalty([choice(first, **at_end), choice(second, kind="edges", **at_end)])
    apart = rule.penalty([choice(first, **at_end), choice(second, cell=(1, 0), **at_end)])
    assert float(together.detach()) == pytest.approx(math.hypot(*lengths))
    assert float(apart.detach()) == pytest.approx(sum(lengths))


def test_within_a_cell_each_node_has_a_ramp_of_its_own():
    early, late = choice([0.5, 0.5], progress=0.2), choice([0.2, 0.4], progress=0.9)
    found = cost(ProximityRegularizer(strength=2.0), [early, late])
    assert found == pytest.approx(
        math.hypot(0.2 * math.hypot(0.5, 0.5), 0.9 * math.hypot(0.2, 0.6))
    )


def test_the_decision_ranks_gates_times_birth_scalars():
    open_ = choice([0.3, 0.4, 0.2], births=[1.0, 0.1, 4.0])
    assert open_.one_hot(open_.weights).tolist() == [0.0, 0.0, 1.0]


def test_the_decision_is_a_constant_and_moves_with_the_weights():
    net = two_input()
    penalty = ArchPenalty(ProximityRegularizer())
    set_progress(net, 1.0)
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
        found.append(cost(rule, [open_]))
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
    assert cost(rule, [gates, edges]) == pytest.approx(expected)
    assert cost(rule, [edges]) == 0.0


def test_only_proximity_depends_on_progress():
    for regularizer in EVERY:
        early, late = (choice([0.2, 0.7, 0.4], progress=progress) for progress in (0.1, 0.9))
        for open_ in (early, late):
            regularizer.end_step([open_], 10)
        early, late = (cost(regularizer, [open_]) for open_ in (early, late))
        assert (early == late) == (not isinstance(regularizer, ProximityRegularizer))
