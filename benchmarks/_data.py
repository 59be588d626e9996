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


@dataclass(frozen=True)
class Series:
    """A series (n_timepoints, channels) in z-scores of its first `n_train` rows.

    Its first `n_known` rows train and validate; the rest is the test part.
    """

    values: NDArray[np.float64]
    n_train: int
    n_known: int

    def windows(self, lookback: int, horizon: int) -> Windows:
        """Cut windows; those of the validation part come last among the ones given together.

        The validation and the test part begin `lookback` rows before their border, so that no
        window is dropped.
        """
        X, y = cut(self.values[: self.n_known], lookback, horizon)
        X_test, y_test = cut(self.values[self.n_known - lookback :], lookback, horizon)
        n_validation = self.n_known - self.n_train - horizon + 1
        return Windows(X, y, X_test, y_test, n_validation / len(X))


def parted(values: NDArray[np.float64], n_train: int, n_known: int) -> Series:
    """Return a series in z-scores of its training rows."""
    mean, std = values[:n_train].mean(axis=0), values[:n_train].std(axis=0)
    return Series((values - mean) / std, n_train, n_known)


def etth1_series() -> Series:
    """Return ETTh1 by the standard protocol: 8640/2880/2880 rows."""
    frame = pd.read_csv(data_folder() / "ETTh1.csv", index_col="date")
    return parted(frame.to_numpy()[:14400], 8640, 8640 + 2880)


def in_time(frame: pd.DataFrame) -> Series:
    """Return a series cut 70/10/20 in time."""
    return parted(frame.to_numpy(dtype=float), int(0.7 * len(frame)), int(0.8 * len(frame)))


def etth1(lookback: int, horizon: int) -> Windows:
    """Return windows of ETTh1."""
    return etth1_series().windows(lookback, horizon)


def chronological(frame: pd.DataFrame, lookback: int, horizon: int) -> Windows:
    """Return windows of a series cut 70/10/20 in time."""
    return in_time(frame).windows(lookback, horizon)


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


def numbers(name: str) -> pd.DataFrame:
    """Return the numeric columns of a file, by number of the row."""
    return pd.read_csv(data_folder() / f"{name}.csv").select_dtypes("number")


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


def sequences(name: str) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return the (X, y) to train on and the (X, y) to test on of an archive of labelled sequences.

    X is (n_samples, n_steps, n_channels), its shorter sequences end in NaN; y holds labels.
    """
    parts = [_read_sequences(f"{name}_{part}.ts") for part in ("TRAIN", "TEST")]
    n_steps = max(X.shape[1] for X, _ in parts)
    filled = [
        np.pad(X, ((0, 0), (0, n_steps - X.shape[1]), (0, 0)), constant_values=np.nan)
        for X, _ in parts
    ]
    return (filled[0], parts[0][1]), (filled[1], parts[1][1])


def _read_sequences(file: str) -> tuple[np.ndarray, np.ndarray]:
    lines = (data_folder() / "tsc" / file).read_text(encoding="utf-8").splitlines()
    rows = [line.split(":") for line in lines if line.strip() and line[0] not in "@#"]
    values = [[np.array(channel.split(","), dtype=float) for channel in row[:-1]] for row in rows]
    n_steps = max(len(sample[0]) for sample in values)
    X = np.full((len(values), n_steps, len(values[0])), np.nan)
    for place, sample in enumerate(values):
        X[place, : len(sample[0])] = np.stack(sample, axis=1)
    return X, np.array([row[-1].strip() for row in rows])
