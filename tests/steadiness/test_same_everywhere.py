"""The same seed gives the same bytes in workers, threads and other processes, watched or not."""

import logging
import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_validate

from tests.small import run_python
from tests.steady import BRIEF, CASES

every_case = pytest.mark.parametrize("name", CASES)
rows_and_labels = pytest.mark.parametrize("name", ["regressor", "classifier"])
backends = pytest.mark.parametrize("backend", ["loky", "threading"])
ELSEWHERE = """
import sys
from tests.steady import CASES
case = CASES[sys.argv[1]]
print(case.digest(case.fitted()))
"""


@pytest.mark.slow
@every_case
def test_another_process_finds_the_same(name):
    case = CASES[name]
    here = case.digest(case.fitted())
    assert run_python(ELSEWHERE, name, PYTHONHASHSEED="4", OMP_NUM_THREADS="2") == here


@pytest.mark.slow
@backends
@every_case
def test_fits_in_workers_find_what_they_find_alone(name, backend):
    case = CASES[name]
    with joblib.parallel_config(backend, n_jobs=2):
        models = joblib.Parallel()(joblib.delayed(case.fitted)() for _ in range(2))
    expected = case.digest(case.fitted())
    assert [case.digest(model) for model in models] == [expected] * 2


@pytest.mark.slow
@backends
@rows_and_labels
def test_scores_and_grids_are_the_same_with_two_jobs(name, backend):
    case, found = CASES[name], []
    model = case.make(**BRIEF)
    for n_jobs in (None, 2):
        with joblib.parallel_config(backend):
            scores = cross_validate(model, *case.data, cv=2, n_jobs=n_jobs)["test_score"]
            grid = GridSearchCV(clone(model), {"max_nodes": [0, 1]}, cv=2, n_jobs=n_jobs)
            grid.fit(*case.data)
        told = grid.cv_results_["mean_test_score"].tobytes()
        found.append((scores.tobytes(), told, case.digest(grid.best_estimator_)))
    assert found[0] == found[1]


@pytest.mark.usefixtures("tiny_epochs")
@every_case
def test_who_looks_on_changes_nothing(name, caplog, capsys):
    case = CASES[name]
    expected = case.digest(case.fitted())
    assert case.digest(case.fitted(verbose=1)) == expected
    assert "search" in capsys.readouterr().err
    with caplog.at_level(logging.DEBUG, logger="sknas"):
        assert case.digest(case.fitted()) == expected
    assert caplog.records
    watched = case.make(**BRIEF)
    try:
        from sklearn.callback import ProgressBar
    except ImportError:
        return
    watched.set_callbacks(ProgressBar())
    assert case.digest(watched.fit(*case.data)) == expected


@pytest.mark.usefixtures("tiny_epochs")
@every_case
def test_a_copy_of_an_estimator_fits_and_predicts_the_same(name, tmp_path):
    case = CASES[name]
    model = case.make(**BRIEF)
    copies = [clone(model), pickle.loads(pickle.dumps(model))]
    expected = case.digest(model.fit(*case.data))
    assert [case.digest(copy.fit(*case.data)) for copy in copies] == [expected] * 2
    joblib.dump(model, tmp_path / "model")
    assert case.digest(joblib.load(tmp_path / "model")) == expected
    # One that has been fitted starts as a new one does.
    again = pickle.loads(pickle.dumps(model)).fit(*case.data)
    assert case.digest(again) == expected


@pytest.mark.usefixtures("tiny_epochs")
@every_case
def test_a_copy_learns_on_as_the_original_does(name):
    case = CASES[name]
    model = case.fitted()
    copy = pickle.loads(pickle.dumps(model))
    if name == "forecaster":
        (series,) = case.data
        first = case.make(**BRIEF).fit(series.iloc[:100])
        copy, model = pickle.loads(pickle.dumps(first)), first
        both = [each.update(series.iloc[100:], refit=True) for each in (model, copy)]
    else:
        both = [each.partial_fit(*case.data) for each in (model, copy)]
    np.testing.assert_array_equal(*(case.told(each) for each in both))
