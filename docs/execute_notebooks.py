"""Execute notebooks from their scripts, with their full budget: `... notebooks/01_*.py`."""

import os
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient


def main(paths: list[str]) -> None:
    """Write the executed notebook beside each script.

    Cells keep the ids that they have in the notebook, and no times are recorded, so that a
    difference in git is one of what is to be read.
    """
    os.environ.pop("SKNAS_SMOKE", None)
    for script in map(Path, paths):
        target = script.with_suffix(".ipynb")
        notebook = jupytext.read(script)
        if target.exists():
            before = nbformat.read(target, as_version=4)
            notebook = jupytext.combine.combine_inputs_with_outputs(notebook, before)
        client = NotebookClient(
            notebook, record_timing=False, resources={"metadata": {"path": str(script.parent)}}
        )
        client.execute()
        nbformat.write(notebook, target)


if __name__ == "__main__":
    main(sys.argv[1:])
