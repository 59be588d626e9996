"""A display shows what the forecaster said, and every text of it can be read."""

import itertools
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.dates import num2date

from sknas.inspection import ForecastDisplay
from tests.inspection.drawn import HOURS, band, is_upright, lines
from tests.inspection.fakes import SeasonalNaive, make_frame, make_panel

YEARS = pd.period_range("1980", periods=40, freq="Y")
INDEXES = {
    "hours": HOURS,
    "many hours": pd.date_range("2022-11-27", periods=3000, freq="h", tz="Europe/Berlin"),
    "days": pd.date_range("2024-12-30", periods=70, freq="D"),
    "years": YEARS,
    "three quarters": pd.period_range("2023Q3", periods=3, freq="Q"),
    "numbers": pd.RangeIndex(1_000_000, 1_000_100),
}


def test_a_panel_shows_history_forecast_band_and_truth():
    full = make_frame(HOURS)
    forecaster = SeasonalNaive(full[:100], season=24, horizon=20)
    display = ForecastDisplay.from_forecaster(forecaster, truth=full, coverage=0.8)
    (axes,) = display.axes_
    assert axes.figure is display.figure_
    last = full["y0"].iloc[[99]]
    known, truth, forecast = lines(axes)
    np.testing.assert_array_equal(known, full["y0"].iloc[20:100])
    np.testing.assert_array_equal(truth, full["y0"].iloc[99:])
    np.testing.assert_array_equal(forecast, [*last, *forecaster.predict()["y0"]])
    bounds = forecaster.predict_interval(coverage=0.8)["y0", 0.8]
    lower, upper = band(axes)
    np.testing.assert_allclose(lower, [*last, *bounds["lower"]])
    np.testing.assert_allclose(upper, [*last, *bounds["upper"]])


def test_what_is_asked_of_the_display_is_asked_of_the_forecaster():
    forecaster, X = SeasonalNaive(make_frame(HOURS)), pd.DataFrame({"holiday": [0] * 3})
    ForecastDisplay.from_forecaster(forecaster, horizon=3, X=X, coverage=0.5)
    assert forecaster.calls[:2] == [("predict", 3, X), ("predict_interval", 3, X, 0.5)]


def test_without_coverage_no_interval_is_asked_for_or_drawn():
    forecaster = SeasonalNaive(make_frame(HOURS))
    display = ForecastDisplay.from_forecaster(forecaster, coverage=None)
    assert [call[0] for call in forecaster.calls] == ["predict"]
    assert not display.axes_[0].collections
    assert legend_labels(display.figure_.legends[0]) == ["history", "forecast"]


def legend_labels(legend):
    return [text.get_text() for text in legend.get_texts()]


def test_there_is_one_legend_for_the_figure_and_none_in_its_panels():
    full = make_frame(HOURS, 4)
    display = ForecastDisplay.from_forecaster(SeasonalNaive(full[:90]), truth=full, coverage=0.95)
    (legend,) = display.figure_.legends
    assert legend_labels(legend) == ["measured", "forecast", "95 % interval"]
    assert [axes.get_legend() for axes in display.axes_] == [None] * 4
    assert [axes.get_title(loc="left") for axes in display.axes_] == ["y0", "y1", "y2", "y3"]


@pytest.mark.parametrize(("n_history", "n_shown"), [(None, 48), (7, 7), (500, 120)])
def test_so_much_history_is_shown(n_history, n_shown):
    frame = make_frame(HOURS)
    display = ForecastDisplay.from_forecaster(SeasonalNaive(frame), n_history=n_history)
    np.testing.assert_array_equal(lines(display.axes_[0])[0], frame["y0"].iloc[-n_shown:])


def test_a_long_forecast_shows_more_history():
    display = ForecastDisplay.from_forecaster(SeasonalNaive(make_frame(HOURS)), horizon=20)
    assert len(lines(display.axes_[0])[0]) == 80


def test_without_history_a_step_still_shows_its_interval():
    forecaster = SeasonalNaive(make_frame(HOURS), horizon=1)
    display = ForecastDisplay.from_forecaster(forecaster, n_history=0)
    (segment,) = display.axes_[0].collections[1].get_segments()
    bounds = forecaster.predict_interval()["y0", 0.9].iloc[0]
    np.testing.assert_allclose(segment[:, 1], [bounds["lower"], bounds["upper"]])


def test_where_the_last_value_is_missing_the_forecast_stands_by_itself():
    frame = make_frame(HOURS)
    frame.iloc[-1] = np.nan
    forecaster = SeasonalNaive(frame, season=24)
    display = ForecastDisplay.from_forecaster(forecaster)
    forecast = lines(display.axes_[0])[-1]
    np.testing.assert_array_equal(forecast, [np.nan, *forecaster.predict()["y0"]])


def test_targets_are_shown_in_the_order_asked_for():
    frame = make_frame(HOURS, 5)
    display = ForecastDisplay.from_forecaster(SeasonalNaive(frame), targets=["y3", "y1"])
    assert [axes.get_title(loc="left") for axes in display.axes_] == ["y3", "y1"]
    np.testing.assert_array_equal(lines(display.axes_[0])[0], frame["y3"].iloc[-48:])


