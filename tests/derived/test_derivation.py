"""The derived network is the settled supernet: same outputs, nothing of the search in it."""

import contextlib
import copy
import dataclasses
import pickle

import numpy as np
import pytest
import torch

from sknas.blocks import WINDOW_NORMS
from sknas.derived import DerivedNetwork, NetworkSpec
from sknas.edits import (
    AddBranch,
    AddDagBranch,
    AddDagNode,
    AddHadamard,
    AddLayer,
    AddNode,
    AddOp,
    DropNode,
    DropOutput,
    Widen,
)
from sknas.genotype import NAMED_CELLS, Genotype
from sknas.ops import get_op, registered_ops
from sknas.search.discretization import discretize
from sknas.search.inheritance import derive
from sknas.supernet import MixedNode
from tests.tiny import (
    CELLS,
    PADDED,
    RELAXATIONS,
    SHAPE,
    branch,
    choices,
    generator,
    perturb,
    set_progress,
    supernet,
    windows,
)


def random_operations(rng):
    names = registered_ops()
    return tuple(names[i] for i in rng.permutation(len(names))[: rng.integers(1, 5)])


def random_growth(net, rng):
    """Return one of the edits that make the supernet larger."""
    places = [place for place, node in net.nodes() if node.is_output]
    place = places[rng.integers(len(places))]
    b, depth = place.branch, place.layer
    node = net.node(place)
    new = [name for name in registered_ops() if name not in node.operations]
    new = [name for name in new if node.open_sources(1) or not get_op(name).needs_right]
    cells = list(CELLS.values())
    edits = [
        AddNode(b, depth, random_operations(rng)),
        AddNode(b, depth, random_operations(rng)),
        AddHadamard(place),
        AddLayer(b, cells[rng.integers(len(cells))]),
        AddBranch(branch("gru", segment_length=2, channel_mode="independent", hidden_size=3)),
        Widen(b, 1 + int(rng.integers(3))),
        AddDagNode(b, depth),
        AddDagBranch(branch("highway", hidden_size=3), 1 + int(rng.integers(3))),
    ]
    edits += [AddOp(place, new[rng.integers(len(new))])] if isinstance(node, MixedNode) else []
    return edits[rng.integers(len(edits))]


def settle(net, rng):
    while edits := [edit for choice in choices(net) for edit in choice]:
        edits[rng.integers(len(edits))].apply(net)
        if rng.random() < 0.05:
            places = [place for place, _ in net.nodes()]
            kind = (DropNode, DropOutput)[rng.integers(2)]
            # The only way out of a cell, or what a settled operand reads, may not go.
            with contextlib.suppress(ValueError):
                kind(places[rng.integers(len(places))]).apply(net)
    assert net.is_settled


def random_settled(seed, shape=SHAPE, segment_length=3):
    rng = np.random.default_rng(seed)
    start = list(CELLS)[seed % len(CELLS)]
    net = supernet(
        branch(start, segment_length=segment_length),
        relaxation=RELAXATIONS[seed % len(RELAXATIONS)],
        shape=shape,
        window_norm=WINDOW_NORMS[seed % 4],
    )
    for step in range(5):
        random_growth(net, rng).apply(net, generator(step))
        perturb(net, seed=step, scale=0.2)
        set_progress(net, (step + 1) / 5)
        if step == 2:
            settle(net, rng)
    settle(net, rng)
    perturb(net, seed=77, scale=0.2)
    return net


