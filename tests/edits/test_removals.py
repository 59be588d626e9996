"""Removals take away what they name, and with it every parameter that nothing reads any more."""

import numpy as np
import pytest
import torch

from sknas.blocks import REGRESSION_LOSSES
from sknas.edits import AddHadamard, AddNode, AddOp, DropEdge, DropNode, DropOp, DropOutput
from sknas.genotype import Cell, Node
from sknas.ops import get_op, registered_ops
from sknas.search.bilevel import weight_step
from sknas.search.discretization import discretize
from sknas.supernet import NodePlace, SoftmaxRelaxation
from tests.tiny import (
    CELLS,
    RELAXATIONS,
    batch,
    branch,
    choices,
    generator,
    learner,
    perturb,
    set_progress,
    supernet,
    windows,
)

MIXED = NodePlace(0, 0, 1)  # behind the one node of a highway cell


def network(relaxation=None, operations=None):
    return supernet(
        branch("highway"), relaxation=relaxation, operations=operations or registered_ops()
    )


def drop_all_but(net, operation, left, right, place=MIXED):
    """Settle a node; return every change."""
    node = net.node(place)
    edits = [DropOp(place, name) for name in node.operations if name != operation]
    for slot, (side, kept) in enumerate((("left", left), ("right", right))):
        edits += [DropEdge(place, side, s) for s in node.open_sources(slot) if s != kept]
    return [edit.apply(net) for edit in edits]


def parameters_with_effect(net):
    """Return the names of the branches' weights that the output has a gradient to."""
    named = [(n, p) for n, p in net.named_parameters() if ".layers." in n and "alphas" not in n]
    named = [(name, p) for name, p in named if "edge_logits" not in name]
    loss = (net(windows()) * torch.linspace(1, 2, 2, dtype=torch.float64)).sum()
    gradients = torch.autograd.grad(loss, [p for _, p in named], allow_unused=True)
    return {n for (n, _), g in zip(named, gradients, strict=True) if g is not None}, dict(named)


@pytest.mark.parametrize("sources", [("s0", "x"), ("x", "h"), ("h", "s0"), ("x", "x")], ids=str)
@pytest.mark.parametrize("operation", registered_ops())
def test_a_node_pruned_to_one_choice_is_settled_and_has_no_weights_without_use(operation, sources):
    net = network()
    drop_all_but(net, operation, *sources)
    assert net.is_settled
    used, held = parameters_with_effect(net)
    unused = {name.split(".layers.0.nodes.1.")[-1] for name in set(held) - used}
    # Only what the operation does not read may be without effect: a bias is read in any case.
    op, side_of = get_op(operation), dict(zip(("left", "right"), sources, strict=True))
    assert not {name for name in unused if "bias" in name}
    for side, source in side_of.items():
        projects = op.projects_left if side == "left" else op.projects_right
        reads = op.reads_left if side == "left" else op.reads_right
        node = net.node(MIXED)
        assert list(node.projections) == list(op.projection_names)
        weights = next(iter(node.projections.values())).weights if op.has_projection else {}
        assert (f"input_{side}" in weights) == (projects and source == "x")
        assert (side in weights) == (projects and source != "x")
        assert (side in node.entries) == (reads and source == "x")
    assert not unused


def shared_by(node, operations):
    """Return the names of the pieces that any of some operations reads."""
    return {piece for name in operations for piece in get_op(name).projection_names}


@pytest.mark.parametrize("seed", range(4))
def test_a_removal_frees_the_pieces_that_no_other_candidate_reads(seed):
    net, place = network(), MIXED
    node, rng = net.node(place), np.random.RandomState(seed)
    for name in rng.permutation(registered_ops())[1:]:
        before = dict(node.projections.items())
        change = DropOp(place, name).apply(net)
        kept = shared_by(node, node.operations)
        assert set(node.projections) == kept
        assert all(node.projections[piece] is before[piece] for piece in kept)
        freed = {id(p) for piece in set(before) - kept for p in before[piece].parameters()}
        assert freed <= {id(p) for p in change.removed}
        node_size = sum(p.numel() for piece in kept for p in before[piece].parameters())
        entries = sum(p.numel() for p in node.entries.parameters())
        assert node.n_candidate_params == node_size + entries


@pytest.mark.parametrize("first", ["lin_tanh", "highway_relu", "modulate", "add"])
@pytest.mark.parametrize("second", ["gate", "lin_relu", "highway_tanh", "hadamard"])
def test_a_candidate_that_joins_brings_only_the_pieces_that_are_not_there(first, second):
    net, past = network(operations=(first,)), windows()
    drop_all_but(net, first, "s0", "h")
    node, output = net.node(MIXED), net(past)
    pieces = dict(node.projections.items())
    change = AddOp(MIXED, second).apply(net)
    torch.testing.assert_close(net(past), output, rtol=0, atol=1e-12)
    brought = shared_by(node, [second]) - set(pieces)
    added = {id(p) for piece in brought for p in node.projections[piece].parameters()}
    assert added <= {id(p) for p in change.added}
    assert set(node.projections) == set(pieces) | brought
    assert all(node.projections[piece] is pieces[piece] for piece in pieces)
    (gradient,) = torch.autograd.grad(net(past).square().sum(), node.births)
    assert gradient[1] != 0
    DropOp(MIXED, second).apply(net)
    assert dict(node.projections.items()) == pieces


