"""What the committed notebooks owe to their readers; `make notebooks` runs them."""

import json
import re
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "notebooks"
NAMES = sorted({path.stem for path in FOLDER.glob("[0-9]*") if path.suffix in (".py", ".ipynb")})

every_notebook = pytest.mark.parametrize("name", NAMES)


def read(name):
    return json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))


def text_of(part):
    return part if isinstance(part, str) else "".join(part)


def code_cells(name):
    return [cell for cell in read(name)["cells"] if cell["cell_type"] == "code"]


def outputs(name):
    return [output for cell in code_cells(name) for output in cell["outputs"]]


def test_there_are_notebooks():
    assert NAMES
    assert all(re.fullmatch(r"\d\d_[a-z_]+", name) for name in NAMES)


@every_notebook
def test_notebook_and_script_have_the_same_cells(name):
    notebook = [(cell["cell_type"], text_of(cell["source"])) for cell in read(name)["cells"]]
    script = jupytext.read(FOLDER / f"{name}.py")
    assert [(cell.cell_type, cell.source) for cell in script.cells] == notebook
    assert read(name)["metadata"]["jupytext"]["formats"] == "ipynb,py:percent"


@every_notebook
def test_a_title_and_a_question_come_first(name):
    first = read(name)["cells"][0]
    assert first["cell_type"] == "markdown"
    title, _, question = text_of(first["source"]).split("\n")[:3]
    assert re.match(r"# \w", title)
    assert question.endswith("?")


@every_notebook
def test_it_was_executed_once_from_top_to_bottom_with_its_full_budget(name):
    counts = [cell["execution_count"] for cell in code_cells(name)]
    assert counts == list(range(1, len(counts) + 1))
    assert any("image/png" in output.get("data", {}) for output in outputs(name))


@every_notebook
def test_no_output_is_an_error_or_a_warning(name):
    assert all(output["output_type"] != "error" for output in outputs(name))
    assert all(output.get("name") != "stderr" for output in outputs(name))


@every_notebook
def test_nothing_tells_of_the_machine_it_ran_on(name):
    # A picture is a long text of letters that may spell anything.
    pictures = re.compile(r'"image/png": "[^"]*"')
    text = pictures.sub("", (FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert not re.search(r"/(home|root|tmp|work|Users|usr|opt)/|[A-Z]:\\", text)
    assert '"execution":' not in text  # times at which cells ran


@every_notebook
def test_its_file_is_small(name):
    assert (FOLDER / f"{name}.ipynb").stat().st_size < 400_000


@every_notebook
def test_the_examples_page_lists_it(name):
    assert f":doc:`notebooks/{name}`" in (ROOT / "docs" / "examples.rst").read_text("utf-8")
