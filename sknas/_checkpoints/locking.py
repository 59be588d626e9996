"""A lock on a file that ends with the process which holds it, however that ends."""

from __future__ import annotations

import sys
from typing import IO

__all__ = ["lock"]

if sys.platform == "win32":
    import msvcrt

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
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

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
            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
