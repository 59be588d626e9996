"""Optimizer state and weight averages follow an edit: old entries keep theirs, bit for bit."""

import copy
import math

import pytest
import torch

from sknas.blocks import REGRESSION_LOSSES
from sknas.edits import (
    AddBranch,
    AddDagBranch,
    AddDagNode,
    AddHadamard,
    AddLayer,
    AddNode,
    AddOp,
    DropEdge,
    DropNode,
    DropOp,
    DropOutput,
    GradMaxUnits,
    Narrow,
    Widen,
)
from sknas.genotype import NAMED_CELLS
from sknas.search.bilevel import arch_step, weight_step
from sknas.supernet import NodePlace, ScaledSigmoidRelaxation, SigmoidRelaxation, SoftmaxRelaxation
from tests.tiny import (
    OPERATIONS,
    RELAXATIONS,
    batch,
    branch,
    evidence,
    generator,
    learner,
    supernet,
    windows,
)

OBJECTIVE = REGRESSION_LOSSES["mse"]()
MOMENTS = ("exp_avg", "exp_avg_sq")
OUTPUT, MIXED = NodePlace(0, 0, 3), NodePlace(0, 0, 4)  # of the GRU cell with a mixed node behind
N_STEPS = 5

EDITS = [
    AddBranch(branch("lstm")),
    AddDagBranch(branch("rnn"), 2),
    AddDagNode(0, 0),
    AddHadamard(OUTPUT),
    AddHadamard(MIXED),
    AddLayer(0, NAMED_CELLS["gru"]),
    AddNode(0, 0, OPERATIONS),
    AddOp(OUTPUT, "gate"),
    AddOp(MIXED, "lin_relu"),
    DropEdge(MIXED, "left", "x"),
    DropEdge(MIXED, "right", "h"),
    DropNode(MIXED),
    DropOp(MIXED, OPERATIONS[1]),
    DropOp(MIXED, OPERATIONS[-1]),
    DropOutput(OUTPUT),
    DropOutput(MIXED),
    Narrow(0, (0, 3)),
    Narrow(0, (1, 2, 3)),
    Widen(0, 3),
    Widen(0, 2, GradMaxUnits()).informed_by(evidence()),
]
every_edit = pytest.mark.parametrize("edit", EDITS, ids=str)


def train(learner, n_steps=N_STEPS, seed=0):
    for step in range(n_steps):
        weight_step(learner, batch(seed=seed + step), OBJECTIVE, math.inf)
        arch_step(learner, batch(seed=seed + step + 50), OBJECTIVE)


def trained(relaxation=None):
    net = supernet(branch("gru"), relaxation=relaxation, operations=OPERATIONS)
    learner_ = learner(net)
    train(learner_)
    return learner_


def optimizers(learner):
    yield learner.weight_optimizer, learner.supernet.weight_parameters()
    yield learner.arch_optimizer, learner.supernet.arch_parameters()


def averaged_output(learner, past):
    with learner.average.swapped_in():
        return learner.supernet(past).detach()


def states(learner):
    """Return each parameter's optimizer state, copied, by the parameter's identity."""
    return {
        id(p): {key: value.clone() for key, value in state.items()}
        for optimizer, _ in optimizers(learner)
        for p, state in optimizer.state.items()
    }


def old_entries(replacement):
    """Return where old entries come from and where they are now, each as an index."""
    if replacement.new.numel() < replacement.old.numel():
        # Values are all different after training, so they say which entries were kept.
        places = {value: i for i, value in enumerate(replacement.old.detach().flatten().tolist())}
        assert len(places) == replacement.old.numel()
        kept = torch.tensor([places[v] for v in replacement.new.detach().flatten().tolist()])
        return torch.unravel_index(kept.view(replacement.new.shape), replacement.old.shape), (...,)
    return (...,), tuple(slice(0, size) for size in replacement.old.shape)


@every_edit
def test_every_trainable_parameter_is_in_exactly_one_group_exactly_once(edit):
    learner = trained()
    learner.apply(edit, generator())
    for optimizer, wanted in optimizers(learner):
        held = [id(p) for group in optimizer.param_groups for p in group["params"]]
        assert sorted(held) == sorted(id(p) for p in wanted)
        assert set(map(id, optimizer.state)) <= set(held)


