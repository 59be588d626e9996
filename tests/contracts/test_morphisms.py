"""Every morphism leaves the output as it was, and what it adds can learn at once."""

import numpy as np
import pytest
import torch

import sknas.edits
import sknas.supernet
from sknas.edits import (
    AddBranch,
    AddDagBranch,
    AddDagNode,
    AddHadamard,
    AddLayer,
    AddMixedBranch,
    AddNode,
    AddOp,
    DropEdge,
    DropOp,
    GradMaxUnits,
    SelectUnits,
    Widen,
)
from sknas.edits.base import Edit
from sknas.genotype import NAMED_CELLS
from sknas.ops import DAG_OPERATIONS, get_op, registered_ops
from sknas.supernet import (
    CosineSkip,
    LinearSkip,
    MixedNode,
    NodePlace,
    Relaxation,
    ScaledSigmoidRelaxation,
    SoftmaxRelaxation,
)
from tests.tiny import (
    CELLS,
    CODED,
    CODED_PADDED,
    OPERATIONS,
    PADDED,
    SHAPE,
    branch,
    evidence,
    generator,
    members,
    perturb,
    set_progress,
    supernet,
    windows,
)

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-6}
MORPHISMS = [cls for cls in members(Edit, sknas.edits) if cls.preserves_function]
RELAXATIONS = [cls() for cls in members(Relaxation, sknas.supernet)]
ANNEALED = [*RELAXATIONS, SoftmaxRelaxation(temperature=2.0, final_temperature=0.1)]


def op_cases(net):
    for place, node in net.nodes():
        if node.is_output and isinstance(node, MixedNode):
            # Refused where there is no right operand: see below.
            product = ["hadamard"] if node.open_sources(1) else []
            wanted = ("add", "gate", "lin_relu", "modulate", *product)
            yield from [AddOp(place, name) for name in wanted if name not in node.operations][:2]


# What each morphism is tried with; a new morphism needs a line here.
CASES = {
    AddBranch: lambda net: [
        AddBranch(branch("gru", segment_length=2, channel_mode="independent")),
        AddBranch(branch("lstm", segment_length=4, n_layers=2)),
    ],
    AddMixedBranch: lambda net: [
        AddMixedBranch(branch("highway"), 2, OPERATIONS),
        AddMixedBranch(branch("lstm", channel_mode="independent"), 1),
    ],
    AddNode: lambda net: [AddNode(0, 0, OPERATIONS), AddNode(0, 0)],
    AddDagBranch: lambda net: [
        AddDagBranch(branch("gru"), 3),
        AddDagBranch(branch("dense", channel_mode="independent"), 2, ("highway_relu",)),
    ],
    AddDagNode: lambda net: [AddDagNode(0, 0, DAG_OPERATIONS[:2]), AddDagNode(0, 0)],
    AddOp: lambda net: list(op_cases(net)),
    AddHadamard: lambda net: [AddHadamard(place) for place, node in net.nodes() if node.is_output],
    AddLayer: lambda net: [AddLayer(0, NAMED_CELLS["lstm"]), AddLayer(0, CELLS["mixture"])],
    Widen: lambda net: [
        Widen(0, 1),
        Widen(0, 5),
        Widen(0, 3, GradMaxUnits()).informed_by(evidence(net.shape)),
        Widen(0, 2, SelectUnits(16)).informed_by(evidence(net.shape)),
    ],
}


def difference(after, before):
    """Return the largest change, in units of the largest output where that is above one."""
    return float(((after - before).abs().max() / before.abs().max().clamp_min(1.0)).detach())


def newborn_gradients(net, change, past):
    """Return the gradients of all newborn entries, one flat tensor a parameter."""
    output = net(past)
    weights = torch.linspace(-1.0, 2.0, output.numel(), dtype=output.dtype).view_as(output)
    loss = (output * weights).sum()
    parameters = [*change.added, *[replacement.new for replacement in change.replaced]]
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
    newborn = [gradient.flatten() for gradient in gradients[: len(change.added)]]
    for replacement, gradient in zip(change.replaced, gradients[len(change.added) :], strict=True):
        is_new = torch.ones_like(gradient, dtype=torch.bool)
        is_new[tuple(slice(0, size) for size in replacement.old.shape)] = False
        newborn.append(gradient[is_new])
    return newborn


def check(net, edit, past):
    before = net(past)
    change = edit.apply(net, generator(7))
    after = net(past)
    assert difference(after, before) <= TOLERANCE[before.dtype], str(edit)
    # Fused optimizers ignore strides.
    assert all(parameter.is_contiguous() for parameter in net.parameters())
    newborn = newborn_gradients(net, change, past)
    assert all(bool(gradient.isfinite().all()) for gradient in newborn)
    assert any(bool(gradient.any()) for gradient in newborn), f"{edit} cannot learn"


