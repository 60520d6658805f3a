"""The report for machines: every published number with ours as JSON, and the endpoint of a badge."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcmat.files.paths import atomic_write
from lcmat.report.claims_table import assess_claims
from lcmat.report.published import STATES, verdict_counts
from lcmat.report.runs import as_rows
from lcmat.report.verdicts import VERDICTS

if TYPE_CHECKING:
    from lcmat.report.accounts import Accounts

SCHEMA_VERSION = 2
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
    tested = assess_claims(accounts.comparison, accounts.current)
    claims = [
        {
            "name": each.claim.name,
            "statement": each.claim.statement,
            "where": each.claim.where,
            "verdict": each.verdict,
            "official_verdict": each.official_verdict,
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
    """The endpoint of a badge, in the schema of shields.io: of the numbers that were judged, how many agree.

    >>> badge({**dict.fromkeys(STATES, 0), "reproduced": 3, "compatible": 1, "lower": 2, "all": 11})["message"]
    '4 of 6 judged, 11 published'
    """
    judged, agree = sum(counts[name] for name in VERDICTS), counts["reproduced"] + counts["compatible"]
    message = f"{agree} of {judged} judged, {counts['all']} published"
    return {
        "schemaVersion": 1,
        "label": "reproduced or compatible",
        "message": message,
        "color": "blue" if judged else "lightgrey",
    }


def write_report(accounts: Accounts, folder: Path) -> tuple[Path, Path]:
    """Write `report.json` and `badge.json` into a folder."""
    content = report_content(accounts)
    paths = folder / REPORT, folder / BADGE
    for path, value in zip(paths, (content, badge(content["counts"])), strict=True):
        text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
        atomic_write(path, f"{text}\n".encode())
    return paths


def _cell(row: dict[str, Any], stale: set[str]) -> dict[str, Any]:
    check, defined = row["check"], row["defined"]
    return {
        **{name: _plain(row[name]) for name in _PUBLISHED},
        **{name: _plain(row[name]) for name in _OURS},
        "verdict": row["verdict"],
        "reason": check.reason,
        "command": check.command(),
        "diverged": row["diverged"],
        "stale": sorted(stale & {record.key for record in row["records"]}),
        "defined": None
        if defined is None
        else {
            "values": defined.values,
            "keys": [record.key for record in defined.counted],
            "diverged": defined.diverged,
            "command": defined.check.command(),
        },
    }


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
