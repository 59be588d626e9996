"""A folder that keeps the last two states under one key, for one process at a time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import torch

from sknas._checkpoints.locking import lock
from sknas._version import __version__
from sknas.exceptions import SearchWarning

__all__ = ["Folder"]

_MAGIC = b"sknas checkpoint\n"
_FORMAT = 1
_N_KEPT = 2
_N_FOLDERS = 10_000  # of one key: as many fits of the same data may run at once


class Folder:
    """The states of one computation, the newest of which a crash leaves to go on from.

    A state is written to a file of another name, which takes its own name only when all of it is
    on the disk; so there is always a whole one. Of the states before, one is kept, for a disk that
    loses what it has said to have written.

    Parameters
    ----------
    directory : str or path-like
        Where the folder is to be; made if it is not there.
    key : str
        Of the computation: the folder's name. If another process is using it, a number follows.

    Raises
    ------
    ValueError
        If the directory cannot be written to.
    """

    def __init__(self, directory: str | os.PathLike[str], key: str) -> None:
        self.key = key
        self._has_warned = False
        self._lock, self.path = _locked(Path(directory), key)
        self._number = max((number for number, _ in self._states()), default=0)
        for left in self.path.glob("*.part"):
            left.unlink(missing_ok=True)

    def newest(self) -> bytes | None:
        """Return the newest state that is whole.

        Returns
        -------
        bytes or None
            None where there is none. Of a damaged one there is a warning.

        Raises
        ------
        ValueError
            If a file there is whole, and of another version or another computation.
        """
        for _, path in sorted(self._states(), reverse=True):
            state = self._read(path)
            if state is not None:
                return state
            _warn(f"{path} is damaged and passed over: the fit goes on from what was kept before.")
        return None

    def write(self, state: bytes) -> None:
        """Keep a state; where the disk does not take it there is a warning, and no error.

        Parameters
        ----------
        state : bytes
            What to keep.
        """
        path = self.path / f"state-{self._number + 1:06d}"
        part = path.with_suffix(".part")
        try:
            with part.open("wb") as stream:
                stream.write(_MAGIC + _line(self._header(state)) + state)
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(path)
            _sync(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            if not self._has_warned:
                _warn(
                    f"checkpoint_dir={str(self.path.parent)!r} does not take the state of the fit "
                    f"({error}). The fit goes on; after a crash it would begin where it was kept "
                    "last."
                )
            self._has_warned = True
            return
        self._number += 1
        for number, old in self._states():
            if number <= self._number - _N_KEPT:
                old.unlink(missing_ok=True)

    def close(self) -> None:
        """Let others use the folder."""
        self._lock.close()

    def _states(self) -> Iterator[tuple[int, Path]]:
        for path in list(self.path.glob("state-*")):
            number = path.name.removeprefix("state-")
            if number.isdigit():
                yield int(number), path

    def _header(self, state: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(state).hexdigest()
        return {**self._versions(), "sha256": digest}

    def _versions(self) -> dict[str, Any]:
        versions = {"sknas": __version__, "torch": torch.__version__}
        return {"format": _FORMAT, **versions, "key": self.key}

    def _read(self, path: Path) -> bytes | None:
        """Return the state in a file; None where the file is damaged."""
        written = path.read_bytes()
        line, has_line, state = written.removeprefix(_MAGIC).partition(b"\n")
        try:
            header = json.loads(line)
        except ValueError:
            return None
        is_ours = written.startswith(_MAGIC) and bool(has_line) and isinstance(header, Mapping)
        if not is_ours or header.get("sha256") != hashlib.sha256(state).hexdigest():
            return None
        for name, own in self._versions().items():
            if header.get(name) != own:
                raise ValueError(
                    "checkpoint_dir must hold states of these versions, data and parameters, or "
                    f"none: {path} is of {name}={header.get(name)!r}, where this fit is of "
                    f"{own!r}. Remove the folder to begin anew."
                )
        return state


def _locked(directory: Path, key: str) -> tuple[IO[bytes], Path]:
    """Return the first folder of a key that no other process is using, and what holds it."""
    for number in range(1, _N_FOLDERS):
        path = directory / (key if number == 1 else f"{key}-{number}")
        try:
            path.mkdir(parents=True, exist_ok=True)
            stream = (path / "lock").open("ab")
        except OSError as error:
            raise ValueError(
                f"checkpoint_dir must be a folder that can be written to; got {str(directory)!r} "
                f"({error})."
            ) from error
        if lock(stream):
            return stream, path
        stream.close()
    raise RuntimeError(f"there are {_N_FOLDERS} fits of the same data in {directory}.")


def _line(header: Mapping[str, Any]) -> bytes:
    return json.dumps(header).encode() + b"\n"


def _sync(path: Path) -> None:
    """Let the disk know the names in a folder, where the system has a way to."""
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _warn(message: str) -> None:
    warnings.warn(message, SearchWarning, stacklevel=2)
