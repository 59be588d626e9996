"""Write the changelog with what the next release will bring, from the fragments in changelog.d."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMAND = ["towncrier", "build", "--draft", "--version", "unreleased", "--date", "not yet released"]
START = "<!-- towncrier release notes start -->\n"  # as in pyproject.toml
PROMISE = " Changes since the last release are\ncollected in `changelog.d/`."


def unreleased() -> str:
    """Return towncrier's draft; right after a release, when there are no fragments, nothing."""
    run = subprocess.run(
        [sys.executable, "-m", *COMMAND], cwd=ROOT, capture_output=True, check=True, text=True
    )
    _, heading, changes = run.stdout.partition("### ")
    return f"\n## Unreleased\n\n{heading}{changes}" if heading else ""


def main(folder: Path) -> None:
    """Write the page's text."""
    folder.mkdir(exist_ok=True)
    head, start, releases = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").partition(START)
    if not start:
        raise RuntimeError("CHANGELOG.md lacks the line after which towncrier writes.")
    text = head.replace(PROMISE, "") + unreleased() + releases
    (folder / "changelog.md").write_text(text, encoding="utf-8")
