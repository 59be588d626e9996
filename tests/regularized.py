"""Open choices of given mixing weights, and learners whose steps a regularizer joins."""

import torch
from hypothesis import strategies as st
from torch import nn

import sknas.search
from sknas.blocks import REGRESSION_LOSSES
from sknas.search import ArchRegularizer
from sknas.search.arch_choices import Choice
from sknas.search.bilevel import arch_step
from sknas.supernet import NodePlace
from tests import tiny
from tests.tiny import batch, generator, members, two_input

OBJECTIVE = REGRESSION_LOSSES["mse"]()
EVERY = [cls() for cls in members(ArchRegularizer, sknas.search)]
MIXED = NodePlace(0, 0, 4)  # the mixed node behind the GRU's four
PAIRS = NodePlace(0, 0, 2)  # the last node of the graph
WEIGHTS = st.lists(st.floats(0, 1), min_size=2, max_size=6)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def choice(weights, *, births=None, kind="operations", cell=(0, 0), progress=0.5):
    """Build an open choice of which the mixing weights themselves are the parameter."""
    free = nn.Parameter(tensor(weights))
    scale = torch.ones_like(free) if births is None else tensor(births)
    is_open = torch.ones_like(free, dtype=torch.bool)
    return Choice(cell, kind, free, free * 1.0, scale, is_open, progress)


def one_hot(n, place=0):
    return [float(i == place) for i in range(n)]


def cost(regularizer, choices):
    return float(regularizer.penalty(choices).detach())


def learner(regularizer=None, relaxation=None, *edits, build=two_input):
    net = build(relaxation)
    for edit in edits:
        edit.apply(net, generator())
    return tiny.learner(net, regularizer=regularizer)


def rounds(one, n=25):
    """Let a learner take some architecture steps."""
    for i in range(n):
        arch_step(one, batch(seed=i), OBJECTIVE)
