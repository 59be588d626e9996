"""Schedules hit their ends, stay between them and refuse what makes no sense."""

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sknas.schedules import (
    ConstantSchedule,
    CosineSchedule,
    ExponentialSchedule,
    LinearSchedule,
    StepSchedule,
)

PROGRESS = st.floats(0, 1)
POSITIVE = st.floats(1e-30, 1e30)
TWO_ENDED = [LinearSchedule, CosineSchedule, ExponentialSchedule]
ONE_OF_EACH = [
    ConstantSchedule(0.3),
    LinearSchedule(1.0, 0.0),
    CosineSchedule(-1.0, 2.0),
    ExponentialSchedule(1.0, 1e-3),
    StepSchedule((3.0, 2.0, 1.0), (0.25, 0.5)),
]


@pytest.mark.parametrize("family", TWO_ENDED)
@given(start=POSITIVE, stop=POSITIVE)
def test_a_schedule_hits_its_ends_exactly(family, start, stop):
    schedule = family(start, stop)
    assert schedule(0.0) == start
    assert schedule(1.0) == stop


@pytest.mark.parametrize("family", TWO_ENDED)
@given(start=POSITIVE, stop=POSITIVE, progress=PROGRESS)
def test_a_schedule_stays_between_its_ends(family, start, stop, progress):
    value = family(start, stop)(progress)
    slack = 1e-12
    assert min(start, stop) * (1 - slack) <= value <= max(start, stop) * (1 + slack)


@pytest.mark.parametrize("family", TWO_ENDED)
def test_a_schedule_that_falls_never_rises(family):
    values = [family(2.0, 0.5)(step / 100) for step in range(101)]
    assert all(values[i] > values[i + 1] for i in range(100))


@pytest.mark.parametrize("family", [LinearSchedule, CosineSchedule])
@given(progress=PROGRESS)
def test_swapping_the_ends_mirrors_the_schedule_in_time(family, progress):
    forth, back = family(1.0, 3.0), family(3.0, 1.0)
    assert forth(progress) == pytest.approx(back(1 - progress), rel=1e-12)


@given(first=st.floats(0, 0.5), second=st.floats(0, 0.5))
def test_an_exponential_turns_sums_of_progress_into_products(first, second):
    schedule = ExponentialSchedule(1.0, 1e-4)
    product = schedule(first) * schedule(second)
    assert schedule(first + second) == pytest.approx(product, rel=1e-10)


def test_a_line_has_equal_differences():
    schedule = LinearSchedule(5.0, -3.0)
    values = [schedule(step / 8) for step in range(9)]
    assert {values[i + 1] - values[i] for i in range(8)} == {-1.0}


def test_a_cosine_is_flat_at_both_ends_and_halfway_in_the_middle():
    schedule = CosineSchedule(1.0, 0.0)
    assert schedule(0.5) == pytest.approx(0.5)
    assert 1 - schedule(1e-4) < 1e-7
    assert schedule(1 - 1e-4) < 1e-7


@given(value=st.floats(-1e30, 1e30), progress=PROGRESS)
def test_a_constant_never_changes(value, progress):
    assert ConstantSchedule(value)(progress) == value


def test_steps_change_at_their_boundaries_and_only_there():
    schedule = StepSchedule(values=(3.0, 2.0, 1.0), boundaries=(0.25, 0.5))
    before = [schedule(p) for p in (0.0, math.nextafter(0.25, 0), math.nextafter(0.5, 0))]
    after = [schedule(p) for p in (0.25, 0.5, 1.0)]
    assert before == [3.0, 3.0, 2.0]
    assert after == [2.0, 1.0, 1.0]


@pytest.mark.parametrize("schedule", ONE_OF_EACH, ids=repr)
def test_a_schedule_gives_floats(schedule):
    assert type(schedule(0)) is float
    assert type(schedule(1)) is float


@pytest.mark.parametrize("schedule", ONE_OF_EACH, ids=repr)
def test_a_schedule_equals_its_pickled_self(schedule):
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert hash(pickle.loads(pickle.dumps(schedule))) == hash(schedule)


@pytest.mark.parametrize("schedule", ONE_OF_EACH, ids=repr)
@pytest.mark.parametrize("progress", [-0.1, 1.1, math.nan, math.inf])
def test_progress_outside_zero_to_one_is_refused(schedule, progress):
    with pytest.raises(ValueError, match=r"progress must be in \[0, 1\]; got"):
        schedule(progress)


@pytest.mark.parametrize(
    ("family", "arguments", "message"),
    [
        (ConstantSchedule, (math.nan,), "value must be finite; got nan"),
        (LinearSchedule, (math.inf, 0.0), "start must be finite; got inf"),
        (CosineSchedule, (0.0, math.nan), "stop must be finite; got nan"),
        (ExponentialSchedule, (0.0, 1.0), "start must be positive and finite; got 0.0"),
        (ExponentialSchedule, (1.0, -1.0), "stop must be positive and finite; got -1.0"),
        (StepSchedule, ((1.0, 2.0), ()), "values must have one entry more .* got 2 and 0"),
        (StepSchedule, ((1.0, math.inf), (0.5,)), "values must be finite; got inf"),
        (StepSchedule, ((1.0, 2.0), (1.0,)), "boundaries must increase .* got"),
        (StepSchedule, ((1.0, 2.0, 3.0), (0.5, 0.5)), "boundaries must increase .* got"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(family, arguments, message):
    with pytest.raises(ValueError, match=message):
        family(*arguments)
