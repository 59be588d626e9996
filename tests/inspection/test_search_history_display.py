"""Epochs, phases, moves, weights and gates are drawn as the tables tell them, and can be read."""

import copy
import functools
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression

from sknas.inspection import SearchHistoryDisplay
from tests.inspection.seen import assert_texts_stand_apart, visible_texts
from tests.small import EAGER, data_for, regressor


def made_history(*phases):
    """Return a history of phases, each with a name and a number of epochs."""
    names = [name for name, n_epochs in phases for _ in range(n_epochs)]
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "epoch": np.arange(1, len(names) + 1),
            "phase": names,
            "train_loss": rng.uniform(0.4, 0.5, len(names)),
            "val_loss": rng.uniform(0.5, 0.6, len(names)),
            "n_params": 1000 + 7 * np.arange(len(names)),
        }
    )


def made_moves(n_moves, n_epochs):
    """Return moves of which every third was kept, some with names that are long."""
    numbers = np.arange(n_moves)
    return pd.DataFrame(
        {
            "epoch": np.sort(numbers * n_epochs // max(n_moves, 1)),
            "edit": [f"AddBranch({'lin_tanh ' * (n % 9)}; segments of {n})" for n in numbers],
            "gain": np.where(numbers % 5, numbers / 100, np.nan),
            "accepted": numbers % 3 == 0,
        }
    )


def made_gates(n_nodes, n_operations, n_epochs=5):
    """Return gates of nodes that are mixed from the first epoch, each losing one at the end."""
    rows = [
        (epoch, 0, 0, node, "", f"operation_{o}", (1 + o) / (1 + n_operations) / epoch)
        for epoch in range(1, n_epochs + 1)
        for node in range(n_nodes)
        for o in range(n_operations)
        if epoch < n_epochs or o > 0
    ]
    columns = ["epoch", "branch", "layer", "node", "source", "operation", "gate"]
    return pd.DataFrame(rows, columns=columns)


LONG = made_history(("search", 40), ("train", 8), ("retrain", 8), ("refit", 2), ("partial", 1))


@functools.cache
def fitted():
    return regressor(**EAGER).fit(*data_for(regressor))


def drawn(axes, gid):
    """Return what the lines of a name show, one after another."""
    lines = [line for line in axes.lines if line.get_gid() == gid]
    return np.concatenate([line.get_ydata() for line in lines])


def marks(timeline):
    """Return epoch and fill of every mark of a move."""
    return sorted(
        (float(x), to_hex(color))
        for group in timeline.collections
        for (x, _) in group.get_offsets()
        for color in group.get_facecolor()[:1]
    )


def bands(axes):
    """Return name, start and stop of every band."""
    shaded = [patch for patch in axes.patches if (patch.get_gid() or "").startswith("phase:")]
    return [
        (band.get_gid().removeprefix("phase:"), band.get_x(), band.get_x() + band.get_width())
        for band in shaded
    ]


# -- what is shown --------------------------------------------------------------------------------


def test_a_fit_is_drawn_as_its_tables_tell():
    model = fitted()
    display = SearchHistoryDisplay.from_estimator(model)
    timeline, losses, sizes, *gates = display.axes_
    history, report = model.search_history_, model.search_report_
    for column in ("train_loss", "val_loss"):
        shown = drawn(losses, column)
        assert set(history[column]) == set(shown)
    (line,) = [line for line in sizes.lines if len(line.get_xdata()) == 1 + len(history)]
    np.testing.assert_array_equal(line.get_ydata()[1:], history["n_params"])
    assert len(marks(timeline)) == len(report.moves) > 0
    assert len(gates) == report.gates.groupby(["branch", "layer", "node"]).ngroups
    lines = [line for axes in gates for line in axes.lines if line.get_gid()]
    shown = np.concatenate([line.get_ydata() for line in lines])
    np.testing.assert_array_equal(np.sort(shown[np.isfinite(shown)]), np.sort(report.gates["gate"]))
    assert_texts_stand_apart(display.figure_)


def test_every_move_has_a_mark_at_its_epoch_that_tells_whether_it_was_kept():
    moves = made_moves(11, 40)
    display = SearchHistoryDisplay(LONG, moves=moves).plot()
    expected = sorted(
        (float(epoch), "#1f6fb4" if accepted else "#ffffff")
        for epoch, accepted in zip(moves["epoch"], moves["accepted"], strict=True)
    )
    assert marks(display.axes_[0]) == expected
    texts = [text.get_text() for text in display.axes_[0].texts]
    for move in moves.itertuples():
        start = move.edit[:12]
        assert sum(text.startswith(start) for text in texts) >= 1
    assert sum(text.endswith(" %") for text in texts) == moves["gain"].notna().sum()


def test_moves_are_marked_in_the_panels_below():
    moves = made_moves(11, 40)
    display = SearchHistoryDisplay(LONG, moves=moves).plot()
    for axes in display.axes_[1:]:
        uprights = [line for line in axes.lines if list(line.get_ydata()) == [0, 1]]
        kept = moves.groupby("epoch")["accepted"].any()
        assert {line.get_xdata()[0]: line.get_linestyle() for line in uprights} == {
            epoch: "-" if is_kept else ":" for epoch, is_kept in kept.items()
        }


def test_phases_are_bands_with_names_in_every_panel():
    display = SearchHistoryDisplay(LONG).plot()
    expected = [
        ("search", 0, 40),
        ("train", 40, 48),
        ("retrain", 48, 56),
        ("refit", 56, 58),
        ("partial", 58, 59),
    ]
    assert all(bands(axes) == expected for axes in display.axes_)
    names = [text.get_text() for text in display.axes_[0].texts]
    assert names == [name for name, _, _ in expected]


def test_a_phase_that_comes_again_is_a_band_of_its_own():
    history = made_history(("search", 3), ("partial", 2), ("search", 4))
    display = SearchHistoryDisplay(history).plot()
    assert bands(display.axes_[1]) == [("search", 0, 3), ("partial", 3, 5), ("search", 5, 9)]


def test_losses_are_not_joined_over_the_end_of_a_phase():
    losses = SearchHistoryDisplay(LONG).plot().axes_[1]
    for phase in LONG["phase"].unique():
        own = LONG.loc[LONG["phase"] == phase, "val_loss"]
        lines = [line for line in losses.lines if line.get_gid() == "val_loss"]
        assert any(set(line.get_ydata()) == set(own) for line in lines)


def test_the_weights_of_an_epoch_stand_from_the_end_of_the_one_before():
    history = made_history(("search", 3))
    sizes = SearchHistoryDisplay(history).plot().axes_[2]
    (line,) = sizes.lines
    assert line.get_drawstyle() == "steps-pre"
    assert list(line.get_xdata()) == [0, 1, 2, 3]
    assert list(line.get_ydata()) == [1000, 1000, 1007, 1014]


def test_losses_of_several_sizes_are_shown_by_their_logarithm():
    history = made_history(("search", 9))
    assert SearchHistoryDisplay(history).plot().axes_[1].get_yscale() == "linear"
    history.loc[0, "val_loss"] = 100.0
    assert SearchHistoryDisplay(history).plot().axes_[1].get_yscale() == "log"
    history.loc[1, "val_loss"] = 0.0
    assert SearchHistoryDisplay(history).plot().axes_[1].get_yscale() == "linear"


# -- gates ----------------------------------------------------------------------------------------


def test_gates_are_recorded_of_every_epoch_in_which_something_is_mixed():
    model = fitted()
    gates = model.search_report_.gates
    search = model.search_history_.set_index("epoch")
    search = search[search["phase"] == "search"]
    assert gates["gate"].between(0.0, 1.0).all()
    n_mixed = gates.groupby("epoch").size()
    n_settled = search["n_nodes"] - gates.groupby("epoch")["node"].nunique().reindex(
        search.index, fill_value=0
    )
    expected = search["n_candidates"] - n_settled
    pd.testing.assert_series_equal(
        n_mixed, expected[expected > 0].astype("int64"), check_names=False
    )
    assert set(gates["operation"]) <= set(EAGER["operations"])


def test_gates_of_a_softmax_sum_to_one():
    model = regressor(**{**EAGER, "relaxation": "softmax", "search_epochs": 5, "n_models": 1}).fit(
        *data_for(regressor)
    )
    gates = model.search_report_.gates
    assert len(gates)
    sums = gates.groupby(["epoch", "branch", "layer", "node"])["gate"].sum()
    np.testing.assert_allclose(sums, 1.0, atol=1e-6)


def test_without_mixed_nodes_the_table_is_empty_and_so_is_its_panel():
    model = regressor(genotype="gru", max_epochs=2).fit(*data_for(regressor))
    gates = model.search_report_.gates
    assert list(gates) == list(made_gates(1, 1))
    assert len(gates) == 0
    assert len(SearchHistoryDisplay.from_estimator(model).axes_) == 3


def test_a_node_born_anew_under_a_name_has_a_panel_of_its_own():
    gates = made_gates(1, 3)
    later = gates.assign(epoch=gates["epoch"] + 20)
    display = SearchHistoryDisplay(LONG, gates=pd.concat([gates, later])).plot()
    names = [axes.get_title(loc="left") for axes in display.axes_[3:]]
    assert names == ["gates of s0, branch 0", "gates of s0, branch 0, from epoch 21"]
    assert_texts_stand_apart(display.figure_)


def test_the_first_nodes_are_shown_and_the_others_counted():
    display = SearchHistoryDisplay(LONG, gates=made_gates(7, 3)).plot()
    names = [axes.get_title(loc="left") for axes in display.axes_[3:]]
    assert names[0] == "gates of s0, branch 0"
    assert names[-1] == "gates of s3, branch 0 (the first 4 of 7 nodes)"
    assert len(display.plot(max_nodes=0).axes_) == 3
    with pytest.raises(ValueError, match="max_nodes must be at least 0; got -1"):
        display.plot(max_nodes=-1)


def test_the_candidates_that_lasted_are_named():
    gates = made_gates(1, 9)
    (axes,) = SearchHistoryDisplay(LONG, gates=gates).plot().axes_[3:]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["operation_8", "operation_7", "operation_6", "operation_5"]
    shown = {line.get_gid() for line in axes.lines if line.get_gid()}
    assert shown == {f"gate:operation_{o}" for o in range(9)}


# -- several calls --------------------------------------------------------------------------------


def test_later_calls_are_drawn_behind_the_first():
    model = copy.deepcopy(fitted())
    n_before, gates = model.n_iter_, model.search_report_.gates
    model.partial_fit(*data_for(regressor))
    pd.testing.assert_frame_equal(model.search_report_.gates[: len(gates)], gates)
    display = SearchHistoryDisplay.from_estimator(model)
    assert bands(display.axes_[1])[-1] == ("partial", n_before, model.n_iter_)
    assert len(marks(display.axes_[0])) == len(model.search_report_.moves)
    assert_texts_stand_apart(display.figure_)


def test_gates_of_a_later_search_count_all_epochs():
    model = copy.deepcopy(fitted()).set_params(max_nodes=4)
    n_before, n_gates = model.n_iter_, len(model.search_report_.gates)
    X, y = data_for(regressor)
    model.partial_fit(X, np.cos(3 * X[:, 0]) - y)  # so much worse that growth is offered
    later = model.search_report_.gates[n_gates:]
    history = model.search_history_
    assert len(later)
    is_mixed = history["n_candidates"] > history["n_nodes"]
    assert set(later["epoch"]) == set(history.loc[is_mixed, "epoch"].loc[lambda e: e > n_before])


# -- where it is drawn ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "n_moves", "gates"),
    [
        (LONG, 30, made_gates(3, 12)),
        (LONG, 0, None),
        (LONG, 1, made_gates(1, 2)),
        (made_history(("train", 1)), 0, None),
        (made_history(("train", 1)), 2, made_gates(1, 2)),
        (made_history(("search", 900)), 9, None),
    ],
)
def test_no_text_is_cut_or_runs_into_another(history, n_moves, gates):
    moves = made_moves(n_moves, len(history))
    display = SearchHistoryDisplay(history, moves=moves, gates=gates).plot()
    assert_texts_stand_apart(display.figure_)


