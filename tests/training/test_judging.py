"""When validation losses count as clearly fallen."""

import dataclasses

import pytest
import torch

from sknas.blocks import CrossEntropy, WindowData
from sknas.blocks.objective import MeanSquared
from sknas.search.probe import Probe
from sknas.training import is_clear_gain, is_likely_gain, make_probe, validation_losses
from tests.training.test_phases import SHAPE, problem


def weighted(weight):
    nothing = torch.zeros(len(weight), 1, 1, dtype=torch.float64)
    return WindowData(nothing, nothing, weight)


def judged(before, after, *, lookback, share=0.0, n_errors=4.0, is_in_time=True):
    shape = dataclasses.replace(SHAPE, lookback=lookback)
    task = dataclasses.replace(problem(), shape=shape, is_in_time=is_in_time)
    task = dataclasses.replace(task, validation=torch.arange(len(before)))
    return is_clear_gain(before, after, task, share=share, n_errors=n_errors)


def test_a_gain_that_every_separate_sample_shows_is_clear_though_losses_differ_widely():
    before = torch.linspace(0.0, 6.0, 24, dtype=torch.float64).exp()
    gains = 0.9 * before
    assert gains.mean() < 4.0 * gains.std(correction=0) / 24**0.5  # their own error hides it
    assert judged(before, before - gains, lookback=1)
    assert not judged(before - gains, before, lookback=1)


@pytest.mark.parametrize("lookback", [1, 4])
def test_the_share_and_the_error_are_both_asked_for(lookback):
    before = torch.ones(24, dtype=torch.float64)
    assert judged(before, 0.99 * before, lookback=lookback, share=0.005)
    assert not judged(before, 0.99 * before, lookback=lookback, share=0.02)
    noise = torch.tensor([0.5] * 12 + [-0.48] * 12, dtype=torch.float64)
    assert not judged(before, before - noise, lookback=lookback, share=0.005)


def test_overlapping_windows_are_judged_by_blocks_of_losses():
    before = torch.ones(24, dtype=torch.float64)
    # A gain in one stretch of time is one piece of evidence, however many windows are in it.
    after = before.clone()
    after[:6] = 0.2
    assert judged(before, after, lookback=1, n_errors=2.0)
    assert not judged(before, after, lookback=6, n_errors=2.0)


def test_separate_sequences_are_judged_one_by_one_however_long_they_are():
    before = torch.ones(24, dtype=torch.float64)
    after = before.clone()
    after[:6] = 0.2
    assert not judged(before, after, lookback=6, n_errors=2.0)
    assert judged(before, after, lookback=6, n_errors=2.0, is_in_time=False)


def test_a_single_sample_is_no_evidence():
    before = torch.ones(1, dtype=torch.float64)
    assert not judged(before, 0.1 * before, lookback=1, n_errors=1.0)