def test_optimizers_keep_the_state_of_a_projection_whoever_comes_and_goes():
    net = network(operations=("lin_tanh", "gate", "highway_tanh"))
    node, one = net.node(MIXED), learner(net)
    for step in range(3):
        weight_step(one, batch(seed=step), REGRESSION_LOSSES["mse"](), np.inf)
    weight = node.projections["both_0"].weights["left"]
    before = {key: value.clone() for key, value in one.weight_optimizer.state[weight].items()}
    for edit in (
        DropOp(MIXED, "lin_tanh"),
        DropOp(MIXED, "highway_tanh"),
        AddOp(MIXED, "lin_relu"),
    ):
        one.apply(edit)
        after = one.weight_optimizer.state[weight]
        assert node.projections["both_0"].weights["left"] is weight
        assert all(torch.equal(after[key], value) for key, value in before.items())


@pytest.mark.parametrize("operation", registered_ops())
def test_what_a_removal_says_it_removed_is_what_left_the_module(operation):
    net = network()
    before = {id(p): p for p in net.parameters()}
    changes = drop_all_but(net, operation, "x", "s0")
    after = {id(p) for p in net.parameters()}
    removed = {id(p) for change in changes for p in change.removed}
    replaced = {id(r.old) for change in changes for r in change.replaced}
    assert set(before) - after == (removed | replaced) & set(before)
    assert not removed & after


@pytest.mark.parametrize("relaxation", RELAXATIONS, ids=lambda r: type(r).__name__)
@pytest.mark.parametrize("operation", ["hadamard", "lin_tanh", "gate"])
def test_a_candidate_without_effect_can_be_dropped_without_effect(relaxation, operation):
    net, past = network(relaxation, (operation, "add")), windows()
    set_progress(net, 0.5)
    node = net.node(MIXED)
    with torch.no_grad():
        node.births[1] = 0.0
        if isinstance(relaxation, SoftmaxRelaxation):
            node.alphas[1] = -1e3  # the others' weights do not grow when it leaves
    before = net(past)
    DropOp(MIXED, "add").apply(net)
    torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)
    assert node.operations == [operation]


@pytest.mark.parametrize("relaxation", RELAXATIONS, ids=lambda r: type(r).__name__)
def test_a_settled_node_no_longer_depends_on_its_alpha_or_on_progress(relaxation):
    net, past = network(relaxation), windows()
    drop_all_but(net, "lin_tanh", "x", "h")
    before = net(past)
    set_progress(net, 1.0)
    with torch.no_grad():
        for p in net.arch_parameters():
            p += 3.0
    assert torch.equal(net(past), before)


def test_a_source_of_no_weight_can_be_closed_without_effect():
    net, past = network(), windows()
    node = net.node(MIXED)
    with torch.no_grad():
        node.edge_logits[0, node.sources.index("x")] = -1e4
    before = net(past)
    DropEdge(MIXED, "left", "x").apply(net)
    torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)
    assert "x" not in node.open_sources(0)
    assert "x" in node.open_sources(1)


@pytest.mark.parametrize("seed", range(6))
def test_the_rest_of_the_weights_are_as_they_were(seed):
    net = network()
    node = net.node(MIXED)
    births = dict(zip(node.operations, node.births.tolist(), strict=True))
    alphas = dict(zip(node.operations, node.alphas.tolist(), strict=True))
    gone = registered_ops()[seed]
    DropOp(MIXED, gone).apply(net)
    kept = [name for name in registered_ops() if name != gone]
    assert node.operations == kept
    assert node.births.tolist() == [births[name] for name in kept]
    assert node.alphas.tolist() == [alphas[name] for name in kept]


def test_a_dropped_output_takes_with_it_what_only_it_read():
    cell = Cell(
        (
            Node("lin_tanh", "x", "h"),
            Node("lin_sigmoid", "x", "h"),
            Node("hadamard", "s1", "s1"),
            Node("add", "s0", "x"),
        ),
        outputs=(2, 3),
    )
    CELLS["forked"] = cell
    try:
        net = supernet(branch("forked"))
    finally:
        del CELLS["forked"]
    change = DropOutput(NodePlace(0, 0, 2)).apply(net)
    assert [node.index for _, node in net.nodes()] == [0, 3]
    assert change.removed
    assert net(windows()).isfinite().all()


@pytest.mark.parametrize("seed", range(20))
def test_a_round_of_removals_can_be_carried_out_and_leaves_no_node_that_nothing_reads(seed):
    rng = np.random.default_rng(seed)
    net = supernet(branch("mixture"))
    for step in range(4):
        AddNode(0, 0, ("first", "second", "lin_tanh")).apply(net, generator(step))
    for _, node in list(net.nodes())[:-1]:
        node.is_output = bool(rng.random() < 0.2)
    chosen = []  # beforehand, as a round of pruning does
    for choice in choices(net):
        kept = rng.integers(len(choice))
        chosen += choice[:kept] + choice[kept + 1 :]
    for edit in chosen:
        change = edit.apply(net)
        present = {id(p) for p in net.parameters()}
        assert not present & {id(p) for p in change.removed}
        assert net(windows()).isfinite().all()
    assert net.is_settled
    assert net.n_nodes == discretize(net).n_nodes


