"""Draw the picture of the README's first example, by running that."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Run the example and save the figure that its display has drawn."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^```python\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    if block is None:
        raise RuntimeError("README.md has no example.")
    names: dict[str, object] = {}
    exec(compile(block.group(1), "README.md", "exec"), names)
    names["display"].figure_.savefig(ROOT / "docs" / "_static" / "readme.png", dpi=100)


if __name__ == "__main__":
    main()
