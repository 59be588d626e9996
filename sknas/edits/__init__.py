"""What can be done to a supernet: morphisms keep its function, removals measure what it costs."""

from sknas.edits.base import Edit, ParameterChange, Replacement
from sknas.edits.choices import closed_candidates, open_choices
from sknas.edits.dag import AddDagBranch, AddDagNode, DropEdgeOp
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
from sknas.edits.optimizer import carry_averages, carry_optimizer
from sknas.edits.removals import DropEdge, DropNode, DropOp, DropOutput

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
    "Narrow",
    "ParameterChange",
    "Replacement",
    "Widen",
    "carry_averages",
    "carry_optimizer",
    "closed_candidates",
    "open_choices",
]