def test_every_morphism_has_a_case():
    assert set(CASES) == set(MORPHISMS)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("channel_mode", ["independent", "mixed"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("relaxation", RELAXATIONS, ids=repr)
@pytest.mark.parametrize("morphism", MORPHISMS)
def test_a_morphism_keeps_the_function_and_its_newborn_have_a_gradient(
    morphism, relaxation, cell, channel_mode, dtype
):
    # Over the cells, every morphism is tried at every progress, and in all its cases.
    turn = list(CELLS).index(cell)
    spec = branch(cell, segment_length=4, channel_mode=channel_mode)
    net = supernet(spec, relaxation=relaxation, dtype=dtype, operations=OPERATIONS)
    set_progress(net, (0.0, 0.5, 1.0)[turn % 3])
    edits = CASES[morphism](net)
    check(net, edits[turn % len(edits)], windows(dtype=dtype))


@pytest.mark.parametrize("skip", [None, LinearSkip()], ids=str)
@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("relaxation", ANNEALED, ids=repr)
@pytest.mark.parametrize("morphism", MORPHISMS)
def test_a_morphism_keeps_the_function_whenever_it_comes(morphism, relaxation, progress, skip):
    n_cases, case = 1, 0
    while case < n_cases:
        net = supernet(
            branch("gru"), relaxation=relaxation, operations=OPERATIONS, auxiliary_skip=skip
        )
        set_progress(net, progress)
        assert (net.skip_weight > 0) == (skip is not None and progress < 1)
        edits = CASES[morphism](net)
        check(net, edits[case], windows())
        n_cases, case = len(edits), case + 1


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("shape", [CODED, CODED_PADDED], ids=["coded", "coded and padded"])
@pytest.mark.parametrize("morphism", MORPHISMS)
def test_a_morphism_on_embedded_codes_keeps_the_function_and_the_table(morphism, shape, dtype):
    n_cases, case = 1, 0
    while case < n_cases:
        spec = branch("gru", segment_length=2)
        net = supernet(spec, shape=shape, window_norm="none", operations=OPERATIONS, dtype=dtype)
        # No target continues a code, so nothing can be read independently.
        edits = [e for e in CASES[morphism](net) if "independent" not in repr(e)]
        n_cases, table = len(edits), net.trunk.embedding.weight
        check(net, edits[case], windows(shape, dtype=dtype))
        assert net.trunk.embedding.weight is table
        case += 1


@pytest.mark.parametrize("window_norm", ["none", "last", "revin"])
@pytest.mark.parametrize("segment_length", [1, 2, 3, 7, 10])
@pytest.mark.parametrize("morphism", MORPHISMS)
def test_a_morphism_keeps_the_function_on_padded_windows(morphism, segment_length, window_norm):
    past = windows(PADDED)
    for channel_mode in ("independent", "mixed"):
        spec = branch("lstm", segment_length=segment_length, channel_mode=channel_mode)
        net = supernet(spec, shape=PADDED, window_norm=window_norm, operations=OPERATIONS)
        check(net, CASES[morphism](net)[0], past)


def random_morphism(net, rng):
    kinds = [kind for kind in MORPHISMS if CASES[kind](net)]
    edits = CASES[kinds[rng.integers(len(kinds))]](net)
    return edits[rng.integers(len(edits))]


@pytest.mark.parametrize("seed", range(12))
def test_any_sequence_of_morphisms_and_training_keeps_the_function_at_every_edit(seed):
    rng, past = np.random.default_rng(seed), windows()
    relaxation = ANNEALED[seed % len(ANNEALED)]
    net = supernet(branch("gru"), relaxation=relaxation, auxiliary_skip=CosineSkip())
    for step in range(6):
        check(net, random_morphism(net, rng), past)
        net.advance(6 - step)
        perturb(net, seed=step, scale=0.1)


def settled_by_hand(relaxation, dtype, alpha):
    """Return a supernet whose mixed node was pruned to one candidate of that alpha."""
    net = supernet(
        branch("highway"),
        relaxation=relaxation,
        dtype=dtype,
        operations=OPERATIONS,
        auxiliary_skip=LinearSkip(),
    )
    place, node = list(net.nodes())[-1]
    set_progress(net, 1.0)
    with torch.no_grad():
        node.alphas[:] = alpha
    for name in OPERATIONS[1:]:
        DropOp(place, name).apply(net)
    for slot, side in enumerate(("left", "right")):
        for source in node.open_sources(slot)[1:]:
            DropEdge(place, side, source).apply(net)
    with torch.no_grad():
        node.births[:] = 1.0  # however small the gate was, training has brought it back
    return net, place


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("alpha", [-3.0, -0.5, 3.0])
@pytest.mark.parametrize("relaxation", ANNEALED, ids=repr)
def test_a_settled_node_reopens_without_regard_to_the_alpha_it_was_settled_with(
    relaxation, alpha, dtype
):
    net, place = settled_by_hand(relaxation, dtype, alpha)
    check(net, AddOp(place, "gate"), windows(dtype=dtype))
    node = net.node(place)
    # The survivor must not live on a birth scalar that the next step of its gate blows up.
    assert float(node.births.detach().abs().max()) <= 2.0 + 1e-6
    assert float(node.mixing_weights().detach().min()) >= 0.5 - 1e-6


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_a_candidate_joins_others_whose_gates_have_all_but_closed(dtype):
    net = supernet(
        branch(), relaxation=ScaledSigmoidRelaxation(), dtype=dtype, operations=OPERATIONS
    )
    set_progress(net, 1.0)
    place, node = list(net.nodes())[-1]
    with torch.no_grad():
        node.alphas[:] = torch.tensor([1.0, -2.0, 0.5, 1.0])
    past = windows(dtype=dtype)
    before = net(past)
    AddOp(place, "add").apply(net)
    assert difference(net(past), before) <= TOLERANCE[dtype]


def test_the_hadamard_branch_learns_through_its_own_weights_at_once():
    net, past = supernet(branch()), windows()
    place = next(place for place, node in net.nodes() if node.is_output)
    AddHadamard(place).apply(net)
    node = list(net.nodes())[-1][1]
    net(past).square().sum().backward()
    weights = node.projections["right_0"].weights
    assert all(not weight.any() for weight in weights.values())
    assert all(weight.grad.any() for weight in weights.values())


@pytest.mark.parametrize("seed", range(3))
def test_two_generators_of_one_seed_give_the_same_newborn(seed):
    nets = [supernet(branch()) for _ in range(2)]
    for net in nets:
        AddNode(0, 0).apply(net, generator(seed))
        Widen(0, 2).apply(net, generator(seed))
    for ours, theirs in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_morphism_leaves_the_process_wide_generator_alone():
    before = torch.random.get_rng_state()
    for morphism in MORPHISMS:
        net = supernet(branch(), operations=OPERATIONS)
        CASES[morphism](net)[0].apply(net)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_change_names_every_parameter_that_came_and_none_twice():
    for morphism in MORPHISMS:
        for case in range(2):
            net = supernet(branch(), operations=OPERATIONS)
            before = {id(p) for p in net.parameters()}
            edit = CASES[morphism](net)[case]
            change = edit.apply(net, generator())
            came = [id(p) for p in change.added]
            came += [id(replacement.new) for replacement in change.replaced]
            assert len(set(came)) == len(came), str(edit)
            assert set(came) == {id(p) for p in net.parameters()} - before, str(edit)
            gone = {id(p) for p in change.removed}
            gone |= {id(replacement.old) for replacement in change.replaced}
            assert gone == before - {id(p) for p in net.parameters()}, str(edit)


def test_newborn_nodes_of_tabular_rows_do_not_read_a_state_that_is_always_zero():
    row = type(SHAPE)(n_channels=3, lookback=1, n_targets=2, horizon=1)
    net = supernet(branch("lstm", segment_length=1), shape=row, window_norm="none")
    past = windows(row)
    output = next(place for place, node in net.nodes() if node.is_output)
    for edit in (AddNode(0, 0, OPERATIONS), AddHadamard(output)):
        check(net, edit, past)
        node = list(net.nodes())[-1][1]
        assert not {"h", "c"} & set(node.sources)


def test_a_candidate_is_refused_where_an_operand_is_missing_that_it_is_zero_without():
    place = NodePlace(0, 0, 0)
    for name in registered_ops():
        net = supernet(branch("dense"))  # one node, lin_tanh(x, -)
        before = [id(p) for p in net.parameters()]
        if get_op(name).needs_right:
            with pytest.raises(ValueError, match=f"operands it needs; got '{name}'.* no right one"):
                AddOp(place, name).apply(net)
            assert [id(p) for p in net.parameters()] == before
            assert net.node(place).operations == ["lin_tanh"]
        elif name != "lin_tanh":
            check(net, AddOp(place, name), windows())


def test_adding_what_is_there_already_or_modulating_what_is_no_output_is_refused():
    net = supernet(branch("gru"))
    with pytest.raises(ValueError, match="operation must be new to the node; got 'lin_sigmoid'"):
        AddOp(NodePlace(0, 0, 0), "lin_sigmoid").apply(net)
    with pytest.raises(ValueError, match="place must be an output of its cell; got node 0"):
        AddHadamard(NodePlace(0, 0, 0)).apply(net)
