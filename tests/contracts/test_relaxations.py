"""What every relaxation owes to a mixed node, and the limits that give each its name."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

import sknas.supernet
from sknas.supernet import (
    ClampRelaxation,
    GumbelRelaxation,
    Relaxation,
    ScaledSigmoidRelaxation,
    SigmoidRelaxation,
    SoftmaxRelaxation,
)
from tests.tiny import generator, members

EVERY = [cls() for cls in members(Relaxation, sknas.supernet)]
EVERY += [SoftmaxRelaxation(temperature=5.0, final_temperature=0.05)]
every_relaxation = pytest.mark.parametrize("relaxation", EVERY, ids=str)
ALPHAS = st.lists(st.floats(-20, 20), min_size=1, max_size=9)
PROGRESS = st.floats(0, 1)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


@every_relaxation
@given(alphas=ALPHAS, progress=PROGRESS)
def test_weights_are_between_zero_and_one(relaxation, alphas, progress):
    weights = relaxation.weights(tensor(alphas), progress)
    assert weights.shape == (len(alphas),)
    assert bool(((weights >= 0) & (weights <= 1)).all())


@every_relaxation
@given(alphas=ALPHAS, progress=PROGRESS)
def test_the_gradient_is_finite(relaxation, alphas, progress):
    free = tensor(alphas).requires_grad_()
    (gradient,) = torch.autograd.grad(relaxation.weights(free, progress).square().sum(), free)
    assert gradient.isfinite().all()


@every_relaxation
@given(alphas=ALPHAS, progress=PROGRESS)
def test_a_larger_alpha_never_weighs_less(relaxation, alphas, progress):
    weights = relaxation.weights(tensor(sorted(alphas)), progress)
    assert bool((weights.diff() >= 0).all())


@every_relaxation
@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n_candidates", [2, 3, 9])
def test_newborn_candidates_weigh_the_same_and_have_a_gradient(relaxation, n_candidates, progress):
    alphas = torch.full((n_candidates,), relaxation.initial_alpha(n_candidates)).requires_grad_()
    weights = relaxation.weights(alphas, progress)
    assert len(set(weights.tolist())) == 1
    (gradient,) = torch.autograd.grad(weights[0], alphas)
    assert gradient[0] > 0


@pytest.mark.parametrize(
    "relaxation",
    [SoftmaxRelaxation(), SigmoidRelaxation(), ClampRelaxation(), GumbelRelaxation()],
    ids=str,
)
@given(n_candidates=st.integers(2, 50), progress=PROGRESS)
def test_the_weights_of_newborn_candidates_sum_to_one(relaxation, n_candidates, progress):
    alphas = tensor([relaxation.initial_alpha(n_candidates)] * n_candidates)
    assert float(relaxation.weights(alphas, progress).sum()) == pytest.approx(1.0, rel=1e-12)


@given(n_candidates=st.integers(1, 50), progress=PROGRESS)
def test_a_scaled_sigmoid_starts_half_open_whenever_it_starts(n_candidates, progress):
    relaxation = ScaledSigmoidRelaxation()
    alphas = tensor([relaxation.initial_alpha(n_candidates)] * n_candidates)
    assert relaxation.weights(alphas, progress).tolist() == [0.5] * n_candidates


@given(alphas=ALPHAS, progress=PROGRESS)
def test_softmax_weights_are_on_the_simplex(alphas, progress):
    relaxation = SoftmaxRelaxation(temperature=5.0, final_temperature=0.05)
    weights = relaxation.weights(tensor(alphas), progress)
    assert float(weights.sum()) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(
    "relaxation", [SigmoidRelaxation(), ScaledSigmoidRelaxation(), ClampRelaxation()], ids=str
)
@given(alphas=ALPHAS, other=st.floats(-20, 20), progress=PROGRESS)
def test_independent_gates_do_not_push_each_other_out(relaxation, alphas, other, progress):
    alone = relaxation.weights(tensor(alphas), progress)
    assert torch.equal(relaxation.weights(tensor([*alphas, other]), progress)[:-1], alone)


# What alphas / T become as T goes to zero and to infinity.
ONE_HOT, STEP = [1.0, 0.0, 0.0], [1.0, 0.0, 1.0]
LIMITS = {
    SoftmaxRelaxation: (ONE_HOT, [1 / 3] * 3),
    SigmoidRelaxation: (STEP, [0.5] * 3),
    ScaledSigmoidRelaxation: (STEP, [0.5] * 3),
    ClampRelaxation: (STEP, [0.0] * 3),
    GumbelRelaxation: (ONE_HOT, [1 / 3] * 3),
}


@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
@every_relaxation
def test_cold_alphas_make_hard_gates_and_hot_ones_make_equal_gates(relaxation, progress):
    alphas = tensor([0.3, -1.0, 0.2])
    cold, hot = LIMITS[type(relaxation)]
    assert relaxation.weights(alphas / 1e-9, progress).tolist() == cold
    torch.testing.assert_close(relaxation.weights(alphas / 1e9, progress), tensor(hot))


@pytest.mark.parametrize("temperature", [1e-9, 1.0, 1e9])
def test_gumbel_draws_have_the_probabilities_of_a_softmax_at_every_temperature(temperature):
    relaxation = GumbelRelaxation(temperature=temperature, final_temperature=temperature)
    alphas, source = tensor([0.7, -0.5, 0.1]), generator()
    draws = torch.stack([relaxation.sample(alphas, 0.5, source) for _ in range(4000)])
    assert bool(((draws == 0) | (draws == 1)).all())
    assert bool((draws.sum(dim=1) == 1).all())
    torch.testing.assert_close(draws.mean(dim=0), torch.softmax(alphas, 0), atol=0.03, rtol=0)


@given(alphas=ALPHAS, progress=PROGRESS, seed=st.integers(0, 99))
def test_the_gradient_of_a_gumbel_draw_is_that_of_its_soft_version(alphas, progress, seed):
    relaxation, size = GumbelRelaxation(), len(alphas)
    noise = -torch.empty(size, dtype=torch.float64).exponential_(generator=generator(seed)).log()
    target, temperature = torch.arange(1.0, size + 1, dtype=torch.float64), 0.1**progress

    def gradient(gates_of):
        free = tensor(alphas).requires_grad_()
        gates = gates_of(free)
        return gates.detach(), torch.autograd.grad((gates * target).sum(), free)[0]

    drawn, found = gradient(lambda free: relaxation.sample(free, progress, generator(seed)))
    soft, wanted = gradient(
        lambda free: torch.softmax((torch.log_softmax(free, 0) + noise) / temperature, 0)
    )
    assert drawn.argmax() == soft.argmax()
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("relaxation", [r for r in EVERY if not isinstance(r, GumbelRelaxation)])
def test_a_relaxation_without_noise_draws_nothing(relaxation):
    source, alphas = generator(3), tensor([0.3, -1.0, 0.2])
    before = source.get_state()
    sample = relaxation.sample(alphas, 0.5, source)
    assert torch.equal(sample, relaxation.weights(alphas, 0.5))
    assert torch.equal(source.get_state(), before)


def test_clamped_alphas_begin_at_equal_shares_but_for_a_little_noise():
    alphas = ClampRelaxation().initial_alphas(4, generator=generator(), dtype=torch.float64)
    noise = (alphas - 0.25) / 1e-4
    assert len(set(alphas.tolist())) == 4
    assert 0.01 < float(noise.abs().max()) < 5


@every_relaxation
@given(alphas=ALPHAS)
def test_after_a_step_a_candidate_lives_on_and_the_dead_ones_had_no_weight(relaxation, alphas):
    before, restricted = tensor(alphas), tensor(alphas)
    lives = relaxation.restrict(restricted)
    assert lives.any()
    assert bool(lives[before.argmax()])
    assert not relaxation.weights(before, 0.5)[~lives].any()
    torch.testing.assert_close(
        relaxation.weights(restricted, 0.5), relaxation.weights(before, 0.5), rtol=0, atol=0
    )
    if not isinstance(relaxation, ClampRelaxation):
        assert lives.all()
        assert torch.equal(restricted, before)


def test_a_softmax_without_temperature_is_one_hot_and_a_hot_one_is_uniform():
    relaxation = SoftmaxRelaxation(temperature=1e9, final_temperature=1e-9)
    alphas = tensor([0.3, -1.0, 0.2])
    torch.testing.assert_close(relaxation.weights(alphas, 0.0), tensor([1 / 3] * 3))
    assert relaxation.weights(alphas, 1.0).tolist() == [1.0, 0.0, 0.0]


def test_a_softmax_cools_exponentially():
    relaxation = SoftmaxRelaxation(temperature=4.0, final_temperature=1.0)
    alphas = tensor([0.7, -0.2, 0.1])
    halfway = torch.softmax(alphas / 2.0, dim=0)  # 2 is the geometric mean of 4 and 1
    torch.testing.assert_close(relaxation.weights(alphas, 0.5), halfway)


def test_a_scaled_sigmoid_hardens_from_a_sigmoid_into_a_step():
    relaxation = ScaledSigmoidRelaxation(scale=1.0, final_scale=1e6)
    alphas = tensor([-0.1, -1e-3, 0.0, 1e-3, 0.1])
    torch.testing.assert_close(relaxation.weights(alphas, 0.0), torch.sigmoid(alphas))
    assert relaxation.weights(alphas, 1.0).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]


@every_relaxation
def test_a_relaxation_is_described_by_its_parameters(relaxation):
    twin = clone(relaxation)
    assert twin is not relaxation
    assert twin.get_params() == relaxation.get_params()
    assert repr(twin) == repr(relaxation)
