"""optuna searches our parameters: its counterpart of a grid, and studies of its own."""

import numpy as np
import pytest

pytest.importorskip("optuna_integration", reason="tested by `make clients`")

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna_integration import OptunaSearchCV
from sklearn.model_selection import TimeSeriesSplit, cross_val_score

from tests.clients.air import lagged, regressor

pytestmark = pytest.mark.filterwarnings("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)


def test_a_search_over_our_parameters_refits_the_best():
    X, y = lagged(300)
    search = OptunaSearchCV(
        regressor(genotype="product", max_epochs=2),
        {
            "hidden_size": IntDistribution(2, 8),
            "learning_rate": FloatDistribution(1e-4, 1e-2, log=True),
            "linear_seed": CategoricalDistribution([True, False]),
        },
        cv=TimeSeriesSplit(2),
        n_trials=5,
        random_state=0,
    )
    search.fit(X, y)
    assert len(search.trials_) == 5
    assert len({trial.value for trial in search.trials_}) > 1
    assert search.best_estimator_.get_params()["hidden_size"] == search.best_params_["hidden_size"]
    assert np.isfinite(search.predict(X)).all()


def test_a_study_chooses_the_better_cell():
    X, y = lagged(300)

    def loss(trial):
        cell = trial.suggest_categorical("genotype", ["linear", "product", "gru"])
        model = regressor(genotype=cell, max_epochs=2)
        return -cross_val_score(model, X, y, cv=TimeSeriesSplit(2)).mean()

    space = {"genotype": ["linear", "product", "gru"]}
    study = optuna.create_study(sampler=optuna.samplers.GridSampler(space, seed=0))
    study.optimize(loss, n_trials=3)
    assert study.best_value == min(trial.value for trial in study.trials)
