"""The README's Python blocks are code that runs."""

import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
BLOCK = re.compile(r"^```python[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def code_blocks():
    """Return one parameter a block, padded so that a traceback shows the README's line."""
    text = README.read_text(encoding="utf-8")
    params = []
    for match in BLOCK.finditer(text):
        lines_before = text.count("\n", 0, match.start(1))
        source = "\n" * lines_before + match.group(1)
        params.append(pytest.param(source, id=f"line-{lines_before + 1}"))
    return params


def test_the_readme_has_python_blocks():
    assert code_blocks()


@pytest.mark.slow
@pytest.mark.parametrize("source", code_blocks())
def test_readme_block_runs(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "readme"}
    exec(compile(source, str(README), "exec"), namespace)
