"""Whenever an error comes, nothing is half done: the result is whole, or there is none."""

import numpy as np
import pytest

import sknas.training.nets as nets
from tests.interruptions import raising_at
from tests.steady import BRIEF, CASES, N_STEPS, fault_of, faults
from tests.surroundings import left_as_found

pytestmark = pytest.mark.usefixtures("tiny_epochs")
PRICED = {"size_penalty": 0.1}
WHOLE = {"refit_full": True, "n_models": 2}
every_case = pytest.mark.parametrize("name", CASES)


@every_case
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_error_at_some_moments_leaves_a_whole_result_or_none(name, error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with left_as_found(tmp_path):
        n_tried, found = faults(CASES[name], 6, error, **WHOLE)
    assert n_tried >= 6
    assert found == []


@pytest.mark.slow
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@every_case
def test_an_error_at_further_moments_leaves_a_whole_result_or_none(name, error):
    with left_as_found():
        n_tried, found = faults(CASES[name], 12, error, **PRICED)
    assert n_tried >= 12
    assert found == []


@every_case
def test_a_fit_after_errors_at_many_moments_is_a_fit_like_any_other(name):
    case = CASES[name]
    expected = case.digest(case.fitted())
    for error in (KeyboardInterrupt, RuntimeError):
        for moment in (50, 700, 3000):
            fault_of(case, moment, error)
    assert case.digest(case.fitted()) == expected


@every_case
def test_an_error_in_a_second_fit_leaves_the_first_ones_result(name):
    case = CASES[name]
    model = case.fitted()
    expected, before = case.digest(model), vars(model).copy()
    for moment in (3, 100, 2000):
        with raising_at(moment, RuntimeError) as counter, pytest.raises(RuntimeError):
            model.fit(*case.data)
        assert counter.place is not None
        assert vars(model) == before
        assert case.digest(model) == expected


def test_the_network_that_is_refitted_stays_as_it_was_until_an_epoch_is_over(monkeypatch):
    case = CASES["regressor"]
    parameters = {
        "genotype": "product",
        "early_stopping": False,
        "max_epochs": 8,
        "learning_rate": 0.02,
        "dropout": 0.0,
        "n_models": 1,
    }
    before = case.told(case.fitted(**parameters))
    whole, reached = nets.DerivedNet.on_epoch_end, []

    def refitted(n_steps):
        """Interrupt the refit behind so many of its steps; return what is predicted then."""
        step, n_trained = nets.DerivedNet.train_step, []

        def or_raise(net, batch, **kwargs):
            if net.trainee.best._probe is None:
                n_trained.append(1)
                if len(n_trained) > n_steps:
                    raise KeyboardInterrupt
            return step(net, batch, **kwargs)

        def noted(net, *args, **kwargs):
            whole(net, *args, **kwargs)
            if net.trainee.best._probe is None:
                reached.append(net.trainee.best._best)

        with monkeypatch.context() as patch:
            patch.setattr(nets.DerivedNet, "train_step", or_raise)
            patch.setattr(nets.DerivedNet, "on_epoch_end", noted)
            model = case.make(**{**BRIEF, **parameters, "refit_full": True})
            with pytest.raises(KeyboardInterrupt):
                model.fit(*case.data)
        return model

    cut = refitted(N_STEPS - 1)
    assert not reached
    np.testing.assert_array_equal(case.told(cut), before)
    assert cut.search_report_.stopped_by == "interrupt"
    assert "cut short after 0 epochs" in str(cut.search_report_)
    kept = refitted(2 * N_STEPS - 1)
    assert len(reached) == 1
    assert (case.told(kept) != before).any()
    for name, value in kept.module_.state_dict().items():
        np.testing.assert_array_equal(value, reached[0][name].double())
