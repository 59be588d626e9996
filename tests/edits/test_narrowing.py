"""Narrowing removes units from every tensor that has them, and nothing else."""

import itertools

import pytest
import torch

from sknas.edits import Narrow, Widen
from sknas.edits.geometry import ways_out
from sknas.search.discretization import discretize
from sknas.search.inheritance import derive
from tests.tiny import (
    CELLS,
    OPERATIONS,
    PADDED,
    RELAXATIONS,
    branch,
    generator,
    supernet,
    windows,
)

KEEP = (0, 2, 3)  # of four units


def silence(stack, keep):
    """Set every outgoing weight of the other units to zero."""
    with torch.no_grad():
        for weight in ways_out(stack):
            weight[[unit for unit in range(len(weight)) if unit not in keep]] = 0.0


@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("relaxation", RELAXATIONS, ids=repr)
@pytest.mark.parametrize("cell", CELLS)
def test_units_without_a_way_out_can_be_removed_without_effect(cell, relaxation, n_layers):
    for channel_mode, segment_length in itertools.product(("independent", "mixed"), (1, 3)):
        spec = branch(
            cell, segment_length=segment_length, channel_mode=channel_mode, n_layers=n_layers
        )
        net = supernet(branch("gru"), spec, relaxation=relaxation, operations=OPERATIONS)
        past = windows()
        before = net(past)
        silence(net.trunk.branches[1], KEEP)
        silenced = net(past)
        assert not torch.allclose(silenced, before)
        Narrow(1, KEEP).apply(net)
        torch.testing.assert_close(net(past), silenced, rtol=0, atol=1e-12)
        assert [stack.hidden_size for stack in net.trunk.branches] == [4, len(KEEP)]


@pytest.mark.parametrize("cell", CELLS)
def test_the_genotype_and_the_network_of_a_narrow_branch_are_those_of_its_width(cell):
    net = supernet(branch(cell, n_layers=2), shape=PADDED)
    Narrow(0, (1,)).apply(net)
    fresh = supernet(branch(cell, n_layers=2, hidden_size=1), shape=PADDED)
    assert [p.shape for p in net.parameters()] == [p.shape for p in fresh.parameters()]
    assert discretize(net) == discretize(fresh)
    assert discretize(net).branches[0].hidden_size == 1
    derived = derive(net, generator=generator())
    past = windows(PADDED)
    torch.testing.assert_close(derived(past), net(past), rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_narrowing_undoes_widening(cell):
    net, past = supernet(branch(cell, n_layers=2), operations=OPERATIONS), windows()
    before, values = net(past), [p.detach().clone() for p in net.parameters()]
    Widen(0, 3).apply(net, generator())
    Narrow(0, (0, 1, 2, 3)).apply(net)
    assert all(map(torch.equal, net.parameters(), values))
    assert torch.equal(net(past), before)


@pytest.mark.parametrize("keep", [(), (0, 4), (-1, 2), (2, 1), (1, 1)])
def test_units_that_are_not_there_cannot_be_kept(keep):
    net = supernet(branch("gru"))
    with pytest.raises(ValueError, match=r"keep must name at least one of the units 0 to 3"):
        Narrow(0, keep).apply(net)
    assert net.trunk.branches[0].hidden_size == 4
