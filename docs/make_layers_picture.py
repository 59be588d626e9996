"""Draw the layers of sknas and the imports that cross them, as found in the code.

Layers come from the import-linter contract in pyproject.toml, arrows from the import statements.
"""

import tomllib
from pathlib import Path

import grimp
import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

ROOT = Path(__file__).resolve().parents[1]
ROW_HEIGHT = 1.2
BOX_WIDTH, BOX_HEIGHT, BOX_PITCH = 1.75, 0.5, 2.9


def read_layers(names):
    """Return the contract's layers, top first, each the list of its modules among `names`."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    rows = next(c["layers"] for c in contracts if c["name"] == "Layers")
    layers = [[part.strip(" ()") for part in row.split("|")] for row in rows]
    return [row for row in ([name for name in layer if name in names] for layer in layers) if row]


def read_imports():
    """Return (importer, imported) for the modules and subpackages right under sknas."""
    graph = grimp.build_graph("sknas", cache_dir=None)
    children = graph.find_children("sknas")
    for child in children:
        graph.squash_module(child)
    pairs = {
        (importer.removeprefix("sknas."), imported.removeprefix("sknas."))
        for importer in children
        for imported in graph.find_modules_directly_imported_by(importer) & children
        if imported != importer
    }
    return {child.removeprefix("sknas.") for child in children}, pairs


def place(layers):
    """Return module -> (x, y): rows from the top down, every other one shifted by half a pitch.

    The shift keeps an arrow between two distant rows from running behind the boxes between them.
    """
    places = {}
    for depth, row in enumerate(layers):
        shift = 0.3 * BOX_PITCH * (-1) ** depth if len(row) % 2 else 0.0
        for column, name in enumerate(row):
            x = (column - (len(row) - 1) / 2) * BOX_PITCH + shift
            places[name] = (x, -depth * ROW_HEIGHT)
    return places


def is_implied(pair, pairs):
    """Tell whether a chain of other imports leads from the importer to the imported, too."""
    importer, imported = pair
    seen, frontier = set(), {b for a, b in pairs if a == importer} - {imported}
    while frontier:
        seen |= frontier
        frontier = {b for a, b in pairs if a in frontier} - seen
    return imported in seen


def draw(layers, pairs):
    """Return the figure: a band a layer, a box a module, an arrow from importer to imported.

    An import that a chain of others implies has no arrow; with it, nobody could read the picture.
    """
    places = place(layers)
    half_width = max(abs(x) for x, _ in places.values()) + BOX_WIDTH / 2 + 0.6
    height = len(layers) * ROW_HEIGHT
    figure = Figure(figsize=(1.05 * half_width * 2, 1.05 * height), layout="constrained")
    axes = figure.add_subplot()
    axes.set(
        xlim=(-half_width, half_width),
        ylim=(-(len(layers) - 0.5) * ROW_HEIGHT, 0.5 * ROW_HEIGHT),
        aspect="equal",
    )
    axes.set_axis_off()
    for depth in range(0, len(layers), 2):
        axes.axhspan(-(depth + 0.5) * ROW_HEIGHT, -(depth - 0.5) * ROW_HEIGHT, color="#f3f5f8")
    colors = mpl.colormaps["tab10"].colors
    color_of = {name: colors[i % len(colors)] for i, name in enumerate(places)}
    shown = {(a, b) for a, b in pairs if a in places and b in places}
    for importer, imported in sorted(shown):
        if not is_implied((importer, imported), shown):
            draw_arrow(axes, places[importer], places[imported], color_of[importer])
    for name, (x, y) in places.items():
        axes.add_patch(
            FancyBboxPatch(
                (x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2),
                BOX_WIDTH,
                BOX_HEIGHT,
                boxstyle="round,pad=0.04",
                facecolor="white",
                edgecolor=color_of[name],
                linewidth=1.6,
                zorder=3,
            )
        )
        axes.text(x, y, name, ha="center", va="center", fontsize=11, family="monospace", zorder=4)
    return figure


def draw_arrow(axes, start, end, color):
    """Draw an import, bent where it passes other layers."""
    (x0, y0), (x1, y1) = start, end
    is_long = y0 - y1 > 1.5 * ROW_HEIGHT
    shift = max(-0.35, min(0.35, 0.12 * (x1 - x0))) * BOX_WIDTH
    bend = min(0.4, 0.07 * (y0 - y1) / ROW_HEIGHT) if is_long else 0.0
    bend = -bend if x1 >= x0 else bend
    axes.add_patch(
        FancyArrowPatch(
            (x0 + shift, y0 - BOX_HEIGHT / 2 - 0.04),
            (x1 - shift, y1 + BOX_HEIGHT / 2 + 0.06),
            arrowstyle="-|>",
            mutation_scale=16,
            connectionstyle=f"arc3,rad={bend}",
            color=color,
            linewidth=1.8,
            zorder=2,
        )
    )


def main(folder):
    """Write layers.svg and layers.png into `folder`."""
    names, pairs = read_imports()
    figure = draw(read_layers(names)[:-1], pairs)  # helpers at the bottom serve every layer
    folder.mkdir(exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "sknas"}):
        figure.savefig(folder / "layers.svg", metadata={"Date": None})
    figure.savefig(folder / "layers.png", dpi=110)


if __name__ == "__main__":
    main(Path(__file__).resolve().parent / "_static")
