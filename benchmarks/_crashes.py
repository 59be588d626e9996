"""Parts of `reliability`: processes that are killed, and disks that fail them."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from _steadiness import ROOT, Record, told

from sknas._checkpoints import Folder
from tests.steady import CASES

N_KILLS = 36
LONG = {"search_epochs": 12, "max_epochs": 6}
FITS: dict[str, tuple[str, dict[str, Any]]] = {
    "regressor": ("regressor", LONG),
    "classifier": ("classifier", LONG),
    "forecaster": ("forecaster", LONG),
    "regressor, priced and refit": (
        "regressor",
        {**LONG, "size_penalty": 1e-3, "refit_full": True, "dropout": 0.2},
    ),
}
FIT = """
import json, sys
from tests.steady import CASES
case, parameters = CASES[sys.argv[1]], json.loads(sys.argv[2])
print("begun", flush=True)
print(case.digest(case.fitted(**parameters)), flush=True)
"""


# -- kills ----------------------------------------------------------------------------------------


def kill_rows(*, is_smoke: bool) -> Iterator[Record]:
    """Kill fits at random moments until one of them ends, over and over; compare bytes."""
    if os.name != "posix":
        return
    source = random.Random(0)
    n_each = 1 if is_smoke else -(-N_KILLS // len(FITS))
    for name, (case, parameters) in FITS.items():
        begun = time.monotonic()
        undisturbed, seconds = _run(case, parameters)
        n_kills = n_states = n_other = n_fits = 0
        while n_kills < n_each:
            with tempfile.TemporaryDirectory() as folder:
                kept, digest = {**parameters, "checkpoint_dir": folder}, None
                while digest is None:
                    digest, _ = _run(case, kept, kill_after=source.uniform(0.0, seconds))
                    n_kills += digest is None
                    n_states += digest is None and bool(list(Path(folder).glob("*/state-*")))
                n_fits += 1
                n_other += digest != undisturbed
        yield told(
            "kills",
            name,
            n_kills,
            n_other,
            ended=f"{n_fits} fits went on to their end; {n_states} kills left a state",
            seconds=time.monotonic() - begun,
        )


def _run(
    case: str, parameters: dict[str, Any], kill_after: float | None = None
) -> tuple[str | None, float]:
    """Fit in a process of its own; return the digest of its result, None of one that was killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", FIT, case, json.dumps(parameters)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process, process.stdout as output:
        output.readline()
        begun = time.monotonic()
        if kill_after is not None:
            try:
                process.wait(kill_after)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
        digest = output.readline().strip() or None
        return digest, time.monotonic() - begun


# -- disks ----------------------------------------------------------------------------------------


class _CrashError(BaseException):
    pass


def disk_rows(*, is_smoke: bool) -> Iterator[Record]:
    """Let the disk fail a fit while it keeps its states, or spoil those of one that crashed."""
    case = CASES["regressor"]
    undisturbed = case.digest(case.fitted(**LONG))
    places = (3,) if is_smoke else (3, 8, 14)
    for what, (spoil, which) in SPOILED.items():
        n_other, ended = 0, set()
        for place in places:
            with tempfile.TemporaryDirectory() as folder:
                _crash_after(place, lambda f=folder: case.fitted(**LONG, checkpoint_dir=f))
                for path in sorted(Path(folder).glob("*/state-*"))[which]:
                    spoil(path)
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    try:
                        model = case.fitted(**LONG, checkpoint_dir=folder)
                    except ValueError as error:
                        ended.add(f"ValueError: {' '.join(str(error).split())[:60]}...")
                        continue
                n_other += case.digest(model) != undisturbed
                n_warned = sum("passed over" in str(warning.message) for warning in caught)
                ended.add(f"went on, {n_warned} warned of")
        is_refused = what == "both of another version"
        n_faults = n_other + (is_refused != any("ValueError" in text for text in ended))
        yield told("disk", what, len(places), n_faults, ended="; ".join(sorted(ended)))
    yield _full_disk(case, undisturbed)


def _crash_after(n_states: int, fit: Callable[[], Any]) -> None:
    write, count = Folder.write, iter(range(10**6))

    def crash(folder: Folder, state: bytes) -> None:
        write(folder, state)
        if next(count) == n_states - 1:
            raise _CrashError

    Folder.write = crash  # type: ignore[method-assign]
    try:
        fit()
    except _CrashError:
        pass
    finally:
        Folder.write = write  # type: ignore[method-assign]


def _full_disk(case: Any, undisturbed: str) -> Record:
    sync, count = os.fsync, iter(range(10**6))

    def full(handle: int) -> None:
        if next(count) >= 4:
            raise OSError(28, "No space left on device")
        sync(handle)

    os.fsync = full
    try:
        with tempfile.TemporaryDirectory() as folder:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                model = case.fitted(**LONG, checkpoint_dir=folder)
            n_left = len(list(Path(folder).glob("*/*.part")))
    finally:
        os.fsync = sync
    n_warned = sum("does not take" in str(warning.message) for warning in caught)
    n_faults = int(case.digest(model) != undisturbed or n_warned != 1 or n_left > 0)
    return told("disk", "full", 1, n_faults, ended=f"the fit ended, {n_warned} warned of")


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _flip(path: Path) -> None:
    written = bytearray(path.read_bytes())
    written[len(written) // 2] ^= 1
    path.write_bytes(bytes(written))


def _age(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 0', 1))


# What is done to which of the states, the last one being the newest.
SPOILED: dict[str, tuple[Callable[[Path], None], slice]] = {
    "the last state cut short": (_cut_short, slice(-1, None)),
    "a byte of the last state changed": (_flip, slice(-1, None)),
    "the last state empty": (_empty, slice(-1, None)),
    "both states cut short": (_cut_short, slice(None)),
    "both of another version": (_age, slice(None)),
}


# -- what others do -------------------------------------------------------------------------------


def worker_rows(*, is_smoke: bool) -> Iterator[Record]:
    """Kill a worker of a grid in the midst of a fit."""
    del is_smoke
    test = "tests/estimators/test_broken_workers.py"
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    ended = "joblib's error, the estimator as it was" if not result.returncode else "see its test"
    yield told("workers", "one killed in a grid", 1, int(result.returncode != 0), ended=ended)


def twin_rows(*, is_smoke: bool) -> Iterator[Record]:
    """Run the same fit three times at once with one folder; none may meet another's files."""
    del is_smoke
    with tempfile.TemporaryDirectory() as folder:
        parameters = {**LONG, "checkpoint_dir": folder}
        twins = [
            subprocess.Popen(
                [sys.executable, "-c", FIT, "regressor", json.dumps(parameters)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(3)
        ]
        digests = {twin.communicate()[0].split()[-1] for twin in twins}
        n_folders = len(list(Path(folder).iterdir()))
    is_same = digests == {CASES["regressor"].digest(CASES["regressor"].fitted(**LONG))}
    yield told("twins", "three at once", 3, int(not is_same), ended=f"{n_folders} folders")