@pytest.mark.parametrize(
    ("n_moves", "layout", "size"),
    [
        (3, None, (5.0, 6.0)),
        (30, "constrained", (5.0, 6.0)),
        (3, "constrained", (14.0, 8.0)),
        (30, None, (14.0, 8.0)),
    ],
)
def test_one_axes_is_divided(n_moves, layout, size):
    figure, axes = plt.subplots(figsize=size, layout=layout)
    moves = made_moves(n_moves, 40)
    display = SearchHistoryDisplay(LONG, moves=moves, gates=made_gates(1, 5)).plot(axes)
    assert display.figure_ is figure
    assert len(display.axes_) == 4
    assert not axes.axison
    assert len(marks(display.axes_[0])) == n_moves
    kept = [text for text, _ in visible_texts(figure) if text.startswith("AddB")]
    assert kept
    assert_texts_stand_apart(figure)


def test_as_many_axes_as_panels_are_used_one_by_one():
    figure, grid = plt.subplots(3, 1, figsize=(7, 8), layout="constrained")
    display = SearchHistoryDisplay(LONG, moves=made_moves(4, 40)).plot(grid)
    assert list(display.axes_) == list(grid)
    assert len(figure.axes) == 3
    with pytest.raises(ValueError, match=r"ax must be one Axes or as many .* 3; got 2"):
        display.plot(grid[:2])


def test_panels_have_their_time_in_common():
    display = SearchHistoryDisplay(LONG, gates=made_gates(1, 3)).plot()
    display.axes_[0].set_xlim(3, 4)
    assert {axes.get_xlim() for axes in display.axes_} == {(3.0, 4.0)}


# -- what is refused ------------------------------------------------------------------------------


def test_an_unfitted_estimator_is_refused():
    message = "GrowingDARTSRegressor has no search_history_ yet"
    with pytest.raises(NotFittedError, match=message):
        SearchHistoryDisplay.from_estimator(regressor())


def test_another_estimator_is_refused():
    with pytest.raises(TypeError, match="got LinearRegression"):
        SearchHistoryDisplay.from_estimator(LinearRegression())


def test_a_fit_without_epochs_has_nothing_to_draw():
    model = regressor(max_nodes=0).fit(*data_for(regressor))
    if len(model.search_history_):
        SearchHistoryDisplay.from_estimator(model)
    with pytest.raises(ValueError, match="history must have a row an epoch; got none"):
        SearchHistoryDisplay(LONG[:0]).plot()


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'sknas\[plot\]'"):
        SearchHistoryDisplay(LONG).plot()
