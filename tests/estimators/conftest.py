"""Epochs of few gradient steps, so that the budgets of these tests stay what they were."""

import pytest

from tests.small import N_EPOCH_STEPS


@pytest.fixture(scope="module")
def short_epochs():
    """Give an epoch of small data that many steps, whatever suits larger budgets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sknas.estimators._settings.MIN_EPOCH_STEPS", N_EPOCH_STEPS)
        yield
