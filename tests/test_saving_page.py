"""The code on the user guide's page of saving runs, and tells what the page says."""

import re
from pathlib import Path
from textwrap import dedent

import pytest

PAGE = Path(__file__).resolve().parents[1] / "docs" / "user_guide" / "saving_and_export.rst"
BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?:   .*\n|\n)+)", re.MULTILINE)


def test_the_page_runs_from_top_to_bottom(capsys, tmp_path, monkeypatch):
    for needed in ("onnx", "onnxruntime", "skops.io"):
        pytest.importorskip(needed)
    monkeypatch.chdir(tmp_path)
    blocks = [dedent(block) for block in BLOCK.findall(PAGE.read_text(encoding="utf-8"))]
    assert len(blocks) == 5
    namespace = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), namespace)
    told = capsys.readouterr().out
    assert "False" not in told
    assert told.count("True") == 3
    assert "['sknas.estimators.regressor.GrowingDARTSRegressor']" in told
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"model.joblib", "model.skops", "model.onnx", "model.pt2"}
