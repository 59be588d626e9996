"""Search, train and forecast on five years of hourly air data from Beijing: `make demo`.

The next 24 hours of all eight channels are predicted from the last 96. The first four fifths of the
rows are given to `fit`, which holds out the last fifth of them to decide by; the last fifth of all
is the test part, which nothing but the table and the pictures reads.

One setting is not the default: the window normalisation is the one with which the linear seed
validates best. The search itself is left as it is.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # for ridge; sknas chooses its own threads

import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from sknas import GrowingDARTSRegressor
from sknas.datasets import load_beijing_air
from sknas.reporting import GrowthEvent

LOOKBACK, HORIZON, DAY = 96, 24, 24
TEST_FRACTION = VALIDATION_FRACTION = 0.2
PENALTIES = (10.0, 100.0, 1e3, 1e4)
SETTINGS = {"lookback": LOOKBACK, "random_state": 0}
OUTPUT = Path(__file__).resolve().parent / "demo_output"

SHOWN = {  # channel -> what the picture calls it
    "pm2_5": "PM2.5 [µg/m³]",
    "temperature": "temperature [°C]",
    "dew_point": "dew point [°C]",
}
FIRST_SHOWN_DAY, N_SHOWN_DAYS = pd.Timestamp("2014-10-06"), 6
TRUTH, SEED, FOUND = "#222222", "#e08214", "#2166ac"
RACE, TRAINED, KEPT, UNDONE = "#8a929e", "#1b7837", "#1b7837", "#b2182b"

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """Rows to fit on, rows to predict from, and the truth (n, HORIZON, channels) of each origin."""

    X: pd.DataFrame
    y: Array
    X_test: pd.DataFrame
    y_test: Array
    scale: Array

    @property
    def origins(self) -> pd.DatetimeIndex:
        """The last row that each test forecast reads."""
        return self.X_test.index[LOOKBACK - 1 :]


def make_task() -> Task:
    """Cut the series in time order; the test slice begins LOOKBACK rows before its border."""
    frame = load_beijing_air()
    values = frame.to_numpy()
    futures = np.lib.stride_tricks.sliding_window_view(values[1:], HORIZON, axis=0)
    futures = futures.swapaxes(1, 2)  # (n_origins, HORIZON, channels)
    border = round(len(frame) * (1 - TEST_FRACTION))
    n_fit = border - HORIZON  # so that no future given to fit reaches into the test part
    return Task(
        frame.iloc[:n_fit],
        futures[:n_fit],
        frame.iloc[border - LOOKBACK : len(frame) - HORIZON],
        futures[border - 1 :],
        values[:border].std(axis=0),
    )


# -- methods ----------------------------------------------------------------------------------


def last_value(task: Task) -> Array:
    """Repeat the newest row."""
    newest = task.X_test.to_numpy()[LOOKBACK - 1 :]
    return np.repeat(newest[:, None], HORIZON, axis=1)


def seasonal_naive(task: Task) -> Array:
    """Repeat the newest day."""
    days = np.lib.stride_tricks.sliding_window_view(task.X_test.to_numpy(), DAY, axis=0)
    return days.swapaxes(1, 2)[LOOKBACK - DAY :]


def ridge(task: Task) -> Array:
    """Scikit-learn's ridge on flattened windows of all channels.

    The last fifth of the windows chooses the penalty; the model is then solved on all of them.
    """
    mean, std = task.X.mean().to_numpy(), task.X.std().to_numpy()

    def windows(frame: pd.DataFrame) -> Array:
        rows = (frame.to_numpy() - mean) / std
        cut = np.lib.stride_tricks.sliding_window_view(rows, LOOKBACK, axis=0)
        return cut.reshape(len(cut), -1)

    X = windows(task.X)
    y = ((task.y[LOOKBACK - 1 :] - mean) / std).reshape(len(X), -1)
    n = round(len(X) * (1 - VALIDATION_FRACTION))
    early = slice(0, n - LOOKBACK - HORIZON)
    losses = {}
    for penalty in PENALTIES:
        model = Ridge(alpha=penalty).fit(X[early], y[early])
        losses[penalty] = float(((model.predict(X[n:]) - y[n:]) ** 2).mean())
    model = Ridge(alpha=min(losses, key=losses.__getitem__)).fit(X, y)
    return model.predict(windows(task.X_test)).reshape(task.y_test.shape) * std + mean


def forecast(model: GrowingDARTSRegressor, task: Task) -> Array:
    """Fit and predict; the first LOOKBACK - 1 rows of the test slice are history only."""
    return model.fit(task.X, task.y).predict(task.X_test)[LOOKBACK - 1 :]


@dataclass(frozen=True)
class Result:
    """Test forecasts of a method, their errors in standardised units, and what they cost."""

    forecasts: Array
    mse: float
    mae: float
    pm2_5_mse: float
    cpu_seconds: float


def run(method: Callable[[Task], Array], task: Task) -> Result:
    """Time a method, fit and prediction together, and score it."""
    start = time.process_time()
    forecasts = method(task)
    seconds = time.process_time() - start
    errors = (forecasts - task.y_test) / task.scale
    pm2_5 = list(task.X.columns).index("pm2_5")
    return Result(
        forecasts,
        float((errors**2).mean()),
        float(np.abs(errors).mean()),
        float((errors[..., pm2_5] ** 2).mean()),
        seconds,
    )


def table(results: dict[str, Result]) -> pd.DataFrame:
    """Return the test errors, a row a method."""
    rows = {
        name: (f"{r.mse:.4f}", f"{r.mae:.4f}", f"{r.pm2_5_mse:.4f}", f"{r.cpu_seconds:.1f}")
        for name, r in results.items()
    }
    columns = ["MSE", "MAE", "PM2.5 MSE", "CPU s"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


# -- pictures ---------------------------------------------------------------------------------


def draw_forecasts(task: Task, seed: Array, found: Array) -> Figure:
    """Draw test days in a row, each forecast at midnight from the 96 hours before."""
    figure = Figure(figsize=(11, 7.2), layout="constrained")
    panels = figure.subplots(len(SHOWN), 1, sharex=True)
    midnights = pd.date_range(FIRST_SHOWN_DAY, periods=N_SHOWN_DAYS, freq="D")
    places = [task.origins.get_loc(day - pd.Timedelta(hours=1)) for day in midnights]
    first = midnights[0] - pd.Timedelta(hours=LOOKBACK)
    truth = task.X_test.loc[first : midnights[-1] + pd.Timedelta(hours=HORIZON - 1)]
    for axes, (channel, label) in zip(panels, SHOWN.items(), strict=True):
        column = list(task.X.columns).index(channel)
        axes.axvspan(first, midnights[0], color="#f0f2f5", linewidth=0)
        axes.plot(truth.index, truth[channel], color=TRUTH, linewidth=1.3)
        for midnight, place in zip(midnights, places, strict=True):
            hours = pd.date_range(midnight, periods=HORIZON, freq="h")
            axes.axvline(midnight, color="#c8ccd2", linewidth=0.8, zorder=0)
            axes.plot(hours, seed[place, :, column], color=SEED, linewidth=1.6, linestyle="--")
            axes.plot(hours, found[place, :, column], color=FOUND, linewidth=2.0)
        axes.set_ylabel(label)
        axes.margins(x=0)
        strip(axes)
    ticks = pd.date_range(first.normalize(), midnights[-1], freq="D")
    panels[-1].set_xticks(ticks, [f"{day:%-d %b}" for day in ticks], ha="left")
    panels[-1].set_xlabel(f"{midnights[0]:%Y}, local time")
    panels[0].text(
        first + pd.Timedelta(hours=2),
        0.94,
        f"history of the first forecast ({LOOKBACK} h)",
        transform=panels[0].get_xaxis_transform(),
        va="top",
        color="#5a6270",
        fontsize=9,
    )
    handles = [
        Line2D([], [], color=TRUTH, linewidth=1.3, label="measured"),
        Line2D([], [], color=SEED, linewidth=1.6, linestyle="--", label="linear seed"),
        Line2D([], [], color=FOUND, linewidth=2.0, label="network found by the search"),
    ]
    figure.suptitle("Beijing air, test part: every midnight a forecast of the next 24 hours")
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return figure


def draw_growth(model: GrowingDARTSRegressor) -> Figure:
    """Draw validation loss and size by epoch, with the moves that were kept and undone."""
    history = model.search_history_
    n_race = count_race_epochs(model)
    figure = Figure(figsize=(11, 6.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
    seed_loss = model.search_report_.stages.loc["seed", "val_loss"]
    above.axhline(seed_loss, color=SEED, linestyle="--", linewidth=1.6, label="linear seed")
    parts = {
        "race of hand-made cells": (history["epoch"] <= n_race, RACE, "none"),
        "search": ((history["epoch"] > n_race) & (history["phase"] == "search"), FOUND, "-"),
        "training with the searched weights": (history["phase"] == "train", TRAINED, "-"),
        "training anew": (history["phase"] == "retrain", TRAINED, ":"),
    }
    for label, (rows, color, line) in parts.items():
        part = history[rows]
        if part.empty:
            continue
        style = {"color": color, "linestyle": line, "marker": "o", "markersize": 4.5}
        above.plot(part["epoch"], part["val_loss"], label=label, **style)
        below.plot(part["epoch"], part["n_params"] / 1000, **style)
    moves = [event for event in model.growth_events_ if event.epoch > 0]
    for number, event in enumerate(moves, start=1):
        mark_move(above, below, event, number)
    low, high = (pick(history["val_loss"].agg(pick.__name__), seed_loss) for pick in (min, max))
    above.set_ylim(low - 0.06 * (high - low), high + 0.2 * (high - low))
    above.set_ylabel("validation MSE [standardised]")
    above.set_title(f"Growth: the {model.search_report_.chosen} network was chosen on validation")
    below.set_ylabel("weights [thousands]")
    below.set_xlabel("epoch")
    below.set_ylim(0, 1.15 * history["n_params"].max() / 1000)
    below.set_xlim(0.3, len(history) + 0.7)
    for axes in (above, below):
        strip(axes)
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    above.text(1.02, 1.0, list_moves(model, moves), transform=above.transAxes, va="top", fontsize=9)
    return figure


def count_race_epochs(model: GrowingDARTSRegressor) -> int:
    """Return the last epoch in which a cell that lost the race was trained."""
    losers = {e.n_params for e in model.growth_events_ if e.epoch == 0 and not e.is_accepted}
    first_move = min((e.epoch for e in model.growth_events_ if e.epoch > 0), default=np.inf)
    history = model.search_history_
    rows = history["n_params"].isin(losers) & (history["epoch"] <= first_move)
    return int(history.loc[rows, "epoch"].max()) if rows.any() else 0


def mark_move(above: Axes, below: Axes, event: GrowthEvent, number: int) -> None:
    """Mark the moment of a move, numbered as in the list beside."""
    color = KEPT if event.is_accepted else UNDONE
    for axes in (above, below):
        axes.axvline(event.epoch + 0.5, color=color, linewidth=1.0, linestyle=":", zorder=0)
    above.text(
        event.epoch + 0.5,
        0.98,
        str(number),
        transform=above.get_xaxis_transform(),
        ha="center",
        va="top",
        color="white",
        fontsize=9,
        fontweight="bold",
        bbox={"boxstyle": "circle,pad=0.25", "facecolor": color, "edgecolor": "none"},
    )


def list_moves(model: GrowingDARTSRegressor, moves: list[GrowthEvent]) -> str:
    """Return the text beside the picture: the race, then the numbered moves with their gains."""
    lines = ["Race at birth"]
    racers = [event for event in model.growth_events_ if event.epoch == 0]
    for event in sorted(racers, key=lambda event: -event.gain):
        lines.append(f"   {short(event)}: {event.gain:+.1%}{' (won)' if event.is_accepted else ''}")
    lines += ["", "Moves"]
    for number, event in enumerate(moves, start=1):
        verdict = "kept" if event.is_accepted else "undone"
        lines.append(f"{number}  {short(event)}: {event.gain:+.1%}, {verdict}")
    return "\n".join(lines if moves else [*lines, "   none"])


def short(event: GrowthEvent) -> str:
    """Return an edit's text in at most 40 characters."""
    return textwrap.shorten(str(event.edit).replace("segments of", "segments"), 40)


