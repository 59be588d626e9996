"""A progress bar over the epochs of a fit's phases."""

from __future__ import annotations

from typing import Any, Self

from tqdm import tqdm

__all__ = ["ProgressBar"]


class ProgressBar:
    """A bar over the epochs of the phases, on standard error; nothing where not shown."""

    def __init__(self, *, is_shown: bool) -> None:
        self.is_shown = is_shown
        self.bar: Any = None

    def __enter__(self) -> Self:
        if self.is_shown:
            self.bar = tqdm(unit="epoch", leave=False)
        return self

    def __exit__(self, *details: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def __call__(self, phase: str, row: dict[str, Any]) -> None:
        if self.bar is not None:
            self.bar.set_description(phase)
            self.bar.set_postfix(
                val_loss=f"{row['val_loss']:.4g}",
                nodes=int(row.get("n_nodes", 0)),
                params=int(row["n_params"]),
            )
            self.bar.update()
