"""Read the real series that the benchmarks use; they are not part of the repository."""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]


def data_folder() -> Path:
    """Return $SKNAS_DATA, by default ../shared/data beside the checkout."""
    folder = Path(os.environ.get("SKNAS_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        raise SystemExit(
            f"set SKNAS_DATA to a folder with ETTh1.csv and the others; {folder} is absent"
        )
    return folder


@dataclass(frozen=True)
class Windows:
    """Windows (n, lookback, channels) and futures (n, horizon, channels), in training z-scores."""

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    X_test: NDArray[np.float64]
    y_test: NDArray[np.float64]
    validation_fraction: float


def cut(series: NDArray[np.float64], lookback: int, horizon: int) -> tuple[NDArray, NDArray]:
    """Cut a series (n_timepoints, channels) into every (past, future) pair."""
    both = np.lib.stride_tricks.sliding_window_view(series, lookback + horizon, axis=0)
    both = both.swapaxes(1, 2)  # (n_windows, lookback + horizon, channels)
    return both[:, :lookback], both[:, lookback:]


def etth1(lookback: int, horizon: int) -> Windows:
    """Return ETTh1 by the standard protocol: 8640/2880/2880 rows, no window dropped.

    Training and validation windows are given together, the validation windows last; the validation
    slice begins `lookback` rows before its border, so its windows are exactly the last share.
    """
    frame = pd.read_csv(data_folder() / "ETTh1.csv", index_col="date")
    values = frame.to_numpy()[:14400]
    mean, std = values[:8640].mean(axis=0), values[:8640].std(axis=0)
    values = (values - mean) / std
    n_validation = 2880 - horizon + 1
    X, y = cut(values[: 8640 + 2880], lookback, horizon)
    X_test, y_test = cut(values[8640 + 2880 - lookback :], lookback, horizon)
    return Windows(X, y, X_test, y_test, n_validation / len(X))


def pollution() -> pd.DataFrame:
    """Return five years of hourly Beijing air: eight channels, the index being the hour.

    A missing hour of PM2.5 holds the last value known, which looks at no later one; the hours
    before the first value are left out. The wind direction is 1 from the north (NE, NW), -1 from
    the south-east and 0 where it is calm.
    """
    frame = pd.read_csv(data_folder() / "pollution.csv.gz")
    index = pd.to_datetime(frame[["year", "month", "day", "hour"]])
    frame = frame.drop(columns=["No", "year", "month", "day", "hour"])
    frame["cbwd"] = frame["cbwd"].map({"cv": 0.0, "NE": 1.0, "NW": 1.0, "SE": -1.0})
    return frame.set_index(pd.DatetimeIndex(index, freq="h")).ffill().dropna()


def stock_close() -> pd.DataFrame:
    """Return the daily closing prices of 56 stocks."""
    return pd.read_csv(data_folder() / "stock_close.csv", index_col="date")


def penn_treebank() -> tuple[list[str], list[str], list[str]]:
    """Return the words of the training, validation and test texts, each line's end as <eos>."""
    folder = data_folder() / "ptb"
    if not folder.is_dir():
        raise SystemExit(
            f"set SKNAS_DATA to a folder with ptb/ptb.train.txt.gz, ptb.valid.txt.gz and "
            f"ptb.test.txt.gz in it; {folder} is absent"
        )
    texts = []
    for part in ("train", "valid", "test"):
        with gzip.open(folder / f"ptb.{part}.txt.gz", "rt", encoding="utf-8") as lines:
            texts.append([word for line in lines for word in (*line.split(), "<eos>")])
    return texts[0], texts[1], texts[2]


def chronological(frame: pd.DataFrame, lookback: int, horizon: int) -> Windows:
    """Return windows of a series cut 70/10/20 in time, in z-scores of the first part.

    As in `etth1`, the validation windows come last among those given together, and no test window
    is dropped.
    """
    values = frame.to_numpy(dtype=float)
    n_train, n_both = int(0.7 * len(values)), int(0.8 * len(values))
    values = (values - values[:n_train].mean(axis=0)) / values[:n_train].std(axis=0)
    X, y = cut(values[:n_both], lookback, horizon)
    X_test, y_test = cut(values[n_both - lookback :], lookback, horizon)
    return Windows(X, y, X_test, y_test, (n_both - n_train - horizon + 1) / len(X))
