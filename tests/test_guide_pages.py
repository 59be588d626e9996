"""What the documentation shows as a session, or as code from top to bottom, runs and says that."""

import doctest
import re
from pathlib import Path
from textwrap import dedent

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = [
    path
    for path in sorted([*DOCS.glob("*.rst"), *DOCS.glob("user_guide/*.rst")])
    if ">>> " in path.read_text(encoding="utf-8")
]
BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?:   .*\n|\n)+)", re.MULTILINE)
SCRIPTS = sorted(DOCS.glob("examples/plot_*.py"))


def test_these_pages_have_sessions():
    assert {"budget", "extending", "grid_search", "sequences", "tables"} <= {p.stem for p in PAGES}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_session_says_what_its_page_says(page):
    told = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert told.attempted
    assert not told.failed


@pytest.mark.slow
def test_getting_started_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = DOCS / "getting_started.rst"
    names = {}
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        exec(compile(dedent(block), str(page), "exec"), names)
    assert {"growth__patience"} == set(names["grid"].best_params_)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_of_the_gallery_has_a_title_and_a_question(script):
    title, rule, _, question = script.read_text(encoding="utf-8").split("\n")[1:5]
    assert rule == "=" * len(title)
    assert question.endswith("?")


def test_no_two_examples_have_one_title():
    notebooks = sorted((DOCS.parent / "notebooks").glob("*.py"))
    titles = [script.read_text(encoding="utf-8").split("\n")[1] for script in SCRIPTS]
    for notebook in notebooks:
        heading = re.search(r"^# # (.+)$", notebook.read_text(encoding="utf-8"), re.MULTILINE)
        titles.append(heading.group(1))
    assert len(set(titles)) == len(titles)
