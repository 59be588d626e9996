"""The relaxed network that a search grows, prunes and discretizes."""

from sknas.supernet.auxiliary_skip import AuxiliarySkip, CosineSkip, LinearSkip
from sknas.supernet.clamp import ClampRelaxation
from sknas.supernet.dag_node import DagNode
from sknas.supernet.edge_choice import AnnealedEdges, EdgeChoice, SoftmaxEdges
from sknas.supernet.gumbel import GumbelRelaxation
from sknas.supernet.mixed_op import MixedNode
from sknas.supernet.mixing import Mixing
from sknas.supernet.network import NodePlace, Supernet
from sknas.supernet.relaxation import (
    Relaxation,
    ScaledSigmoidRelaxation,
    SigmoidRelaxation,
    SoftmaxRelaxation,
)
from sknas.supernet.search_node import SearchNode
from sknas.supernet.two_input_cell import TwoInputCell

__all__ = [
    "AnnealedEdges",
    "AuxiliarySkip",
    "ClampRelaxation",
    "CosineSkip",
    "DagNode",
    "EdgeChoice",
    "GumbelRelaxation",
    "LinearSkip",
    "MixedNode",
    "Mixing",
    "NodePlace",
    "Relaxation",
    "ScaledSigmoidRelaxation",
    "SearchNode",
    "SigmoidRelaxation",
    "SoftmaxEdges",
    "SoftmaxRelaxation",
    "Supernet",
    "TwoInputCell",
]
