"""Segments are what loops over samples, channels and steps would cut."""

import pytest
import torch

from sknas.blocks import Segments
from tests.oracles.segments import looped_presence, looped_segments
from tests.tiny import PADDED, SHAPE, generator, perturb, windows

LENGTHS = [1, 2, 3, 4, 7, 9]  # of a window of 7 steps


def build(segment_length, channel_mode, n_embedded=6):
    segments = Segments(
        SHAPE,
        segment_length,
        channel_mode,
        n_embedded=n_embedded,
        generator=generator(),
        dtype=torch.float64,
    )
    perturb(segments)
    return segments


@pytest.mark.parametrize("segment_length", LENGTHS)
@pytest.mark.parametrize("channel_mode", ["independent", "mixed"])
def test_segments_equal_a_loop(channel_mode, segment_length):
    segments, normed = build(segment_length, channel_mode), windows()
    folded = looped_segments(
        normed, segment_length, SHAPE.target_channels, channel_mode == "independent"
    )
    expected = folded
    if segment_length > 1:
        expected = (folded @ segments.weight + segments.bias).clamp_min(0.0)
    torch.testing.assert_close(segments(normed), expected, rtol=0, atol=1e-13)
    assert expected.shape[-1] == segments.n_inputs


@pytest.mark.parametrize("segment_length", LENGTHS)
@pytest.mark.parametrize("channel_mode", ["independent", "mixed"])
def test_a_segment_counts_when_any_of_its_steps_is_there(channel_mode, segment_length):
    segments = build(segment_length, channel_mode)
    present = ~windows(PADDED, 8)[:, 0].isnan()
    n_repeats = len(SHAPE.target_channels) if channel_mode == "independent" else 1
    expected = looped_presence(present, segment_length, n_repeats)
    assert torch.equal(segments.presence(present), expected)
    assert segments(windows()).shape[0] == len(expected)


@pytest.mark.parametrize("segment_length", LENGTHS)
def test_a_change_at_one_time_reaches_one_segment_only(segment_length):
    segments, normed = build(segment_length, "mixed"), windows()
    before = segments(normed)
    for time in range(1, SHAPE.lookback):  # the oldest value also fills up the first segment
        changed = normed.clone()
        changed[:, :, time] += 10.0
        is_changed = (segments(changed) != before).flatten(1).any(dim=1)
        from_the_end = (SHAPE.lookback - 1 - time) // segment_length
        assert is_changed.nonzero().flatten().tolist() == [len(before) - 1 - from_the_end]


def test_a_single_step_enters_as_it_is_without_weights():
    assert list(build(1, "mixed").parameters()) == []
