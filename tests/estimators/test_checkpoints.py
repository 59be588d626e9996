"""A fit that was killed goes on from its last state, and ends as if it had not been."""

import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sknas import GrowingDARTSForecaster
from sknas._checkpoints import Folder, load
from sknas.datasets import make_coupled_oscillation
from sknas.exceptions import SearchWarning
from sknas.search import PeriodicGrowth
from tests.small import (
    EAGER,
    FIXED,
    MAKERS,
    SEARCH,
    classifier,
    data_for,
    futures,
    history,
    product,
    regressor,
    trained,
)

pytestmark = pytest.mark.usefixtures("short_epochs")


class Crash(BaseException):
    """What no code of ours catches."""


@pytest.fixture
def writes(monkeypatch):
    """Count the states that are written; `writes.most` is the one after which a crash comes."""

    class Writes:
        count, most = 0, None

    whole = Folder.write

    def write(folder, state):
        whole(folder, state)
        Writes.count += 1
        if Writes.count == Writes.most:
            raise Crash

    monkeypatch.setattr(Folder, "write", write)
    return Writes


def forecaster(**parameters):
    few = {"horizon": 2, "lookback": 6, "hidden_size": 4, "search_epochs": 3, "max_epochs": 2}
    return GrowingDARTSForecaster(**{**few, "random_state": 0, **parameters})


def result(model, X):
    predicted = model.predict(X) if X is not None else model.predict().to_numpy()
    return np.asarray(predicted).tobytes(), model.genotype_.to_json()


SECOND_ORDER = {**FIXED, "arch_order": 2, "collapse_watch": "eigenvalue"}
PRICED = {**SEARCH, "n_models": 2, "size_penalty": 1e-4, "refit_full": True, "linear_seed": False}
SAMPLED = {**EAGER, "relaxation": "gumbel", "arch_schedule": "information", "dropout": 0.2}
FITS = {
    "searched": (regressor, SEARCH, product()),
    "grown and pruned": (regressor, EAGER, product()),
    "interleaved": (regressor, {**EAGER, "mode": "interleaved"}, product()),
    "second order": (regressor, SECOND_ORDER, product()),
    "sampled": (regressor, SAMPLED, product()),
    "informed": (regressor, {**FIXED, "arch_schedule": "information"}, product()),
    "graph": (regressor, {**SEARCH, "backbone": "dag"}, product()),
    "priced and refit": (regressor, PRICED, product()),
    "classes": (classifier, SEARCH, data_for(classifier)),
    "channels mixed": (regressor, SEARCH, futures()),
    "given": (trained, {"genotype": "gru", "max_epochs": 6}, product()),
}


@pytest.mark.parametrize("name", FITS)
def test_after_a_crash_the_bytes_are_the_same(tmp_path, writes, name):
    make, parameters, (X, y) = FITS[name]
    undisturbed = make(**parameters).fit(X, y)
    kept = make(**parameters, checkpoint_dir=tmp_path).fit(X, y)
    n_states = writes.count
    assert n_states >= len(undisturbed.search_history_) // 2
    assert result(kept, X) == result(undisturbed, X)
    place = 1 + list(FITS).index(name) * (n_states - 1) // len(FITS)  # each fit at another one
    shutil.rmtree(tmp_path)
    writes.count, writes.most = 0, place
    crashed = make(**parameters, checkpoint_dir=tmp_path)
    with pytest.raises(Crash):
        crashed.fit(X, y)
    assert not hasattr(crashed, "module_")
    writes.count, writes.most = 0, None
    model = crashed.fit(X, y)
    assert result(model, X) == result(undisturbed, X)
    pd.testing.assert_frame_equal(history(model), history(undisturbed))
    assert writes.count == n_states - place  # nothing is done twice


def test_crash_after_crash(tmp_path, writes):
    X, y = product()
    undisturbed = regressor(**SEARCH).fit(X, y)
    writes.most = 1
    for _ in range(100):
        writes.count = 0
        try:
            model = regressor(**SEARCH, checkpoint_dir=tmp_path).fit(X, y)
            break
        except Crash:
            continue
    assert result(model, X) == result(undisturbed, X)


def test_a_forecaster_goes_on_too(tmp_path, writes):
    series = make_coupled_oscillation(150, random_state=0)
    undisturbed = forecaster().fit(series)
    writes.most = 3
    with pytest.raises(Crash):
        forecaster(checkpoint_dir=tmp_path).fit(series)
    writes.most = None
    model = forecaster(checkpoint_dir=tmp_path).fit(series)
    assert result(model, None) == result(undisturbed, None)


def test_a_warm_start_goes_on_from_the_same_network(tmp_path, writes):
    X, y = product()

    def twice(**parameters):
        model = regressor(**SEARCH, warm_start=True).fit(X, y)
        return model.set_params(**parameters).fit(X, y)

    undisturbed = twice()
    writes.most = 2
    with pytest.raises(Crash):
        twice(checkpoint_dir=tmp_path)
    writes.most = None
    assert result(twice(checkpoint_dir=tmp_path), X) == result(undisturbed, X)


# -- the folder -----------------------------------------------------------------------------------


