"""States of a computation, in files that outlive it."""

from sknas._checkpoints.fingerprint import fingerprint, types_within
from sknas._checkpoints.folder import Folder
from sknas._checkpoints.graphs import dump, load

__all__ = ["Folder", "dump", "fingerprint", "load", "types_within"]