def test_the_error_of_separate_samples_is_that_of_their_mean():
    task = dataclasses.replace(problem(), shape=dataclasses.replace(SHAPE, lookback=1, horizon=1))
    task = dataclasses.replace(task, validation=torch.arange(9))
    gains = torch.randn(9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    error = make_probe(task).standard_error(gains)
    assert error == pytest.approx(float(gains.std()) / 3.0)


@pytest.mark.parametrize("unit", [0.01, 0.7])
def test_the_error_of_weighted_samples_has_no_unit(unit):
    generator = torch.Generator().manual_seed(1)
    gains, weight = (torch.rand(60, generator=generator, dtype=torch.float64) for _ in range(2))
    errors = [
        Probe(weighted(w), torch.arange(60), MeanSquared()).standard_error(gains)
        for w in (weight, unit * weight)
    ]
    assert errors[0] == pytest.approx(errors[1])
    # Over many draws of the samples, the weighted means scatter by about that.
    draws = torch.rand(4000, 60, generator=generator, dtype=torch.float64)
    means = (draws * weight).sum(dim=1) / weight.sum()
    assert errors[0] == pytest.approx(float(means.std()), rel=0.25)


def test_a_weight_that_counts_is_as_many_samples():
    gains = torch.tensor([0.3, -0.1, 0.5, 0.2], dtype=torch.float64)
    counts = torch.tensor([1.0, 3.0, 2.0, 4.0], dtype=torch.float64)
    repeated = gains.repeat_interleave(counts.long())
    error = Probe(weighted(counts), torch.arange(4), MeanSquared()).standard_error(gains)
    assert error == pytest.approx(float(repeated.std()) / 10**0.5)


# -- long horizons --------------------------------------------------------------------------------


def likely(gains, *, lookback=6, share=0.0):
    shape = dataclasses.replace(SHAPE, lookback=lookback, horizon=1)
    task = dataclasses.replace(problem(), shape=shape, validation=torch.arange(len(gains)))
    before = torch.ones_like(gains)
    return is_likely_gain(before, before - gains, task, share=share)


def in_blocks(*rows):
    """Gains of two targets in stretches of six overlapping windows."""
    return torch.tensor(rows, dtype=torch.float64).repeat_interleave(6, dim=0)


def test_a_gain_that_most_targets_show_most_of_the_time_is_likely():
    assert likely(in_blocks([0.3, 0.2], [0.1, -0.1]))
    assert not likely(in_blocks([0.3, -0.4], [0.1, -0.1]))


def test_a_gain_of_one_target_in_one_stretch_is_likely_unless_another_loses():
    """Two thirds of Student's distribution with three degrees of freedom lie below 0.476."""
    # The mean is one standard error, 0.1, in the first, and 0.4 of 0.126 in the other.
    assert likely(in_blocks([0.4, 0.0], [0.0, 0.0]))
    assert not likely(in_blocks([0.4, -0.2], [0.0, 0.0]))


def test_of_separate_samples_each_is_a_piece_of_evidence():
    """Two thirds of Student's distribution with three degrees of freedom lie below 0.476."""
    gains = torch.tensor([0.4, 0.0, 0.0, 0.0], dtype=torch.float64)
    assert likely(gains, lookback=1)
    # A mean of 0.05, of which the standard error is 0.126.
    assert not likely(gains - torch.tensor([0.0, 0.2, 0.0, 0.0]), lookback=1)
    assert not likely(-gains, lookback=1)


def test_a_likely_gain_has_to_be_large_enough_too():
    gains = torch.full((12, 2), 0.01, dtype=torch.float64)
    assert likely(gains)
    assert not likely(gains, share=0.02)


def test_the_error_of_targets_is_that_of_all_their_blocks():
    generator = torch.Generator().manual_seed(0)
    means = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    shape = dataclasses.replace(SHAPE, lookback=5, horizon=1)
    task = dataclasses.replace(problem(), shape=shape, validation=torch.arange(20))
    probe = make_probe(task)
    error = probe.standard_error(means.repeat_interleave(5, dim=0))
    assert error == pytest.approx(float(means.std()) / 12**0.5)
    assert probe.n_blocks == 4


# -- classes --------------------------------------------------------------------------------------


def classes(n_validation):
    task = problem()
    weight = torch.ones(64, dtype=torch.float64)
    data = WindowData(task.data.past[:64], torch.zeros(64, dtype=torch.int64), weight)
    return dataclasses.replace(
        task,
        data=data,
        validation=torch.arange(n_validation),
        objective=CrossEntropy(),
        n_classes=2,
    )


@pytest.mark.parametrize("n_validation", [4, 40])
def test_no_probability_nearer_to_one_than_so_many_samples_can_tell_is_better(n_validation):
    """With a pseudo-sample spread over both classes, the best is (n + 1/2) / (n + 1)."""
    judge = classes(n_validation).judge
    chances = torch.linspace(0.5, 0.9999, 5000, dtype=torch.float64)
    logits = torch.stack([chances.log(), (1 - chances).log()], dim=1).unsqueeze(2)
    losses = judge.per_sample(logits, torch.zeros(5000, dtype=torch.int64))
    best = float(chances[losses.argmin()])
    assert best == pytest.approx((n_validation + 0.5) / (n_validation + 1), abs=2e-4)


def test_a_repeated_sample_and_one_of_that_weight_are_judged_alike():
    task = classes(8)
    counts = torch.tensor([1.0, 2.0, 0.0, 5.0] * 16, dtype=torch.float64)
    weighted_task = dataclasses.replace(task, data=dataclasses.replace(task.data, weight=counts))
    assert weighted_task.judge.smoothing == pytest.approx(1 / 17)
    assert task.judge.smoothing == pytest.approx(1 / 9)


def test_searches_and_choices_are_judged_with_the_pseudo_sample():
    task = classes(8)

    def network(past):
        return torch.tensor([[3.0], [0.0]], dtype=torch.float64).expand(len(past), 2, 1)

    chances = torch.tensor([3.0, 0.0], dtype=torch.float64).log_softmax(dim=0)
    expected = -(1 - 1 / 9) * chances[0] - chances.mean() / 9
    for each in (make_probe(task).each(network), validation_losses(network, task)):
        torch.testing.assert_close(each, expected.expand(8))


def test_numbers_are_judged_by_what_is_learned():
    task = problem()
    assert task.judge is task.objective
