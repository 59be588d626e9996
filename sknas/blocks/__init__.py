"""Fixed parts that the supernet and the derived network share."""

from sknas.blocks.branch import BranchStack
from sknas.blocks.embedding import CodeEmbedding
from sknas.blocks.linear_seed import LinearSeed
from sknas.blocks.objective import REGRESSION_LOSSES, CrossEntropy, Objective
from sknas.blocks.projection import Projection, apart, side_by_side
from sknas.blocks.recurrence import (
    MEMORY_BOUND,
    STATE_BOUND,
    RecurrentCell,
    carry_on,
    recur,
    within,
)
from sknas.blocks.segments import Segments
from sknas.blocks.shape import NetworkShape
from sknas.blocks.trunk import Trunk
from sknas.blocks.window_data import Batch, WindowData
from sknas.blocks.window_norm import WINDOW_NORMS, WindowNorm

__all__ = [
    "MEMORY_BOUND",
    "REGRESSION_LOSSES",
    "STATE_BOUND",
    "WINDOW_NORMS",
    "Batch",
    "BranchStack",
    "CodeEmbedding",
    "CrossEntropy",
    "LinearSeed",
    "NetworkShape",
    "Objective",
    "Projection",
    "RecurrentCell",
    "Segments",
    "Trunk",
    "WindowData",
    "WindowNorm",
    "apart",
    "carry_on",
    "recur",
    "side_by_side",
    "within",
]
