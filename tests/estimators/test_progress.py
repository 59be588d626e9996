"""What is told of a fit while it runs: by a bar, to scikit-learn's callbacks and to a logger."""

import logging
import pickle
import re
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknas import GrowingDARTSForecaster
from sknas.datasets import make_coupled_oscillation
from tests.small import MAKERS, SEARCH, data_for, product, regressor, run_python, trained

pytestmark = pytest.mark.usefixtures("short_epochs")

NEEDS_CALLBACKS = pytest.mark.skipif(
    find_spec("sklearn.callback") is None, reason="scikit-learn has them from 1.9 on"
)

# Every kind of phase.
LONG = {**SEARCH, "n_models": 2, "size_penalty": 1e-4, "refit_full": True, "linear_seed": False}


def forecaster(**parameters):
    few = {"horizon": 2, "lookback": 6, "hidden_size": 4, "search_epochs": 3, "max_epochs": 2}
    return GrowingDARTSForecaster(**{**few, "random_state": 0, **parameters})


def phases(model):
    names = model.search_history_["phase"]
    return list(names[names != names.shift()])


# -- bar ------------------------------------------------------------------------------------------


def test_a_bar_names_phases_losses_and_sizes_and_leaves_nothing_behind(capfd):
    X, y = product()
    model = regressor(verbose=1, time_budget=600, **LONG).fit(X, y)
    told = capfd.readouterr()
    assert told.out == ""
    assert set(phases(model)) > {"search", "narrow", "tune", "refit"}
    for phase in phases(model):
        assert f"{phase}: " in told.err
    assert re.search(r"val_loss=\S+, best=\S+, nodes=\d+, weights=\d+, budget=\d+s", told.err)
    last_line = told.err.rstrip("\r").split("\r")[-1]
    assert last_line.strip() == ""  # taken away


def test_the_end_of_a_bar_is_reached_and_never_passed(capfd):
    X, y = product()
    model = regressor(verbose=1, **LONG).fit(X, y)
    counts = [tuple(map(int, c)) for c in re.findall(r"(\d+)/(\d+) \[", capfd.readouterr().err)]
    assert all(done <= total for done, total in counts)
    assert counts[-1] == (model.n_iter_, model.n_iter_)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_a_bar_is_closed_whatever_ends_the_fit(error, capfd, monkeypatch):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("sknas.estimators._trainer.train_network", fail)
    with pytest.raises(error):
        regressor(verbose=1).fit(*product())
    assert capfd.readouterr().err.rstrip("\r").split("\r")[-1].strip() == ""


def test_nothing_is_shown_unless_it_is_asked_for(capfd):
    X, y = product()
    regressor().fit(X, y).partial_fit(X, y)
    forecaster().fit(make_coupled_oscillation(120, random_state=0))
    assert tuple(capfd.readouterr()) == ("", "")


def test_without_a_bar_none_is_imported():
    code = (
        "import sys; import sknas; from tests.small import product, regressor\n"
        "regressor(search_epochs=1, max_epochs=1).fit(*product(30))\n"
        "print('tqdm.auto' in sys.modules)"
    )
    assert run_python(code) == "False"


def test_workers_show_bars_too():
    X, y = product(60)
    search = GridSearchCV(regressor(verbose=1), {"hidden_size": [2, 3]}, cv=2, n_jobs=2)
    assert search.fit(X, y).best_estimator_.verbose == 1


# -- the same fit ---------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS)
@NEEDS_CALLBACKS
def test_whoever_looks_on_changes_nothing(make, caplog):
    X, y = data_for(make)
    alone = make(**SEARCH).fit(X, y)
    with caplog.at_level(logging.DEBUG, "sknas"):
        seen = make(**SEARCH, verbose=1).set_callbacks(Diary(), ScoreDiary()).fit(X, y)
    assert_array_equal(seen.predict(X), alone.predict(X))
    assert seen.genotype_ == alone.genotype_
    columns = ["phase", "train_loss", "val_loss"]
    assert seen.search_history_[columns].equals(alone.search_history_[columns])


# -- callbacks ------------------------------------------------------------------------------------


class Diary:
    """Notes what it hears, and asks to stop at the end of the named task."""

    def __init__(self, stop=None):
        self.stop = stop
        self.notes = []

    def setup(self, estimator, context):
        self.notes.append("setup")

    def teardown(self, estimator, context):
        self.notes.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.notes.append(("begin", *path(context)))
        assert context.max_subtasks is not None

    def on_fit_task_end(self, estimator, context):
        self.notes.append(("end", *path(context)))
        return path(context) == self.stop