def test_a_single_target_may_be_given_by_its_name():
    frame = make_frame(HOURS, 3).rename(columns={"y1": "sales"})
    display = ForecastDisplay.from_forecaster(SeasonalNaive(frame), targets="sales")
    assert [axes.get_title(loc="left") for axes in display.axes_] == ["sales"]
    numbers = frame.set_axis(range(3), axis=1)
    display = ForecastDisplay.from_forecaster(SeasonalNaive(numbers), targets=1)
    np.testing.assert_array_equal(lines(display.axes_[0])[0], frame["sales"].iloc[-48:])
    with pytest.raises(ValueError, match=r"targets must be among .*; got 'sale'"):
        ForecastDisplay.from_forecaster(SeasonalNaive(frame), targets="sale")


def test_a_panel_of_many_series_shows_twelve_and_says_so():
    display = ForecastDisplay.from_forecaster(SeasonalNaive(make_panel(14, 30)))
    assert len(display.axes_) == 12
    assert display.figure_.get_suptitle() == "The first 12 of 14 series"
    names = [axes.get_title(loc="left") for axes in display.axes_]
    assert names == [f"shop {i}" for i in range(12)]
    assert len(display.plot(max_panels=14).axes_) == 14
    assert display.figure_.get_suptitle() == ""


def test_each_series_and_target_has_its_own_rows():
    panel = make_panel(3, 60, n_targets=2)
    forecaster = SeasonalNaive(panel, season=7, horizon=5)
    truth = forecaster.predict() + 1
    display = ForecastDisplay.from_forecaster(forecaster, truth=truth, n_history=20)
    pairs = itertools.product([f"shop {i}" for i in range(3)], ["y0", "y1"])
    for axes, (shop, target) in zip(display.axes_, pairs, strict=True):
        assert axes.get_title(loc="left") == f"{shop}, {target}"
        known, measured, forecast = lines(axes)
        np.testing.assert_array_equal(known, panel.loc[shop, target].iloc[-20:])
        np.testing.assert_array_equal(measured[1:], truth.loc[shop, target])
        np.testing.assert_array_equal(forecast[1:], forecaster.predict().loc[shop, target])


def test_too_many_targets_of_series_are_counted_as_pairs():
    forecaster = SeasonalNaive(make_panel(2, 30, n_targets=3))
    display = ForecastDisplay.from_forecaster(forecaster, max_panels=4)
    assert display.figure_.get_suptitle() == "The first 4 of 6 pairs of series and target"


def test_panels_have_their_time_in_common():
    display = ForecastDisplay.from_forecaster(SeasonalNaive(make_frame(HOURS, 5)))
    display.axes_[0].set_xlim(3, 4)
    assert {axes.get_xlim() for axes in display.axes_} == {(3.0, 4.0)}


def test_times_with_a_zone_are_shown_as_the_clock_there_says():
    index = pd.date_range("2024-03-01 06:00", periods=30, freq="h", tz="Asia/Tokyo")
    display = ForecastDisplay.from_forecaster(SeasonalNaive(make_frame(index)))
    known = next(line for line in display.axes_[0].lines if not is_upright(line))
    assert num2date(known.get_xdata()[0]).strftime("%F %T") == "2024-03-01 06:00:00"


def texts(axes):
    """Return the visible texts of a panel: tick labels, offsets and title."""
    ticks = [*visible_ticks(axes.xaxis), *visible_ticks(axes.yaxis)]
    offsets = [axis.get_offset_text() for axis in (axes.xaxis, axes.yaxis)]
    all_texts = [*ticks, *offsets, axes.title, axes._left_title]
    return [text for text in all_texts if text.get_visible() and text.get_text()]


