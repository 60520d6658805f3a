"""Measurements that take longer than a page may: made once by `lcmat measure`, read by the chapters.

One JSON file for each data set, `book/measurements/<kind>/<dataset>.json`: where the numbers come from, and they
themselves. Rows are stored column by column, which is a fraction of the size.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lcmat.files.paths import atomic_write, project_folder

Row = dict[str, Any]


def path_of(kind: str, dataset: str) -> Path:
    """Where the measurement of a data set lies."""
    return project_folder() / "book" / "measurements" / kind / f"{dataset}.json"


def read(kind: str, dataset: str) -> dict[str, Any]:
    """Provenance and numbers of a stored measurement; what was written as rows is returned as `rows`.

    Raises:
        FileNotFoundError: there is none; the message tells how to make it.
    """
    path = path_of(kind, dataset)
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; make it: lcmat measure {kind} {dataset}")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if "columns" in content:
        columns = content.pop("columns")
        content["rows"] = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return content


def write(kind: str, dataset: str, content: Mapping[str, Any], rows: Sequence[Row] = (), *, digits: int = 6) -> Path:
    """Store a measurement, atomically.

    Args:
        kind: a key of `lcmat.measurements.kinds.KINDS`.
        dataset: name of the data set.
        content: provenance, and numbers that are no rows.
        rows: all with the same names.
        digits: significant digits that are kept of floats.
    """
    lines = [f"{json.dumps(name)}: {_dumps(value, digits)}" for name, value in content.items()]
    if rows:
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        inner = (f" {json.dumps(name)}: {_dumps(values, digits)}" for name, values in columns.items())
        lines.append('"columns": {\n' + ",\n".join(inner) + "\n}")
    path = path_of(kind, dataset)
    atomic_write(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())
    return path


def _dumps(value: Any, digits: int) -> str:
    return json.dumps(_rounded(value, digits), allow_nan=False)


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, Mapping):
        return {name: _rounded(item, digits) for name, item in value.items()}
    return [_rounded(item, digits) for item in value] if isinstance(value, list | tuple) else value
