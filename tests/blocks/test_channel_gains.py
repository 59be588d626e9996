"""Gains tell channels apart where they share a branch."""

import dataclasses

import pytest
import torch

from sknas.blocks.channel_gains import ChannelGains
from sknas.derived import DerivedNetwork, NetworkSpec
from sknas.genotype import Genotype
from tests.tiny import SHAPE

CPU64 = torch.float64


def network(channel_mode="independent", **shape):
    genotype = Genotype.named("gru", hidden_size=4, segment_length=2, channel_mode=channel_mode)
    spec = NetworkSpec(genotype, dataclasses.replace(SHAPE, **shape), "last", channel_mode)
    net = DerivedNetwork(spec, generator=torch.Generator().manual_seed(0), dtype=CPU64)
    with torch.no_grad():
        for branch in net.trunk.branches:
            for head in branch.heads:
                head.normal_(generator=torch.Generator().manual_seed(1))
    return net


def test_states_are_weighed_channel_by_channel():
    gains = ChannelGains(3, 4, generator=torch.Generator().manual_seed(0), dtype=CPU64)
    states = torch.randn(5, 3, 4, dtype=CPU64, generator=torch.Generator().manual_seed(1))
    expected = torch.empty_like(states)
    for sample in range(5):
        for channel in range(3):
            for unit in range(4):
                factor = 1.0 + gains.weight[channel, unit]
                expected[sample, channel, unit] = states[sample, channel, unit] * factor
    torch.testing.assert_close(gains(states.flatten(0, 1)), expected.flatten(0, 1))


def test_gains_of_zero_are_a_branch_that_channels_share():
    net = network()
    past = torch.randn(6, 1, SHAPE.lookback, dtype=CPU64).expand(6, SHAPE.n_channels, -1)
    first, second = net(past).unbind(1)  # both targets read the same window
    assert not torch.allclose(first, second)
    with torch.no_grad():
        for gains in net.trunk.branches[0].gains:
            gains.weight.zero_()
    first, second = net(past).unbind(1)
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize(
    ("channel_mode", "shape"),
    [
        ("mixed", {}),
        ("independent", {"n_targets": 1, "target_channels": (0,)}),
        ("independent", {"has_gains": False}),
    ],
)
def test_there_are_none_where_nothing_is_shared_or_they_are_not_wanted(channel_mode, shape):
    assert not len(network(channel_mode, **shape).trunk.branches[0].gains)
