"""Growth rules: when to grow, and by which of the possible moves."""

from sknas.search.growth.base import GrowthRule, scaled
from sknas.search.growth.gradmax import GradMaxGrowth
from sknas.search.growth.north import NorthGrowth
from sknas.search.growth.periodic import PeriodicGrowth
from sknas.search.growth.plateau import PlateauGrowth

__all__ = [
    "GradMaxGrowth",
    "GrowthRule",
    "NorthGrowth",
    "PeriodicGrowth",
    "PlateauGrowth",
    "scaled",
]
