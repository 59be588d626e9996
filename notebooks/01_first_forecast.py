# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A first forecast
#
# What will the air be like tomorrow, and how sure can I be?
#
# Thirteen months of hourly temperature, pressure and fine particles (PM2.5) in Beijing come with
# the package. We forecast the next 24 hours of all three, with an interval, and then check on
# four weeks that the model has not seen whether the forecasts were worth their while.

# %%
import os

import matplotlib.pyplot as plt
import pandas as pd

from sknas import GrowingDARTSForecaster
from sknas.datasets import load_beijing_air
from sknas.inspection import ForecastDisplay

plt.rcParams["figure.dpi"] = 80
pd.set_option("display.precision", 3)

# Tests set SKNAS_SMOKE to run this in seconds, with fewer epochs than are worth reading about.
brief = {"search_epochs": 2, "max_epochs": 1} if os.environ.get("SKNAS_SMOKE") else {}

# %% [markdown]
# ## Look first

# %%
air = load_beijing_air().loc["2013-12":, ["temperature", "pressure", "pm2_5"]]
print(len(air), "hours, from", air.index[0], "to", air.index[-1])
air.describe().loc[["mean", "std", "min", "max"]]

# %%
axes = air[-21 * 24 :].plot(subplots=True, figsize=(9, 5), legend=False, color="0.25", lw=1)
for ax, name in zip(axes, air, strict=True):
    ax.set_ylabel(name)

# %% [markdown]
# The temperature has a daily rhythm. The particles have none to speak of: they pile up for days
# and are gone within hours.
#
# ## Hold out, fit
#
# The last four weeks are kept back, in one piece: the model has to forecast what comes *after*
# what it has learned from. Scaling is not our business, the forecaster measures it itself, on the
# rows it trains on. All we choose is what a forecast reads (`lookback`, four days) and how far it
# reaches (`horizon`, one day).

# %%
past, future = air[: -28 * 24], air[-28 * 24 :]

model = GrowingDARTSForecaster(lookback=96, horizon=24, random_state=0, **brief)
model.fit(past)
model.predict().head()

# %% [markdown]
# The forecast is a frame like the one that went in; its first row is the hour after the last
# known one. How sure can we be? `predict_interval` gives the range that should hold nine of ten
# values at each hour, judged by the errors on the end of the training data, which `fit` had kept
# apart.

# %%
model.predict_interval(coverage=0.9)["pm2_5"].iloc[[0, 5, 11, 23]]

# %% [markdown]
# The further ahead, the wider. A bound below zero means nothing for particles: the model does not
# know that they cannot be negative, so clip it where that matters. The picture shows the forecast
# beside what happened:

# %%
display = ForecastDisplay.from_forecaster(model, coverage=0.9, truth=future[:24])

# %% [markdown]
# ## One day is an anecdote
#
# `backtest` forecasts again and again: here each midnight for four weeks, with what was known by
# then and nothing later. The network stays as it is; only the rows that it reads move on.

# %%
tested = model.backtest(future, step=24)
tested.scores.loc[[1, 6, 12, 24, "all"], ["mase", "coverage", "interval_width"]]

# %% [markdown]
# `mase` is the mean absolute error in units of what "the same as a day before" errs on the known
# rows: below one is better than that. `coverage` is the share of the truth that lay inside the
# intervals, to be compared with the 0.9 that we asked for.
#
# ## Against what one could have said anyway
#
# Three forecasts cost next to nothing: the last value; the value of the same hour a day before;
# and a linear model on the same four days. The last one is what the network starts from, so
# `genotype="linear"` is the fair question whether the search was worth its time.

# %%
linear = GrowingDARTSForecaster(lookback=96, horizon=24, genotype="linear").fit(past)


def table(tested):
    """Return the forecasts as a table with a row an hour ahead and a column a target."""
    return tested.forecasts.set_index(["cutoff", "time", "target"])


rows = table(tested)
last = air.stack().rename("last").rename_axis(["cutoff", "target"])
day_before = air.shift(24).stack().rename("day_before").rename_axis(["time", "target"])
errors = pd.DataFrame(
    {
        "last value": rows["truth"] - rows.join(last)["last"],
        "a day before": rows["truth"] - rows.join(day_before)["day_before"],
        "linear": rows["truth"] - table(linear.backtest(future, step=24))["forecast"],
        "search": rows["truth"] - rows["forecast"],
    }
)
mae = errors.abs().groupby("target").mean().loc[air.columns]
mae

# %% [markdown]
# Is the difference between the last two more than luck? Each midnight gives one pair of errors;
# if the search is ahead on about half of the days only, or the difference is within two of its
# standard errors, the linear model is as good an answer.

# %%
days = errors.abs().groupby(["target", "cutoff"]).mean()
gain = (days["linear"] - days["search"]).groupby("target")
pd.DataFrame(
    {
        "mean gain": gain.mean(),
        "standard error": gain.sem(),
        "days ahead": gain.apply(lambda x: (x > 0).mean()),
    }
).loc[air.columns]

# %% [markdown]
# In this run they do not differ: for all three targets the mean difference is within two standard
# errors. On the validation part, weeks before, the search was ahead (see the report below); these
# four weeks do not show it. The linear model, which is solved in a fraction of a second, is as
# good an answer here. Both are ahead of the two naive forecasts on average.

# %%
fig, axes = plt.subplots(1, 3, figsize=(10, 3), layout="constrained")
steps = tested.forecasts.set_index(["cutoff", "time", "target"])["step"]
by_step = errors.abs().groupby([steps, "target"]).mean()
for ax, name in zip(axes, air, strict=True):
    by_step.xs(name, level="target").plot(ax=ax, legend=ax is axes[0], title=name)
    ax.set(xlabel="hours ahead", ylim=(0, None))
_ = axes[0].set_ylabel("mean absolute error")

# %% [markdown]
# ## What was found
#
# The report has a line for each stage of the fit. Three of them matter first: `naive`, the last
# value; `seed`, the linear model; and the one that was *chosen on validation*, which predicts.
# The losses are those of the last fifth of the training rows, in standardised units.

# %%
report = model.search_report_
print(report.stages[["val_loss", "n_params"]])
print("chosen:", report.chosen)

# %%
print(model.genotype_)

# %% [markdown]
# Cells are written as equations: `x` is a segment of the window, `h` the state, `z` how far the
# state moves. Where `averaged` was chosen, the network is the mean of several trained ones, so
# that the branches of each stand side by side.
#
# ## The next day comes
#
# `update` takes the new rows. Forecasts then begin behind them, and their errors join those that
# intervals are made of. Nothing is trained, so this takes hardly any time; `update(rows,
# refit=True)` also lets the network learn on.

# %%
print("known until", model.cutoff)
model.update(future[:24])
print("known until", model.cutoff)
display = ForecastDisplay.from_forecaster(model, truth=future[24:48], targets=["pm2_5"])

# %% [markdown]
# ## What to keep
#
# - Hold out the end, not a random part.
# - Compare with the last value, the same hour a day before, and `genotype="linear"`, on many
#   origins and by target. A model may be worth it for one column and not for another.
# - An interval is a statement about each hour by itself, learned from past errors. Check its
#   coverage in the backtest before relying on it.
