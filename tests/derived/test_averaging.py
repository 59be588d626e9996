"""The mean of networks is one network with the branches of all."""

import copy
import dataclasses

import pytest
import torch

from sknas.blocks import WINDOW_NORMS
from sknas.derived import DerivedNetwork, NetworkSpec, average_networks
from sknas.genotype import Genotype
from tests.tiny import CODED, PADDED, SHAPE, branch, generator, perturb, windows

CELLS = (("gru",), ("lstm", "highway"), ())


def network(*cells, seed=0, shape=SHAPE, window_norm="last", channel_mode="mixed"):
    genotype = Genotype(tuple(branch(cell, channel_mode=channel_mode) for cell in cells))
    spec = NetworkSpec(genotype, shape, window_norm, channel_mode)
    made = DerivedNetwork(spec, generator=generator(seed), dtype=torch.float64)
    perturb(made, seed=seed)
    return made


@pytest.mark.parametrize("channel_mode", ["mixed", "independent"])
@pytest.mark.parametrize("window_norm", WINDOW_NORMS)
@pytest.mark.parametrize("shape", [SHAPE, PADDED], ids=["whole", "padded"])
def test_it_predicts_the_mean_of_their_predictions(shape, window_norm, channel_mode):
    common = {"shape": shape, "window_norm": window_norm, "channel_mode": channel_mode}
    networks = [network(*cells, seed=seed, **common) for seed, cells in enumerate(CELLS)]
    past = windows(shape, 9)
    before = [copy.deepcopy(one)(past) for one in networks]
    mean = average_networks(networks)
    torch.testing.assert_close(mean(past), torch.stack(before).mean(dim=0), rtol=0, atol=1e-12)
    # They stay as they are.
    torch.testing.assert_close([one(past) for one in networks], before, rtol=0, atol=0)


def test_it_is_a_network_like_any_other():
    mean = average_networks([network(*cells, seed=seed) for seed, cells in enumerate(CELLS)])
    assert [len(b.layers) for b in mean.spec.genotype.branches] == [1, 1, 1]
    fresh = DerivedNetwork(mean.spec, generator=generator(), dtype=torch.float64)
    fresh.load_state_dict(mean.state_dict())
    past = windows()
    torch.testing.assert_close(fresh(past), mean(past), rtol=0, atol=0)


def test_quantiles_are_in_order():
    shape = dataclasses.replace(SHAPE, quantiles=(0.1, 0.5, 0.9))
    networks = [network("gru", seed=seed, shape=shape) for seed in range(3)]
    output = average_networks(networks)(windows(shape)).unflatten(2, (3, -1))
    assert (output.diff(dim=2) >= 0).all()


@pytest.mark.parametrize("other", [{"window_norm": "revin"}, {"channel_mode": "independent"}])
def test_networks_of_different_kinds_are_refused(other):
    with pytest.raises(ValueError, match="alike but for their branches"):
        average_networks([network("gru"), network("gru", **other)])


def test_embeddings_are_refused():
    with pytest.raises(ValueError, match="must not read an embedding"):
        average_networks([network("gru", shape=CODED, window_norm="none") for _ in range(2)])