def test_what_has_ended_is_not_done_again(tmp_path, writes):
    X, y = product()
    first = regressor(**SEARCH, checkpoint_dir=tmp_path).fit(X, y)
    n_states = writes.count
    again = regressor(**SEARCH, checkpoint_dir=tmp_path).fit(X, y)
    assert writes.count == n_states
    assert result(again, X) == result(first, X)
    assert history(again).equals(history(first))


@pytest.mark.parametrize(
    "other", [{"hidden_size": 5}, {"random_state": 1}, {"growth": "never"}, {"max_epochs": 4}]
)
def test_other_parameters_have_a_folder_of_their_own(tmp_path, other):
    X, y = product()
    if other.get("growth") == "never":
        other = {"mode": "fixed"}
    regressor(**SEARCH, checkpoint_dir=tmp_path).fit(X, y)
    model = regressor(**{**SEARCH, **other}, checkpoint_dir=tmp_path).fit(X, y)
    assert len(list(tmp_path.iterdir())) == 2
    assert result(model, X) == result(regressor(**{**SEARCH, **other}).fit(X, y), X)


@pytest.mark.parametrize("make", MAKERS)
def test_other_data_have_a_folder_of_their_own(tmp_path, make):
    X, y = data_for(make)
    make(checkpoint_dir=tmp_path).fit(X, y)
    changed = X.copy()
    changed[0, 0] += 1e-6
    make(checkpoint_dir=tmp_path).fit(changed, y)
    make(checkpoint_dir=tmp_path).fit(X, y, sample_weight=np.linspace(1, 2, len(X)))
    assert len(list(tmp_path.iterdir())) == 3


def test_what_does_not_change_the_result_does_not_change_the_folder(tmp_path):
    X, y = product()
    for parameters in ({}, {"verbose": 1}, {"time_budget": 1000.0}):
        regressor(checkpoint_dir=str(tmp_path), **parameters).fit(X, y)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_grid_shares_a_directory(tmp_path):
    X, y = product(60)
    grid = {"hidden_size": [2, 3]}
    results = [
        GridSearchCV(regressor(checkpoint_dir=folder), grid, cv=2, n_jobs=2).fit(X, y).cv_results_
        for folder in (None, tmp_path, tmp_path)
    ]
    scores = [found["mean_test_score"] for found in results]
    assert np.array_equal(scores[0], scores[1])
    assert np.array_equal(scores[0], scores[2])
    assert len(list(tmp_path.iterdir())) == 5  # a fit a split and candidate, and the last


def test_without_a_repeatable_seed_nothing_is_kept(tmp_path):
    X, y = product()
    with pytest.warns(SearchWarning, match=r"checkpoint_dir needs a random_state .*got .*None"):
        regressor(random_state=None, checkpoint_dir=tmp_path).fit(X, y)
    assert not list(tmp_path.iterdir())


class OwnRule(PeriodicGrowth):
    """Has a function that no file can hold."""

    def __init__(self, *, period=4, min_gain=0.0, max_refusals=3):
        super().__init__(period=period, min_gain=min_gain, max_refusals=max_refusals)
        self.wish = lambda: None


def test_a_parameter_that_cannot_be_written_is_named(tmp_path):
    X, y = product()
    model = regressor(growth=OwnRule(), checkpoint_dir=tmp_path)
    with pytest.raises(ValueError, match="checkpoint_dir needs parameters that can be pickled"):
        model.fit(X, y)


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    model = regressor(checkpoint_dir=tmp_path / "file")
    with pytest.raises(ValueError, match="checkpoint_dir must be a folder"):
        model.fit(*product())


def test_seconds_before_the_crash_count_for_the_budget(tmp_path, writes, monkeypatch):
    X, y = product()
    writes.most = 2
    with pytest.raises(Crash):
        regressor(**SEARCH, checkpoint_dir=tmp_path).fit(X, y)
    writes.most = None
    monkeypatch.setattr(
        "sknas.estimators._journal.FolderJournal.seconds",
        property(lambda self: 500.0, lambda *_: 0),
    )
    cut = regressor(**SEARCH, time_budget=400.0, checkpoint_dir=tmp_path).fit(X, y)
    assert cut.search_report_.stopped_by == "time_budget"
    whole = regressor(**SEARCH, checkpoint_dir=tmp_path).fit(X, y)  # goes on from there
    assert result(whole, X) == result(regressor(**SEARCH).fit(X, y), X)


def test_seconds_add_up_over_crashes(tmp_path, writes):
    X, y = product()
    told = []
    for _ in range(2):
        writes.count, writes.most = 0, 2
        with pytest.raises(Crash):
            regressor(**SEARCH, checkpoint_dir=tmp_path).fit(X, y)
        (kept,) = tmp_path.iterdir()
        folder = Folder(tmp_path, kept.name)
        told.append(load(folder.newest(), {})["seconds"])
        folder.close()
    assert 0.0 < told[0] < told[1]


def test_clones_and_pickles_keep_the_parameter(tmp_path):
    model = regressor(checkpoint_dir=tmp_path)
    assert clone(model).checkpoint_dir == tmp_path
