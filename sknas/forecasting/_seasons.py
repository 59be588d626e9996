"""How long a season is on a calendar, and which lookbacks are worth a try."""

from __future__ import annotations

import re

__all__ = ["candidate_lookbacks", "season_length"]

_SEASONS = {"h": 24, "B": 5, "C": 5, "D": 7, "W": 52, "M": 12, "Q": 4, "min": 60, "s": 60}
_ENDS_AND_BEGINS = re.compile(r"^[BC]*([MQ])[ES]$")  # of calendar, business or custom months
_MINUTES_A_DAY, _FEW_MINUTES = 1440, 5
_MULTIPLES = (1, 2, 4, 8, 14)
_PLAIN = (8, 16, 32, 64, 128)
_LONGEST = 512
_SHARE = 4  # a series is that many windows long, at least


def season_length(freq: str) -> int:
    """Return the steps after which a series most often repeats itself.

    Parameters
    ----------
    freq : str
        Name of a frequency, such as ``"h"``, ``"15min"`` or ``"QS-JAN"``; empty for integers.

    Returns
    -------
    int
        A day of hours or of steps of 5 minutes and more, an hour of shorter ones, a week of days,
        a year of weeks, months or quarters; 1 where none is known.
    """
    count, name = freq.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-"), freq
    name = name[len(count) :].split("-")[0]
    name = _ENDS_AND_BEGINS.sub(r"\1", name)
    every = int(count) if count.isdigit() else 1
    is_day_long = name == "min" and every >= _FEW_MINUTES
    season = _MINUTES_A_DAY if is_day_long else _SEASONS.get(name, 1)
    return season // every if season % every == 0 and season > every else 1


def candidate_lookbacks(season: int, horizon: int, longest: int) -> tuple[int, ...]:
    """Return lookbacks to choose from.

    Parameters
    ----------
    season : int
        Steps of a season; 1 where none is known.
    horizon : int
        Steps to predict.
    longest : int
        Rows of the longest series.

    Returns
    -------
    tuple of int
        At least one, ascending; whole seasons where there is one.
    """
    wanted = [season * k for k in _MULTIPLES] if season > 1 else list(_PLAIN)
    room = (longest - horizon) // _SHARE
    fitting = tuple(n for n in wanted if n <= min(room, _LONGEST))
    return fitting or (max(1, min(room, wanted[0])),)
