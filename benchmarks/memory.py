"""Peak memory of a forecaster's fit on a long table, and of a prediction from its last rows.

    python benchmarks/memory.py --rows 1000000
    python benchmarks/memory.py --smoke

A table of float32 noise around daily waves, 16 columns; a GRU reads 336 rows to forecast 24, for
one epoch. Windows are views and batches are gathered, so that the peak is that of some copies of
the table and of a batch, not of the windows, which here would be 336 times the table. The figures
are those of the process: its peak less what it held before the table was made.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import pandas as pd
import torch
from _table import keep

from sknas import GrowingDARTSForecaster

N_COLUMNS, LOOKBACK, HORIZON = 16, 336, 24
MIB = 2.0**20


def peak() -> float:
    """Return the process's peak so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(n_rows: int) -> pd.DataFrame:
    """Return waves and noise, made a column at a time."""
    rng, hours = np.random.default_rng(0), np.arange(n_rows, dtype=np.float32)
    values = np.empty((n_rows, N_COLUMNS), dtype=np.float32)
    for column in range(N_COLUMNS):
        wave = np.sin(2 * np.pi * (hours / 24 + column / N_COLUMNS))
        values[:, column] = wave + rng.normal(size=n_rows).astype(np.float32)
    return pd.DataFrame(values, index=pd.RangeIndex(n_rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--smoke", action="store_true", help="few rows, no file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    n_rows = 5000 if options.smoke else options.rows
    warm = table(600)  # what the libraries load when they are first used
    GrowingDARTSForecaster(lookback=8, horizon=2, max_nodes=0).fit(warm).predict()
    before = peak()
    Y = table(n_rows)
    size = Y.to_numpy().nbytes / MIB
    model = GrowingDARTSForecaster(
        lookback=LOOKBACK,
        horizon=HORIZON,
        genotype="gru",
        hidden_size=32,
        max_epochs=1,
        batch_size=options.batch,
        random_state=0,
    )
    start = time.process_time()
    model.fit(Y)
    seconds, most = time.process_time() - start, peak() - before
    start = time.process_time()
    model.predict(Y=Y[-LOOKBACK:])
    row = {
        "rows": n_rows,
        "columns": N_COLUMNS,
        "data_mib": size,
        "peak_mib": most,
        "over_data_mib": most - size,
        "windows_mib": size * LOOKBACK,
        "fit_cpu_seconds": seconds,
        "predict_cpu_seconds": time.process_time() - start,
        "kept_rows": len(model.history_),
    }
    frame = pd.DataFrame([row])
    if options.smoke:
        print(frame.to_string())
    else:
        keep("memory", [row], frame.set_index("rows"))


if __name__ == "__main__":
    main()
