"""The parts of pandas' objects: arrays, strings and numbers that make them again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

__all__ = ["PANDAS", "Parts", "Taken", "taker_of"]

Parts = Mapping[str, Any]


class Taken(NamedTuple):
    """How objects of one type are taken apart, and made again.

    Attributes
    ----------
    type : type
        Of the objects.
    parts : callable
        Takes an object apart; returns None for one that its parts would not make again.
    build : callable
        Makes an object of its parts, which come by their names.
    """

    type: type
    parts: Callable[[Any], Parts | None]
    build: Callable[..., Any]


def taker_of(value: object) -> tuple[str, Taken] | None:
    """Return how an object is taken apart.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    tuple of (str, Taken) or None
        The name of its type, and how; None for what is not of pandas.
    """
    for name, taken in PANDAS.items():
        if isinstance(value, taken.type):
            return name, taken
    return None


# -- moments -------------------------------------------------------------------------------------


def _timestamp_parts(value: pd.Timestamp) -> Parts:
    moment = value.to_datetime64()  # of UTC, where there is a time zone
    return {"time": int(moment.view(np.int64)), "unit": value.unit, "tz": value.tz}


def _timestamp(time: int, unit: str, tz: tzinfo | None) -> pd.Timestamp:
    moment = pd.Timestamp(np.array(time, dtype=np.int64).view(f"M8[{unit}]")[()])
    return moment if tz is None else moment.tz_localize("UTC").tz_convert(tz)


def _timedelta_parts(value: pd.Timedelta) -> Parts:
    return {"time": int(value.to_timedelta64().view(np.int64)), "unit": value.unit}


def _timedelta(time: int, unit: str) -> pd.Timedelta:
    return pd.Timedelta(np.array(time, dtype=np.int64).view(f"m8[{unit}]")[()])


def _period_parts(value: pd.Period) -> Parts:
    return {"ordinal": value.ordinal, "freq": value.freqstr}


def _zone_parts(value: tzinfo) -> Parts | None:
    for maker in _ZONES:
        try:
            if _zone(str(value), maker) == value:
                return {"name": str(value), "maker": maker}
        except (KeyError, ValueError):
            continue
    return None


def _zone(name: str, maker: str) -> tzinfo | None:
    return _ZONES[maker](name)


def _zone_of_pandas(name: str) -> tzinfo | None:
    if name.startswith("dateutil/"):  # which would open the file that follows
        raise ValueError(f"a zone must not be that of a file; got {name!r}.")
    return pd.Timestamp(0, tz=name).tz


# Of one name, pandas makes a zone of another library in some of its versions.
_ZONES: dict[str, Callable[[str], tzinfo | None]] = {
    "zoneinfo": ZoneInfo,
    "pandas": _zone_of_pandas,
}


def _offset_parts(value: pd.offsets.BaseOffset) -> Parts | None:
    try:
        is_named = pd.tseries.frequencies.to_offset(value.freqstr) == value
    except ValueError:
        return None
    return {"freq": value.freqstr} if is_named else None


def _offset(freq: str) -> pd.offsets.BaseOffset:
    return pd.tseries.frequencies.to_offset(freq)


# -- labels --------------------------------------------------------------------------------------


def _dates_parts(index: pd.DatetimeIndex | pd.TimedeltaIndex) -> Parts:
    zone = {"tz": index.tz} if isinstance(index, pd.DatetimeIndex) else {}
    return {"times": index.asi8, "unit": index.unit, "freq": index.freq, "name": index.name} | zone


def _dates(times: Any, unit: str, freq: Any, name: Any, tz: tzinfo | None) -> pd.DatetimeIndex:
    index = pd.DatetimeIndex(times.view(f"M8[{unit}]"), name=name)
    if tz is not None:
        index = index.tz_localize("UTC").tz_convert(tz)
    index.freq = freq
    return index


def _spans(times: Any, unit: str, freq: Any, name: Any) -> pd.TimedeltaIndex:
    index = pd.TimedeltaIndex(times.view(f"m8[{unit}]"), name=name)
    index.freq = freq
    return index


def _periods_parts(index: pd.PeriodIndex) -> Parts:
    return {"ordinals": index.asi8, "freq": index.freqstr, "name": index.name}


def _periods(ordinals: Any, freq: str, name: Any) -> pd.PeriodIndex:
    return pd.PeriodIndex.from_ordinals(ordinals, freq=freq, name=name)


def _range_parts(index: pd.RangeIndex) -> Parts:
    return {"start": index.start, "stop": index.stop, "step": index.step, "name": index.name}


def _categories_parts(index: pd.CategoricalIndex) -> Parts:
    return {
        "codes": np.asarray(index.codes),
        "categories": index.categories,
        "ordered": bool(index.ordered),
        "name": index.name,
    }


def _categories(codes: Any, categories: Any, ordered: Any, name: Any) -> pd.CategoricalIndex:
    values = pd.Categorical.from_codes(codes, categories=categories, ordered=ordered)
    return pd.CategoricalIndex(values, name=name)


def _levels_parts(index: pd.MultiIndex) -> Parts:
    return {
        "levels": list(index.levels),
        "codes": [np.asarray(codes) for codes in index.codes],
        "names": list(index.names),
    }


def _labels_parts(index: pd.Index) -> Parts | None:
    is_array = isinstance(index.dtype, np.dtype) and index.dtype != object
    values = index.to_numpy() if is_array else index.tolist()
    return {"values": values, "dtype": str(index.dtype), "name": index.name}


def _labels(values: Any, dtype: str, name: Any) -> pd.Index:
    return pd.Index(values, dtype=dtype, name=name, tupleize_cols=False)


# -- tables --------------------------------------------------------------------------------------


def _table_parts(table: pd.DataFrame) -> Parts:
    columns = [pd.Index(table.iloc[:, place]) for place in range(table.shape[1])]
    return {"columns": table.columns, "index": table.index, "values": columns}


def _table(columns: pd.Index, index: pd.Index, values: list[pd.Index]) -> pd.DataFrame:
    found = {place: pd.Series(column, index=index) for place, column in enumerate(values)}
    return pd.DataFrame(found, index=index).set_axis(columns, axis=1)


# A type stands before those that it is derived from.
PANDAS = {
    "pandas.NaT": Taken(type(pd.NaT), lambda _: {}, lambda: pd.NaT),
    "pandas.NA": Taken(type(pd.NA), lambda _: {}, lambda: pd.NA),
    "pandas.Timestamp": Taken(pd.Timestamp, _timestamp_parts, _timestamp),
    "pandas.Timedelta": Taken(pd.Timedelta, _timedelta_parts, _timedelta),
    "pandas.Period": Taken(pd.Period, _period_parts, pd.Period),
    "pandas.DateOffset": Taken(pd.offsets.BaseOffset, _offset_parts, _offset),
    "tzinfo": Taken(tzinfo, _zone_parts, _zone),
    "pandas.DatetimeIndex": Taken(pd.DatetimeIndex, _dates_parts, _dates),
    "pandas.TimedeltaIndex": Taken(pd.TimedeltaIndex, _dates_parts, _spans),
    "pandas.PeriodIndex": Taken(pd.PeriodIndex, _periods_parts, _periods),
    "pandas.RangeIndex": Taken(pd.RangeIndex, _range_parts, pd.RangeIndex),
    "pandas.CategoricalIndex": Taken(pd.CategoricalIndex, _categories_parts, _categories),
    "pandas.MultiIndex": Taken(pd.MultiIndex, _levels_parts, pd.MultiIndex),
    "pandas.Index": Taken(pd.Index, _labels_parts, _labels),
    "pandas.DataFrame": Taken(pd.DataFrame, _table_parts, _table),
}
