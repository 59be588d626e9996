"""A lifted network is the derived one, ready to grow: same outputs, and nothing shared."""

import pytest
import torch

from sknas.derived import DerivedNetwork, NetworkSpec
from sknas.edits import AddBranch, AddNode
from sknas.genotype import NAMED_CELLS, Branch, Cell, Genotype, Node
from sknas.ops import registered_ops
from sknas.search.discretization import discretize
from sknas.search.inheritance import derive
from sknas.search.lifting import lift
from sknas.supernet import Mixing
from tests.derived.test_derivation import random_settled
from tests.tiny import PADDED, RELAXATIONS, SHAPE, branch, generator, perturb, windows


def lifted(network, seed=0):
    return lift(network, Mixing(RELAXATIONS[seed % len(RELAXATIONS)]), generator=generator(seed))


def build(genotype, shape=SHAPE):
    spec = NetworkSpec(genotype, shape, "last", "mixed")
    network = DerivedNetwork(spec, generator=generator(), dtype=torch.float64)
    perturb(network)
    return network


def assert_same(first, second, past):
    expected = first(past)
    scale = max(1.0, float(expected.detach().abs().max()))
    torch.testing.assert_close(second(past), expected, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize("shape", [SHAPE, PADDED])
@pytest.mark.parametrize("seed", range(12))
def test_what_is_derived_and_lifted_predicts_the_same(seed, shape):
    network = derive(random_settled(seed, shape), generator=generator())
    supernet = lifted(network, seed)
    assert_same(network, supernet, windows(shape))
    assert supernet.is_settled
    assert discretize(supernet) == network.spec.genotype
    again = derive(supernet, generator=generator(3))
    assert_same(network, again, windows(shape))


@pytest.mark.parametrize("seed", range(12))
def test_a_network_with_nodes_that_nothing_reads_is_lifted_without_them(seed):
    network = build(Genotype.random(seed, operations=registered_ops(), n_nodes=6, hidden_size=4))
    supernet = lifted(network, seed)
    assert_same(network, supernet, windows())
    assert supernet.n_nodes == discretize(supernet).n_nodes


def test_outputs_in_any_order_keep_their_weights():
    nodes = (Node("lin_tanh", "x", "h"), Node("hadamard", "s0", "x"), Node("add", "s1", "h"))
    network = build(Genotype((Branch((Cell(nodes, outputs=(2, 0, 1)),), 4, 3, "mixed"),)))
    assert_same(network, lifted(network), windows())


@pytest.mark.parametrize("name", NAMED_CELLS)
def test_a_lifted_network_grows_without_a_change_of_its_outputs(name):
    network = build(Genotype((branch(name, n_layers=2),)))
    supernet = lifted(network)
    AddNode(0, 1).apply(supernet, generator(1))
    AddBranch(branch("highway", segment_length=2)).apply(supernet, generator(2))
    assert_same(network, supernet, windows())


def test_lifting_shares_nothing_with_the_network():
    network, past = build(Genotype((branch("lstm"),))), windows()
    before = network(past)
    perturb(lifted(network))
    assert torch.equal(network(past), before)


def test_the_linear_seed_alone_is_lifted_too():
    network, past = build(Genotype()), windows()
    assert torch.equal(lifted(network)(past), network(past))