def strip(axes: Axes) -> None:
    """Take off the frame's upper and right side."""
    axes.spines[["top", "right"]].set_visible(False)


# -- the demo ---------------------------------------------------------------------------------


def main() -> None:
    """Fit, print and draw."""
    start = time.monotonic()
    task = make_task()
    print(
        f"Beijing air: {len(task.X)} hours to fit on ({task.X.index[0]:%Y-%m-%d} to "
        f"{task.X.index[-1]:%Y-%m-%d}), {len(task.y_test)} test forecasts from "
        f"{task.origins[0] + pd.Timedelta(hours=1):%Y-%m-%d} on.\n"
        f"Every hour, the next {HORIZON} hours of {task.X.shape[1]} channels from the last "
        f"{LOOKBACK}.\n"
    )
    search = GrowingDARTSRegressor(**SETTINGS)
    linear = GrowingDARTSRegressor(**SETTINGS, genotype="linear")
    gru = GrowingDARTSRegressor(**SETTINGS, genotype="gru")
    found = run(lambda task: forecast(search, task), task)
    print(f"Found by the search:\n{search.genotype_}\n\n{search.search_report_}\n")
    results = {
        "last value": run(last_value, task),
        "seasonal naive (24 h)": run(seasonal_naive, task),
        "ridge (scikit-learn)": run(ridge, task),
        "linear seed alone": run(lambda task: forecast(linear, task), task),
        "seed + fixed GRU": run(lambda task: forecast(gru, task), task),
        "network found by search": found,
    }
    print("Test errors in units of each channel's standard deviation; CPU s of fit and forecasts:")
    print(table(results).to_string())
    OUTPUT.mkdir(exist_ok=True)
    pictures = {
        "forecast.png": draw_forecasts(
            task, results["linear seed alone"].forecasts, found.forecasts
        ),
        "growth.png": draw_growth(search),
    }
    print()
    for name, figure in pictures.items():
        figure.savefig(OUTPUT / name, dpi=90)
        print(f"picture: {os.path.relpath(OUTPUT / name)}")
    print(f"The demo took {time.monotonic() - start:.0f} s.")


if __name__ == "__main__":
    main()
