"""A worker that is killed in the midst of a fit is an error of joblib's, and nothing else."""

import os
import signal

import numpy as np
import pytest
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.model_selection import GridSearchCV

from sknas.search import PlateauGrowth
from tests.small import SEARCH, product, regressor

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("short_epochs")]


class DeadlyGrowth(PlateauGrowth):
    """Kills the process that it is asked in, unless that is the one it was made in."""

    def __init__(self, home=0, *, patience=3, min_gain=0.005, max_refusals=3):
        super().__init__(patience=patience, min_gain=min_gain, max_refusals=max_refusals)
        self.home = home

    def propose(self, state):
        if os.getpid() != self.home:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().propose(state)


def test_a_killed_worker_ends_a_grid_with_its_error_and_leaves_the_estimator_as_it_was():
    X, y = product()
    model = regressor(**SEARCH, growth=DeadlyGrowth(os.getpid()))
    search = GridSearchCV(model, {"hidden_size": [4]}, cv=2, n_jobs=2)
    before = set(vars(model))
    with pytest.raises(TerminatedWorkerError, match="terminated"):
        search.fit(X, y)
    assert set(vars(model)) == before
    assert not hasattr(search, "best_estimator_")
    # At home the same rule does no harm.
    assert np.isfinite(model.fit(X, y).predict(X)).all()
