"""Covariates are read by every target, and no window takes their level off."""

import pytest
import torch

from sknas.blocks import NetworkShape, WindowNorm
from sknas.blocks.channels import target_windows
from sknas.search.inheritance import derive
from tests.tiny import branch, generator, perturb, supernet

N_COVARIATES = 2
SHAPE = NetworkShape(5, 7, 2, 2, (2, 0), n_covariates=N_COVARIATES)
MODES = pytest.mark.parametrize("mode", ["independent", "mixed"])


def windows(n=6, seed=0):
    return torch.randn(n, 5, 7, generator=generator(seed), dtype=torch.float64)


def network(mode):
    net = supernet(branch("gru", channel_mode=mode), shape=SHAPE, channel_mode=mode)
    perturb(net)
    return net


@pytest.mark.parametrize("kind", ["none", "last", "level", "revin"])
def test_covariates_keep_their_level(kind):
    past = windows()
    normed, _, _ = WindowNorm(kind, SHAPE)(past)
    assert torch.equal(normed[:, -N_COVARIATES:], past[:, -N_COVARIATES:])
    assert torch.equal(normed[:, :-N_COVARIATES], past[:, :-N_COVARIATES]) == (kind == "none")


def test_a_target_reads_its_own_channel_and_then_the_covariates():
    past = windows()
    read = target_windows(past, SHAPE)
    for place, channel in enumerate((2, 0)):
        assert torch.equal(read[:, place, 0], past[:, channel])
        assert torch.equal(read[:, place, 1:], past[:, -N_COVARIATES:])


@MODES
def test_every_target_depends_on_every_covariate(mode):
    net, past = network(mode), windows()
    for covariate in range(N_COVARIATES):
        changed = past.clone()
        changed[:, -1 - covariate] += 1.0
        assert ((net(changed) - net(past)).abs().amax(dim=2) > 1e-9).all()


def test_an_independent_target_reads_no_other_targets_channel():
    net, past = network("independent"), windows()
    changed = past.clone()
    changed[:, 0] = torch.randn(6, 7, generator=generator(5), dtype=torch.float64)
    assert torch.equal(net(changed)[:, 0], net(past)[:, 0])
    assert not torch.equal(net(changed)[:, 1], net(past)[:, 1])


@MODES
def test_targets_move_with_the_level_of_their_channel_alone(mode):
    net = supernet(branch("gru", channel_mode=mode), shape=SHAPE, channel_mode=mode)
    perturb(net)
    past = windows()
    shifted = past.clone()
    shifted[:, 2] += 3.0
    moved = net(shifted) - net(past)
    torch.testing.assert_close(moved[:, 0], torch.full_like(moved[:, 0], 3.0))
    torch.testing.assert_close(moved[:, 1], torch.zeros_like(moved[:, 1]), atol=1e-12, rtol=0)


@MODES
def test_a_derived_network_reads_covariates_as_its_supernet_does(mode):
    net, past = network(mode), windows()
    derived = derive(net, generator=generator(1))
    torch.testing.assert_close(derived(past), net(past), rtol=0, atol=1e-12)