def visible_ticks(axis):
    low, high = sorted(axis.get_view_interval())
    return [
        tick.label1
        for tick in axis.get_major_ticks()
        if low <= tick.get_loc() <= high and tick.label1.get_visible() and tick.label1.get_text()
    ]


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES.keys())
@pytest.mark.parametrize(("n_panels", "scale"), [(1, 1e6), (3, 1.0), (5, 1e-6), (12, 1.0)])
def test_no_text_is_cut_or_runs_into_another(index, n_panels, scale):
    frame = make_frame(index, n_panels, scale=scale)
    frame.columns = [f"{column} with a name that is rather long" * 3 for column in frame]
    season = min(24, len(index))
    forecaster = SeasonalNaive(frame, season, horizon=max(1, len(index) // 5), width=scale)
    figure = ForecastDisplay.from_forecaster(forecaster).figure_
    figure.canvas.draw()
    shown = [text for axes in figure.axes for text in texts(axes)]
    assert len(shown) > 2 * n_panels
    boxes = [text.get_window_extent() for text in shown]
    room = figure.bbox
    for text, box in zip(shown, boxes, strict=True):
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= room.x1 + 1 and box.y1 <= room.y1 + 1
        assert inside, text
    for (first, box), (second, other) in itertools.combinations(zip(shown, boxes, strict=True), 2):
        assert not overlap(box, other), (first, second)


def overlap(box, other, slack=1.0):
    """Tell whether two boxes share more than a pixel's edge."""
    across = min(box.x1, other.x1) - max(box.x0, other.x0)
    along = min(box.y1, other.y1) - max(box.y0, other.y0)
    return across > slack and along > slack


@pytest.mark.parametrize("n_panels", [1, 4, 7])
def test_every_span_of_time_has_a_few_ticks(n_panels):
    display = ForecastDisplay.from_forecaster(SeasonalNaive(make_frame(HOURS, n_panels)))
    (start, _), axis = display.axes_[0].get_xlim(), display.axes_[0].xaxis
    for days in np.geomspace(1e-3, 1e4, 200):
        display.axes_[0].set_xlim(start, start + days)
        ticks = axis.get_major_locator()()  # a warning would be an error
        assert 1 <= sum(start <= tick <= start + days for tick in ticks) <= 9


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES.keys())
def test_the_lowest_panel_of_each_column_says_when(index):
    display = ForecastDisplay.from_forecaster(SeasonalNaive(make_frame(index, 5), season=2))
    display.figure_.canvas.draw()
    labelled = [bool(visible_ticks(axes.xaxis)) for axes in display.axes_]
    assert labelled == [False, False, False, True, True]


def test_one_panel_is_drawn_in_the_axes_given():
    figure, axes = plt.subplots()
    display = ForecastDisplay.from_forecaster(SeasonalNaive(make_frame(HOURS)), ax=axes)
    assert display.figure_ is figure
    assert list(display.axes_) == [axes]
    assert legend_labels(axes.get_legend()) == ["history", "forecast", "90 % interval"]
    assert not figure.legends


def test_several_panels_divide_the_axes_given():
    figure, (left, right) = plt.subplots(1, 2)
    forecaster = SeasonalNaive(make_frame(HOURS, 5))
    display = ForecastDisplay.from_forecaster(forecaster, ax=left, max_panels=4)
    figure.canvas.draw()
    room = left.get_position()
    for axes in display.axes_:
        place = axes.get_position()
        assert room.x0 - 1e-9 <= place.x0 < place.x1 <= room.x1 + 1e-9
        assert room.y0 - 1e-9 <= place.y0 < place.y1 <= room.y1 + 1e-9
    assert not left.axison
    assert not right.lines
    (legend,) = [axes.get_legend() for axes in figure.axes if axes.get_legend()]
    assert legend.get_title().get_text() == "The first 4 of 5 targets"


def test_as_many_axes_as_panels_are_used_one_by_one():
    figure, grid = plt.subplots(2, 2)
    display = ForecastDisplay.from_forecaster(SeasonalNaive(make_frame(HOURS, 4)), ax=grid)
    assert list(display.axes_) == list(grid.ravel())
    figure.canvas.draw()
    assert all(visible_ticks(axes.xaxis) for axes in display.axes_)


def test_another_number_of_axes_is_an_error():
    _, grid = plt.subplots(1, 3)
    with pytest.raises(ValueError, match=r"ax must be one Axes or as many .* 2; got 3"):
        ForecastDisplay.from_forecaster(SeasonalNaive(make_frame(HOURS, 2)), ax=grid)


def test_axes_outside_a_grid_cannot_be_divided():
    free = plt.figure().add_axes((0.1, 0.1, 0.8, 0.8))
    with pytest.raises(ValueError, match="ax must stand in a grid"):
        ForecastDisplay.from_forecaster(SeasonalNaive(make_frame(HOURS, 2)), ax=free)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"targets": ["y0", "x"]}, r"targets must be among .* \['y0', 'y1'\]; got \['y0', 'x'\]"),
        ({"targets": []}, r"targets must be among .*; got \[\]"),
        ({"n_history": -1}, "n_history must be at least 0 rows or None; got -1"),
        ({"max_panels": 0}, "max_panels must be at least 1; got 0"),
        ({"truth": make_frame(HOURS, 1)}, r"truth must have the targets .* lacks \['y1'\]"),
        ({"truth": make_frame(HOURS, 2)}, "truth must have rows of the forecast, 2024-03-03 05"),
    ],
)
def test_a_wrong_argument_is_named_in_the_error(arguments, message):
    with pytest.raises(ValueError, match=message):
        ForecastDisplay.from_forecaster(SeasonalNaive(make_frame(HOURS, 2)), **arguments)


@pytest.mark.parametrize("coverage", [[0.5, 0.9], [0.9], 0.0, 1.0, "0.9"])
def test_the_interval_has_one_coverage(coverage):
    forecaster = SeasonalNaive(make_frame(HOURS))
    with pytest.raises(ValueError, match=r"coverage must be one number in \(0, 1\), or None; got"):
        ForecastDisplay.from_forecaster(forecaster, coverage=coverage)
    assert not forecaster.calls


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    forecaster = SeasonalNaive(make_frame(HOURS))
    with pytest.raises(ImportError, match=r"pip install 'sknas\[plot\]'"):
        ForecastDisplay.from_forecaster(forecaster)
    assert not forecaster.calls


def test_the_package_is_imported_without_matplotlib():
    program = "import sys, sknas.inspection; print('matplotlib' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "False"
