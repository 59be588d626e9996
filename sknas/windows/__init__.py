"""Cut, split and scale arrays before any network sees them; numpy only."""

from sknas.windows.grouping import group_duplicates, hashed_order
from sknas.windows.scaling import Scaler, fit_scaler
from sknas.windows.sliding import align_right, sequence_view, sliding_windows
from sknas.windows.splits import (
    Split,
    chronological_split,
    hashed_split,
    splitter_split,
    stratified_split,
)

__all__ = [
    "Scaler",
    "Split",
    "align_right",
    "chronological_split",
    "fit_scaler",
    "group_duplicates",
    "hashed_order",
    "hashed_split",
    "sequence_view",
    "sliding_windows",
    "splitter_split",
    "stratified_split",
]
