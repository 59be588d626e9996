"""Matrices decay; what weighs a whole node does not."""

import torch
from torch import nn

from sknas.edits import ParameterChange, carry_optimizer
from sknas.search.decay import decay_groups


def parameters():
    return [nn.Parameter(torch.ones(shape)) for shape in ((2, 3), (3,), ())]


def stepped(groups):
    optimizer = torch.optim.AdamW(groups, lr=0.1, fused=True)
    for group in groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()


def test_matrices_alone_are_drawn_towards_zero():
    matrix, vector, scalar = parameters()
    stepped(decay_groups([matrix, vector, scalar], 0.5))
    torch.testing.assert_close(matrix.detach(), torch.full((2, 3), 0.95))
    assert (vector == 1.0).all()
    assert scalar == 1.0


def test_newborn_parameters_join_the_group_of_their_kind():
    old = parameters()
    optimizer = torch.optim.AdamW(decay_groups(old, 0.5), lr=0.1, fused=True)
    newborn = parameters()
    carry_optimizer(optimizer, ParameterChange(added=newborn), [*old, *newborn])
    decayed, rest = (group["params"] for group in optimizer.param_groups)
    assert {id(p) for p in decayed} == {id(old[0]), id(newborn[0])}
    assert {id(p) for p in rest} == {id(p) for p in (*old[1:], *newborn[1:])}
