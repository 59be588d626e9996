"""The linear seed is an affine map of the window, and takes over a solved one exactly."""

import dataclasses

import numpy as np
import pytest
import torch

from sknas.blocks import LinearSeed, NetworkShape
from tests.tiny import SHAPE, normal, perturb, windows

MODES = ["independent", "mixed"]


def build(channel_mode, shape=SHAPE):
    seed = LinearSeed(shape, channel_mode, dtype=torch.float64)
    perturb(seed)
    return seed


def test_independent_channels_share_one_map_from_their_own_past():
    seed, past = build("independent"), windows()
    output = seed(past)
    for sample in range(5):
        for target, channel in enumerate(SHAPE.target_channels):
            for step in range(SHAPE.horizon):
                row = past[sample, channel]
                value = sum(row[t] * seed.weight[t, step] for t in range(SHAPE.lookback))
                torch.testing.assert_close(output[sample, target, step], value + seed.bias[step])


def test_mixed_channels_all_enter_every_output():
    seed, past = build("mixed"), windows()
    weight = seed.weight.view(SHAPE.n_channels, SHAPE.lookback, SHAPE.n_targets, SHAPE.horizon)
    expected = torch.einsum("bcl,clth->bth", past, weight)
    expected = expected + seed.bias.view(SHAPE.n_targets, SHAPE.horizon)
    torch.testing.assert_close(seed(past), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("mode", MODES)
def test_a_planted_linear_map_is_recovered_by_least_squares_on_its_features(mode):
    planted, past = build(mode), windows(n=200)
    target = planted(past).detach()
    seed = LinearSeed(SHAPE, mode, dtype=torch.float64)
    rows = seed.features(past).reshape(-1, seed.weight.shape[0]).numpy()
    design = np.column_stack([rows, np.ones(len(rows))])
    solution, *_ = np.linalg.lstsq(design, target.reshape(len(rows), -1).numpy(), rcond=None)
    seed.assign(solution[:-1], solution[-1])
    torch.testing.assert_close(seed(windows(seed=5)), planted(windows(seed=5)))


@pytest.mark.parametrize("mode", MODES)
def test_a_newborn_seed_predicts_zero_with_a_gradient(mode):
    seed = LinearSeed(SHAPE, mode, dtype=torch.float64)
    output = seed(windows())
    assert not output.any()
    gradients = torch.autograd.grad(output.sum(), list(seed.parameters()))
    assert all(gradient.any() for gradient in gradients)


def test_tabular_rows_are_windows_of_one_step():
    shape = NetworkShape(n_channels=4, lookback=1, n_targets=3, horizon=1)
    seed, rows = build("mixed", shape), normal(6, 4, seed=0)
    expected = rows @ seed.weight + seed.bias
    torch.testing.assert_close(seed(rows[:, :, None])[:, :, 0], expected, rtol=0, atol=1e-13)
    assert not shape.is_sequence
    assert dataclasses.replace(shape, lookback=2).is_sequence
