"""
Known cells and a search in one grid
====================================

Is a search worth its time on these data?

The linear model, two fixed cells and a search are values of one parameter, so that a grid
compares them on the same folds.
"""

# %%
import matplotlib.pyplot as plt
import pandas as pd
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from sknas import GrowingDARTSRegressor
from sknas.datasets import load_beijing_air

air = load_beijing_air().loc["2014-09", ["pm2_5", "wind_speed"]]
n_ahead = 6
y = pd.concat({f"+{k} h": air["pm2_5"].shift(-k) for k in range(1, n_ahead + 1)}, axis=1)
X, y = air[:-n_ahead], y[:-n_ahead]  # the last rows have no complete future


# %%
# Rows are consecutive hours, and a prediction reads the last day. All six targets continue the
# channel ``pm2_5``. A step before the network adds the clock.


def add_clock(X):
    """Return the frame with the hour of the day."""
    return X.assign(hour=X.index.hour)


network = GrowingDARTSRegressor(
    lookback=24,
    target_channels=[0] * n_ahead,
    hidden_size=16,
    search_epochs=3,
    max_epochs=3,
    random_state=0,
)
pipeline = Pipeline([("clock", FunctionTransformer(add_clock)), ("net", network)])

# %%
# Folds keep the order of time, and ``gap`` keeps the targets of the last training rows out of
# what is tested. ``genotype=None`` is the search.

grid = GridSearchCV(
    pipeline,
    {"net__genotype": ["linear", "gru", "lstm", None]},
    cv=TimeSeriesSplit(2, gap=n_ahead),
    scoring="neg_mean_absolute_error",
    refit=False,
).fit(X, y)

# %%
results = pd.DataFrame(grid.cv_results_)
results.index = ["linear", "GRU", "LSTM", "search"]
results["MAE"] = -results["mean_test_score"]
_, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
axes[0].errorbar(results["MAE"], results.index, xerr=results["std_test_score"], fmt="o", capsize=3)
axes[0].set(xlabel="MAE over two folds, and its deviation")
axes[1].barh(results.index, results["mean_fit_time"])
_ = axes[1].set(xlabel="seconds of a fit")

# %%
# The deviation is that between folds, which are different weeks, so it says little of the
# difference between two models on the same fold. That is more telling:

folds = results[[f"split{k}_test_score" for k in range(2)]].T
folds.sub(folds["linear"], axis=0).drop(columns="linear").round(2)

# %%
# Above zero a model is ahead of the linear one; at zero its validation kept the linear seed. A
# month of hours is little to learn from, and so are a few epochs. What to put into a grid, and
# what it costs, is in :doc:`/user_guide/grid_search`.
