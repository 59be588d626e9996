"""A network of short windows, made one of longer windows, predicts the same."""

import dataclasses

import pytest
import torch

from sknas.blocks import Segments
from sknas.derived import DerivedNetwork, FrozenNetwork, NetworkSpec, average_networks, lengthened
from sknas.genotype import Genotype
from sknas.search.discretization import discretize
from tests.tiny import (
    CODED,
    PADDED,
    SHAPE,
    branch,
    generator,
    normal,
    perturb,
    supernet,
    windows,
)

LOOKBACK = 12
LONG = dataclasses.replace(SHAPE, lookback=LOOKBACK)


def network(*cells, shape=SHAPE, window_norm="last", channel_mode="mixed", segment_length=3):
    genotype = Genotype(
        tuple(branch(c, channel_mode=channel_mode, segment_length=segment_length) for c in cells)
    )
    spec = NetworkSpec(genotype, shape, window_norm, channel_mode)
    made = DerivedNetwork(spec, generator=generator(), dtype=torch.float64)
    perturb(made)
    return made


@pytest.mark.parametrize("segment_length", [1, 3])
@pytest.mark.parametrize("n_covariates", [0, 1])
@pytest.mark.parametrize("window_norm", ["none", "last", "level"])
@pytest.mark.parametrize("channel_mode", ["mixed", "independent"])
def test_it_reads_the_newest_steps_alone(channel_mode, window_norm, n_covariates, segment_length):
    shape = SHAPE
    if n_covariates:
        shape = dataclasses.replace(SHAPE, n_covariates=1, target_channels=(1, 0))
    short = network(
        "gru",
        "lstm",
        shape=shape,
        window_norm=window_norm,
        channel_mode=channel_mode,
        segment_length=segment_length,
    )
    long = lengthened(short, LOOKBACK)
    past = windows(dataclasses.replace(shape, lookback=LOOKBACK), 5)
    expected = short(past[..., -SHAPE.lookback :])
    torch.testing.assert_close(long(past), expected, rtol=0, atol=1e-12)
    frozen = FrozenNetwork(long.eval().requires_grad_(requires_grad=False))
    torch.testing.assert_close(frozen(past), expected.detach(), rtol=0, atol=1e-12)
    assert [one.reach for one in long.spec.genotype.branches] == [SHAPE.lookback] * 2


def test_once_more_it_reaches_no_further():
    short = network("gru")
    once = lengthened(short, LOOKBACK)
    twice = lengthened(once, LOOKBACK + 5)
    past = normal(4, 3, LOOKBACK + 5, seed=1)
    torch.testing.assert_close(twice(past), once(past[..., -LOOKBACK:]), rtol=0, atol=1e-12)


def test_the_mean_of_near_and_far_is_one_network():
    near, far = network("gru"), network("lstm", shape=LONG)
    mean = average_networks([far, lengthened(near, LOOKBACK)])
    past = windows(LONG, 5)
    expected = (far(past) + near(past[..., -SHAPE.lookback :])) / 2
    torch.testing.assert_close(mean(past), expected, rtol=0, atol=1e-12)
    assert [one.reach for one in mean.spec.genotype.branches] == [None, SHAPE.lookback]


@pytest.mark.parametrize(
    ("shape", "window_norm"), [(SHAPE, "revin"), (PADDED, "last"), (CODED, "none")]
)
def test_where_older_steps_change_what_newer_ones_mean_it_is_refused(shape, window_norm):
    with pytest.raises(ValueError, match="a network to lengthen must read numbers"):
        lengthened(network("gru", shape=shape, window_norm=window_norm), LOOKBACK)


def test_it_cannot_become_shorter():
    with pytest.raises(ValueError, match="lookback must be at least 7; got 5"):
        lengthened(network("gru"), 5)


# -- reach ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reach", [1, 4, 6, 12, 20])
@pytest.mark.parametrize("segment_length", [1, 3, 5])
def test_segments_hold_the_newest_steps(reach, segment_length):
    segments = Segments(
        LONG,
        segment_length,
        "mixed",
        n_embedded=2,
        generator=generator(),
        dtype=torch.float64,
        reach=reach,
    )
    n_read = min(reach, LOOKBACK)
    short = Segments(
        dataclasses.replace(LONG, lookback=n_read),
        segment_length,
        "mixed",
        n_embedded=2,
        generator=generator(),
        dtype=torch.float64,
    )
    past = windows(LONG, 5)
    assert torch.equal(segments(past), short(past[..., -n_read:]))
    present = torch.arange(LOOKBACK) >= torch.arange(5)[:, None] * 2
    assert torch.equal(segments.presence(present), short.presence(present[:, -n_read:]))


def test_a_supernet_keeps_the_reach_of_its_branches():
    spec = dataclasses.replace(branch("gru"), reach=5)
    net = supernet(spec)
    assert discretize(net).branches[0].reach == 5
    past = windows()
    before = net(past)
    changed = past.clone()
    changed[:, :, :2] += 1.0
    with torch.no_grad():
        for parameter in net.trunk.seed.parameters():
            parameter.zero_()
    assert torch.equal(net(past), net(changed))
    assert not torch.equal(before, net(past))
