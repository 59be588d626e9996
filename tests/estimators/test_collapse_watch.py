"""The curvature of the architecture loss is in the history, and a collapse ends the mixing."""

import re

import joblib
import numpy as np
import pytest

from sknas.datasets import make_linear_law
from sknas.search import EigenvalueWatch, PeriodicGrowth
from tests.small import EAGER, FIXED, classifier, data_for, history, product, regressor, search_rows

pytestmark = pytest.mark.usefixtures("short_epochs")
X, Y = product()
LONGER = {**FIXED, "search_epochs": 14, "linear_seed": False}
DAG = {**LONGER, "backbone": "dag", "operations": "default", "pruning": "magnitude", "max_nodes": 2}
BACKBONES = pytest.mark.parametrize("parameters", [LONGER, DAG], ids=["two_input", "dag"])
CALM = EigenvalueWatch(every=2, ratio=1e9)
# Heads start at zero, so that any curvature is a rise at first.
EAGER_WATCH = EigenvalueWatch(every=1, window=1, ratio=1.000001, lag=2, warmup=3)


@BACKBONES
def test_a_watch_that_sees_nothing_changes_nothing_but_its_column(parameters):
    plain = regressor(**parameters).fit(X, Y)
    watched = regressor(**parameters, collapse_watch=CALM).fit(X, Y)
    columns = ["arch_curvature"]
    assert history(plain).drop(columns=columns).equals(history(watched).drop(columns=columns))
    assert np.array_equal(plain.predict(X), watched.predict(X))
    assert plain.search_history_["arch_curvature"].isna().all()
    curvature = search_rows(watched, "arch_curvature")
    is_checked = np.isfinite(curvature)
    assert is_checked[:10].tolist() == [False, True] * 5
    assert not is_checked[-2:].any()
    assert watched.search_report_.notes == ()
    assert str(watched.search_report_).count("\n") == str(plain.search_report_).count("\n")


@BACKBONES
def test_a_collapse_ends_the_mixing_and_the_report_says_why(parameters):
    parameters = {**parameters, "learning_rate": 0.01}
    plain = regressor(**parameters).fit(X, Y)
    model = regressor(**parameters, collapse_watch=EAGER_WATCH).fit(X, Y)
    curvature = search_rows(model, "arch_curvature")
    n_open = int(np.isfinite(curvature).sum())
    assert 3 <= n_open < 10
    assert curvature[n_open - 1] > curvature[n_open - 3] > 0
    n_candidates = search_rows(model, "n_candidates")
    assert len(n_candidates) < len(search_rows(plain, "n_candidates"))
    assert (n_candidates[:n_open] == n_candidates[0]).all()
    assert (n_candidates[n_open:] == search_rows(model, "n_nodes")[n_open:]).all()
    (note,) = model.search_report_.notes
    assert note.startswith(f"epoch {n_open}: ")
    assert f"went back to epoch {n_open - 2}" in note
    assert note in str(model.search_report_)
    assert note in model.search_report_._repr_html_()
    assert model.genotype_.branches
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("mode", ["sequential", "interleaved"])
def test_a_growing_search_goes_on_after_a_collapse(mode):
    parameters = {**EAGER, "mode": mode, "search_epochs": 18, "linear_seed": False}
    parameters["growth"] = PeriodicGrowth(period=5, min_gain=-1e9)
    model = regressor(**parameters, collapse_watch=EAGER_WATCH).fit(X, Y)
    again = regressor(**parameters, collapse_watch=EAGER_WATCH).fit(X, Y)
    assert len(model.search_report_.notes) >= 1
    assert history(model).equals(history(again))
    assert np.array_equal(model.predict(X), again.predict(X))


