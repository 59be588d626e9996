"""The fast loops of a fixed cell over time, whoever holds its weights."""

from sknas.loops.packing import Pieces, ScanWeights, pack_weights
from sknas.loops.plan import CARRY, CellPlan, plan_cell
from sknas.loops.recorded import RecordedStep, recorded, recorded_gradients
from sknas.loops.scan import scan

__all__ = [
    "CARRY",
    "CellPlan",
    "Pieces",
    "RecordedStep",
    "ScanWeights",
    "pack_weights",
    "plan_cell",
    "recorded",
    "recorded_gradients",
    "scan",
]