class ScoreDiary(Diary):
    """Notes what the estimators that it gets predict."""

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        scored = X is not None and fitted_estimator.score(X, y)
        n_epochs = len(fitted_estimator.search_history_)
        self.notes.append((path(context), scored, n_epochs, metadata))


def path(context):
    parents = () if context.parent is None else path(context.parent)
    return (*parents, f"{context.task_name} {context.task_id}")


def expected_notes(model):
    notes = ["setup", ("begin", "fit 0")]
    history = model.search_history_
    starts = (history["phase"] != history["phase"].shift()).cumsum()
    for number, (_, rows) in enumerate(history.groupby(starts, sort=False)):
        phase = f"{rows['phase'].iloc[0]} {number}"
        notes.append(("begin", "fit 0", phase))
        for epoch in range(len(rows)):
            notes += [(word, "fit 0", phase, f"epoch {epoch}") for word in ("begin", "end")]
        notes.append(("end", "fit 0", phase))
    return [*notes, ("end", "fit 0"), "teardown"]


@pytest.mark.parametrize("make", MAKERS)
@NEEDS_CALLBACKS
def test_callbacks_hear_of_the_fit_its_phases_and_epochs_in_order(make):
    diary = Diary()
    model = make(**SEARCH, refit="inherit", refit_full=True).set_callbacks(diary)
    model.fit(*data_for(make))
    assert diary.notes == expected_notes(model)
    assert {name for name in vars(model) if "callback" in name} == {"_skl_callbacks"}


