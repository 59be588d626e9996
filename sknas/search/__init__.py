"""The search algorithm: rules decide, edits act, the controller orders."""

from sknas.search.arch_regularizers import (
    AdmmRegularizer,
    ArchRegularizer,
    ProximityRegularizer,
    ZeroOneRegularizer,
)
from sknas.search.arch_schedule import (
    AlternateSchedule,
    ArchSchedule,
    EveryKSchedule,
    InformationSchedule,
)
from sknas.search.collapse_watch import CollapseWatch, EigenvalueWatch
from sknas.search.growth import (
    GradMaxGrowth,
    GrowthRule,
    NorthGrowth,
    PeriodicGrowth,
    PlateauGrowth,
)
from sknas.search.pruning import EffectPruning, MagnitudePruning, PruningRule
from sknas.search.state import CellRank, Move, Removal, SearchState

__all__ = [
    "AdmmRegularizer",
    "AlternateSchedule",
    "ArchRegularizer",
    "ArchSchedule",
    "CellRank",
    "CollapseWatch",
    "EffectPruning",
    "EigenvalueWatch",
    "EveryKSchedule",
    "GradMaxGrowth",
    "GrowthRule",
    "InformationSchedule",
    "MagnitudePruning",
    "Move",
    "NorthGrowth",
    "PeriodicGrowth",
    "PlateauGrowth",
    "ProximityRegularizer",
    "PruningRule",
    "Removal",
    "SearchState",
    "ZeroOneRegularizer",
]
