"""
Digits as sequences
===================

Which kind of sequence is this?

scikit-learn's handwritten digits are pictures of 8 by 8 pixels. Read row by row each is a
sequence of eight steps with eight channels; sequences from sensors have the same shape.
"""

# %%
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay, log_loss
from sklearn.model_selection import train_test_split

from sknas import GrowingDARTSClassifier

digits = load_digits()
X, y = digits.images, digits.target  # (samples, steps, channels)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# The classifier takes such an array as it is. ``genotype="linear"`` is a logistic regression on
# all steps at once, from which the search starts, too.

settings = {"segment_length": 1, "random_state": 0}
linear = GrowingDARTSClassifier(genotype="linear", **settings).fit(X_train, y_train)
found = GrowingDARTSClassifier(hidden_size=32, search_epochs=6, max_epochs=8, **settings)
found.fit(X_train, y_train)

for name, model in {"linear seed": linear, "search": found}.items():
    loss = log_loss(y_test, model.predict_proba(X_test))
    print(f"{name}: accuracy {model.score(X_test, y_test):.3f}, log loss {loss:.3f}")
print(found.genotype_)

# %%
_, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, (name, model) in zip(axes, {"linear seed": linear, "search": found}.items(), strict=True):
    ConfusionMatrixDisplay.from_estimator(
        model, X_test, y_test, cmap="Blues", colorbar=False, ax=ax
    )
    ax.set_title(name)
