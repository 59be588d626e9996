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
# # What the search found
#
# `fit` came back with a network. What is it, and why should I trust it?
#
# A search looks at the validation samples many times, and what is chosen by them looks better on
# them than it is. So three questions have to be kept apart: what was found, whether it is better
# on data that played no part, and whether another run would have found the same.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sknas import GrowingDARTSRegressor
from sknas.datasets import load_beijing_air
from sknas.inspection import GenotypeDisplay, SearchHistoryDisplay

plt.rcParams["figure.dpi"] = 80
plt.rcParams["figure.figsize"] = (6, 3.2)
pd.set_option("display.precision", 3)

# Tests set SKNAS_SMOKE to run this in seconds, with fewer epochs than are worth reading about.
brief = {"search_epochs": 2, "max_epochs": 1} if os.environ.get("SKNAS_SMOKE") else {}

# %% [markdown]
# ## The fit
#
# A year of hourly air in Beijing: the next six values of PM2.5 from the last day of five channels.
# The last eight weeks are kept back, and so are the six rows before them, whose targets lie there.

# %%
n_ahead = 6
columns = ["pm2_5", "temperature", "dew_point", "wind_north", "wind_speed"]
air = load_beijing_air().loc["2014", columns]
y = pd.concat({f"+{k} h": air["pm2_5"].shift(-k) for k in range(1, n_ahead + 1)}, axis=1)
X, y = air[:-n_ahead], y[:-n_ahead]
n = len(X) - 8 * 7 * 24
X_train, y_train = X[: n - n_ahead], y[: n - n_ahead]
X_test, y_test = X[n - 23 :], y[n:]  # 23 rows of history come first

settings = {"lookback": 24, "target_channels": [0] * n_ahead, **brief}
model = GrowingDARTSRegressor(random_state=0, **settings).fit(X_train, y_train)
print(model.genotype_)

# %% [markdown]
# ## What it is
#
# The linear seed is a linear map from the day's rows to the six targets. Each branch is a recurrent
# cell beside it, whose output is added. The picture has a panel for each branch; operands come from
# above, and numbers are what training made of the scales.

# %%
display = GenotypeDisplay.from_estimator(model)

# %% [markdown]
# ## How it came about
#
# Above, the moves: each line is something that the search tried, filled if it was kept, with what
# the validation loss gained by it. Below, the losses of the phases and the number of weights.

# %%
display = SearchHistoryDisplay.from_estimator(model)

# %% [markdown]
# The report has the same as tables. Each stage offers a network, and validation chooses. The
# network replaces the linear seed only where its gain is clear: the row `seed` is what it had to
# beat.

# %%
model.search_report_.stages

# %% [markdown]
# ## Is it better where nobody looked?
#
# The kept-back weeks played no part in any choice. Beside the network stand its two alternatives:
# the linear seed alone, and a GRU in its place.


# %%
def weekly_errors(fitted):
    """Return the mean absolute error of each held-out week."""
    missed = np.abs(fitted.predict(X_test)[23:] - y_test.to_numpy()).mean(axis=1)
    return missed.reshape(-1, 7 * 24).mean(axis=1)


others = {
    "linear": GrowingDARTSRegressor(genotype="linear", random_state=0, **settings),
    "GRU": GrowingDARTSRegressor(genotype="gru", random_state=0, **settings),
}
weeks = {name: weekly_errors(other.fit(X_train, y_train)) for name, other in others.items()}
weeks = pd.DataFrame({**weeks, "search": weekly_errors(model)})
weeks.index = pd.RangeIndex(1, len(weeks) + 1, name="week")

axes = weeks.plot(style="o-", ylabel="mean absolute error, µg/m³")

# %% [markdown]
# Weeks differ far more from each other than methods do, so it is the difference within each week
# that counts, with its standard error over the weeks.

# %%
gains = weeks[["linear", "GRU"]].sub(weeks["search"], axis=0)
pd.DataFrame({"search ahead by": gains.mean(), "standard error": gains.sem()})

# %% [markdown]
# A gain of less than two standard errors is one that eight other weeks may not show. Where the
# linear model is as good, prefer it: it costs nothing, and `genotype="linear"` gives it.
#
# ## Would another run have found the same?
#
# The seed draws initial weights and batches. Two more runs say how much of the result is chance.

# %%
runs = {0: model}
for seed in (1, 2):
    runs[seed] = GrowingDARTSRegressor(random_state=seed, **settings).fit(X_train, y_train)

pd.DataFrame(
    {
        "validation loss": [run.search_report_.stages["val_loss"].min() for run in runs.values()],
        "held-out error": [weekly_errors(run).mean() for run in runs.values()],
        "weights": [run.n_params_ for run in runs.values()],
        "first cell": [
            " ".join(node.operation for node in run.genotype_.branches[0].layers[0].nodes)
            if run.genotype_.branches
            else "none"
            for run in runs.values()
        ],
    },
    index=pd.Index(runs, name="random_state"),
)

# %% [markdown]
# Cells that differ and errors that agree mean that several architectures do equally well here, and
# that which of them was found says little about the air. Errors that differ mean that one run is
# not enough; `n_models` averages several.
#
# ## What does it look at?
#
# Each channel in turn is replaced by its mean over the training rows. What the forecasts lose by it
# is what they took from that channel.

# %%
whole = weekly_errors(model).mean()
losses = {}
for column in columns:
    original = X_test[column].copy()
    X_test = X_test.assign(**{column: X_train[column].mean()})
    losses[column] = weekly_errors(model).mean() - whole
    X_test = X_test.assign(**{column: original})

axes = pd.Series(losses).sort_values().plot.barh(xlabel="error added, µg/m³")

# %% [markdown]
# This says what the network uses, and not what causes what: channels that tell the same stand in
# for each other, and the one that is left has the share of both.
