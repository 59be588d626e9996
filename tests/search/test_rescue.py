"""A kept state comes back to the last bit; who fails goes back to it, slower, or gives up."""

import copy
import math

import pytest
import torch

from sknas.blocks.objective import MeanSquared
from sknas.edits import DropOp
from sknas.search import AdmmRegularizer
from sknas.search.bilevel import arch_step, weight_step
from sknas.search.last_good import LastGood, Learning
from sknas.search.learner import Learner, LearningRates
from sknas.search.rescue import MOST_ROLLBACKS, Rescue
from tests.tiny import OPERATIONS, batch, branch, generator, supernet

OBJECTIVE = MeanSquared()
RATES = LearningRates(0.01, 0.02, 0.0)


def learner():
    net = supernet(branch(), operations=OPERATIONS)
    one = Learner.start(net, RATES, AdmmRegularizer())
    train(one, 2)
    return one


def train(one, n_steps, seed=0):
    for i in range(n_steps):
        arch_step(one, batch(seed=seed + i), OBJECTIVE)
        weight_step(one, batch(seed=seed + i + 50), OBJECTIVE, 1.0)


def of(one):
    return Learning((one.weight_optimizer, one.arch_optimizer), one.average, one.penalty)


def numbers(one):
    """Return all numbers that a step of a learner changes."""
    found = [p.detach().clone() for p in one.supernet.parameters()]
    found += [value.clone() for value in one.average.averages.values()]
    for optimizer in (one.weight_optimizer, one.arch_optimizer):
        found += [v.clone() for s in optimizer.state.values() for v in s.values()]
    found += [v.clone() for m in one.penalty.memory.values() for v in m.values()]
    found += [torch.tensor(one.average.n_steps), torch.tensor(one.penalty.n_steps)]
    return found


def same(one, other):
    return len(one) == len(other) and all(map(torch.equal, one, other))


def mixed_place(one):
    return next(place for place, node in one.supernet.nodes() if not node.is_settled)


def begun(one):
    rescue = Rescue()
    rescue.begin_epoch(of(one))
    return rescue


def end(rescue, one, epoch=1, *, has_failed=False):
    rescue.end_steps(of(one))
    rescue.end_epoch(epoch, of(one), has_failed=has_failed)


# -- the state that is kept -----------------------------------------------------------------------


def test_going_back_restores_all_that_steps_change_and_leaves_the_rest_of_training_as_it_was():
    one = learner()
    before, good = numbers(one), LastGood(of(one))
    train(one, 3, seed=9)
    after = numbers(one)
    assert not same(before, after)
    for _ in range(2):  # the copy is not used up
        good.restore(of(one))
        assert same(numbers(one), before)
        train(one, 3, seed=9)
        assert same(numbers(one), after)


def test_a_state_before_any_step_has_no_moments():
    one = Learner.start(supernet(branch(), operations=OPERATIONS), RATES, AdmmRegularizer())
    good = LastGood(of(one))
    train(one, 1)
    good.restore(of(one))
    assert not one.weight_optimizer.state
    assert not one.arch_optimizer.state
    assert one.average.n_steps == one.penalty.n_steps == 0


def test_an_edit_is_noticed():
    one = learner()
    good = LastGood(of(one))
    assert good.fits(of(one))
    one.apply(DropOp(mixed_place(one), OPERATIONS[0]), generator())
    assert not good.fits(of(one))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", ["weight", "architecture", "average", "moment"])
def test_every_number_is_looked_at(place, value):
    one = learner()
    assert of(one).is_finite()
    if place == "weight":
        tensor = one.learning_weights()[-1]
    elif place == "architecture":
        tensor = one.supernet.free_arch_parameters()[0]
    elif place == "average":
        tensor = list(one.average.averages.values())[-1]
    else:
        tensor = list(one.arch_optimizer.state.values())[-1]["exp_avg_sq"]
    tensor.detach().view(-1)[-1] = value
    assert not of(one).is_finite()


# -- what is done ----------------------------------------------------------------------------------


def test_a_fault_between_good_steps_changes_nothing():
    one = learner()
    rescue = begun(one)
    train(one, 1)
    before, rates = numbers(one), of(one).rates
    for not_finite in (None, "the loss", None, "the loss", None):
        rescue.note("weights", not_finite, of(one))
    end(rescue, one)
    assert same(numbers(one), before)
    assert of(one).rates == rates
    (fault,) = rescue.faults
    assert (fault.n_steps, fault.n_rollbacks, fault.has_given_up) == (2, 0, False)


