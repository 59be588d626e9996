"""
The cell that was found, as a graph
===================================

What does the network compute at each step?

Each sequence of this data set is a memory which a gate writes products to: neither a linear model
nor a sum can follow it.
"""

# %%
from sknas import Genotype, GrowingDARTSRegressor
from sknas.datasets import make_gated_memory
from sknas.inspection import GenotypeDisplay

X, y = make_gated_memory(n_samples=900, n_steps=6, random_state=0)  # (samples, steps, channels)
X_train, y_train, X_test, y_test = X[:600], y[:600], X[600:], y[600:]

model = GrowingDARTSRegressor(
    segment_length=1, hidden_size=16, search_epochs=6, max_epochs=6, random_state=0
).fit(X_train, y_train)
linear = GrowingDARTSRegressor(genotype="linear").fit(X_train, y_train)
print(f"R² of the linear seed {linear.score(X_test, y_test):.2f}")
print(f"R² of the network     {model.score(X_test, y_test):.2f}")

# %%
# A genotype is an architecture without weights. As text it is equations; ``x`` is the segment
# that is read, and ``h`` the state.

print(model.genotype_)

# %%
# As a picture a cell is read from the top downwards, one panel a branch. The left operand of a
# node enters on its left. Scales are what training made of each node's weight.

display = GenotypeDisplay.from_estimator(model)

# %%
# Well-known cells are genotypes of the same space. This is a GRU:

display = GenotypeDisplay.from_genotype(Genotype.named("gru"))
