"""What a step spends its time on, call by call and in the loops that replace them.

    python benchmarks/calls.py
    python benchmarks/calls.py --smoke

The gradients of one step of 35 recurrent steps, 64 sequences and 64 units, on one thread: calls of
torch's operations, CPU milliseconds, and the share of them in matrix products. ``before`` is the
loop that autograd records, edge by edge for DARTS's graph; ``after`` is what a fit runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import pandas as pd
import torch
from _table import keep
from speed import (
    BATCH_SIZE,
    N_HIDDEN,
    N_STEPS,
    by_hand,
    dag_cell,
    generator,
    interleaved,
    mixed_cell,
    step_of,
    two_input_cell,
)
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from sknas.derived import DerivedCell
from sknas.genotype import NAMED_CELLS
from sknas.loops import recorded
from sknas.supernet import SigmoidRelaxation, TwoInputCell
from sknas.supernet.scan import recorded as recorded_supernet

PRODUCTS = ("mm", "addmm", "addmm_", "bmm", "addbmm_", "baddbmm", "addmv", "addmv_", "mv", "dot")

Step = Callable[[], object]


def by_calls(cell: TwoInputCell, inputs: Tensor) -> Tensor:
    """Return the states of a supernet's cell, each call recorded."""
    return recorded_supernet(cell.plan(inputs), inputs.new_zeros(inputs.shape[1], N_HIDDEN))


def steps() -> dict[tuple[str, str], Step]:
    """Return a step of each network, before and after."""
    inputs = torch.randn(N_STEPS, BATCH_SIZE, N_HIDDEN, generator=generator())
    graph, mixed, gru = dag_cell(), two_input_cell(), nn.GRU(N_HIDDEN, N_HIDDEN)
    settled = mixed_cell(NAMED_CELLS["gru"], SigmoidRelaxation())
    sizes: dict[str, Any] = {"generator": generator(), "dtype": torch.float32}
    derived = DerivedCell(NAMED_CELLS["gru"], N_HIDDEN, N_HIDDEN, **sizes)

    def derived_by_calls() -> Tensor:
        return recorded(derived.plan, derived.packed(), inputs, N_HIDDEN, None)[-1]

    return {
        ("DARTS's graph, 8 mixed nodes", "before"): step_of(graph, lambda: by_hand(graph, inputs)),
        ("DARTS's graph, 8 mixed nodes", "after"): step_of(graph, lambda: graph(inputs)[-1]),
        ("4 mixed two-input nodes", "before"): step_of(mixed, lambda: by_calls(mixed, inputs)[-1]),
        ("4 mixed two-input nodes", "after"): step_of(mixed, lambda: mixed(inputs)[-1]),
        ("settled GRU in a search", "before"): step_of(
            settled, lambda: by_calls(settled, inputs)[-1]
        ),
        ("settled GRU in a search", "after"): step_of(settled, lambda: settled(inputs)[-1]),
        ("derived GRU", "before"): step_of(derived, derived_by_calls),
        ("derived GRU", "after"): step_of(derived, lambda: derived(inputs)[-1]),
        ("nn.GRU", "-"): step_of(gru, lambda: gru(inputs)[0][-1]),
    }


def counted(step: Step) -> tuple[int, float]:
    """Return the calls of a step, and the seconds that it spends in matrix products."""
    step()
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        step()
    own = [entry for entry in seen.key_averages() if entry.key.startswith("aten::")]
    products = [e for e in own if e.key.removeprefix("aten::") in PRODUCTS]
    return sum(e.count for e in own), sum(e.self_cpu_time_total for e in products) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="each once, no file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    made = steps()
    n_runs = 1 if options.smoke else 15
    seconds = interleaved({"|".join(key): step for key, step in made.items()}, n_runs)
    records = []
    for (network, when), step in made.items():
        n_calls, in_products = counted(step)
        taken = seconds[f"{network}|{when}"]
        records.append(
            {
                "network": network,
                "loop": when,
                "calls": n_calls,
                "CPU ms": 1e3 * taken,
                "in products, %": 100 * in_products / taken,
            }
        )
    table = pd.DataFrame(records).set_index(["network", "loop"])
    if options.smoke:
        print(table)
    else:
        keep("calls", records, table)


if __name__ == "__main__":
    main()
