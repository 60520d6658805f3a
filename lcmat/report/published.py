"""The paper's numbers, each set against the runs of the same protocol and given a verdict."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lcmat.paths import project_folder
from lcmat.report.check_cost import BUDGET_HOURS, estimated_hours, seconds_per_pass
from lcmat.report.protocol import Check, paper_parameters, protocol_key
from lcmat.report.runs import ACCURACY, BEST_ACCURACY, as_rows
from lcmat.statistics import ACCURACY_MARGIN_PERCENT, VERDICTS, Interval, mean_interval, verdict

if TYPE_CHECKING:
    from lcmat.records import Record

JUDGED = VERDICTS[:-1]
STATES = (*JUDGED, "not comparable", "failed", "over budget", "not run")
"""What can be said of a published number; every one has exactly one of these."""


def read_published(path: Path | None = None) -> pd.DataFrame:
    """Read the published numbers; `cell` numbers the rows, so that each can be accounted for.

    Args:
        path: the table; by default `book/published.csv` of the project.
    """
    path = path or project_folder() / "book" / "published.csv"
    table = pd.read_csv(path, dtype={"table": str, "budget": str})
    return table.rename_axis("cell").reset_index()


def compare(
    published: pd.DataFrame, records: Iterable[Record], *, margin: float = ACCURACY_MARGIN_PERCENT
) -> pd.DataFrame:
    """Set each published cell against the runs of its protocol; every row of `published` comes back exactly once.

    Args:
        published: as `read_published` gives it.
        records: of any experiments.
        margin: largest difference that still counts as the same, in percentage points.

    Returns:
        `published` with `check` (`lcmat.report.protocol.Check`), `records` (those used, by seed, diverged ones
        included), `values` (one per seed, last epoch), `n`, `ours`, `low`, `high` (t interval), `best` (mean of the
        best epochs), `difference`, `difference_low`, `difference_high`, `verdict` (one of `STATES`), `seeds_to_settle`
        and `keys` of the records used.
    """
    records = list(records)
    index, rates = _by_protocol(records), seconds_per_pass(records)
    rows = as_rows(published)
    checks = [paper_parameters(row) for row in rows]
    outcomes = [_outcome(row, check, index, rates, margin) for row, check in zip(rows, checks, strict=True)]
    return pd.concat([published, pd.DataFrame(outcomes, index=published.index)], axis=1)


def verdict_counts(comparison: pd.DataFrame) -> pd.DataFrame:
    """Count states for each table of the paper; a column for each state, rows in the paper's order, and a total."""
    counts = pd.crosstab(comparison["table"], comparison["verdict"]).reindex(columns=list(STATES), fill_value=0)
    counts = counts.reindex(index=list(dict.fromkeys(comparison["table"]))).assign(all=lambda table: table.sum(axis=1))
    return pd.concat([counts, counts.sum().to_frame("all").T]).rename_axis("table").reset_index()


def _by_protocol(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Records by protocol: one per seed, those in float32 first and those that ended well before those that did not."""
    found: dict[str, dict[int, Record]] = defaultdict(dict)
    order = sorted(records, key=lambda r: (r.status != "done", r.parameters.get("precision") == "bfloat16", r.seed))
    for record in order:
        found[protocol_key(record.experiment, record.parameters)].setdefault(record.seed, record)
    return {key: [by_seed[seed] for seed in sorted(by_seed)] for key, by_seed in found.items()}


def _outcome(
    row: Mapping[str, Any], check: Check, index: Mapping[str, list[Record]], rates: Mapping[str, float], margin: float
) -> dict[str, Any]:
    used = [record for key in sorted(check.protocols()) for record in index.get(key, ())]
    done = [record for record in used if record.status == "done"]
    values = check.measure(done) if done else []
    interval = mean_interval(values) if values else None
    best = [r.metrics[BEST_ACCURACY] for r in done if BEST_ACCURACY in r.metrics]
    judged = _judge(row, values, margin) if not check.reason else {}
    return {
        "check": check,
        "records": used,
        "values": values,
        "n": len(values),
        "ours": interval.mean if interval else math.nan,
        "low": interval.low if interval else math.nan,
        "high": interval.high if interval else math.nan,
        "best": sum(best) / len(best) if best and row["metric"] == ACCURACY else math.nan,
        "difference": math.nan,
        "difference_low": math.nan,
        "difference_high": math.nan,
        "seeds_to_settle": None,
        "keys": [record.key for record in done],
        "verdict": _without_verdict(check, values, used, rates),
        **judged,
    }


def _judge(row: Mapping[str, Any], values: Sequence[float], margin: float) -> dict[str, Any]:
    """The difference to the published number and the verdict on it; nothing without values."""
    if not values:
        return {}
    std, seeds = (None if pd.isna(row[name]) else row[name] for name in ("std", "seeds"))
    result = verdict(values, row["mean"], std, seeds, margin=margin)
    difference = result.difference or Interval(math.nan, math.nan, math.nan, 0)
    return {
        "difference": difference.mean,
        "difference_low": difference.low,
        "difference_high": difference.high,
        "verdict": result.name,
        "seeds_to_settle": result.seeds_to_settle,
    }


def _without_verdict(check: Check, values: Sequence[float], used: Sequence[Record], rates: Mapping[str, float]) -> str:
    """The state of a number that is not judged."""
    if values:
        return "not comparable"
    if used and all(record.status != "done" for record in used):
        return "failed"
    hours = estimated_hours(check, rates)
    return "over budget" if hours is not None and hours > BUDGET_HOURS else "not run"
