"""Batches visit what they should, and losses weigh samples as repeats of them would."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sknas.blocks import REGRESSION_LOSSES, CrossEntropy, WindowData
from sknas.blocks.initialization import uniform_parameter
from sknas.blocks.window_data import EpochBatches, losses, outputs
from tests.tiny import SHAPE, batch, branch, generator, normal, supernet

N = 23


@given(batch_size=st.integers(1, 30), n_steps=st.integers(0, 40), seed=st.integers(0, 9))
def test_every_step_gets_a_batch_of_samples_that_differ(batch_size, n_steps, seed):
    index = torch.arange(100, 100 + N)
    batches = list(EpochBatches(index, batch_size, n_steps, generator(seed)))
    assert len(batches) == n_steps
    for one in batches:
        assert set(one.tolist()) <= set(index.tolist())
        assert len(set(one.tolist())) == len(one) > 0
        assert 2 * len(one) >= min(batch_size, N)


@pytest.mark.parametrize("batch_size", [1, 4, 8, 12])
def test_a_pass_visits_no_sample_twice(batch_size):
    n_steps = -(-N // batch_size) if 2 * (N % batch_size) >= batch_size else N // batch_size
    batches = EpochBatches(torch.arange(N), batch_size, n_steps, generator())
    seen = torch.cat(list(batches)).tolist()
    assert len(set(seen)) == len(seen) > N - batch_size


@pytest.mark.parametrize("batch_size", [N, N + 1, 1000])
def test_data_that_fit_one_batch_are_never_reordered(batch_size):
    index = torch.arange(N).flip(0)
    assert all(torch.equal(b, index) for b in EpochBatches(index, batch_size, 3, generator()))


def test_the_order_comes_from_the_generator_alone():
    def order(seed):
        return [b.tolist() for b in EpochBatches(torch.arange(N), 5, 9, generator(seed))]

    assert order(1) == order(1) != order(2)


@pytest.mark.parametrize("name", REGRESSION_LOSSES)
def test_integer_weights_act_as_repeated_samples(name):
    objective, counts = REGRESSION_LOSSES[name](), torch.tensor([0, 1, 2, 3, 0, 1])
    output, target = normal(6, 2, 3, seed=0), normal(6, 2, 3, seed=1)
    weighted = objective.mean(output, target, counts.double())
    repeated = objective.mean(
        output.repeat_interleave(counts, 0),
        target.repeat_interleave(counts, 0),
        torch.ones(7, dtype=torch.float64),
    )
    torch.testing.assert_close(weighted, repeated)


@pytest.mark.parametrize("name", REGRESSION_LOSSES)
def test_a_batch_without_weight_has_no_loss_and_no_gradient(name):
    output = normal(6, 2, 3, seed=0).requires_grad_()
    objective = REGRESSION_LOSSES[name]()
    loss = objective.mean(output, torch.zeros_like(output), torch.zeros(6, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(loss, output)
    assert float(loss.detach()) == 0.0
    assert not gradient.any()


def test_the_losses_are_what_they_are_called():
    error = torch.tensor([-3.0, -0.5, 0.0, 0.5, 2.0], dtype=torch.float64)
    each = {
        "mse": [9.0, 0.25, 0.0, 0.25, 4.0],
        "mae": [3.0, 0.5, 0.0, 0.5, 2.0],
        "huber": [2.5, 0.125, 0.0, 0.125, 1.5],
    }
    assert set(each) == set(REGRESSION_LOSSES)
    for name, values in each.items():
        found = REGRESSION_LOSSES[name]().per_sample(error.view(5, 1, 1), torch.zeros(5, 1, 1))
        assert found.tolist() == pytest.approx(values)


def test_the_cross_entropy_is_minus_the_log_of_the_true_class():
    logits, classes = normal(6, 3, 1, seed=0), torch.tensor([0, 2, 1, 1, 0, 2])
    shares = logits[:, :, 0].exp() / logits[:, :, 0].exp().sum(dim=1, keepdim=True)
    expected = -shares[torch.arange(6), classes].log()
    torch.testing.assert_close(CrossEntropy().per_sample(logits, classes), expected)


def test_outputs_and_losses_do_not_depend_on_the_batch_size():
    net, (past, target, weight) = supernet(branch()), batch(n=N)
    data, index = WindowData(past, target, weight), torch.arange(N).flip(0)
    whole = net(past)[index].detach()
    expected = (whole - target[index]).square().mean(dim=(1, 2))
    objective = REGRESSION_LOSSES["mse"]()
    for batch_size in (1, 4, N, 100):
        found = outputs(net, past, index, batch_size)
        torch.testing.assert_close(found, whole, rtol=0, atol=1e-12)
        first = outputs(net, past, index, batch_size, reduce=lambda batch: batch[:, 0])
        torch.testing.assert_close(first, whole[:, 0], rtol=0, atol=1e-12)
        torch.testing.assert_close(losses(net, data, index, objective, batch_size), expected)


def test_take_gathers_the_samples_asked_for():
    past, target, weight = batch(n=N)
    taken = WindowData(past, target, weight).take(torch.tensor([3, 1]))
    for part, whole in zip(taken, (past, target, weight), strict=True):
        assert torch.equal(part, torch.stack([whole[3], whole[1]]))
    assert past.shape[1:] == (SHAPE.n_channels, SHAPE.lookback)


@pytest.mark.parametrize("fan_in", [1, 9, 400])
def test_initial_weights_are_uniform_within_one_over_the_root_of_the_fan_in(fan_in):
    drawn = uniform_parameter(
        20000, fan_in=fan_in, generator=generator(), dtype=torch.float64
    ).detach()
    bound = fan_in**-0.5
    assert drawn.abs().max() <= bound
    assert drawn.std() == pytest.approx(bound / 3**0.5, rel=0.02)


def test_the_draw_does_not_depend_on_the_floating_type():
    draws = [
        uniform_parameter(50, fan_in=3, generator=generator(), dtype=dtype).detach().float()
        for dtype in (torch.float32, torch.float64)
    ]
    assert torch.equal(*draws)
