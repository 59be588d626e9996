"""Objects <-> numpy arrays and plain Python."""

from sknas._plain.objects import from_plain, to_plain

__all__ = ["from_plain", "to_plain"]
