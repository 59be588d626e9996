"""What stands in the axes of a forecast."""

import numpy as np
import pandas as pd

HOURS = pd.date_range("2024-02-27 05:00", periods=120, freq="h")


def lines(axes):
    """Return the values of each line of several points, without the mark of the last known."""
    return [line.get_ydata() for line in axes.lines if not is_upright(line)]


def is_upright(line):
    x = line.get_xdata()
    return len(x) == 2 and x[0] == x[1]


def band(axes):
    """Return lowest and highest value of the band at each time, by time."""
    vertices = axes.collections[0].get_paths()[0].vertices
    times = np.unique(vertices[:, 0])
    at = [vertices[vertices[:, 0] == time, 1] for time in times]
    return np.array([values.min() for values in at]), np.array([values.max() for values in at])
