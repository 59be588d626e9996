"""A fingerprint is the same in every process, and of nothing else."""

import dataclasses
import pickle

import numpy as np
import pytest
import torch

from sknas._checkpoints import fingerprint, types_within
from sknas.blocks.window_data import WindowData
from sknas.search import PeriodicGrowth, PlateauGrowth
from tests.small import run_python
from tests.tiny import SHAPE, generator, normal

CODE = """
import torch
from sknas._checkpoints import fingerprint
from sknas.search import PeriodicGrowth
value = {"rule": PeriodicGrowth(period=3), "names": {"b", "a", "lstm"}, "sizes": (1, 2.5)}
print(fingerprint((value, torch.arange(6.0).view(2, 3), torch.Generator().manual_seed(3))))
"""


def test_it_is_the_same_in_every_process():
    assert run_python(CODE, PYTHONHASHSEED="1") == run_python(CODE, PYTHONHASHSEED="2")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (PeriodicGrowth(period=2), PeriodicGrowth(period=3)),
        (PeriodicGrowth(), PlateauGrowth()),
        (SHAPE, dataclasses.replace(SHAPE, horizon=3)),
        (normal(3, seed=0), normal(3, seed=1)),
        (normal(3, seed=0), normal(3, seed=0).float()),
        (torch.zeros(2, 3), torch.zeros(3, 2)),
        (generator(0), generator(1)),
        ({"a": 1}, {"b": 1}),
        ((1, (2, 3)), (1, 2, 3)),
        (np.arange(3), np.arange(3.0)),
        (("ab",), ("a", "b")),
        ([1], (1,)),
    ],
)
def test_it_is_of_nothing_else(one, other):
    assert fingerprint(one) == fingerprint(one)
    assert fingerprint(one) != fingerprint(other)


def test_overlapping_windows_are_read_as_what_they_are_made_of():
    rows = normal(30, seed=2)
    windows = rows.as_strided((20, 1, 8), (1, 0, 1))
    data = WindowData(windows, normal(20, 1, 1, seed=3), torch.ones(20))
    before = fingerprint(data)
    rows[29] = 1.0  # behind the last window
    assert fingerprint(data) != before


def test_a_function_without_a_name_has_none():
    with pytest.raises((pickle.PicklingError, AttributeError)):
        fingerprint({"rule": lambda: 1})


def test_types_are_found_all_the_way_down():
    held = {"rules": [PeriodicGrowth()], "shape": SHAPE}
    assert {dict, list, PeriodicGrowth, type(SHAPE), int} <= types_within(held)
