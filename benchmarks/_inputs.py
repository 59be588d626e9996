"""Parts of `reliability`: bad input, and input drawn at random."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Iterator

from _faults import fault_rows
from _steadiness import ROOT, Record, told

from tests.bad_inputs import CASES


def input_rows(*, is_smoke: bool) -> Iterator[Record]:
    """Call every public method with what it must refuse; the error has to tell what and why."""
    cases = CASES[::20] if is_smoke else CASES
    tried: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    kinds: dict[str, Counter[str]] = {}
    for case in cases:
        method = f"{type(case.make()).__name__.removeprefix('GrowingDARTS')}.{case.method}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            error, _ = case.outcome()
        is_told = error is None if case.error is None else _is_as_told(case, error)
        tried[method] += 1
        wrong[method] += not is_told
        kind = "works" if error is None else type(error).__name__
        kinds.setdefault(method, Counter())[kind] += 1
    for method in sorted(tried):
        ended = ", ".join(f"{n} {kind}" for kind, n in kinds[method].most_common())
        yield told("inputs", method, tried[method], wrong[method], ended=ended)


def _is_as_told(case: object, error: Exception | None) -> bool:
    is_kind = error is not None and isinstance(error, case.error)  # type: ignore[attr-defined]
    text = " ".join(str(error).split())
    return is_kind and bool(re.search(case.told, text, re.S))  # type: ignore[attr-defined]


def example_rows(*, is_smoke: bool) -> Iterator[Record]:
    """Draw shapes, types, layouts and parameters at random; count what hypothesis ran."""
    files = ["tests/estimators/test_hostile_input.py", "tests/test_genotype.py"]
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--hypothesis-show-statistics",
            *files[is_smoke:],
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    name = ""
    for line in result.stdout.splitlines():
        if line.startswith("tests/"):
            name = line.rstrip(":").split("::")[-1]
        found = re.search(r"(\d+) passing, (\d+) failing", line)
        if found:
            n_good, n_bad = int(found.group(1)), int(found.group(2))
            yield told("hypothesis", name, n_good + n_bad, n_bad)


def numeric_rows(*, is_smoke: bool) -> Iterator[Record]:
    """Make numbers not finite in each phase; results are finite, no worse than the seed."""
    rows: dict[str, list[dict[str, object]]] = {}
    for row in fault_rows(smoke=is_smoke):
        rows.setdefault(f"{row['phase']}, {row['lasts']}", []).append(row)
    for what, found in rows.items():
        n_faults = sum(not row["finite"] or row["over seed"] > 1.0 + 1e-9 for row in found)
        n_back = sum(int(row["rollbacks"]) for row in found)  # type: ignore[call-overload]
        ended = f"{sum(int(row['not taken']) for row in found)} steps left out, {n_back} times back"  # type: ignore[call-overload]
        yield told("faults", what, len(found), n_faults, ended=ended)
