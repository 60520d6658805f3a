"""Coresets to take away: a small file with the chosen images of each recorded selection on real images."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
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
_HEADS = ("group", "Images", "Method", "Precision")


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
    """List the files, a row for each configuration, with the accuracy reached by each seed.

    Args:
        records: of selection.
        name: identifier of the table, unique on its page.
        root: address of the site's first page as this one sees it, such as ``"../.."``.
    """
    groups: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
    for record in sorted(taken_away(records), key=lambda each: each.seed):
        groups[_configuration(record)].append(record)
    if not groups:
        return not_run("No selection from real images has been recorded.")
    rows = [
        {**dict(zip(_HEADS, key, strict=True)), "File of each seed: accuracy (%)": _links(groups[key], root)}
        for key in sorted(groups)
    ]
    return table(rows, name).fmt_markdown("File of each seed: accuracy (%)")


def _configuration(record: Record) -> tuple[Any, ...]:
    parameters = record.parameters
    method = method_label(parameters["method"], parameters)
    return SELECTION.describe(parameters), len(record.indices or ()), method, parameters["precision"]


def _links(found: Sequence[Record], root: str) -> str:
    return " · ".join(f"[{each.seed}]({root}/{FOLDER}/{each.key}.json): {_accuracy(each)}" for each in found)


def _accuracy(record: Record) -> str:
    accuracy = record.metrics.get(ACCURACY)
    return "diverged" if accuracy is None else f"{accuracy:.2f}"


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
