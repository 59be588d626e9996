"""Real series that come with the package: nothing is downloaded."""

from importlib.resources import files
from typing import Literal

import numpy as np
import pandas as pd

_MISSING = ("interpolate", "keep")
_NORTHWARDNESS = {0: 0, 1: 1, 2: 1, 3: -1}  # calm or variable, NE, NW, SE


def load_beijing_air(*, missing: Literal["interpolate", "keep"] = "interpolate") -> pd.DataFrame:
    """Load five years of hourly air pollution and weather in Beijing.

    43824 hours, from 2010-01-01 00:00 to 2014-12-31 23:00: fine particles measured at
    the US embassy, and the weather at Beijing Capital International Airport. The
    channels are

    - `pm2_5`: fine particles, in micrograms per cubic metre; 2067 hours are missing in
      the source, the first 24 among them;
    - `dew_point` and `temperature`: in degrees Celsius;
    - `pressure`: in hectopascals;
    - `wind_speed`: cumulated since the wind last changed direction, in metres per
      second;
    - `snow_hours` and `rain_hours`: length of the present snow or rain, in hours;
    - `wind_north`: the combined wind direction as a number, 1 for wind from the
      north-east or north-west, -1 from the south-east, 0 for calm and variable wind.
      Northerly wind carries particles away, so the sign is what matters here.

    Parameters
    ----------
    missing : {"interpolate", "keep"}, default="interpolate"
        What becomes of missing `pm2_5`: a straight line in time between the
        neighbours (before the first measurement: that measurement), or NaN.

    Returns
    -------
    pandas.DataFrame of shape (43824, 8), dtype=float64
        The channels; the index is a DatetimeIndex named "time" of hourly frequency, in
        local time.

    Raises
    ------
    ValueError
        If `missing` is another word.

    Notes
    -----
    The data are by Song Chen, "Beijing PM2.5", UCI Machine Learning Repository, data
    set 381, https://doi.org/10.24432/C5JS49, under the licence CC BY 4.0
    (https://creativecommons.org/licenses/by/4.0/). Columns were renamed and the wind
    direction was coded as above; other values are unchanged.

    References
    ----------
    Liang, X., Zou, T., Guo, B., Li, S., Zhang, H., Zhang, S., Huang, H. and Chen, S. X.
    (2015). Assessing Beijing's PM2.5 pollution: severity, weather impact, APEC and
    winter heating. Proceedings of the Royal Society A, 471(2182), 20150257.

    Examples
    --------
    >>> frame = load_beijing_air()
    >>> frame.shape, frame.index.freqstr
    ((43824, 8), 'h')
    """
    if missing not in _MISSING:
        raise ValueError(f"missing must be one of {_MISSING}; got {missing!r}.")
    resource = files("sknas.datasets") / "data" / "beijing_air.csv.gz"
    with resource.open("rb") as file:
        packed = pd.read_csv(file, compression="gzip")
    packed.index = pd.date_range("2010-01-01", periods=len(packed), freq="h", name="time")
    direction = packed.pop("wind_direction")
    frame = packed.assign(
        wind_speed=packed["wind_speed"] / 100,  # kept in hundredths of m/s
        wind_north=direction.map(_NORTHWARDNESS),
    ).astype(np.float64)
    if missing == "interpolate":
        frame["pm2_5"] = frame["pm2_5"].interpolate(method="time").bfill()
    return frame
