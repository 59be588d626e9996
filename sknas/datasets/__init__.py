"""Data to try things on: planted truths and a small packaged series."""

from sknas.datasets.loaders import load_beijing_air
from sknas.datasets.synthetic import (
    make_coupled_oscillation,
    make_gated_memory,
    make_linear_law,
    make_product,
)

__all__ = [
    "load_beijing_air",
    "make_coupled_oscillation",
    "make_gated_memory",
    "make_linear_law",
    "make_product",
]
