"""Neural architecture search inside `fit`: estimators that grow from a linear seed."""

from sknas.estimators import GrowingDARTSClassifier, GrowingDARTSRegressor
from sknas.forecasting import GrowingDARTSForecaster
from sknas.genotype import Genotype

__version__ = "0.1.0"

__all__ = [
    "Genotype",
    "GrowingDARTSClassifier",
    "GrowingDARTSForecaster",
    "GrowingDARTSRegressor",
    "__version__",
]
