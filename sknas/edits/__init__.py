"""What can be done to a supernet: morphisms keep its function, removals measure what it costs."""

from sknas.edits.base import Edit, ParameterChange, Replacement
from sknas.edits.choices import closed_candidates, removals_by_choice
from sknas.edits.dag import AddDagBranch, AddDagNode, DropEdgeOp
from sknas.edits.effective_rank import effective_rank
from sknas.edits.evidence import Evidence
from sknas.edits.gradmax import GradMaxUnits
from sknas.edits.morphisms import (
    AddBranch,
    AddHadamard,
    AddLayer,
    AddMixedBranch,
    AddNode,
    AddOp,
    Widen,
)
from sknas.edits.narrowing import Narrow
from sknas.edits.newborn import NewbornUnits, RandomUnits
from sknas.edits.newborn_gradient import newborn_gradient
from sknas.edits.optimizer import carry_averages, carry_optimizer
from sknas.edits.removals import DropEdge, DropNode, DropOp, DropOutput
from sknas.edits.select import SelectUnits

__all__ = [
    "AddBranch",
    "AddDagBranch",
    "AddDagNode",
    "AddHadamard",
    "AddLayer",
    "AddMixedBranch",
    "AddNode",
    "AddOp",
    "DropEdge",
    "DropEdgeOp",
    "DropNode",
    "DropOp",
    "DropOutput",
    "Edit",
    "Evidence",
    "GradMaxUnits",
    "Narrow",
    "NewbornUnits",
    "ParameterChange",
    "RandomUnits",
    "Replacement",
    "SelectUnits",
    "Widen",
    "carry_averages",
    "carry_optimizer",
    "closed_candidates",
    "effective_rank",
    "newborn_gradient",
    "removals_by_choice",
]
