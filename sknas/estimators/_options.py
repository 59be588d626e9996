"""The strings that options take, and the classes that they stand for."""

from __future__ import annotations

from typing import Any

from sknas.search import (
    AdmmRegularizer,
    AlternateSchedule,
    ArchRegularizer,
    ArchSchedule,
    CollapseWatch,
    EffectPruning,
    EigenvalueWatch,
    EveryKSchedule,
    GradMaxGrowth,
    GrowthRule,
    InformationSchedule,
    MagnitudePruning,
    NorthGrowth,
    PeriodicGrowth,
    PlateauGrowth,
    ProximityRegularizer,
    PruningRule,
    ZeroOneRegularizer,
)
from sknas.search.backbone import Backbone, DagBackbone, TwoInputBackbone
from sknas.supernet import (
    AnnealedEdges,
    AuxiliarySkip,
    ClampRelaxation,
    CosineSkip,
    EdgeChoice,
    GumbelRelaxation,
    LinearSkip,
    Relaxation,
    ScaledSigmoidRelaxation,
    SigmoidRelaxation,
    SoftmaxEdges,
    SoftmaxRelaxation,
)

__all__ = [
    "ARCH_REGULARIZER",
    "ARCH_SCHEDULE",
    "AUXILIARY_SKIP",
    "BACKBONE",
    "COLLAPSE_WATCH",
    "EDGE_CHOICE",
    "GROWTH",
    "PRUNING",
    "RELAXATION",
    "VALIDATION",
]

BACKBONE: dict[str, type[Backbone]] = {"two_input": TwoInputBackbone, "dag": DagBackbone}
GROWTH: dict[str, type[GrowthRule]] = {
    "plateau": PlateauGrowth,
    "periodic": PeriodicGrowth,
    "gradmax": GradMaxGrowth,
    "north": NorthGrowth,
}
PRUNING: dict[str, type[PruningRule]] = {
    "effect": EffectPruning,
    "magnitude": MagnitudePruning,
}
RELAXATION: dict[str, type[Relaxation]] = {
    "softmax": SoftmaxRelaxation,
    "sigmoid": SigmoidRelaxation,
    "scaled_sigmoid": ScaledSigmoidRelaxation,
    "clamp": ClampRelaxation,
    "gumbel": GumbelRelaxation,
}
EDGE_CHOICE: dict[str, type[EdgeChoice]] = {"annealed": AnnealedEdges, "softmax": SoftmaxEdges}
ARCH_SCHEDULE: dict[str, type[ArchSchedule[Any]]] = {
    "alternate": AlternateSchedule,
    "every_k": EveryKSchedule,
    "information": InformationSchedule,
}
ARCH_REGULARIZER: dict[str, type[ArchRegularizer]] = {
    "proximity": ProximityRegularizer,
    "admm": AdmmRegularizer,
    "zero_one": ZeroOneRegularizer,
}
AUXILIARY_SKIP: dict[str, type[AuxiliarySkip]] = {"linear": LinearSkip, "cosine": CosineSkip}
COLLAPSE_WATCH: dict[str, type[CollapseWatch]] = {"eigenvalue": EigenvalueWatch}
VALIDATION = ("auto", "chronological", "shuffle", "stratified")
