"""The search algorithm: rules decide, edits act, the controller orders."""

from sknas.search.growth import GrowthRule, PeriodicGrowth, PlateauGrowth
from sknas.search.pruning import EffectPruning, MagnitudePruning, PruningRule
from sknas.search.state import Move, Removal, SearchState

__all__ = [
    "EffectPruning",
    "GrowthRule",
    "MagnitudePruning",
    "Move",
    "PeriodicGrowth",
    "PlateauGrowth",
    "PruningRule",
    "Removal",
    "SearchState",
]