@pytest.mark.parametrize("seed", range(24))
def test_after_any_edits_the_derived_network_predicts_what_the_settled_supernet_does(seed):
    net, past = random_settled(seed), windows()
    derived = derive(net, generator=generator())
    expected = net(past)
    scale = max(1.0, float(expected.detach().abs().max()))
    torch.testing.assert_close(derived(past), expected, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize("seed", range(24))
def test_the_genotype_of_any_settled_supernet_survives_json(seed):
    genotype = discretize(random_settled(seed))
    assert Genotype.from_json(genotype.to_json()) == genotype
    assert hash(Genotype.from_json(genotype.to_json())) == hash(genotype)


@pytest.mark.parametrize("seed", range(8))
def test_a_genotype_has_no_node_that_nothing_depends_on(seed):
    for spec in discretize(random_settled(seed)).branches:
        for cell in spec.layers:
            read = {name for node in cell.nodes for name in node.operands}
            for index in range(len(cell.nodes)):
                assert f"s{index}" in read or index in (*cell.outputs, cell.memory)


def n_silent(net):
    """Return the number of output weights that are not read, which a derived network leaves out."""
    return sum(not node.is_output for _, node in net.nodes())


@pytest.mark.parametrize("seed", range(24))
def test_a_settled_supernet_is_as_large_as_what_is_derived_from_it(seed):
    net = random_settled(seed)
    derived = derive(net, generator=generator())
    assert net.n_nodes == discretize(net).n_nodes
    assert net.n_params - n_silent(net) == derived.n_params


@pytest.mark.parametrize("seed", range(15))
def test_a_branch_is_born_without_the_nodes_of_its_genotype_that_nothing_reads(seed):
    genotype = Genotype.random(seed, operations=registered_ops(), n_nodes=6, hidden_size=4)
    net = supernet(*genotype.branches)
    AddLayer(0, genotype.branches[0].layers[0]).apply(net, generator())
    derived = derive(net, generator=generator())
    assert net.n_nodes == discretize(net).n_nodes
    assert net.n_params - n_silent(net) == derived.n_params


@pytest.mark.parametrize("name", NAMED_CELLS)
def test_a_named_cell_is_its_own_genotype(name):
    spec = branch(name, n_layers=2)
    assert discretize(supernet(spec)) == Genotype((spec,))


def test_the_linear_seed_is_the_empty_genotype():
    net = supernet(window_norm="revin")
    assert discretize(net) == Genotype.named("linear")
    derived = derive(net, generator=generator())
    assert torch.equal(derived(windows()), net(windows()))


@pytest.mark.parametrize("operations", [("add", "gate"), ("add",)])
def test_what_is_not_settled_is_not_discretized(operations):
    net = supernet(branch("gru"), operations=operations)
    for use in (discretize, lambda net: derive(net, generator=generator())):
        with pytest.raises(ValueError, match="supernet must be settled"):
            use(net)


def test_deriving_leaves_the_supernet_as_it_was_and_shares_nothing_with_it():
    net, past = random_settled(3), windows()
    before = net(past)
    derived = derive(net, generator=generator())
    perturb(derived)
    assert torch.equal(net(past), before)


def test_a_derived_network_has_no_parameter_without_effect():
    for seed in range(8):
        derived = derive(random_settled(seed), generator=generator())
        loss = derived(windows()).square().sum()
        names, parameters = zip(*derived.named_parameters(), strict=True)
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        assert [n for n, g in zip(names, gradients, strict=True) if g is None] == []
        assert derived.n_params == sum(p.numel() for p in parameters)


def build(genotype, shape=SHAPE, window_norm="last"):
    spec = NetworkSpec(genotype, shape, window_norm, "mixed")
    network = DerivedNetwork(spec, generator=generator(), dtype=torch.float64)
    perturb(network)
    return network


def named(name, **settings):
    return Genotype.named(name, hidden_size=4, **settings)


@pytest.mark.parametrize("channel_mode", ["independent", "mixed"])
@pytest.mark.parametrize("name", NAMED_CELLS)
def test_no_window_is_mapped_to_no_forecast(name, channel_mode):
    network = build(named(name, channel_mode=channel_mode))
    assert network(windows(n=0)).shape == (0, *network(windows()).shape[1:])


@pytest.mark.parametrize("channel_mode", ["independent", "mixed"])
@pytest.mark.parametrize("window_norm", ["none", "last", "level", "revin"])
@pytest.mark.parametrize("name", NAMED_CELLS)
def test_a_padded_sequence_is_predicted_as_the_same_sequence_alone(name, window_norm, channel_mode):
    genotype = named(name, channel_mode=channel_mode, n_layers=2)
    padded = build(genotype, PADDED, window_norm)
    past = windows(PADDED)
    with torch.no_grad():  # the linear seed is made for one length; its place is not in question
        padded.trunk.seed.weight.zero_()
    together = padded(past)
    for sample in range(len(past)):
        there = past[[sample]][:, :, ~past[sample, 0].isnan()]
        shape = dataclasses.replace(SHAPE, lookback=there.shape[-1])
        alone = build(genotype, shape, window_norm)
        with torch.no_grad():
            alone.trunk.seed.weight.zero_()
            alone.trunk.seed.bias.copy_(padded.trunk.seed.bias)
        alone.trunk.branches.load_state_dict(padded.trunk.branches.state_dict())
        torch.testing.assert_close(alone(there)[0], together[sample], rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_a_padded_supernet_and_its_derived_network_agree(seed):
    net, past = random_settled(seed, PADDED), windows(PADDED)
    output = derive(net, generator=generator())(past)
    scale = max(1.0, float(output.detach().abs().max()))
    torch.testing.assert_close(output, net(past), rtol=0, atol=1e-12 * scale)
    assert output.isfinite().all()


@pytest.mark.parametrize("segment_length", [1, 3, 10])
@pytest.mark.parametrize("name", NAMED_CELLS)
def test_new_branches_start_from_the_linear_seed(name, segment_length):
    spec = NetworkSpec(named(name, segment_length=segment_length), SHAPE, "none", "mixed")
    network = DerivedNetwork(spec, generator=generator(), dtype=torch.float64)
    assert not network(windows()).any()  # whose weights are zero until it is solved


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
@pytest.mark.parametrize("name", NAMED_CELLS)
def test_a_derived_network_can_be_copied_pickled_and_built_again(name, clone):
    network = build(named(name, segment_length=3, n_layers=2))
    twin = clone(network)
    rebuilt = DerivedNetwork(twin.spec, generator=generator(5), dtype=torch.float64)
    rebuilt.load_state_dict(network.state_dict())
    for other in (twin, rebuilt):
        assert torch.equal(other(windows()), network(windows()))


@pytest.mark.parametrize("seed", range(15))
def test_a_random_genotype_is_the_same_network_relaxed_and_derived(seed):
    genotype = Genotype.random(
        seed, operations=registered_ops(), hidden_size=4, segment_length=1 + seed % 3
    )
    net = supernet(*genotype.branches)
    derived = derive(net, generator=generator())
    torch.testing.assert_close(derived(windows()), net(windows()), rtol=0, atol=1e-11)
    # What only an ignored operand reads is not there any more.
    assert len(derived.spec.genotype.operations) <= len(genotype.operations)


def test_predictions_of_a_sample_do_not_depend_on_its_batch():
    network, past = build(named("lstm", segment_length=3)), windows()
    alone = torch.cat([network(past[[i]]) for i in range(len(past))])
    torch.testing.assert_close(alone, network(past), rtol=0, atol=1e-13)
