"""The average of networks is a network: their branches side by side, on the average seed."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence

import torch

from sknas.blocks.modules import ModuleList
from sknas.derived.network import DerivedNetwork
from sknas.genotype import Genotype

__all__ = ["average_networks"]


@torch.no_grad()
def average_networks(networks: Sequence[DerivedNetwork]) -> DerivedNetwork:
    """Return one network whose output is the mean of what others predict.

    A network is a linear seed plus the heads of its branches, so that the mean of some has all
    their branches, with heads divided by the number of networks, on the mean of their seeds. This
    is exact but for quantiles, which each network puts in order: the mean is taken before that,
    and then put in order.

    Parameters
    ----------
    networks : sequence of DerivedNetwork
        At least one; alike but for their branches, and without an embedding, which branches would
        have to share.

    Returns
    -------
    DerivedNetwork
        Of new weights; the networks stay as they are.

    Raises
    ------
    ValueError
        If the networks differ in more than their branches, or read an embedding.
    """
    first, *others = networks
    specs = [dataclasses.replace(network.spec, genotype=Genotype()) for network in networks]
    if any(spec != specs[0] for spec in specs):
        raise ValueError(
            "networks to average must be alike but for their branches; got different shapes."
        )
    if first.spec.shape.is_embedded:
        raise ValueError("networks to average must not read an embedding; got some that do.")
    mean = copy.deepcopy(first)
    for other in others:
        for own, further in zip(
            mean.trunk.seed.parameters(), other.trunk.seed.parameters(), strict=True
        ):
            own.add_(further)
    for parameter in mean.trunk.seed.parameters():
        parameter.div_(len(networks))
    branches = [copy.deepcopy(b) for network in networks for b in network.trunk.branches]
    for branch in branches:
        for head in branch.heads:
            head.div_(len(networks))
    mean.trunk.branches = ModuleList(branches)
    genotype = Genotype(tuple(b for network in networks for b in network.spec.genotype.branches))
    mean.spec = dataclasses.replace(first.spec, genotype=genotype)
    return mean
