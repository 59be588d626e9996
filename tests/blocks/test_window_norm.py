"""Window normalisation takes off what undo brings back, and never sees the padding."""

import dataclasses

import pytest
import torch

from sknas.blocks import WINDOW_NORMS, NetworkShape, WindowNorm
from sknas.derived import DerivedNetwork, NetworkSpec
from sknas.genotype import Genotype
from tests.tiny import PADDED, SHAPE, generator, perturb, windows

every_kind = pytest.mark.parametrize("kind", WINDOW_NORMS)


def targets_of(normed, shape):
    return normed[:, list(shape.target_channels)]


@every_kind
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_undo_is_the_inverse_on_the_channels_that_targets_continue(kind, scale):
    norm, past = WindowNorm(kind, SHAPE), scale * windows() + 3.0
    normed, stats, _ = norm(past)
    back = norm.undo(targets_of(normed, SHAPE), stats)
    torch.testing.assert_close(back, targets_of(past, SHAPE), rtol=1e-12, atol=1e-12)


@every_kind
def test_targets_that_are_no_channels_are_left_alone(kind):
    norm = WindowNorm(kind, dataclasses.replace(SHAPE, target_channels=None))
    _, stats, _ = norm(windows())
    output = torch.full((5, 2, 2), 0.7)
    assert torch.equal(norm.undo(output, stats), output)


def test_without_normalisation_a_window_is_itself():
    past = windows()
    normed, stats, present = WindowNorm("none", SHAPE)(past)
    assert torch.equal(normed, past)
    assert (stats.center, stats.scale, present) == (None, None, None)


def test_last_subtracts_the_newest_value_of_each_channel():
    past = windows()
    normed, _, _ = WindowNorm("last", SHAPE)(past)
    assert not normed[..., -1].any()
    torch.testing.assert_close(normed.diff(dim=-1), past.diff(dim=-1))


def test_revin_centres_each_channel_and_brings_it_to_unit_variance():
    normed, _, _ = WindowNorm("revin", SHAPE)(10 * windows() - 4.0)
    zero, one = torch.zeros(5, 3, dtype=torch.float64), torch.ones(5, 3, dtype=torch.float64)
    torch.testing.assert_close(normed.mean(dim=-1), zero, rtol=0, atol=1e-12)
    # A floor of a hundredth of a unit is added to the deviation, in squares.
    torch.testing.assert_close(normed.std(dim=-1, correction=0), one, rtol=1e-5, atol=0)


@every_kind
@pytest.mark.parametrize("shape", [SHAPE, PADDED], ids=["full", "padded"])
def test_a_constant_window_is_not_blown_up(kind, shape):
    past = torch.full((2, 3, 7), 5.0) + 1e-6 * windows(SHAPE, 2, dtype=torch.float32)
    normed, _, _ = WindowNorm(kind, shape)(past)
    assert normed.abs().max() <= 5.0 + 1e-3


@every_kind
def test_padding_comes_out_as_zero_and_is_said_to_be_missing(kind):
    past = windows(PADDED)
    normed, _, present = WindowNorm(kind, PADDED)(past)
    assert normed.isfinite().all()
    is_missing = past[:, 0].isnan()
    assert torch.equal(present, ~is_missing)
    assert not normed[is_missing[:, None].expand_as(normed)].any()
    assert is_missing.any()


@every_kind
def test_padding_changes_nothing_of_what_is_there(kind):
    past = windows(PADDED)
    normed, _, present = WindowNorm(kind, PADDED)(past)
    for sample in range(len(past)):
        there = past[[sample]][:, :, present[sample]]
        shape = dataclasses.replace(SHAPE, lookback=there.shape[-1])
        alone, _, _ = WindowNorm(kind, shape)(there)
        torch.testing.assert_close(normed[[sample]][:, :, present[sample]], alone)


@pytest.mark.parametrize("kind", ["last", "revin"])
@pytest.mark.parametrize("offset", [-50.0, 0.3])
def test_a_shifted_window_gets_the_prediction_shifted(kind, offset):
    spec = NetworkSpec(Genotype.named("gru", hidden_size=4), SHAPE, kind, "mixed")
    network = DerivedNetwork(spec, generator=generator(), dtype=torch.float64)
    perturb(network)
    past = windows()
    expected = network(past) + offset
    torch.testing.assert_close(network(past + offset), expected, rtol=0, atol=1e-10)


def test_revin_makes_the_prediction_follow_the_unit_of_the_window():
    spec = NetworkSpec(Genotype.named("gru", hidden_size=4), SHAPE, "revin", "mixed")
    network = DerivedNetwork(spec, generator=generator(), dtype=torch.float64)
    perturb(network)
    past = 100 * windows()  # far above the floor of the deviation
    torch.testing.assert_close(network(1e3 * past), 1e3 * network(past), rtol=1e-6, atol=0)


def test_a_target_continues_its_own_channel_whatever_their_order():
    past = torch.zeros(1, 3, 7, dtype=torch.float64)
    past[0, 0], past[0, 1], past[0, 2] = 10.0, 20.0, 30.0
    for target_channels in ((0, 1), (2, 0), (1, 1)):
        shape = NetworkShape(3, 7, 2, 2, target_channels)
        norm = WindowNorm("last", shape)
        _, stats, _ = norm(past)
        undone = norm.undo(torch.zeros(1, 2, 2, dtype=torch.float64), stats)
        levels = [10.0 * (channel + 1) for channel in target_channels]
        assert undone[0].tolist() == [[level, level] for level in levels]
