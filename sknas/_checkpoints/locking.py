"""A lock on a file that ends with the process which holds it, however that ends."""

from __future__ import annotations

import sys
from typing import IO

__all__ = ["lock"]

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def lock(stream: IO[bytes]) -> bool:
    """Take the lock for as long as the stream is open.

    Parameters
    ----------
    stream : file
        Open for writing.

    Returns
    -------
    bool
        Whether nobody else had it.
    """
    try:
        _take(stream.fileno())
    except OSError:
        return False
    return True
