"""Tiny networks and windows, and the reflection that finds every member of a family."""

import importlib
import inspect
import pkgutil

import pytest
import torch

from sknas.blocks import NetworkShape
from sknas.blocks.objective import MeanSquared
from sknas.edits import AddBranch, AddDagBranch, AddNode, DropEdge, DropEdgeOp, DropOp, Evidence
from sknas.genotype import NAMED_CELLS, Branch, Cell, Node
from sknas.ops import DAG_OPERATIONS
from sknas.search.learner import Learner, LearningRates
from sknas.supernet import (
    ClampRelaxation,
    DagNode,
    GumbelRelaxation,
    Mixing,
    ScaledSigmoidRelaxation,
    SigmoidRelaxation,
    SoftmaxRelaxation,
    Supernet,
)

SHAPE = NetworkShape(n_channels=3, lookback=7, n_targets=2, horizon=2, target_channels=(2, 0))
PADDED = NetworkShape(3, 7, 2, 2, (2, 0), has_padding=True)
CODED = NetworkShape(1, 7, 3, 1, None, n_categories=6, embedding_size=4)
CODED_PADDED = NetworkShape(1, 7, 3, 1, None, True, n_categories=6, embedding_size=4)
OPERATIONS = ("hadamard", "lin_tanh", "gate", "first")
RELAXATIONS = [
    SoftmaxRelaxation(),
    SigmoidRelaxation(),
    ScaledSigmoidRelaxation(),
    ClampRelaxation(),
    GumbelRelaxation(),
]
# The named cells, and one in which every node is an output and x is read in all ways.
CELLS = {
    **NAMED_CELLS,
    "mixture": Cell(
        (
            Node("gate", "x", "h"),
            Node("modulate", "s0", "x"),
            Node("second", "h", "x"),
            Node("lin_relu", "s1", "s1"),
        ),
        outputs=(0, 1, 2, 3),
    ),
}


def members(base, package):
    """Return the concrete subclasses of `base` within sknas, once all of a package is imported."""
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(info.name)
    found, waiting = [], [base]
    while waiting:
        waiting += (subclasses := waiting.pop().__subclasses__())
        found += [c for c in subclasses if c.__module__.startswith("sknas.")]
    concrete = {c for c in found if not inspect.isabstract(c)}
    return sorted(concrete, key=lambda c: c.__name__)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*size, seed, dtype=torch.float64):
    return torch.randn(*size, generator=generator(seed), dtype=torch.float64).to(dtype)


def windows(shape=SHAPE, n=5, *, seed=0, dtype=torch.float64):
    """Draw windows (or codes, to embed); with padding, sample i lacks its i oldest steps."""
    past = normal(n, shape.n_channels, shape.lookback, seed=seed, dtype=dtype)
    if shape.is_embedded:
        past = past.mul(100).round().abs().remainder(shape.n_categories)
    if shape.has_padding:
        for i in range(n):
            past[i, :, : min(i, shape.lookback - 1)] = torch.nan
    return past


def batch(shape=SHAPE, n=12, *, seed=0):
    target = normal(n, shape.n_targets, shape.horizon, seed=seed + 1)
    return windows(shape, n, seed=seed), target, torch.ones(n, dtype=torch.float64)


def evidence(shape=SHAPE, n=12, *, seed=0):
    """Return samples for edits that look at some."""
    return Evidence(batch(shape, n, seed=seed), MeanSquared())


@torch.no_grad()
def perturb(module, seed=0, scale=0.3):
    """Move every parameter, architecture included, so that no zero is there by luck."""
    source = generator(seed)
    for p in module.parameters():
        p += scale * torch.randn(p.shape, generator=source, dtype=torch.float64).to(p.dtype)


def set_progress(net, progress):
    """Put every node of a supernet at one point of its time."""
    for _, node in net.nodes():
        node.progress = progress


def branch(name="gru", *, hidden_size=4, segment_length=3, channel_mode="mixed", n_layers=1):
    return Branch((CELLS[name],) * n_layers, hidden_size, segment_length, channel_mode, 3)


def supernet(
    *branches,
    relaxation=None,
    shape=SHAPE,
    dtype=torch.float64,
    window_norm="last",
    operations=(),
    auxiliary_skip=None,
    channel_mode="mixed",
):
    """Build a supernet of those branches, with a mixed node at the end of each first cell."""
    net = Supernet(
        shape,
        Mixing(relaxation or SoftmaxRelaxation(), auxiliary_skip=auxiliary_skip),
        window_norm=window_norm,
        dtype=dtype,
        channel_mode=channel_mode,
    )
    for place, spec in enumerate(branches):
        AddBranch(spec).apply(net, generator(place))
        if operations:
            AddNode(place, 0, operations).apply(net, generator(place + 100))
    perturb(net)
    return net


def two_input(relaxation=None, *, operations=OPERATIONS, skip=None):
    """Build a settled GRU with a mixed node of two operands behind it."""
    return supernet(branch(), relaxation=relaxation, operations=operations, auxiliary_skip=skip)


def graph(relaxation=None, *, n_nodes=2, first="rnn", skip=None, operations=DAG_OPERATIONS):
    """Build DARTS's graph of mixed nodes behind its first one."""
    net = supernet(relaxation=relaxation, auxiliary_skip=skip)
    AddDagBranch(branch(first), n_nodes, operations).apply(net, generator())
    perturb(net)
    return net


every_backbone = pytest.mark.parametrize("build", [two_input, graph], ids=lambda b: b.__name__)


def choices(net):
    """Return the removals of each choice that is still open, one for every candidate of it."""
    found = []
    for place, node in net.nodes():
        if isinstance(node, DagNode):
            found.append([DropEdgeOp(place, source, name) for source, name in node.pairs()])
            continue
        found.append([DropOp(place, name) for name in node.operations])
        for slot, side in enumerate(("left", "right")):
            found.append([DropEdge(place, side, name) for name in node.open_sources(slot)])
    return [choice for choice in found if len(choice) > 1]


def learner(net=None, *, weight_decay=0.1, regularizer=None, size_penalty=0.0):
    rates = LearningRates(weight=0.01, arch=0.02, weight_decay=weight_decay)
    return Learner.start(net or two_input(), rates, regularizer, size_penalty)