def test_two_faults_in_a_row_go_back_and_halve_all_rates():
    one = learner()
    before, rates = numbers(one), of(one).rates
    rescue = begun(one)
    train(one, 1)
    rescue.note("weights", "the loss", of(one))
    rescue.note("architecture", None, of(one))  # a good step of another kind says nothing of it
    assert not same(numbers(one), before)
    rescue.note("weights", "the gradient", of(one))
    assert same(numbers(one), before)
    assert of(one).rates == [rate / 2 for rate in rates]
    end(rescue, one)
    assert str(rescue.faults[0]) == (
        "epoch 1: the loss was not finite; 2 step(s) not taken; went back 1 time(s), to a learning "
        "rate of 0.005"
    )


def test_a_poisoned_moment_is_found_at_the_first_fault_or_at_the_end_of_the_epoch():
    for is_noted in (True, False):
        one = learner()
        before = numbers(one)
        rescue = begun(one)
        next(iter(one.weight_optimizer.state.values()))["exp_avg"].fill_(math.nan)
        if is_noted:
            rescue.note("weights", "the loss", of(one))
            assert same(numbers(one), before)
        end(rescue, one)
        assert same(numbers(one), before)
        assert rescue.n_rollbacks == 1


def test_validation_that_fails_goes_back():
    one = learner()
    before = numbers(one)
    rescue = begun(one)
    train(one, 1)
    end(rescue, one, has_failed=True)
    assert same(numbers(one), before)
    assert rescue.faults[0].not_finite == "the validation loss"


@pytest.mark.parametrize("n_steps", [1, 2, 7])
def test_who_always_fails_gives_up_however_long_epochs_are(n_steps):
    one = learner()
    rescue, epoch = Rescue(), 0
    while not rescue.has_given_up:
        epoch += 1
        assert epoch <= 2 * MOST_ROLLBACKS
        rescue.begin_epoch(of(one))
        for _ in range(n_steps):
            if not rescue.has_given_up:
                rescue.note("weights", "the loss", of(one))
        end(rescue, one, epoch)
    assert rescue.n_rollbacks == MOST_ROLLBACKS
    assert of(one).rates[0] == RATES.weight * 0.5**MOST_ROLLBACKS


def test_a_good_epoch_between_them_makes_faults_count_anew():
    one = learner()
    rescue = Rescue()
    for epoch in range(4 * MOST_ROLLBACKS):
        rescue.begin_epoch(of(one))
        for _ in range(3):
            rescue.note("weights", "the loss" if epoch % 2 else None, of(one))
        rescue.note("weights", None, of(one))
        end(rescue, one, epoch)
    assert rescue.n_rollbacks == 2 * MOST_ROLLBACKS
    assert not rescue.has_given_up


def test_the_forgiven_go_on_at_the_first_rates():
    one = learner()
    rates, rescue = of(one).rates, begun(one)
    while not rescue.has_given_up:
        rescue.note("weights", "the loss", of(one))
    rescue.forgive(of(one))
    assert not rescue.has_given_up
    assert of(one).rates == rates


def test_an_edit_within_an_epoch_moves_the_state_to_go_back_to():
    one = learner()
    rescue = begun(one)
    one.apply(DropOp(mixed_place(one), OPERATIONS[0]), generator())
    rescue.follow(of(one))
    before = numbers(one)
    train(one, 1)
    for _ in range(2):
        rescue.note("weights", "the loss", of(one))
    assert same(numbers(one), before)


def test_what_was_edited_unnoticed_is_not_gone_back_from_but_given_up_if_it_is_broken():
    one = learner()
    rescue = begun(one)
    one.apply(DropOp(mixed_place(one), OPERATIONS[0]), generator())
    one.learning_weights()[0].detach().fill_(math.nan)
    rescue.note("weights", "the loss", of(one))
    assert rescue.has_given_up


def test_a_copied_rescue_is_of_its_own():
    one = learner()
    rescue = begun(one)
    twin = copy.deepcopy(rescue)
    rescue.note("weights", "the loss", of(one))
    end(rescue, one)
    assert rescue.faults
    assert not twin.faults
