"""A move on trial: what it is judged against, what learns meanwhile, and what a refusal leaves."""

import pytest
import torch

from sknas.search import PeriodicGrowth, PlateauGrowth
from sknas.search.controller import Controller
from sknas.search.trial import Trial
from tests.small import FEW, product, regressor

X, Y = product()
GROWING = {
    "search_epochs": 36,
    "max_epochs": 1,
    "max_nodes": 8,
    "operations": FEW,
    "growth": PlateauGrowth(),
}


@pytest.mark.parametrize(("mode", "start"), [("interleaved", "auto"), ("sequential", "linear")])
def test_a_move_is_judged_against_the_losses_of_what_it_starts_from(mode, start, monkeypatch):
    starts, begin = [], Trial.start

    def watched(edit, learner, baseline, plan, probe, *rest):
        starts.append((baseline, probe.each(learner.supernet), probe))
        return begin(edit, learner, baseline, plan, probe, *rest)

    monkeypatch.setattr(Trial, "start", watched)
    hard_to_please = PeriodicGrowth(period=2, min_gain=0.2, max_refusals=9)
    parameters = {"mode": mode, "initial_genotype": start, "growth": hard_to_please}
    parameters["search_epochs"] = 60
    model = regressor(**{**GROWING, **parameters}).fit(X, Y)
    assert sum(not event.is_accepted for event in model.growth_events_ if event.epoch) >= 2
    for baseline, each, probe in starts:
        torch.testing.assert_close(baseline.each, each)
        assert baseline.loss == pytest.approx(probe.mean(each))


@pytest.mark.parametrize(
    ("mode", "operations", "start"),
    [
        ("interleaved", FEW, "linear"),
        ("interleaved", "default", "gru"),
        ("sequential", FEW, "gru"),
        ("sequential", "default", "linear"),
    ],
)
def test_newborn_weights_learn_alone_at_first_and_with_all_others_at_last(
    mode, operations, start, monkeypatch
):
    alone, last, between, end_epoch = [], [], [], Controller.end_epoch

    def watched(self, *args):
        trial, learns_alone = self._trial, self.learner.newborn is not None
        if trial is None:
            between.append(learns_alone)
        elif trial.n_epochs_left > 1:
            alone.append(learns_alone)
        elif trial.n_epochs_left == 1 and (
            mode == "sequential" or self.learner.supernet.is_settled
        ):
            last.append(learns_alone)
        return end_epoch(self, *args)

    monkeypatch.setattr(Controller, "end_epoch", watched)
    growth = PeriodicGrowth(period=3, min_gain=-1e9)
    parameters = {"operations": operations, "initial_genotype": start, "growth": growth}
    regressor(**{**GROWING, **parameters}, mode=mode).fit(X, Y)
    assert any(alone)
    assert last
    assert not any(last)
    assert not any(between)


def test_a_move_that_the_bounds_forbid_takes_nothing_back(monkeypatch):
    refused, attempt = [], Controller._try

    def watched(self, edit):
        before = [p.detach().clone() for p in self.learner.supernet.parameters()]
        attempt(self, edit)
        if self._trial is None:
            after = list(self.learner.supernet.parameters())
            refused.append(all(map(torch.equal, before, after)))

    monkeypatch.setattr(Controller, "_try", watched)
    regressor(**GROWING, initial_genotype="gru").fit(X, Y)
    assert not refused
    bound = regressor(genotype="gru", max_epochs=1).fit(X, Y).n_params_ + 4
    regressor(**GROWING, initial_genotype="gru", max_params=bound).fit(X, Y)
    assert refused
    assert all(refused)