@pytest.mark.parametrize(
    "options",
    [
        LONG,
        {"genotype": "product", "n_models": 3},
        {"max_nodes": 0, "linear_seed": False},
        {"refit": "scratch", "n_models": 3},
        {"max_params": 5, "refit": "scratch"},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sknas.exceptions.SearchWarning")
@NEEDS_CALLBACKS
def test_no_fit_has_more_tasks_than_it_has_announced(options):
    diary = Diary()
    regressor(**options).set_callbacks(diary).fit(*product())
    assert diary.notes[-2:] == [("end", "fit 0"), "teardown"]


@NEEDS_CALLBACKS
def test_a_callback_gets_the_data_and_an_estimator_that_predicts():
    X, y = product()
    diary = ScoreDiary()
    weights = np.ones(len(y))
    model = regressor(**SEARCH).set_callbacks(diary).fit(X, y, sample_weight=weights)
    (first, *_), *_, (last, score, n_epochs, metadata) = diary.notes[1:-1]
    assert (first, last) == (("fit 0", "search 0", "epoch 0"), ("fit 0",))
    assert score == model.score(X, y)
    assert n_epochs == model.n_iter_
    assert metadata["sample_weight"] is weights


STOPS = [("fit 0", "search 0", "epoch 2"), ("fit 0", "search 0"), ("fit 0", "train 1", "epoch 0")]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("stop", STOPS, ids=str)
@NEEDS_CALLBACKS
def test_a_callback_that_asks_to_stop_ends_the_fit_and_keeps_its_best(make, stop):
    X, y = data_for(make)
    diary = Diary(stop)
    model = make(**SEARCH, refit_full=True).set_callbacks(diary).fit(X, y)
    assert diary.notes == expected_notes(model)
    assert phases(model) == ["search", "train"][: 1 + (stop[1] == "train 1")]
    assert model.search_report_.stopped_by == "callback"
    assert "stopped by: callback" in str(model.search_report_)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


@NEEDS_CALLBACKS
def test_a_later_call_is_a_fit_of_its_own_for_callbacks():
    X, y = product()
    diary, scores = Diary(), ScoreDiary()
    model = trained().fit(X, y)
    n_epochs = model.n_iter_
    model.set_callbacks(diary, scores).partial_fit(X, y)
    assert diary.notes[:3] == [
        "setup",
        ("begin", "partial_fit 0"),
        ("begin", "partial_fit 0", "partial 0"),
    ]
    assert diary.notes[-1] == "teardown"
    assert min(note[2] for note in scores.notes[1:-1]) == n_epochs + 1


@NEEDS_CALLBACKS
def test_a_forecaster_tells_callbacks_its_series_and_forecasts_for_them():
    class Forecasts(Diary):
        def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
            cutoff = fitted_estimator.cutoff
            self.notes.append((X, len(y), len(fitted_estimator.predict()), cutoff))

    diary = Forecasts()
    series = make_coupled_oscillation(150, random_state=0)
    model = forecaster().set_callbacks(diary).fit(series.iloc[:120])
    told = {note for note in diary.notes if note[0] is None}
    assert told == {(None, 120, 2, series.index[119])}
    diary.notes.clear()
    model.update(series.iloc[120:], refit=True)
    assert ("begin", "update 0", "partial 0") in diary.notes
    assert {note[3] for note in diary.notes if note[0] is None} == {series.index[-1]}
    assert diary.notes[-1] == "teardown"


@NEEDS_CALLBACKS
def test_a_callback_that_fails_is_torn_down_and_leaves_the_estimator_as_it_was():
    class Broken(Diary):
        def on_fit_task_end(self, estimator, context):
            raise ZeroDivisionError

    X, y = product()
    model, broken = regressor().fit(X, y), Broken()
    model.set_callbacks(broken)
    before = vars(model).copy()
    with pytest.raises(ZeroDivisionError):
        model.fit(X, y)
    assert broken.notes[-1] == "teardown"
    assert vars(model) == before


@NEEDS_CALLBACKS
@pytest.mark.parametrize("hook", ["on_fit_task_end", "teardown"])
def test_a_callback_that_fails_when_the_fit_is_over_loses_nothing_of_it(hook):
    class BrokenAtTheEnd(Diary):
        def on_fit_task_end(self, estimator, context):
            if hook == "on_fit_task_end" and context.parent is None:
                raise ZeroDivisionError

        def teardown(self, estimator, context):
            if hook == "teardown":
                raise ZeroDivisionError

    X, y = product()
    model = regressor().set_callbacks(BrokenAtTheEnd())
    with pytest.raises(ZeroDivisionError):
        model.fit(X, y)
    assert_array_equal(model.predict(X), regressor().fit(X, y).predict(X))
    assert not hasattr(model, "_tasks")


@NEEDS_CALLBACKS
def test_clones_share_callbacks_as_those_of_scikit_learn_do():
    diary = Diary()
    model = regressor().set_callbacks(diary)
    assert clone(model)._skl_callbacks == StandardScaler().set_callbacks(diary)._skl_callbacks
    assert "_skl_callbacks" not in vars(model.set_callbacks())


@NEEDS_CALLBACKS
def test_scikit_learns_own_callbacks_work_also_inside_its_searches():
    pytest.importorskip("rich", reason="draws the bar")
    callback = import_module("sklearn.callback")
    X, y = product(60)
    monitor = callback.ScoringMonitor(scoring="r2")
    regressor().set_callbacks(monitor).fit(X, y)
    assert {row["task_name"] for row in monitor.get_logs().data} >= {"fit", "search", "epoch"}
    steps = make_pipeline(StandardScaler(), regressor())
    search = GridSearchCV(steps, {"growingdartsregressor__hidden_size": [2, 3]}, cv=2)
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X, y)
    assert "_skl_callbacks" not in vars(search.best_estimator_[-1])


def test_a_scikit_learn_without_callbacks_serves_as_well():
    code = (
        "import sys, skorch, sknas.training  # and what of scikit-learn needs its callbacks\n"
        "sys.modules['sklearn.callback'] = None\n"
        "from tests.small import product, regressor\n"
        "model = regressor(search_epochs=1, max_epochs=1).fit(*product(30))\n"
        "print(hasattr(model, 'set_callbacks'), model.predict(product(30)[0]).shape)"
    )
    assert run_python(code) == "False (30,)"


# -- logger ---------------------------------------------------------------------------------------


def test_phases_moves_and_epochs_are_logged(caplog):
    with caplog.at_level(logging.DEBUG, "sknas"):
        model = trained(**SEARCH).fit(*product())
    infos = [r.getMessage() for r in caplog.records if r.levelno == logging.INFO]
    epochs = [r.getMessage() for r in caplog.records if r.levelno == logging.DEBUG]
    for phase in phases(model):
        assert any(line.startswith(f"{phase} begins, ") for line in infos)
        assert any(line.startswith(f"{phase} has ended after ") for line in infos)
    accepted = model.search_report_.moves.query("accepted")
    assert len(accepted)
    assert sum("accepted" in line for line in infos) == len(accepted)
    assert len(epochs) == model.n_iter_
    assert {record.name for record in caplog.records} == {"sknas"}


def test_the_logger_is_left_to_its_user():
    logger = logging.getLogger("sknas")
    assert [type(handler) for handler in logger.handlers] == [logging.NullHandler]
    assert logger.level == logging.NOTSET
    assert logger.propagate
