"""Configuration of the documentation build: `make docs`."""

import inspect
import shutil
import sys
from pathlib import Path

import sknas

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))

import make_benchmark_tables  # noqa: E402
import make_changelog  # noqa: E402
import make_cost_tables  # noqa: E402
import make_layers_picture  # noqa: E402
import make_option_table  # noqa: E402

project = "sknas"
author = "sknas developers"
copyright = "sknas developers"
version = release = sknas.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
# The gallery's sources become pages in auto_examples; what generated has is included in others.
exclude_patterns = ["_build", "examples/*", "generated/*.md"]
templates_path = ["_templates"]

# The API pages follow each module's __all__, so they cannot drift from it.
autosummary_generate = True
autosummary_imported_members = True
autosummary_ignore_module_all = False


def written_methods(name):
    """Return the methods that the package, rather than a library, wrote for a class it exports."""
    members = inspect.getmembers(getattr(sknas, name), inspect.isfunction)
    return [method for method, member in members if member.__module__.startswith("sknas.")]


TOP_LEVEL = sorted(getattr(sknas, "__all__", []))
autosummary_context = {
    # What the package itself exports has its one page there; subpackages link to it.
    "top_level": TOP_LEVEL,
    # With what it has from private bases, which have no page.
    "written_methods": {f"sknas.{name}": written_methods(name) for name in TOP_LEVEL},
}
autodoc_typehints = "none"
numpydoc_show_class_members = False
toc_object_entries_show_parents = "hide"

# Notebooks are tested by `make notebooks`; the documentation shows what they stored.
nb_execution_mode = "off"

sphinx_gallery_conf = {
    "examples_dirs": ["examples"],
    "gallery_dirs": ["auto_examples"],
    "abort_on_example_error": True,
    "notebook_extensions": set(),  # the notebooks of this documentation are those that are tested
    "write_computation_times": False,
    "min_reported_time": 1e9,  # seconds tell of the machine
    "show_signature": False,
    "reset_modules": ("matplotlib",),
    "backreferences_dir": "generated/backreferences",
}

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = f"sknas {version}"
html_static_path = ["_static"]
html_css_files = ["tables.css", "pages.css"]
html_show_sourcelink = False
# A page without others below it has nothing to show in the sidebar.
html_sidebars = {
    page: []
    for page in (
        "getting_started",
        "extending",
        "design",
        "benchmarks",
        "contributing",
        "changelog",
    )
}
html_theme_options = {
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
}


def setup(app):
    """Write what the pages include before Sphinx looks for it."""
    make_benchmark_tables.main(DOCS / "generated")
    make_changelog.main(DOCS / "generated")
    make_cost_tables.main(DOCS / "generated")
    make_layers_picture.main(DOCS / "_static")
    make_option_table.main(DOCS / "generated")
    copy_notebooks(DOCS.parent / "notebooks", DOCS / "notebooks")


def copy_notebooks(source, target):
    """Bring the notebooks to where Sphinx looks for pages; the copies are not kept in git."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for path in source.glob("*.ipynb"):
        shutil.copy2(path, target)  # with its time, so that an unchanged page is not built anew
