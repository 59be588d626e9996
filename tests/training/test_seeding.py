"""Solving a seed: what it is judged by does not depend on how rows are cut into chunks."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sknas.training import seeding


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_the_loss_of_a_logistic_seed_is_the_sum_over_rows_known_class_or_not(chunk, monkeypatch):
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(64, 2)), rng.uniform(size=64)
    y = rng.integers(5, size=64)
    known = (y != 1) & (y != 4)
    model = LogisticRegression().fit(x[known], y[known])
    probability = np.full((64, 5), 1e-12)
    probability[:, [0, 2, 3]] = model.predict_proba(x)
    expected = -sum(w[i] * np.log(probability[i, y[i]]) for i in range(64))
    monkeypatch.setattr(seeding, "_CHUNK", chunk)
    assert seeding._log_loss(model, (x, y, w), 5) == pytest.approx(expected, rel=1e-12)
