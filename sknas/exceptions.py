"""What callers may want to catch."""

from __future__ import annotations

__all__ = ["SearchWarning"]


class SearchWarning(UserWarning):
    """Something of a search did not go as asked; the message says what and what to do."""
