"""
A growth rule and a schedule of one's own
=========================================

I know when the network should grow, and how fast its choices should harden. How do I say it?

Whatever a string names is an object of a small class, and a class of one's own takes its place.
"""

# %%
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np

from sknas import GrowingDARTSRegressor
from sknas.datasets import make_product
from sknas.edits import Widen
from sknas.schedules import CosineSchedule, Schedule
from sknas.search import GrowthRule
from sknas.supernet import AuxiliarySkip

# %%
# A growth rule reads the state of the search after each epoch in which no move is on trial, and
# returns a move or none. ``patience`` is the length of a trial in epochs, ``min_gain`` the
# share of the loss that a move must take off, and ``max_refusals`` the number of refusals in a
# row that ends growth.


class WiderFirst(GrowthRule):
    """Every few epochs make a branch wider; if none can be, take the first possible move."""

    def __init__(self, *, patience=4, min_gain=0.005, max_refusals=3):
        self.patience = patience
        self.min_gain = min_gain
        self.max_refusals = max_refusals

    def propose(self, state):
        if len(state.losses) < self.patience:
            return []
        wider = [edit for edit in state.possible_edits if isinstance(edit, Widen)]
        return (wider or list(state.possible_edits))[:1]


# %%
# A schedule is a value for each progress between 0 and 1. This one waits before it falls.


@dataclass(frozen=True)
class LateSchedule(Schedule):
    """Stay at `start` for a share of the time, then go to `stop` in a straight line."""

    start: float
    stop: float
    wait: float

    def __call__(self, progress):
        share = max(0.0, progress - self.wait) / (1.0 - self.wait)
        return self.start + (self.stop - self.start) * share


progress = np.linspace(0, 1, 101)
for schedule in (LateSchedule(1.0, 0.0, wait=0.4), CosineSchedule(1.0, 0.0)):
    plt.plot(progress, [schedule(p) for p in progress], label=type(schedule).__name__)
plt.xlabel("progress")
_ = plt.legend()

# %%
# What reads a schedule is a mechanism. Here it is the skip beside each mixed node, whose weight
# has to have fallen to zero when the node is decided.


class LateSkip(AuxiliarySkip):
    """A skip that keeps its weight for the first third of a node's time."""

    def weight(self, progress):
        return LateSchedule(self.start, 0.0, wait=1 / 3)(progress)


# %%
# Both stand where a string would. The search begins at one mixed node here, narrow enough to
# gain by growing.

X, y = make_product(n_samples=500, random_state=0)
model = GrowingDARTSRegressor(
    growth=WiderFirst(patience=3),
    auxiliary_skip=LateSkip(),
    initial_genotype="linear",
    hidden_size=4,
    search_epochs=18,
    max_epochs=4,
    random_state=0,
).fit(X, y)
model.search_report_.moves[["epoch", "edit", "n_params", "gain", "accepted"]]

# %%
# The history tells what the schedule did: the largest weight of a skip, epoch by epoch.

history = model.search_history_.set_index("epoch")
axes = history[["skip_weight", "n_params"]].dropna().plot(subplots=True, figsize=(8, 4))

# %%
# Parameters of a rule are scikit-learn's, so that a grid reaches them as ``growth__patience``.
# Classes that other processes are to load belong into a module. :doc:`/extending` shows the
# interfaces.
