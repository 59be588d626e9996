"""What callers may want to catch."""

from __future__ import annotations

__all__ = ["CalibrationWarning", "InputWarning", "SearchWarning", "VersionWarning"]


class CalibrationWarning(UserWarning):
    """There are too few residuals for a prediction interval; the message says how many it needs."""


class InputWarning(UserWarning):
    """Data may not be what they are taken for; the message says why, and what makes it clear."""


class SearchWarning(UserWarning):
    """Something of a search did not go as asked; the message says what and what to do."""


class VersionWarning(UserWarning):
    """A file was written by another version of sknas; the message says which and what to do."""
