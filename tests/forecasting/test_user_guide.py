"""The code on the user guide's page of forecasting runs, and is what the page says of it."""

import re
from pathlib import Path
from textwrap import dedent

PAGE = Path(__file__).resolve().parents[2] / "docs" / "user_guide" / "forecasting.rst"
BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?:   .*\n|\n)+)", re.MULTILINE)


def test_the_page_runs_from_top_to_bottom(capsys):
    blocks = [dedent(block) for block in BLOCK.findall(PAGE.read_text(encoding="utf-8"))]
    assert len(blocks) == 3
    namespace = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), namespace)
    assert "2024-04-13 00:00:00+02:00" in capsys.readouterr().out
    model, Y = namespace["model"], namespace["Y"]
    assert model.cutoff == Y.index[-1]
    assert namespace["grid"].best_score_ > 0.5
    assert namespace["tested"].scores["mae"].iloc[-1] < 0.2
