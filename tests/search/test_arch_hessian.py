"""The Hessian of the architecture loss equals differences of gradients, and is measured unseen."""

import math

import pytest
import torch

import sknas.search
from sknas.blocks import REGRESSION_LOSSES
from sknas.search import CollapseWatch, EigenvalueWatch
from sknas.search.collapse_watch import arch_hessian
from sknas.supernet import LinearSkip
from tests.tiny import RELAXATIONS, batch, every_backbone, members, set_progress, two_input

OBJECTIVE = REGRESSION_LOSSES["mse"]()

EVERY = [cls() for cls in members(CollapseWatch, sknas.search)]

every_watch = pytest.mark.parametrize("watch", EVERY, ids=str)


def state(net):
    return {name: value.clone() for name, value in net.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


every_relaxation = pytest.mark.parametrize("relaxation", RELAXATIONS, ids=str)


def gradient_at(net, samples):
    free = net.free_arch_parameters()
    past, target, weight = samples
    loss = OBJECTIVE.mean(net(past), target, weight)
    found = torch.autograd.grad(loss, free, materialize_grads=True)
    return torch.cat([part.flatten() for part in found])


def differences(net, samples, step=1e-5):
    """Return the Hessian, row by row, as central differences of gradients."""
    rows = []
    for p in net.free_arch_parameters():
        for i in range(p.numel()):
            sides = []
            for shift in (step, -step):
                with torch.no_grad():
                    p.view(-1)[i] += shift
                sides.append(gradient_at(net, samples))
                with torch.no_grad():
                    p.view(-1)[i] -= shift
            rows.append((sides[0] - sides[1]) / (2 * step))
    return torch.stack(rows)


@every_backbone
@every_relaxation
def test_the_hessian_is_that_of_differences_of_gradients(relaxation, build):
    net = build(relaxation, skip=LinearSkip())
    set_progress(net, 0.4)
    with torch.no_grad():  # away from the ends of a clamp, where there is no second derivative
        for _, node in net.nodes():
            node.alphas.clamp_(0.1, 0.9)
    hessian = arch_hessian(net, batch(), OBJECTIVE)
    expected = differences(net, batch())
    assert hessian.abs().max() > 1e-4
    torch.testing.assert_close(hessian, expected, rtol=1e-5, atol=1e-8)
    units = torch.cat(
        [
            torch.full((p.numel(),), unit, dtype=torch.float64)
            for _, node in net.nodes()
            for p, unit in zip(node.free_arch_parameters(), node.free_arch_units(), strict=True)
        ]
    )
    eigenvalues = torch.linalg.eigvals(units[:, None] * expected * units).real
    measured = EigenvalueWatch().measure(net, batch(), OBJECTIVE)
    assert measured == pytest.approx(float(eigenvalues.max()), rel=1e-5, abs=1e-8)


@every_watch
@every_backbone
def test_measuring_changes_nothing_and_draws_nothing(watch, build):
    net = build()
    before, draws = state(net), torch.random.get_rng_state()
    first, second = (watch.measure(net, batch(), OBJECTIVE) for _ in range(2))
    assert first == second
    assert same(state(net), before)
    assert all(p.grad is None for p in net.parameters())
    assert torch.equal(torch.random.get_rng_state(), draws)


def test_a_hessian_that_is_not_finite_has_no_eigenvalue():
    net = two_input()
    with torch.no_grad():
        net.trunk.branches[0].heads[0].fill_(math.inf)
    assert math.isnan(EigenvalueWatch().measure(net, batch(), OBJECTIVE))


@every_backbone
@every_relaxation
def test_a_unit_of_an_architecture_parameter_means_the_same_at_any_time(relaxation, build):
    net = build(relaxation)

    def weights(progress, factor):
        found = []
        set_progress(net, progress)
        for _, node in net.nodes():
            pairs = zip(node.free_arch_parameters(), node.free_arch_units(), strict=True)
            with torch.no_grad():
                for (p, unit), number in zip(pairs, (0.3, 0.7), strict=False):
                    p.copy_(number * factor * unit * torch.linspace(0, 1, p.numel()).view_as(p))
            found += [node.gates().detach()]
            if hasattr(node, "edge_mixing_weights"):
                found += [node.edge_mixing_weights().detach().flatten()]
        return torch.cat(found)

    torch.testing.assert_close(weights(0.0, 1.0), weights(0.8, 1.0))
    assert (weights(0.0, 1.0) - weights(0.8, 2.0)).abs().max() > 0.01
