"""What every architecture schedule owes to a search, judged on simulated gradients."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

import sknas.search
from sknas.search import AlternateSchedule, ArchSchedule, EveryKSchedule, InformationSchedule
from sknas.search.arch_schedule import ArchClock
from tests.tiny import members

EVERY = [cls() for cls in members(ArchSchedule, sknas.search)]
EVERY += [EveryKSchedule(k=1), EveryKSchedule(k=7), InformationSchedule(frequency=1)]
EVERY += [InformationSchedule(frequency=3, momentum=0.0, rate=1.2)]
every_schedule = pytest.mark.parametrize("schedule", EVERY, ids=str)
every_scale = pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])


def gradient_norms(n, *, noise, fall=1.0, seed=0):
    """Return lengths of gradients around one, that fall by a factor over the whole run."""
    draws = np.random.default_rng(seed).normal(size=n)
    return np.exp(noise * draws) * fall ** -np.linspace(0, 1, n)


def decisions(schedule, norms):
    """Return what the schedule decides before each step, told of the step before it."""
    clock, decided = ArchClock(schedule), []
    for norm in norms:
        decided.append(clock.is_due())
        clock.information = float(norm) ** 2
    return np.array(decided), clock


def check_share(schedule, norms):
    """The count is that of the share but for one period and what the threshold had to move."""
    decided, _ = decisions(schedule, norms)
    period = 1.0 / schedule.share
    slack = period
    if isinstance(schedule, InformationSchedule):
        # The threshold follows the average, so it has moved about as far as that ever has.
        slack += 1 + math.log((norms.max() / norms.min()) ** 2) / math.log(schedule.rate) / period
    assert abs(decided.sum() - schedule.share * len(norms)) <= slack


@every_scale
@every_schedule
def test_steady_gradients_give_exactly_the_share_in_every_period(schedule, scale):
    period = round(1.0 / schedule.share)
    decided, _ = decisions(schedule, np.full(40 * period + 3, scale))
    # The first two decisions may know too little.
    counts = np.convolve(decided[2:], np.ones(period), mode="valid")
    assert set(counts) == {1}


@every_scale
@every_schedule
def test_noisy_gradients_give_the_share_whatever_their_scale(schedule, scale):
    check_share(schedule, scale * gradient_norms(5000, noise=0.5))


@every_scale
@every_schedule
def test_gradients_that_vanish_give_the_share_too(schedule, scale):
    check_share(schedule, scale * gradient_norms(5000, noise=0.3, fall=1e4))


@every_schedule
@given(power=st.integers(-40, 40), seed=st.integers(0, 9))
def test_the_unit_of_the_loss_decides_nothing(schedule, power, seed):
    norms = gradient_norms(60, noise=1.0, seed=seed)
    there = decisions(schedule, norms)[0]
    assert (decisions(schedule, 2.0**power * norms)[0] == there).mean() >= 0.95  # ties may round


@every_schedule
def test_a_schedule_is_not_changed_by_being_used(schedule):
    parameters, contents = schedule.get_params(), copy.deepcopy(vars(schedule))
    norms = gradient_norms(100, noise=1.0)
    first = decisions(schedule, norms)[0]
    assert schedule.get_params() == parameters
    assert vars(schedule) == contents
    assert (decisions(schedule, norms)[0] == first).all()


@every_schedule
def test_a_schedule_is_described_by_its_parameters(schedule):
    twin = clone(schedule)
    assert twin is not schedule
    assert twin.get_params() == schedule.get_params()
    assert repr(twin) == repr(schedule)


@every_schedule
def test_a_clock_that_was_pickled_goes_on_as_if_it_had_not_been(schedule):
    norms = gradient_norms(80, noise=1.0)
    decided, _ = decisions(schedule, norms)
    _, clock = decisions(schedule, norms[:40])
    clock = pickle.loads(pickle.dumps(clock))
    for norm, expected in zip(norms[40:], decided[40:], strict=True):
        assert clock.is_due() == expected
        clock.information = float(norm) ** 2


@every_schedule
@pytest.mark.parametrize("information", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_does_no_lasting_harm(schedule, information):
    clock = ArchClock(schedule)
    for _ in range(30):
        clock.is_due()
        clock.information = information
    decided, _ = [], None
    for norm in gradient_norms(400, noise=0.2):
        decided.append(clock.is_due())
        clock.information = float(norm) ** 2
    assert sum(decided) == pytest.approx(400 * schedule.share, abs=2 / schedule.share)


# -- what gives each its name --------------------------------------------------------------------


def test_alternating_takes_a_step_each_time():
    assert decisions(AlternateSchedule(), np.ones(9))[0].all()


@pytest.mark.parametrize("k", [1, 2, 5])
def test_every_kth_step_is_the_first_of_k(k):
    decided, _ = decisions(EveryKSchedule(k=k), np.ones(23))
    assert np.flatnonzero(decided).tolist() == list(range(0, 23, k))


def test_steps_are_taken_where_the_gradient_is_small():
    norms = gradient_norms(4000, noise=1.0)
    decided, _ = decisions(InformationSchedule(frequency=5, momentum=0.0), norms)
    before = np.roll(norms, 1)[1:]  # what was known at each decision
    assert np.median(before[decided[1:]]) < 0.7 * np.median(before)


def test_the_threshold_moves_as_stated_and_a_step_needs_a_gradient_below_it():
    schedule = InformationSchedule(frequency=4, momentum=0.0, rate=1.5)
    state, threshold = schedule.start(), None
    for norm in gradient_norms(300, noise=1.5):
        information = float(norm) ** 2
        threshold = information if threshold is None else threshold
        is_due, state = schedule.decide(state, information)
        assert is_due == (0 < information < threshold)
        threshold *= schedule.rate**-schedule.frequency if is_due else schedule.rate
        assert state.reference * schedule.rate**state.n_rises == pytest.approx(threshold)


def test_a_step_does_not_make_the_next_one_due():
    # A flag that is not put down again would take every later step of the epoch.
    norms = np.concatenate([np.ones(5), [1e-3], np.ones(20)])
    decided, _ = decisions(InformationSchedule(frequency=10, momentum=0.0), norms)
    at = np.flatnonzero(decided)
    assert 6 in at
    assert not decided[7:17].any()


def test_the_average_smooths_the_information():
    norms = [1.0, 1.0, 0.1]
    schedule = InformationSchedule(momentum=0.75)
    state = schedule.start()
    for norm in norms:
        _, state = schedule.decide(state, norm**2)
    assert state.average == pytest.approx(0.75 + 0.25 * 0.01)


def test_while_there_is_no_gradient_no_step_is_taken_and_nothing_overflows():
    schedule = InformationSchedule(rate=10.0, momentum=0.0)
    decided, clock = decisions(schedule, np.zeros(500))
    assert not decided.any()
    decided, clock = decisions(schedule, np.concatenate([[1.0], np.zeros(500)]))
    assert not decided[2:].any()
    assert clock.is_due() is False
