"""What happens to a fit that is killed, misled, hurried, interrupted, or repeated for long.

    python benchmarks/reliability.py
    python benchmarks/reliability.py --parts budget soak
    python benchmarks/reliability.py --smoke

- ``kills``: processes killed at random moments of a fit with a `checkpoint_dir`, again and again
  until one of them ends; bytes are compared with those of a fit that was left alone.
- ``twins``: the same fit three times at once in one folder.
- ``disk``: a full disk, and states that are cut short, changed, or of another version.
- ``workers``: a worker of a grid that is killed.
- ``inputs``: bad input to every public method; the error has to name parameter, rule and value.
- ``hypothesis``: the examples that property tests drew.
- ``faults``: losses, gradients, outputs, weights and moments that are not finite, in each phase.
- ``budget``: by how much a fit overruns its `time_budget`, from few rows to many channels and from
  a fifth of a second to twenty; at most a tenth of it or one second, whichever is more.
- ``interrupts``: `KeyboardInterrupt` and `RuntimeError` raised as functions of the package are
  called, at moments spread over a fit. What is left has to be a whole result or none.
- ``determinism``: the same seed in fresh processes, in workers and in threads; bytes are compared.
- ``threads``: predictions of one estimator from eight threads at once; bytes are compared.
- ``soak``: estimators that are fitted, used, pickled and forgotten; memory, files and threads have
  to stay flat behind the first rounds.

A fault is what should not be. Seconds are those of the clock, so that nothing else should run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from _table import keep, merged

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _crashes import disk_rows, kill_rows, twin_rows, worker_rows
from _inputs import example_rows, input_rows, numeric_rows
from _steadiness import budget_rows, determinism_rows, interrupt_rows, soak_rows, thread_rows

PARTS: dict[str, Callable[..., Iterator[dict[str, Any]]]] = {
    "kills": kill_rows,
    "twins": twin_rows,
    "disk": disk_rows,
    "workers": worker_rows,
    "inputs": input_rows,
    "hypothesis": example_rows,
    "faults": numeric_rows,
    "budget": budget_rows,
    "interrupts": interrupt_rows,
    "determinism": determinism_rows,
    "threads": thread_rows,
    "soak": soak_rows,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--smoke", action="store_true", help="a few fits, no file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    start = time.monotonic()
    rows = [row for part in options.parts for row in PARTS[part](is_smoke=options.smoke)]
    if options.smoke:
        print(pd.DataFrame(rows).to_string())
    else:
        records = merged("reliability", rows, ["part", "what"])
        order = list(PARTS)
        records.sort(
            key=lambda row: order.index(row["part"]) if row["part"] in order else len(order)
        )
        keep("reliability", records, pd.DataFrame(records).set_index(["part", "what"]))
    print(f"{time.monotonic() - start:.0f} s, {sum(row['faults'] for row in rows)} faults")


if __name__ == "__main__":
    main()
