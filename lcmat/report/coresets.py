"""Coresets to take away: a small file with the chosen images of each recorded selection on real images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcmat.files.paths import atomic_write
from lcmat.report.runs import ACCURACY
from lcmat.report.schemes import SELECTION, method_label
from lcmat.report.sentences import RECOMPUTED
from lcmat.report.tables import not_run, table

if TYPE_CHECKING:
    from great_tables import GT
    from IPython.display import HTML

    from lcmat.records.record import Record

FOLDER = "coresets"


def taken_away(records: Sequence[Record]) -> list[Record]:
    """Those records that say which images were chosen from a data set that is not chosen from anew by each build."""
    return [record for record in records if record.indices and record.parameters["dataset"] != RECOMPUTED]


def write_coresets(records: Sequence[Record], folder: Path) -> list[Path]:
    """Write `<folder>/coresets/<key>.json` for each of them: indices in the canonical order of the data set."""
    paths = []
    for record in taken_away(records):
        paths.append(folder / FOLDER / f"{record.key}.json")
        atomic_write(paths[-1], f"{json.dumps(_content(record), sort_keys=True)}\n".encode())
    return paths


def coresets_table(records: Sequence[Record], name: str, root: str) -> GT | HTML:
    """List the files with the accuracy reached.

    Args:
        records: of selection.
        name: identifier of the table, unique on its page.
        root: address of the site's first page as this one sees it, such as ``"../.."``.
    """
    rows = [_row(record, root) for record in taken_away(records)]
    if not rows:
        return not_run("No selection from real images has been recorded.")
    rows.sort(key=lambda row: (row["group"], row["Images"], row["Method"], row["Seed"]))
    return table(rows, name).fmt_markdown("File")


def _row(record: Record, root: str) -> dict[str, Any]:
    parameters, accuracy = record.parameters, record.metrics.get(ACCURACY)
    return {
        "group": SELECTION.describe(parameters),
        "Method": method_label(parameters["method"], parameters),
        "Images": len(record.indices or ()),
        "Seed": record.seed,
        "Accuracy (%)": "diverged" if accuracy is None else f"{accuracy:.2f}",
        "File": f"[{record.key}.json]({root}/{FOLDER}/{record.key}.json)",
    }


def _content(record: Record) -> dict[str, Any]:
    indices = json.dumps(record.indices, separators=(",", ":"))
    return {
        "dataset": record.parameters["dataset"],
        "content_hash": record.data["train"].content_hash,
        "parameters": record.parameters,
        "record": record.key,
        "test_accuracy_percent": record.metrics.get(ACCURACY),
        "indices": record.indices,
        "indices_sha256": hashlib.sha256(indices.encode()).hexdigest(),
    }