def test_a_node_stays_while_a_choice_may_still_fall_on_it():
    net = supernet(branch("highway"))
    AddNode(0, 0, ("first",)).apply(net)
    net.node(NodePlace(0, 0, 0)).is_output = False
    node = net.node(MIXED)
    for side, source in [("left", "s0"), ("right", "x"), ("left", "h")]:
        assert not node.is_settled
        DropEdge(MIXED, side, source).apply(net)
        assert [place.node for place, _ in net.nodes()] == [0, 1]
    # The last choice falls on s0, but as an operand that the operation ignores.
    DropEdge(MIXED, "right", "h").apply(net)
    assert node.is_settled
    assert [place.node for place, _ in net.nodes()] == [1]


def test_an_operand_that_is_ignored_reads_what_the_other_one_does_when_its_node_is_gone():
    net = supernet(branch("highway"))
    AddNode(0, 0, ("first", "second")).apply(net)
    net.node(NodePlace(0, 0, 0)).is_output = False
    drop_all_but(net, "first", "x", "s0")
    assert [place.node for place, _ in net.nodes()] == [1]
    assert (net.node(MIXED).open_sources(0), net.node(MIXED).open_sources(1)) == (["x"], ["x"])
    past = windows()
    before = net(past)
    AddOp(MIXED, "hadamard").apply(net)
    torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)


def test_a_dropped_node_is_forgotten_by_its_readers():
    net = network()
    AddNode(0, 0, ("add", "gate")).apply(net, generator())
    perturb(net)
    reader = net.node(NodePlace(0, 0, 2))
    logits = {name: reader.edge_logits[:, i].tolist() for i, name in enumerate(reader.sources)}
    DropNode(MIXED).apply(net)
    assert [node.index for _, node in net.nodes()] == [0, 2]
    assert "s1" not in reader.sources
    for i, name in enumerate(reader.sources):
        assert reader.edge_logits[:, i].tolist() == logits[name]
    assert net(windows()).isfinite().all()
    AddNode(0, 0).apply(net)
    assert list(net.nodes())[-1][1].index == 3  # a name is never used again


def snapshot(net):
    return [
        {name: p.clone() for name, p in net.state_dict().items()},
        [(place, list(n.operations), list(n.sources), n.is_output) for place, n in net.nodes()],
    ]


def refused():
    """Return networks, edits that they must refuse, and what the error says."""
    settled = network()
    drop_all_but(settled, "add", "s0", "x")
    alone = supernet(branch("highway"))
    modulated = supernet(branch("highway"))
    AddNode(0, 0, ("add", "gate")).apply(modulated)
    AddNode(0, 0, ("add", "gate")).apply(modulated)
    AddHadamard(NodePlace(0, 0, 1)).apply(modulated)
    lstm = supernet(branch("lstm"))
    first = NodePlace(0, 0, 0)
    return [
        (settled, DropOp(MIXED, "add"), r"one of several candidates \['add'\]; got 'add'"),
        (network(), DropOp(MIXED, "maxpool"), "got 'maxpool'"),
        (settled, DropEdge(MIXED, "left", "s0"), r"several open ones \['s0'\]; got 's0'"),
        (network(), DropEdge(MIXED, "left", "c"), "got 'c'"),
        (alone, DropOutput(first), "one of several outputs; got node 0"),
        (alone, DropNode(first), "only way out; got node 0"),
        (lstm, DropOutput(first), "one of several outputs; got node 0"),
        (lstm, DropNode(NodePlace(0, 0, 6)), "only way out; got node 6"),
        (lstm, DropNode(first), "read by no settled operand; got s0"),
        (modulated, DropNode(NodePlace(0, 0, 1)), "read by no settled operand; got s1"),
    ]


@pytest.mark.parametrize(("net", "edit", "message"), refused(), ids=lambda value: str(value)[:25])
def test_a_removal_that_leaves_nothing_is_refused_and_changes_nothing(net, edit, message):
    before = snapshot(net)
    with pytest.raises(ValueError, match=message):
        edit.apply(net)
    after = snapshot(net)
    assert after[1] == before[1]
    assert after[0].keys() == before[0].keys()
    assert all(torch.equal(after[0][name], before[0][name]) for name in before[0])


def test_a_pruned_node_can_grow_and_be_pruned_again():
    net, past = network(), windows()
    drop_all_but(net, "hadamard", "s0", "x")
    for operation in ("gate", "lin_relu", "hadamard"):
        if operation in net.node(MIXED).operations:
            continue
        before = net(past)
        AddOp(MIXED, operation).apply(net)
        torch.testing.assert_close(net(past), before, rtol=0, atol=1e-12)
        perturb(net)
        drop_all_but(net, operation, "s0", "x")
        assert net.is_settled
