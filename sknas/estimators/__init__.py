"""The scikit-learn estimators."""

from sknas.estimators.classifier import GrowingDARTSClassifier
from sknas.estimators.regressor import GrowingDARTSRegressor

__all__ = ["GrowingDARTSClassifier", "GrowingDARTSRegressor"]
