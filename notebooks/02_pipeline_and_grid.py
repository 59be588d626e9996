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
# # A pipeline and a grid
#
# How do I choose the lookback and the width without paying for a search each time?
#
# `GrowingDARTSRegressor` is a scikit-learn estimator: it stands at the end of a `Pipeline`, and a
# `GridSearchCV` reaches its parameters. Since a search costs many trainings, the plan is to let
# cheap models answer the questions that cheap models can answer:
#
# 1. the *linear* model, which is solved in milliseconds, chooses the lookback;
# 2. a *fixed* cell, trained in seconds, chooses the width;
# 3. *one* search finds a cell;
# 4. the found cell is trained again wherever a training is needed.

# %%
import os
import warnings
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, TimeSeriesSplit, cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sknas import GrowingDARTSRegressor
from sknas.datasets import load_beijing_air
from sknas.exceptions import InputWarning

plt.rcParams["figure.dpi"] = 80
plt.rcParams["figure.figsize"] = (6, 3.2)
pd.set_option("display.precision", 3)

# Tests set SKNAS_SMOKE to run this in seconds, with fewer epochs than are worth reading about.
brief = {"search_epochs": 2, "max_epochs": 1} if os.environ.get("SKNAS_SMOKE") else {}

# %% [markdown]
# ## Rows of time, and what follows them
#
# A year of hourly air in Beijing. Row *t* of `y` holds the six values of PM2.5 that follow row
# *t* of `X`, so that the last six rows have no complete future and are left out. The last four
# weeks are kept back until the end. So are the six rows before them, whose targets lie in them.

# %%
n_ahead = 6
columns = ["pm2_5", "temperature", "dew_point", "wind_north", "wind_speed"]
air = load_beijing_air().loc["2014", columns]
steps = range(1, n_ahead + 1)
y = pd.concat({f"+{k} h": air["pm2_5"].shift(-k) for k in steps}, axis=1)[:-n_ahead]
X = air[:-n_ahead]

n = len(X) - 28 * 24
X_train, y_train = X[: n - n_ahead], y[: n - n_ahead]
X_test, y_test = X[n:], y[n:]
X_train.shape, y_train.shape

# %% [markdown]
# ## The pipeline
#
# A first step adds the hour of the day, the last one is the network. A scaler is missing on
# purpose: the network standardises what it gets, by the rows that it trains on in each fold.
#
# `lookback` makes windows of the rows: the prediction of a row reads that row and those before
# it. `target_channels` says that all six targets continue channel 0, `pm2_5`. They then count
# from its last value, and are scaled as it is.


# %%
def add_clock(X):
    """Return the frame with two columns for the hour of the day."""
    angle = 2 * np.pi * X.index.hour / 24
    return X.assign(sin_hour=np.sin(angle), cos_hour=np.cos(angle))


network = GrowingDARTSRegressor(
    lookback=24, target_channels=[0] * n_ahead, genotype="linear", random_state=0, **brief
)
pipeline = Pipeline([("clock", FunctionTransformer(add_clock)), ("net", network)])

# %% [markdown]
# ## The linear model chooses the lookback
#
# Folds have to be in the order of time, each tested on rows behind those it learned from. Targets
# reach six rows ahead, and `gap=6` keeps them out of what is tested.

# %%
mae = "neg_mean_absolute_error"
folds = TimeSeriesSplit(3, gap=n_ahead)
lookbacks = GridSearchCV(
    pipeline,
    {"net__lookback": [3, 6, 12, 24, 48], "net__window_norm": ["none", "last"]},
    cv=folds,
    scoring=mae,
)
lookbacks.fit(X_train, y_train)


def errors(grid):
    """Return mean and deviation of a grid's errors over the folds, and the seconds of a fit."""
    results = pd.DataFrame(grid.cv_results_)
    names = [name for name in results if name.startswith("param_")]
    table = results.set_index(names)[["mean_test_score", "std_test_score", "mean_fit_time"]]
    table.columns = ["MAE", "deviation", "seconds"]
    return table.assign(MAE=-table["MAE"])


errors(lookbacks)

# %%
table = errors(lookbacks).reset_index()
for norm, rows in table.groupby("param_net__window_norm"):
    plt.errorbar(rows.iloc[:, 0].astype(str), rows["MAE"], rows["deviation"], capsize=3, label=norm)
plt.xlabel("lookback")
plt.ylabel("MAE over the folds")
_ = plt.legend(title="window_norm")

# %% [markdown]
# Thirty fits of milliseconds. The differences are smaller than the deviation between folds, so
# the lookback hardly matters here, and we take the best without a second thought.
#
# ## A fixed cell chooses the width
#
# `genotype="gru"` trains a GRU on the same windows, on top of the same linear model, without a
# search. With `n_jobs` the grid runs its fits in parallel; each of them uses one thread anyway.

# %%
pipeline.set_params(**lookbacks.best_params_, net__genotype="gru")
widths = GridSearchCV(
    pipeline, {"net__hidden_size": [16, 64]}, cv=TimeSeriesSplit(2, gap=n_ahead), scoring=mae
)
widths.fit(X_train, y_train)
errors(widths)

