"""Frames and panels to read, and what two that are the same share."""

import numpy as np
import pandas as pd
from hypothesis import settings
from hypothesis import strategies as st

from sknas.forecasting._frames import write_panel

few = settings(max_examples=50)

panels = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 9)), min_size=1, max_size=4)


def frame(
    n=10, freq="D", tz=None, columns=("a", "b"), start="2020-03-27", dtype=np.float64, seed=0
):
    index = pd.date_range(start, periods=n, freq=freq, tz=tz, name="time")
    values = np.random.default_rng(seed).normal(size=(n, len(columns))).astype(dtype)
    return pd.DataFrame(values, index=index, columns=pd.Index(columns, name="what"))


def long(sizes, freq="D", keys="pqrst"):
    """Return a (series, time) frame; `sizes` are lengths and first rows."""
    parts = {keys[i]: frame(n + begin, freq, seed=i)[begin:] for i, (n, begin) in enumerate(sizes)}
    return pd.concat(parts, names=["shop", "time"])


def back(panel):
    return write_panel(panel.values, panel.row_keys, panel.row_positions, panel)