def test_a_collapsed_proposal_still_proposes_its_cell():
    common = {"search_epochs": 40, "max_nodes": 3, "linear_seed": False}
    plain = regressor(**common).fit(X, Y)
    model = regressor(**common, collapse_watch=EAGER_WATCH).fit(X, Y)
    assert model.search_report_.notes
    n_mixed = [int((search_rows(m, "arch_steps") > 0).argmin()) for m in (plain, model)]
    assert n_mixed[1] < n_mixed[0]
    assert len(search_rows(model, "epoch")) > n_mixed[1]
    assert model.genotype_.branches


def test_classes_are_watched_too():
    watched = classifier(**LONGER, collapse_watch=CALM).fit(*data_for(classifier))
    assert np.isfinite(search_rows(watched, "arch_curvature")).any()


def test_the_name_of_a_watch_means_it_with_its_defaults_and_it_stays_as_it_was():
    watch = EigenvalueWatch()
    before = joblib.hash(watch)
    twins = [regressor(**LONGER, collapse_watch=given).fit(X, Y) for given in ("eigenvalue", watch)]
    assert history(twins[0]).equals(history(twins[1]))
    assert joblib.hash(watch) == before
    assert np.isfinite(search_rows(twins[0], "arch_curvature")).any()


@pytest.mark.parametrize(
    ("watch", "told"),
    [
        (EigenvalueWatch(every=0), "'every'.*Got 0"),
        (EigenvalueWatch(window=0), "'window'.*Got 0"),
        (EigenvalueWatch(ratio=0.0), "'ratio'.*Got 0.0"),
        (EigenvalueWatch(lag=1.5), "'lag'.*Got 1.5"),
        (EigenvalueWatch(warmup=-1), "'warmup'.*Got -1"),
        ("trace", "'collapse_watch'.*Got 'trace'"),
    ],
    ids=str,
)
def test_an_impossible_parameter_of_a_watch_is_named(watch, told):
    with pytest.raises(ValueError, match=told):
        regressor(collapse_watch=watch).fit(X, Y)


def test_a_watchs_parameters_can_be_set_from_outside():
    model = regressor(collapse_watch=EigenvalueWatch()).set_params(collapse_watch__ratio=2.0)
    assert model.collapse_watch.ratio == 2.0


def test_growth_in_a_partial_fit_is_watched_and_has_its_skips():
    watch = EigenvalueWatch(every=1, lag=2, warmup=3, ratio=1e9)  # for phases as short as these
    options = {"auxiliary_skip": "linear", "collapse_watch": watch}
    model = regressor(max_nodes=3, search_epochs=60, max_epochs=8, **options)
    first, second = (make_linear_law(200, 3, random_state=seed) for seed in (0, 1))
    model.partial_fit(*first).partial_fit(second[0], second[1] + second[0][:, 0] * second[0][:, 1])
    assert 1.0 in search_rows(model, "skip_weight", "partial")
    assert np.isfinite(search_rows(model, "arch_curvature", "partial")).any()


def test_the_notes_of_a_partial_fit_count_epochs_as_the_history_does():
    watch = EigenvalueWatch(every=1, window=1, ratio=0.01, lag=1, warmup=1)
    model = regressor(max_nodes=3, search_epochs=60, max_epochs=8, collapse_watch=watch)
    first, second = (make_linear_law(200, 3, random_state=seed) for seed in (0, 1))
    n_notes = len(model.partial_fit(*first).search_report_.notes)
    model.partial_fit(second[0], second[1] + second[0][:, 0] * second[0][:, 1])
    later = model.search_report_.notes[n_notes:]
    assert later
    rows = model.search_history_.set_index("epoch")
    for note in later:
        epoch, rise, back_to = re.search(
            r"epoch (\d+): .* became (\S+) times .* to epoch (\d+)", note
        ).groups()
        epoch, back_to = int(epoch), int(back_to)
        assert rows.loc[epoch, "phase"] == "partial"
        curvature = rows["arch_curvature"]
        assert curvature[epoch] / curvature[back_to] == pytest.approx(float(rise), rel=0.01)
