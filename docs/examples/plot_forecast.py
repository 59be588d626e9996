"""
A forecast with its interval
============================

What comes next, and how far off may it be?

Eight months of hourly air in Beijing, of five years that come with the package. The last day is
kept back, to be drawn beside its forecast.
"""

# %%
from sknas import GrowingDARTSForecaster
from sknas.datasets import load_beijing_air
from sknas.inspection import ForecastDisplay

air = load_beijing_air().loc["2014-05":, ["temperature", "pressure", "pm2_5"]]
past, tomorrow = air[:-24], air[-24:]

# %%
# A frame goes in. ``horizon`` is how many steps the network forecasts at once, ``lookback`` how
# many it reads. The two numbers of epochs keep this example short; left out, they follow the
# size of the data.

model = GrowingDARTSForecaster(
    lookback=96, horizon=24, search_epochs=4, max_epochs=3, random_state=0
).fit(past)
model.predict().head(3)

# %%
# Intervals are made of errors on rows that no weight learned from, step by step. Of the true
# values, nine in ten should lie in an interval of 90 %, as far as the future resembles the
# recent past.

model.predict_interval(coverage=0.9)["pm2_5"].iloc[[0, 11, 23]]

# %%
display = ForecastDisplay.from_forecaster(model, coverage=0.9, truth=tomorrow)

# %%
# One day is an anecdote. ``backtest`` walks through time, forecasts from each origin what
# follows it, and scores all of that by the steps ahead. Here it is the linear model alone,
# ``max_nodes=0``, that forecasts the last thirty days, one after another.

linear = GrowingDARTSForecaster(lookback=96, horizon=24, max_nodes=0)
tested = linear.backtest(air, initial=len(air) - 30 * 24, step=24)
tested.scores.loc[[1, 6, 12, 24]].round(3)
