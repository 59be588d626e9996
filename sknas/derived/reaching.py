"""A network of a short window is one of a longer window that reads the newest steps of it."""

from __future__ import annotations

import dataclasses

import torch
from torch import Generator

from sknas.derived.network import DerivedNetwork
from sknas.genotype import Genotype

__all__ = ["lengthened"]


@torch.no_grad()
def lengthened(network: DerivedNetwork, lookback: int) -> DerivedNetwork:
    """Return the same function as a network of longer windows.

    Its branches reach back as far as before, and the older weights of its seed are zero.

    Parameters
    ----------
    network : DerivedNetwork
        Of windows that are not normalised by their mean, and lack nothing: what is older would
        change what the newest steps are taken for.
    lookback : int
        Steps of the longer windows.

    Returns
    -------
    DerivedNetwork
        Of new weights; the network stays as it is.

    Raises
    ------
    ValueError
        If the function would not be the same.
    """
    spec, shape = network.spec, network.spec.shape
    if spec.window_norm == "revin" or shape.has_padding or shape.has_missing or shape.is_embedded:
        raise ValueError(
            "a network to lengthen must read numbers, of which none is missing, in windows that "
            f"are not normalised by their mean; got window_norm={spec.window_norm!r}, {shape}."
        )
    if lookback < shape.lookback:
        raise ValueError(f"lookback must be at least {shape.lookback}; got {lookback}.")
    branches = (
        dataclasses.replace(branch, reach=min(branch.reach or shape.lookback, shape.lookback))
        for branch in spec.genotype.branches
    )
    longer = DerivedNetwork(
        dataclasses.replace(
            spec,
            genotype=Genotype(tuple(branches)),
            shape=dataclasses.replace(shape, lookback=lookback),
        ),
        generator=Generator().manual_seed(0),
        dtype=next(network.parameters()).dtype,
    ).to(next(network.parameters()).device)
    state = network.state_dict()
    name = "trunk.seed.weight"
    old = state[name].unflatten(0, (-1, shape.lookback))  # (channels, lookback, outputs)
    new = old.new_zeros(old.shape[0], lookback, old.shape[2])
    new[:, -shape.lookback :] = old
    longer.load_state_dict({**state, name: new.flatten(0, 1)})
    return longer
