"""The relaxed network that a search grows, prunes and discretizes."""

from sknas.supernet.auxiliary_skip import AuxiliarySkip, CosineSkip, LinearSkip
from sknas.supernet.clamp import ClampRelaxation
from sknas.supernet.dag_node import DagNode
from sknas.supernet.gumbel import GumbelRelaxation
from sknas.supernet.mixed_op import MixedNode
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
    "AuxiliarySkip",
    "ClampRelaxation",
    "CosineSkip",
    "DagNode",
    "GumbelRelaxation",
    "LinearSkip",
    "MixedNode",
    "NodePlace",
    "Relaxation",
    "ScaledSigmoidRelaxation",
    "SearchNode",
    "SigmoidRelaxation",
    "SoftmaxRelaxation",
    "Supernet",
    "TwoInputCell",
]
