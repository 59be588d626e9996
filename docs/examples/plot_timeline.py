"""
Growth and gates over time
==========================

How did the search come to what it found?

The target is a product of two columns, which has no linear part at all: the linear model that
growth starts from is as good as the mean.
"""

# %%
from sknas import GrowingDARTSRegressor
from sknas.datasets import make_product
from sknas.inspection import SearchHistoryDisplay

X, y = make_product(n_samples=500, random_state=0)
model = GrowingDARTSRegressor(
    initial_genotype="linear", hidden_size=16, search_epochs=18, max_epochs=6, random_state=0
).fit(X, y)

# %%
# ``initial_genotype="linear"`` leaves the race of hand-made cells out. The search then starts
# from one mixed node, whose candidates are weighed by gates, and grows from there. Phases and
# moves stand on top, filled where a move was kept; below are the losses, the number of weights,
# and the gates of every node while it was mixed. A gate ends where its candidate was removed.

display = SearchHistoryDisplay.from_estimator(model)

# %%
# The same as tables. A move stays if it takes off more of the validation loss than training
# alone did before, so that one with a gain may still have been undone.

model.search_report_.moves[["epoch", "edit", "n_params", "gain", "accepted"]]

# %%
gates = model.search_report_.gates.groupby(["node", "operation"])["gate"]
gates.agg(**{"after one epoch": "first", "at the end": "last"}).round(3)

# %%
# The stages say what the search was worth. *Chosen on validation* is the one that predicts.

print(model.search_report_)
