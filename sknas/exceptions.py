"""What callers may want to catch."""

from __future__ import annotations

__all__ = ["CalibrationWarning", "SearchWarning"]


class CalibrationWarning(UserWarning):
    """There are too few residuals for a prediction interval; the message says how many it needs."""


class SearchWarning(UserWarning):
    """Something of a search did not go as asked; the message says what and what to do."""