@every_edit
def test_parameters_that_an_edit_does_not_touch_keep_their_state_bit_for_bit(edit):
    learner = trained()
    before = states(learner)
    change = learner.apply(edit, generator())
    after = states(learner)
    touched = {id(r.old) for r in change.replaced} | {id(p) for p in change.removed}
    untouched = [key for key in before if key not in touched]
    assert untouched
    for key in untouched:
        assert int(after[key]["step"]) == N_STEPS
        for name in ("step", *MOMENTS):
            assert torch.equal(after[key][name], before[key][name])


@every_edit
def test_old_entries_of_a_changed_parameter_keep_their_moments_and_newborn_ones_the_mean_size(edit):
    learner = trained(SoftmaxRelaxation())
    before = states(learner)
    change = learner.apply(edit, generator())
    after = states(learner)
    for replacement in change.replaced:
        if id(replacement.old) not in before:  # a settled node's alphas never moved
            assert id(replacement.new) not in after
            continue
        old, new = before[id(replacement.old)], after[id(replacement.new)]
        assert torch.equal(new["step"], old["step"])
        source, place = old_entries(replacement)
        for name in MOMENTS:
            assert new[name].shape == replacement.new.shape
            assert torch.equal(new[name][place], old[name][source])
            is_newborn = torch.ones_like(new[name], dtype=torch.bool)
            is_newborn[place] = False
            mean = old[name].mean() if name == "exp_avg_sq" else old[name].new_zeros(())
            expected = mean.expand_as(new[name][is_newborn])
            torch.testing.assert_close(new[name][is_newborn], expected)
            assert old[name].any()  # or there would be nothing to carry


def test_the_edits_above_grow_cut_add_and_remove():
    changes = [trained().apply(edit, generator()) for edit in EDITS]
    sizes = [(r.old.numel(), r.new.numel()) for change in changes for r in change.replaced]
    assert any(old < new for old, new in sizes)
    assert any(old > new for old, new in sizes)
    assert any(change.added for change in changes)
    assert any(change.removed for change in changes)


