"""When and for how long each chapter of the book was executed, read from the executed notebooks themselves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Execution:
    """One executed notebook: path without suffix, relative to the book; UTC start; duration; whether a cell failed."""

    page: str
    started: str
    seconds: float
    failed: bool


def executions(book: Path) -> list[Execution]:
    """List the notebooks in a folder that papermill executed, ordered by page.

    Args:
        book: folder searched with its subfolders.
    """
    notebooks = sorted(path for path in book.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
    found = ((path, json.loads(path.read_text(encoding="utf-8"))["metadata"].get("papermill")) for path in notebooks)
    return [_execution(path.relative_to(book), metadata) for path, metadata in found if metadata]


def _execution(path: Path, metadata: dict[str, Any]) -> Execution:
    return Execution(
        page=path.with_suffix("").as_posix(),
        started=metadata["start_time"],
        seconds=float(metadata["duration"] or 0.0),
        failed=bool(metadata["exception"]),
    )