# %% [markdown]
# ## One search
#
# With `genotype=None`, the default, `fit` searches. It has its own validation part, the last
# fifth of what it is given.

# %%
pipeline.set_params(**widths.best_params_, net__genotype=None)
start = perf_counter()
pipeline.fit(X_train, y_train)
print(f"{perf_counter() - start:.0f} seconds")
print(pipeline["net"].search_report_.stages[["val_loss", "n_params"]])
print(pipeline["net"].genotype_)

# %% [markdown]
# If that takes too long, `time_budget` bounds the seconds of a fit. The best network so far is
# kept. The clock makes the result depend on the machine, which is why it is not the default.

# %%
hurried = clone(pipeline).set_params(net__time_budget=5)
start = perf_counter()
hurried.fit(X_train, y_train)
print(f"{perf_counter() - start:.1f} s, stopped by:", hurried["net"].search_report_.stopped_by)

# %% [markdown]
# ## The found cell, trained again
#
# A `Genotype` is an architecture without weights. Handed back as `genotype=`, it is trained as
# the GRU was: on other rows, in a grid, or each month on newer data.

# %%
found = pipeline["net"].genotype_
again = clone(pipeline).set_params(net__genotype=found)
start = perf_counter()
scores = -cross_val_score(again, X_train, y_train, cv=TimeSeriesSplit(2, gap=n_ahead), scoring=mae)
print(f"{perf_counter() - start:.0f} seconds for two folds; MAE {scores.mean():.2f}")

# %% [markdown]
# Mind that this number flatters the cell: it was chosen with all of these rows in view. Even so
# it is not below the GRU's above. Only the four weeks that nothing has seen are a fair test. The
# first row of `X_test` does not directly follow the training rows, so we put the last `lookback -
# 1` rows before it in front, and leave their predictions out.

# %%
n_before = pipeline["net"].lookback - 1
X_read = X[n - n_before :]
forecasts = {
    "last value": np.repeat(X_test[["pm2_5"]].to_numpy(), n_ahead, axis=1),
    "linear": lookbacks.predict(X_read)[n_before:],
    "GRU": widths.predict(X_read)[n_before:],
    "search": pipeline.predict(X_read)[n_before:],
}
daily = pd.DataFrame(
    {name: (y_test - values).abs().mean(axis=1) for name, values in forecasts.items()}
)
daily = daily.groupby(daily.index.date).mean()
daily.mean().to_frame("MAE")

# %%
gains = pd.DataFrame({name: daily[name] - daily["search"] for name in daily if name != "search"})
gains.agg(["mean", "sem"]).T.set_axis(["gain of the search", "standard error"], axis=1)

# %% [markdown]
# In this run the found network is ahead of all three, of the GRU by between two and three
# standard errors, and the more so the further ahead. That is one seed and one winter month, and
# the folds above had it the other way round; with another month, look again.

# %%
for name, values in forecasts.items():
    plt.plot(steps, (y_test - values).abs().mean(), marker=".", label=name)
plt.xlabel("hours ahead")
plt.ylabel("MAE")
_ = plt.legend()

# %% [markdown]
# ## Common mistakes
#
# **Shuffled folds.** Windows of neighbouring hours share most of their rows. If a random part is
# tested, nearly the same windows with nearly the same targets were among those trained on. A
# model that remembers looks good then. Here is one, the mean of the five nearest windows, on
# eight folds that differ in nothing but the shuffling:

# %%
windows = np.lib.stride_tricks.sliding_window_view(X_train, 24, axis=0).reshape(-1, 24 * X.shape[1])
neighbours = KNeighborsRegressor(5)
for shuffle in (False, True):
    cv = KFold(8, shuffle=shuffle, random_state=0 if shuffle else None)
    scores = -cross_val_score(neighbours, windows, y_train[23:], cv=cv, scoring=mae)
    print("shuffled" if shuffle else "in blocks", f"MAE {scores.mean():.1f}")

# %% [markdown]
# A regressor with `lookback` suffers in another way, too: it takes the rows it gets for
# consecutive ones, and those of a shuffled fold are not.
#
# **A scaler in front of a target.** A forecast that counts from the last value of a channel needs
# that channel in the units of `y`. After a `StandardScaler` it is not, of which an `InputWarning`
# tells. We silence it to see the error:

# %%
linear = clone(network).set_params(genotype="linear", window_norm="last")
for name, steps in {
    "as it is": [("net", linear)],
    "scaled": [("scale", StandardScaler().set_output(transform="pandas")), ("net", linear)],
}.items():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        scores = -cross_val_score(Pipeline(steps), X_train, y_train, cv=folds, scoring=mae)
    print(f"{name}: MAE {scores.mean():.1f}")

# %% [markdown]
# The same happens unasked where `y` has as many columns as `X`: without `target_channels`, the
# targets then are taken for the continuations of the channels, one by one. Six hours of one
# channel beside six channels would be misread so, with that warning, too; say which channel they
# continue, or `target_channels=[]`.
#
# **No gap.** Without `gap`, the targets of the last training rows lie in the tested part.
#
# **Choosing on the test part.** Every choice above was made on the training rows. The four weeks
# were opened once, at the end.
#
# **A search in every cell of the grid.** It is allowed, and each combination and fold is a search
# of its own.