@every_edit
def test_what_an_edit_removes_leaves_the_optimizer_and_the_average(edit):
    learner = trained()
    change = learner.apply(edit, generator())
    gone = {id(p) for p in change.removed} | {id(r.old) for r in change.replaced}
    for optimizer, _ in optimizers(learner):
        assert not gone & {id(p) for p in optimizer.state}
        assert not gone & {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert not gone & {id(p) for p in learner.average.averages}
    assert not gone & {id(p) for p in learner.supernet.parameters()}


@every_edit
def test_newborn_parameters_count_their_steps_from_the_edit(edit):
    learner = trained()
    change = learner.apply(edit, generator())
    added = {id(p) for p in change.added}
    assert not added & set(states(learner))
    train(learner, 2, seed=9)
    steps = {key: int(state["step"]) for key, state in states(learner).items()}
    assert {steps[key] for key in added if key in steps} <= {2}
    assert any(n_steps == N_STEPS + 2 for n_steps in steps.values())


def adam_step(value, gradient, state, group, *, is_decoupled):
    """Take one step of a scalar (Kingma & Ba 2015; decoupled: Loshchilov & Hutter 2019)."""
    beta1, beta2 = group["betas"]
    n = state["step"] + 1
    m = beta1 * state["exp_avg"] + (1 - beta1) * gradient
    v = beta2 * state["exp_avg_sq"] + (1 - beta2) * gradient**2
    decayed = value * (1 - group["lr"] * group["weight_decay"]) if is_decoupled else value
    step = group["lr"] * (m / (1 - beta1**n)) / (math.sqrt(v / (1 - beta2**n)) + group["eps"])
    return decayed - step


FRESH = {"step": 0, "exp_avg": 0.0, "exp_avg_sq": 0.0}


def first_entry(state):
    return {key: float(value.flatten()[0]) for key, value in state.items()} if state else FRESH


@every_edit
def test_the_next_step_of_every_parameter_is_the_one_written_out_by_hand(edit):
    learner = trained()
    memory = states(learner)
    change = learner.apply(edit, generator())
    # Where the first entry of a parameter was cut away its history is another's.
    cut = {id(r.new) for r in change.replaced if r.new.numel() < r.old.numel()}
    history = {id(r.new): memory.get(id(r.old)) for r in change.replaced}
    for step, (optimizer, parameters) in zip(
        (weight_step, arch_step), optimizers(learner), strict=True
    ):
        past, target, weight = batch(seed=33)
        loss = OBJECTIVE.mean(learner.supernet(past), target, weight)
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        group = optimizer.param_groups[0]
        beside_matrices = {**group, "weight_decay": 0.0}
        expected = [
            None
            if gradient is None
            else adam_step(
                float(p.detach().flatten()[0]),
                float(gradient.flatten()[0]),
                first_entry(history.get(id(p), memory.get(id(p)))),
                group if p.dim() >= 2 else beside_matrices,
                is_decoupled=step is weight_step,
            )
            for p, gradient in zip(parameters, gradients, strict=True)
        ]
        free = {id(p) for p in learner.supernet.free_arch_parameters()}
        is_moving = [step is weight_step or id(p) in free for p in parameters]
        step(learner, (past, target, weight), OBJECTIVE, *((math.inf,) * (step is weight_step)))
        n_checked = 0
        for p, value, moves in zip(parameters, expected, is_moving, strict=True):
            if value is not None and moves and id(p) not in cut:
                assert float(p.detach().flatten()[0]) == pytest.approx(value, rel=1e-10, abs=1e-14)
                n_checked += 1
        assert n_checked > 0 or not free


@pytest.mark.parametrize("relaxation", RELAXATIONS, ids=lambda r: type(r).__name__)
@pytest.mark.parametrize("edit", [e for e in EDITS if e.preserves_function], ids=str)
def test_a_morphism_keeps_the_function_of_the_averaged_network_too(edit, relaxation):
    learner, past = trained(relaxation), windows()
    before = averaged_output(learner, past)
    assert not torch.allclose(before, learner.supernet(past))
    learner.apply(edit, generator())
    torch.testing.assert_close(averaged_output(learner, past), before, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "relaxation", [SigmoidRelaxation(), ScaledSigmoidRelaxation()], ids=lambda r: type(r).__name__
)
def test_the_gate_of_the_last_candidate_is_folded_into_the_averaged_network_too(relaxation):
    learner, past = trained(relaxation), windows()
    for name in OPERATIONS[2:]:
        learner.apply(DropOp(MIXED, name), generator())
    with torch.no_grad():  # a candidate without effect, so that dropping it changes nothing
        learner.supernet.node(MIXED).births[1] = 0.0
        learner.average.averages[learner.supernet.node(MIXED).births][1] = 0.0
    now, averaged = learner.supernet(past), averaged_output(learner, past)
    learner.apply(DropOp(MIXED, OPERATIONS[1]), generator())
    torch.testing.assert_close(learner.supernet(past), now, rtol=0, atol=1e-12)
    torch.testing.assert_close(averaged_output(learner, past), averaged, rtol=0, atol=1e-12)


@every_edit
def test_averages_cover_the_weights_and_newborn_ones_start_at_their_present_value(edit):
    learner = trained()
    before = {id(p): value.clone() for p, value in learner.average.averages.items()}
    change = learner.apply(edit, generator())
    averages = {id(p): value for p, value in learner.average.averages.items()}
    weights = learner.supernet.weight_parameters()
    assert list(averages) == [id(p) for p in weights]
    changed = {id(r.new) for r in change.replaced}
    for p in weights:
        value = averages[id(p)]
        assert value.shape == p.shape
        assert value is not p
        if id(p) in before:
            assert torch.equal(value, before[id(p)])
        elif id(p) not in changed:
            assert torch.equal(value, p.detach())


@every_edit
def test_an_edited_learner_and_its_snapshot_train_apart_and_alike(edit):
    learner = trained()
    learner.apply(edit, generator())
    twin = learner.snapshot()
    values = [p.detach().clone() for p in twin.supernet.parameters()]
    train(learner, 2)
    for p, value in zip(twin.supernet.parameters(), values, strict=True):
        assert torch.equal(p, value)
    train(twin, 2)
    past = windows()
    assert torch.equal(twin.supernet(past), learner.supernet(past))
    assert torch.equal(averaged_output(twin, past), averaged_output(learner, past))


def test_an_undone_edit_leaves_no_trace():
    learner, twin = trained(), trained()
    before = learner.snapshot()
    learner.apply(Widen(0, 3), generator())
    train(learner, 2)
    for undone in (before, copy.deepcopy(before)):
        train(undone, 2, seed=4)
    train(twin, 2, seed=4)
    assert torch.equal(before.supernet(windows()), twin.supernet(windows()))


def test_alphas_of_a_node_that_is_opened_again_have_no_past():
    learner = trained()
    for name in OPERATIONS[1:]:
        learner.apply(DropOp(MIXED, name), generator())
    old = learner.supernet.node(MIXED).alphas
    assert old in learner.arch_optimizer.state
    learner.apply(AddOp(MIXED, "lin_relu"), generator())
    assert learner.supernet.node(MIXED).alphas not in learner.arch_optimizer.state
    assert old not in learner.arch_optimizer.state
