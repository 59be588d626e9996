"""How wide a text will be, before it is drawn."""

from __future__ import annotations

from functools import cache

__all__ = ["shortened", "text_width"]

_SPARE = 1.06  # small letters are drawn wider than they should be, to fall on whole pixels


@cache
def text_width(text: str, size: float, *, is_bold: bool = False) -> float:
    """Return the width of a line of text.

    Parameters
    ----------
    text : str
        The line.
    size : float
        Size of the letters in points.
    is_bold : bool, default=False
        Whether they are bold.

    Returns
    -------
    float
        Inches.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size, weight="bold" if is_bold else "normal")
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return _SPARE * float(width) / 72.0


def shortened(text: str, size: float, room: float) -> str:
    """Return a line of text, its end left out where it is too long.

    Parameters
    ----------
    text : str
        The line.
    size : float
        Size of the letters in points.
    room : float
        Inches there are.

    Returns
    -------
    str
        The line, or the start of it and an ellipsis.
    """
    short = text
    while short and text_width(short, size) > room:
        text = text[:-1].rstrip()
        short = f"{text}…" if text else ""
    return short
