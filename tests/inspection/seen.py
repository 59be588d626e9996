"""What can be seen of a figure: its texts, whether they stand apart, and the patches by name."""

import itertools

from matplotlib.text import Text


def visible_texts(figure):
    """Return every text that is drawn, ticks and legends included, and its box in pixels."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    found = []
    for text in figure.findobj(Text):
        if text.get_text().strip() and text.get_visible() and is_shown(text, figure):
            found.append((text.get_text(), text.get_window_extent(renderer)))
    return found


def is_shown(text, figure):
    """Tell whether a text is no tick label outside its axis, or of an axis that is off."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if text in (tick.label1, tick.label2):
                    is_inside = low <= tick.get_loc() <= high
                    return axes.axison and is_inside and tick.label1.get_visible()
            if text is axis.label:
                return axes.axison
    return True


def assert_texts_stand_apart(figure, slack=1.0):
    """Check that no text is cut by the figure's edge, and none runs into another."""
    texts = visible_texts(figure)
    room = figure.bbox
    for name, box in texts:
        assert box.x0 >= -slack, name
        assert box.y0 >= -slack, name
        assert box.x1 <= room.x1 + slack, name
        assert box.y1 <= room.y1 + slack, name
    for (first, box), (second, other) in itertools.combinations(texts, 2):
        assert not overlap(box, other, slack), (first, second)


def overlap(box, other, slack=1.0):
    """Tell whether two boxes share more than a pixel's edge."""
    across = min(box.x1, other.x1) - max(box.x0, other.x0)
    along = min(box.y1, other.y1) - max(box.y0, other.y0)
    return across > slack and along > slack


def named(axes):
    """Return the patches of a panel by their group id."""
    return {patch.get_gid(): patch for patch in axes.patches if patch.get_gid()}
