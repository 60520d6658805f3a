"""The report for machines: every published number with ours as JSON, and the endpoint of a badge."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcmat.paths import atomic_write
from lcmat.report.claims_table import assess_claims
from lcmat.report.published import STATES, verdict_counts
from lcmat.report.runs import as_rows, runs_frame

if TYPE_CHECKING:
    from lcmat.report.accounts import Accounts

SCHEMA_VERSION = 1
REPORT, BADGE = "report.json", "badge.json"
_PUBLISHED = (
    *("cell", "table", "task", "dataset", "reduction_network", "test_network", "method", "budget_kind", "budget"),
    *("metric", "mean", "std", "seeds", "note"),
)
_OURS = ("values", "n", "ours", "low", "high", "best", "difference", "difference_low", "difference_high", "keys")


def report_content(accounts: Accounts) -> dict[str, Any]:
    """All that the report says, as values that JSON has; what is not a finite number is null.

    Returns:
        `schema_version`, `counts` (state -> number, and `all`), `cells`, `claims` and `damaged` (names of files).
    """
    counts = as_rows(verdict_counts(accounts.comparison))[-1]
    tested = assess_claims(accounts.comparison, runs_frame(accounts.records))
    claims = [
        {
            "name": each.claim.name,
            "statement": each.claim.statement,
            "where": each.claim.where,
            "verdict": each.verdict,
            "reduced_verdict": each.reduced_verdict,
        }
        for each in tested
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "counts": {name: int(counts[name]) for name in (*STATES, "all")},
        "cells": [_cell(row, accounts.stale) for row in as_rows(accounts.comparison)],
        "claims": claims,
        "damaged": [problem.path.name for problem in accounts.problems],
    }


def badge(counts: dict[str, int]) -> dict[str, Any]:
    """The endpoint of a badge, in the schema of shields.io.

    >>> badge({"reproduced": 3, "not run": 5, "all": 8})["message"]
    '3 of 8 numbers, 5 not run'
    """
    message = f"{counts['reproduced']} of {counts['all']} numbers, {counts['not run']} not run"
    color = "lightgrey" if counts["not run"] else "blue"
    return {"schemaVersion": 1, "label": "reproduced", "message": message, "color": color}


def write_report(accounts: Accounts, folder: Path) -> tuple[Path, Path]:
    """Write `report.json` and `badge.json` into a folder."""
    content = report_content(accounts)
    paths = folder / REPORT, folder / BADGE
    for path, value in zip(paths, (content, badge(content["counts"])), strict=True):
        text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
        atomic_write(path, f"{text}\n".encode())
    return paths


def _cell(row: dict[str, Any], stale: set[str]) -> dict[str, Any]:
    check = row["check"]
    return {
        **{name: _plain(row[name]) for name in _PUBLISHED},
        **{name: _plain(row[name]) for name in _OURS},
        "verdict": row["verdict"],
        "reason": check.reason,
        "command": check.command(),
        "stale": sorted(stale & set(row["keys"])),
    }


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
