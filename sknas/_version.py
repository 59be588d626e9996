"""The version of the package, where modules of every layer may read it."""

__version__ = "0.1.0"
