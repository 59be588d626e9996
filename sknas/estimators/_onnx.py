"""What the ONNX file of an estimator reads, and what it says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import torch
from torch import Tensor, nn

from sknas.derived import DerivedNetwork
from sknas.estimators._layout import Layout
from sknas.reporting.deployed import Deployed, Sequences, TableRows, Windows
from sknas.reporting.export import write_onnx
from sknas.windows import Scaler, Vocabulary

__all__ = ["Surroundings", "reader_of", "write_estimator"]


@dataclass(frozen=True)
class Surroundings:
    """What stands around a network in a file.

    Parameters
    ----------
    read, tell : nn.Module
        What reads samples, and what tells predictions.
    inputs : mapping of str to Tensor
        Names of the inputs, with samples.
    outputs : mapping of str to int
        Names of what is told, and the axis of samples in each.
    facts : mapping
        What else the file says; None is left out, and the rest written as JSON.
    """

    read: nn.Module
    tell: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, int]
    facts: Mapping[str, Any]


def reader_of(
    layout: Layout, scales: Scaler | Vocabulary, *, channels_first: bool
) -> tuple[nn.Module, Tensor]:
    """Return what reads the samples of an estimator, and two samples.

    Parameters
    ----------
    layout : Layout
        Kind of input.
    scales : Scaler or Vocabulary
        Units of the channels.
    channels_first : bool
        Whether the channels of sequences stand before the steps.

    Returns
    -------
    tuple of (nn.Module, Tensor)
        Rows with a lookback are read as their windows.
    """
    n_steps, n_channels = layout.lookback, layout.n_channels
    if layout.kind == "tabular":
        return TableRows(scales), _zeros(2, n_channels)
    if layout.kind == "rows":
        return Windows(scales), _zeros(2, n_steps, n_channels)
    axes = (n_channels, n_steps) if channels_first else (n_steps, n_channels)
    reader = Sequences(scales, channels_first=channels_first, has_padding=layout.has_padding)
    return reader, _zeros(2, *axes)


def write_estimator(
    path: str | PathLike[str], estimator: str, network: DerivedNetwork, around: Surroundings
) -> None:
    """Write a fitted network with what stands around it.

    Parameters
    ----------
    path : str or path-like
        The file.
    estimator : str
        The estimator's name.
    network : DerivedNetwork
        Its network.
    around : Surroundings
        What reads its samples and tells its predictions.
    """
    metadata = {
        name: json.dumps(fact, default=str)
        for name, fact in around.facts.items()
        if fact is not None
    }
    metadata |= {"estimator": estimator, "genotype": network.spec.genotype.to_json()}
    deployed = Deployed(around.read, network, around.tell)
    write_onnx(deployed, path, around.inputs, around.outputs, metadata)


def _zeros(*sizes: int) -> Tensor:
    return torch.zeros(sizes, dtype=torch.float64)
