"""The gradient of the architecture loss after a weight step, by brute force."""

import copy

import torch


def loss_ahead(net, objective, train_batch, arch_batch, step):
    """Take a step of plain gradient descent on a copy, and return the other batch's loss."""
    net = copy.deepcopy(net)
    weights = net.weight_parameters()
    past, target, weight = train_batch
    objective.mean(net(past), target, weight).backward()
    with torch.no_grad():
        for p in weights:
            if p.grad is not None:
                p -= step * p.grad
        past, target, weight = arch_batch
        return float(objective.mean(net(past), target, weight))


def differences(net, objective, train_batch, arch_batch, step, shift=1e-5):
    """Move each free architecture parameter to either side, entry by entry."""
    found = []
    for place, parameter in enumerate(net.free_arch_parameters()):
        slopes = torch.zeros_like(parameter).flatten()
        for i in range(parameter.numel()):
            sides = []
            for sign in (1, -1):
                moved = copy.deepcopy(net)
                with torch.no_grad():
                    moved.free_arch_parameters()[place].view(-1)[i] += sign * shift
                sides.append(loss_ahead(moved, objective, train_batch, arch_batch, step))
            slopes[i] = (sides[0] - sides[1]) / (2 * shift)
        found.append(slopes.view_as(parameter).detach())
    return found
