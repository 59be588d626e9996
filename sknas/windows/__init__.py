"""Cut, split and scale arrays before any network sees them; numpy only."""

from sknas.windows.grouping import group_duplicates, hashed_order
from sknas.windows.laying import LaidSeries, has_known, lay_series
from sknas.windows.scaling import Scaler, fit_scaler
from sknas.windows.sliding import align_right, sequence_view, sliding_windows
from sknas.windows.splits import (
    Split,
    chronological_split,
    hashed_split,
    splitter_split,
    stratified_split,
    time_split,
)
from sknas.windows.vocabulary import Vocabulary, fit_vocabulary

__all__ = [
    "LaidSeries",
    "Scaler",
    "Split",
    "Vocabulary",
    "align_right",
    "chronological_split",
    "fit_scaler",
    "fit_vocabulary",
    "group_duplicates",
    "has_known",
    "hashed_order",
    "hashed_split",
    "lay_series",
    "sequence_view",
    "sliding_windows",
    "splitter_split",
    "stratified_split",
    "time_split",
]
