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
# # Your own operation
#
# I know something of my problem that the search does not. How do I tell it?
#
# The search builds its cells of a few two-input operations: sums, products, activations of a
# linear map. Here the response is periodic, and none of them is. We write a sine as one more
# operation, let the search decide whether to take it, and take it back.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from sknas import GrowingDARTSRegressor
from sknas.edits import Widen
from sknas.ops import DEFAULT_OPERATIONS, Op, get_op, register_op, unregister_op
from sknas.search import GrowthRule

plt.rcParams["figure.dpi"] = 80
pd.set_option("display.precision", 3)

# Tests set SKNAS_SMOKE to run this in seconds, with fewer epochs than are worth reading about.
brief = {"search_epochs": 4, "max_epochs": 1} if os.environ.get("SKNAS_SMOKE") else {}

# %% [markdown]
# ## A periodic response
#
# A table with three columns. The target is the sine of a weighted sum of two of them, with noise.

# %%
rng = np.random.default_rng(0)
X = rng.normal(size=(1200, 3))
y = np.sin(3 * X[:, 0] + X[:, 1]) + 0.1 * rng.normal(size=1200)
X_train, y_train, X_test, y_test = X[:800], y[:800], X[800:], y[800:]
best = 1 - 0.1**2 / y_test.var()
print(f"R² of the true function on the test part, up to chance: {best:.3f}")

# %%
default = GrowingDARTSRegressor(hidden_size=16, random_state=0, **brief).fit(X_train, y_train)
print(f"default operations, R² {default.score(X_test, y_test):.3f}")
print(default.genotype_)

# %% [markdown]
# ## One class
#
# An operation has two operands, each of the shape (batch, units), and returns the same. It owns
# no weights. Ours asks its node for a linear map of both operands, `left @ A + right @ B + bias`,
# which arrives as `projected`. `combine` says the rest; the derivative is PyTorch's business.
#
# `register_op` gives it the name by which `operations=` and genotypes know it. A name can be
# given once. To run such a cell again, take the name back first.


# %%
@register_op("lin_sine")
class LinSine(Op):
    """The sine of a linear map of both operands."""

    projects_left = projects_right = True

    def combine(self, left, right, projected):
        del left, right  # it reads their map alone
        return torch.sin(projected)


# %% [markdown]
# Two properties are worth a check before a search relies on them: the gradient is that of finite
# differences, and a unit depends on its own entries alone.

# %%
generator = torch.Generator().manual_seed(0)
operands = [torch.randn(6, 4, dtype=torch.float64, generator=generator) for _ in range(3)]
op = get_op("lin_sine")
torch.autograd.gradcheck(op.combine, [x.requires_grad_() for x in operands])

# %%
changed = [x.detach() + torch.tensor([0, 0, 0, 1.0]) for x in operands]  # of the last unit alone
bool((op.combine(*changed)[:, :-1] == op.combine(*operands)[:, :-1]).all())

# %% [markdown]
# ## Let the search choose
#
# The sine is one of ten candidates now.

# %%
own = GrowingDARTSRegressor(
    operations=[*DEFAULT_OPERATIONS, "lin_sine"], hidden_size=16, random_state=0, **brief
)
own.fit(X_train, y_train)
print(f"with lin_sine, R² {own.score(X_test, y_test):.3f}")
print(own.genotype_)

# %% [markdown]
# Was it taken? The genotype says so: a node with its name. How it came there is in the moves. An
# `AddNode` brings a node in which all candidates are mixed, and what is left of it when it is
# judged is one of them.

# %%
print("taken:", "lin_sine" in str(own.genotype_))
own.search_report_.moves[["edit", "loss_before", "loss_after", "gain", "accepted"]]

# %% [markdown]
# One seed may be luck, so we ask others. Each row is a search of its own.

# %%
searches = {}
for seed in (1, 2):
    for operations in ("default", [*DEFAULT_OPERATIONS, "lin_sine"]):
        model = GrowingDARTSRegressor(
            operations=operations, hidden_size=16, random_state=seed, **brief
        ).fit(X_train, y_train)
        kind = "default" if operations == "default" else "with lin_sine"
        is_taken = "lin_sine" in str(model.genotype_)
        searches[seed, kind] = {"R²": model.score(X_test, y_test), "taken": is_taken}
pd.DataFrame(searches).T.rename_axis(["seed", "operations"])

# %%
line = np.zeros((400, 3))
line[:, 0] = np.linspace(-3.5, 3.5, 400)
fig, ax = plt.subplots(figsize=(8, 3))
ax.plot(line[:, 0], np.sin(3 * line[:, 0]), color="0.6", lw=4, label="truth")
ax.plot(line[:, 0], default.predict(line), label="default operations")
ax.plot(line[:, 0], own.predict(line), label="with lin_sine")
ax.set(xlabel="first column, the others at zero", ylabel="y")
_ = ax.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.5, 1.2), frameon=False)

# %% [markdown]
# Most rows lie in the middle of this axis. There both networks follow the truth; towards the ends
# the sine goes on, and the other one does not.
#
# ## Your own growth rule
#
# Rules are classes as well. A growth rule reads the state of the search and returns a move, or
# none. It also says how long a move is on trial (`patience`, in epochs), what share of the loss
# it has to take off (`min_gain`), and after how many refusals growth is over. This one makes a
# branch wider where it can, and takes the first possible move where it cannot:


# %%
class WiderFirst(GrowthRule):
    """Every few epochs, make a branch wider; if none can be, take the first possible move."""

    def __init__(self, *, patience=3, min_gain=0.005, max_refusals=3):
        self.patience = patience
        self.min_gain = min_gain
        self.max_refusals = max_refusals

    def propose(self, state):
        if len(state.losses) < self.patience:
            return []
        wider = [edit for edit in state.possible_edits if isinstance(edit, Widen)]
        return (wider or list(state.possible_edits))[:1]


wide = GrowingDARTSRegressor(hidden_size=8, growth=WiderFirst(), random_state=0, **brief)
wide.fit(X_train, y_train)
wide.search_report_.moves[["epoch", "edit", "n_params", "gain", "accepted"]]

# %% [markdown]
# The rows of epoch 0 are the race of the first branches; growth is what comes after. A move stays
# if it takes off more than `min_gain`, more than the standard error of its gain, and more than
# the loss was falling by before; so a gain in this table may still have been refused.
#
# The parameters of the rule are scikit-learn's, so a grid reaches them as `growth__patience`. A
# class that is defined in a notebook stays there: to load a model elsewhere, or to run a grid in
# several processes, put operation and rule into a module that both sides import.
#
# ## Take it back

# %%
unregister_op("lin_sine")
try:
    own.fit(X_train, y_train)
except ValueError as error:
    print(error)

# %% [markdown]
# The network that was trained with it keeps it, and goes on predicting:

# %%
print(f"R² {own.score(X_test, y_test):.3f}")
