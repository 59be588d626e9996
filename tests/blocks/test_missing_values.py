"""Missing values: windows normalise, fill and learn by what is known alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sknas.blocks import NetworkShape, WindowData, WindowNorm
from sknas.blocks.carrying import carried_forward
from sknas.blocks.objective import Huber, Masked, MeanAbsolute, MeanSquared, Pinball
from sknas.training import Problem, move_seed
from sknas.training.ridge_seed import (
    Moments,
    ridge_solutions,
    solve_ridge_seed,
    target_groups,
)
from tests.tiny import branch, generator, perturb, supernet

SHAPE = NetworkShape(3, 7, 2, 2, (2, 0), has_missing=True)
LOSSES = [MeanSquared(), MeanAbsolute(), Huber(), Pinball((0.1, 0.5, 0.9))]


def holed(n, *sizes, share=0.3, seed=0):
    values = torch.randn(n, *sizes, generator=generator(seed), dtype=torch.float64)
    is_gone = torch.rand(values.shape, generator=generator(seed + 1)) < share
    return torch.where(is_gone, torch.nan, values)


@given(row=st.lists(st.one_of(st.none(), st.floats(-5, 5)), min_size=1, max_size=9))
@settings(max_examples=60, deadline=None)
def test_a_gap_holds_the_newest_known_value(row):
    filled = carried_forward(torch.tensor([np.nan if v is None else v for v in row]))
    known = [v for v in row if v is not None]
    newest = known[0] if known else 0.0
    for value, got in zip(row, filled.tolist(), strict=True):
        newest = newest if value is None else value
        assert got == pytest.approx(newest)


@pytest.mark.parametrize("kind", ["last", "level", "revin", "none"])
def test_the_level_of_a_window_is_that_of_its_known_values(kind):
    past = holed(20, 3, 7)
    normed, stats, _ = WindowNorm(kind, SHAPE)(past)
    assert torch.isfinite(normed).all()
    for window, center in zip(past, () if stats.center is None else stats.center, strict=False):
        for row, level in zip(window, center, strict=True):
            known = row[~row.isnan()]
            wanted = (
                0.0 if not len(known) else known[-1] if kind in ("last", "level") else known.mean()
            )
            assert float(level) == pytest.approx(float(wanted))
    # What is known comes out as it would without gaps of that level and scale.
    scale = 1.0 if stats.scale is None else stats.scale
    center = 0.0 if stats.center is None else stats.center
    is_known = ~past.isnan()
    torch.testing.assert_close(((normed * scale) + center)[is_known], past[is_known])


@pytest.mark.parametrize("kind", ["last", "level", "revin"])
def test_without_a_gap_nothing_changes(kind):
    past = holed(6, 3, 7, share=0.0)
    plain = WindowNorm(kind, NetworkShape(3, 7, 2, 2, (2, 0)))(past)
    masked = WindowNorm(kind, SHAPE)(past)
    torch.testing.assert_close(masked[0], plain[0], rtol=0, atol=1e-14)


@pytest.mark.parametrize("objective", LOSSES, ids=lambda loss: type(loss).__name__)
def test_a_missing_target_costs_nothing_and_teaches_nothing(objective):
    target = holed(30, 2, 4)
    n_quantiles = 3 if isinstance(objective, Pinball) else 1
    output = torch.randn(30, 2, 4 * n_quantiles, generator=generator(7), dtype=torch.float64)
    output.requires_grad_()
    share = float((~target.isnan()).double().mean())
    loss = Masked(objective, share).mean(output, target, torch.ones(30, dtype=torch.float64))
    each = objective.each(output, target.nan_to_num(0.0))[~target.isnan()]
    assert float(loss.detach()) == pytest.approx(float(each.detach().mean()))
    loss.backward()
    gone = target.isnan().repeat(1, 1, n_quantiles)
    assert (output.grad[gone] == 0).all()
    assert torch.isfinite(output.grad).all()


def test_a_network_with_branches_predicts_finite_numbers_through_gaps():
    net = supernet(branch("gru"), shape=SHAPE)
    perturb(net)
    past = holed(10, 3, 7, share=0.8)
    past[0] = torch.nan
    output = net(past)
    assert torch.isfinite(output).all()
    output.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_a_seed_solved_through_gaps_is_close_to_the_law_behind_them():
    weights = torch.tensor([0.2, 0.0, 0.0, 0.3, 0.0, -0.4, 0.9], dtype=torch.float64)
    past = torch.randn(4000, 1, 7, generator=generator(3), dtype=torch.float64)
    target = (past @ weights)[:, :, None].repeat(1, 1, 2)
    is_gone = torch.rand(target.shape, generator=generator(4)) < 0.5
    data = WindowData(past, torch.where(is_gone, torch.nan, target), torch.ones(4000).double())
    shape = NetworkShape(1, 7, 1, 2, (0,), has_missing=True)
    trunk = supernet(shape=shape, window_norm="none", channel_mode="independent").trunk
    coef, intercept = solve_ridge_seed(trunk, data, torch.arange(3000), torch.arange(3000, 4000))
    # Both steps are the same number, so that the one known tells the other.
    assert np.abs(coef - weights.numpy()[:, None]).max() < 1e-3
    assert np.abs(intercept).max() < 1e-3


@pytest.mark.parametrize("solve", ["at birth", "moved"])
def test_a_seed_that_reads_all_channels_learns_nothing_from_targets_that_are_missing(solve):
    past = torch.randn(2000, 2, 3, generator=generator(5), dtype=torch.float64)
    target = torch.stack([-past[:, 1, -1], past[:, 0, -1]], dim=1)[..., None]
    target[:, 1][torch.rand(2000, 1, generator=generator(6)) < 0.5] = torch.nan
    data = WindowData(past, target, torch.ones(2000).double())
    shape = NetworkShape(2, 3, 2, 1, (0, 1), has_missing=True)
    trunk = supernet(shape=shape, window_norm="none", channel_mode="mixed").trunk
    train, judges = torch.arange(1500), torch.arange(1500, 2000)
    if solve == "at birth":
        trunk.seed.assign(*solve_ridge_seed(trunk, data, train, judges))
    else:
        task = Problem(
            data,
            shape,
            train,
            train,
            train,
            judges,
            train,
            Masked(MeanSquared(), 0.75),
            "none",
            "mixed",
            torch.float64,
            generator(),
        )
        move_seed(task, trunk)
    predicted = trunk(past)[:, :, 0].detach()
    assert float((predicted[:, 0] + past[:, 1, -1]).abs().max()) < 1e-3
    assert float((predicted[:, 1] - past[:, 0, -1]).abs().max()) < 1e-3


def test_a_target_that_is_missing_throughout_leaves_a_seed_of_finite_weights():
    past = torch.randn(200, 2, 3, generator=generator(7), dtype=torch.float64)
    target = torch.stack([past[:, 0, -1:], torch.full((200, 1), torch.nan)], dim=1)
    data = WindowData(past, target, torch.ones(200).double())
    shape = NetworkShape(2, 3, 2, 1, (0, 1), has_missing=True)
    trunk = supernet(shape=shape, window_norm="none", channel_mode="mixed").trunk
    coef, intercept = solve_ridge_seed(trunk, data, torch.arange(150), torch.arange(150, 200))
    assert np.isfinite(coef).all()
    assert np.isfinite(intercept).all()


def trunk_of_two(past, target, **shape):
    """Return data of two channels that continue, and a trunk that reads both."""
    data = WindowData(past, target, torch.ones(len(past)).double())
    known = NetworkShape(2, 3, 2, 1, (0, 1), has_missing=True, **shape)
    return data, supernet(shape=known, window_norm="none", channel_mode="mixed").trunk


def test_targets_that_are_known_together_are_solved_together():
    past = torch.randn(300, 4, 3, generator=generator(8), dtype=torch.float64)
    target = past[:, :, -2:].clone()
    shape = NetworkShape(4, 3, 4, 2, (0, 1, 2, 3), has_missing=True)
    trunk = supernet(shape=shape, window_norm="none", channel_mode="mixed").trunk
    weight = torch.ones(300).double()
    assert target_groups(trunk, WindowData(past, target, weight)) == [None]
    target[5:9, [0, 2]] = torch.nan
    target[20, 3] = torch.nan
    data = WindowData(past, target, weight)
    assert sorted(map(sorted, target_groups(trunk, data))) == [[0, 2], [1], [3]]
    train, judges = torch.arange(200), torch.arange(200, 300)
    coef, intercept = solve_ridge_seed(trunk, data, train, judges)
    for one in range(4):
        alone = Moments(trunk, data, train, [one])
        columns = slice(2 * one, 2 * one + 2)
        best = min(
            ridge_solutions(alone, np.zeros_like(alone.xy)),
            key=lambda solution: np.abs(solution[0] - coef[:, columns]).max(),
        )
        np.testing.assert_allclose(coef[:, columns], best[0], rtol=0, atol=1e-9)
        np.testing.assert_allclose(intercept[columns], best[1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("quantiles", [(), (0.1, 0.5, 0.9)])
def test_a_target_that_is_not_known_on_validation_has_a_seed_all_the_same(quantiles):
    past = torch.randn(900, 2, 3, generator=generator(9), dtype=torch.float64)
    noise = torch.randn(900, 2, 1, generator=generator(10), dtype=torch.float64)
    target = past[:, :, -1:] + noise
    target[600:, 1] = torch.nan
    data, trunk = trunk_of_two(past, target, quantiles=quantiles)
    train, judges = torch.arange(600), torch.arange(600, 900)
    trunk.seed.assign(*solve_ridge_seed(trunk, data, train, judges, levels=quantiles))
    output = trunk(past)[:, 1].detach()
    if not quantiles:
        assert float((output[:, 0] - past[:, 1, -1]).square().mean()) < 0.05
        return
    shares = (noise[:600, 1] + past[:600, 1, -1:] <= output[:600]).double().mean(dim=0)
    assert (shares - torch.tensor(quantiles, dtype=torch.float64)).abs().max() < 0.02


def test_without_validation_a_target_has_the_middle_penalty():
    past = torch.randn(60, 2, 3, generator=generator(11), dtype=torch.float64)
    target = past[:, :, -1:].clone()
    target[40:, 1] = torch.nan
    data, trunk = trunk_of_two(past, target)
    train = torch.arange(40)
    coef, _ = solve_ridge_seed(trunk, data, train, torch.arange(40, 60))
    moments = Moments(trunk, data, train, [1])
    solutions = list(ridge_solutions(moments, np.zeros_like(moments.xy)))
    middle = (len(solutions) - 1) // 2  # of those but the last, which is the mean
    np.testing.assert_array_equal(coef[:, [1]], solutions[middle][0])
