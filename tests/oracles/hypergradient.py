"""The gradient of the architecture loss after a weight step, by brute force."""

import copy

import torch


def differences(net, ahead, loss, shift=1e-5):
    """Move each free architecture parameter to either side, entry by entry.

    `ahead` returns a network whose weights have taken a step, and `loss` its loss.
    """
    found = []
    for place, parameter in enumerate(net.free_arch_parameters()):
        slopes = torch.zeros_like(parameter).flatten()
        for i in range(parameter.numel()):
            sides = []
            for sign in (1, -1):
                moved = copy.deepcopy(net)
                with torch.no_grad():
                    moved.free_arch_parameters()[place].view(-1)[i] += sign * shift
                sides.append(loss(ahead(moved)))
            slopes[i] = (sides[0] - sides[1]) / (2 * shift)
        found.append(slopes.view_as(parameter).detach())
    return found
