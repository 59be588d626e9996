"""The scikit-learn estimators."""

import torch  # noqa: F401 (first, while there is little else for the collector to go through)

from sknas.estimators.classifier import GrowingDARTSClassifier
from sknas.estimators.regressor import GrowingDARTSRegressor

__all__ = ["GrowingDARTSClassifier", "GrowingDARTSRegressor"]
