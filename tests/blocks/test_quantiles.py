"""Quantiles never cross, begin at those of the seed's residuals, and have the pinball loss."""

import numpy as np
import pytest
import torch

from sknas.blocks import NetworkShape, WindowData
from sknas.blocks.objective import MeanAbsolute, Pinball
from sknas.training.ridge_seed import solve_ridge_seed
from tests.tiny import branch, generator, perturb, supernet

LEVELS = (0.1, 0.5, 0.8)
SHAPE = NetworkShape(3, 7, 2, 2, (2, 0), quantiles=LEVELS)
MODES = pytest.mark.parametrize("mode", ["independent", "mixed"])


def test_the_pinball_loss_equals_a_loop():
    output = torch.randn(4, 2, 6, generator=generator(), dtype=torch.float64)
    target = torch.randn(4, 2, 2, generator=generator(1), dtype=torch.float64)
    each = Pinball(LEVELS).each(output, target)
    for b, k, s in np.ndindex(4, 2, 2):
        losses = []
        for q, level in enumerate(LEVELS):
            excess = float(target[b, k, s] - output[b, k, 2 * q + s])
            losses.append(2 * (level * excess if excess > 0 else (level - 1) * excess))
        assert float(each[b, k, s]) == pytest.approx(np.mean(losses))


def test_the_pinball_loss_of_the_median_is_the_absolute_error():
    output = torch.randn(4, 2, 3, generator=generator(), dtype=torch.float64)
    target = torch.randn(4, 2, 3, generator=generator(1), dtype=torch.float64)
    median, absolute = (
        loss.per_sample(output, target) for loss in (Pinball((0.5,)), MeanAbsolute())
    )
    torch.testing.assert_close(median, absolute)


@MODES
def test_quantiles_do_not_cross_whatever_the_weights(mode):
    net = supernet(branch("gru", channel_mode=mode), shape=SHAPE, channel_mode=mode)
    perturb(net)
    past = torch.randn(50, 3, 7, generator=generator(2), dtype=torch.float64)
    quantiles = net(past).unflatten(2, (len(LEVELS), 2))
    assert (quantiles.diff(dim=2) >= 0).all()
    assert (quantiles.diff(dim=2) > 0).any()


@MODES
def test_a_seed_begins_at_the_quantiles_of_its_residuals(mode):
    past = torch.randn(3000, 3, 7, generator=generator(), dtype=torch.float64)
    noise = torch.rand(3000, 2, 2, generator=generator(1), dtype=torch.float64)
    target = past[:, [2, 0]][..., -2:].flip(-1) + noise * torch.tensor([1.0, 2.0])
    data = WindowData(past, target, torch.ones(3000).double())
    trunk = supernet(shape=SHAPE, window_norm="last", channel_mode=mode).trunk
    train, validation = torch.arange(2000), torch.arange(2000, 3000)
    trunk.seed.assign(*solve_ridge_seed(trunk, data, train, validation, levels=LEVELS))
    quantiles = trunk(past[validation]).unflatten(2, (len(LEVELS), 2))
    shares = (target[validation][:, :, None] <= quantiles).double().mean(dim=(0, 1))
    assert (shares - torch.tensor(LEVELS, dtype=torch.float64)[:, None]).abs().max() < 0.03
    # Wider where the noise is wider: the second step has twice the first one's.
    width = (quantiles[:, :, -1] - quantiles[:, :, 0]).detach().mean(dim=(0, 1))
    assert float(width[1] / width[0]) == pytest.approx(2.0, rel=0.1)


def test_under_revin_a_seed_begins_where_the_loss_is_least_in_the_units_of_the_target():
    """Windows of three times the scale have a third of the residuals, in units of the scale."""
    n = 4000
    scale = torch.ones(n, 1, 1).double()
    scale[::2] = 3.0
    past = scale * torch.randn(n, 3, 7, generator=generator(), dtype=torch.float64)
    noise = 2.0 * torch.rand(n, 2, 2, generator=generator(1), dtype=torch.float64) - 1.0
    noise[::2] *= 0.01  # units of the window's scale
    data = WindowData(past, scale * noise, torch.ones(n).double())
    shape = NetworkShape(3, 7, 2, 2, (2, 0), quantiles=(0.5, 0.9))
    trunk = supernet(shape=shape, window_norm="revin").trunk
    train, validation = torch.arange(3000), torch.arange(3000, n)
    trunk.seed.assign(*solve_ridge_seed(trunk, data, train, validation, levels=shape.quantiles))
    output = trunk(past).detach().unflatten(2, (2, 2))
    loss = Pinball((0.9,))
    shifts = torch.linspace(-0.4, 0.4, 17).double()
    losses = [
        loss.per_sample(output[:, :, 1] + shift * scale, data.target).mean() for shift in shifts
    ]
    assert abs(float(shifts[int(np.argmin(losses))])) <= 0.05
