"""The paper's numbers, each set against the runs of the same protocol and given a verdict."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lcmat.experiments import stale_keys
from lcmat.files.paths import repository_folder
from lcmat.report.arms import Arm, Index, arm, index_protocols
from lcmat.report.cost import BUDGET_HOURS, estimated_hours, seconds_per_image
from lcmat.report.protocol import NUM_CLASSES, Check, official_check, paper_parameters
from lcmat.report.runs import ACCURACY, as_rows
from lcmat.report.verdicts import VERDICTS, Published, accuracy_margin, verdict

if TYPE_CHECKING:
    from lcmat.records.record import Record

PUBLISHED_SHA256 = "c20dea8268db4930f07922ee0e91ff6ac065118e27de444a87a2e20b0b8cf394"
"""Of `book/published.csv` with Unix line ends; verdicts are judged against its numbers, so a change shows here too."""

STATES = (*VERDICTS, "diverged", "not comparable", "over budget", "not run")
"""What can be said of a published number; every one has exactly one of these."""


def read_published(path: Path | None = None) -> pd.DataFrame:
    """Read the published numbers; `cell` numbers the rows, so that each can be accounted for.

    Args:
        path: the table; by default `book/published.csv` of the repository.

    Raises:
        NoRepositoryError: there is none here.
        ValueError: the repository's table was changed.
    """
    path = path or _checked(repository_folder() / "book" / "published.csv")
    table = pd.read_csv(path, dtype={"table": str, "budget": str})
    return table.rename_axis("cell").reset_index()


def _checked(path: Path) -> Path:
    digest = hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
    if digest != PUBLISHED_SHA256:
        remedy = (
            "take it from version control, or after a deliberate change state its hash in lcmat/report/published.py"
        )
        raise ValueError(f"{path} was changed (SHA-256 {digest}): {remedy}")
    return path


def compare(published: pd.DataFrame, records: Iterable[Record], stale: set[str] | None = None) -> pd.DataFrame:
    """Set each published cell against the runs of its protocol; every row of `published` comes back exactly once.

    What is judged is the method as its official code does it; where that differs from the definition, the runs of the
    method as defined are the other arm. Stale records are shown and never counted.

    Args:
        published: as `read_published` gives it.
        records: of any experiments.
        stale: keys of the records that other code made than today's; None: they are looked for.

    Returns:
        `published` with `check` (`lcmat.report.protocol.Check`), `margin` (NaN where runs are not judged), `records`
        (all of these runs, by seed), `counted` (those that count), `diverged` (seeds), `values` (one per seed, last
        epoch), `n`, `ours`, `low`, `high` (t interval), `best` (mean of the best epochs), `difference`,
        `difference_low`, `difference_high`, `verdict` (one of `STATES`), `seeds_to_settle`, `keys` of the records that
        count, and `defined`: the `lcmat.report.arms.Arm` of the method as defined, None where that is what is judged.
    """
    records = list(records)
    index, rates = index_protocols(records), seconds_per_image(records)
    stale = stale_keys(records) if stale is None else stale
    outcomes = [_outcome(row, index, rates, stale) for row in as_rows(published)]
    return pd.concat([published, pd.DataFrame(outcomes, index=published.index)], axis=1)


def published_of(row: Mapping[str, Any]) -> Published:
    """A row's mean with what is stated of its spread."""
    std, seeds = (None if pd.isna(row[name]) else row[name] for name in ("std", "seeds"))
    return Published(row["mean"], std, None if seeds is None else int(seeds))


def verdict_counts(comparison: pd.DataFrame) -> pd.DataFrame:
    """Count states for each table of the paper; a column for each state, rows in the paper's order, and a total."""
    counts = pd.crosstab(comparison["table"], comparison["verdict"]).reindex(columns=list(STATES), fill_value=0)
    counts = counts.reindex(index=list(dict.fromkeys(comparison["table"]))).assign(all=lambda table: table.sum(axis=1))
    return pd.concat([counts, counts.sum().to_frame("all").T]).rename_axis("table").reset_index()


def sharing_cells(comparison: pd.DataFrame) -> dict[int, list[int]]:
    """Cells -> the other cells that the same runs measure: printed twice, judged twice, and yet one result."""
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for row in as_rows(comparison[comparison["metric"] == ACCURACY]):
        if row["task"] != "continual_learning":  # the stages of one run are different accuracies
            groups[tuple(sorted(row["check"].protocols()))].append(row["cell"])
    shared = [cells for protocols, cells in groups.items() if protocols and len(cells) > 1]
    return {cell: [other for other in cells if other != cell] for cells in shared for cell in cells}


def _outcome(row: Mapping[str, Any], index: Index, rates: Mapping[str, float], stale: set[str]) -> dict[str, Any]:
    defined = paper_parameters(row)
    official = official_check(defined)
    judged = arm(official or defined, index, stale)
    values, interval = judged.values, judged.interval
    can_be_judged = row["metric"] == ACCURACY and defined.experiment is not None and not defined.reason
    margin = accuracy_margin(row["mean"], NUM_CLASSES[row["dataset"]]) if can_be_judged else math.nan
    return {
        "check": judged.check,
        "margin": margin,
        "records": judged.records,
        "counted": judged.counted,
        "diverged": judged.diverged,
        "values": values,
        "n": len(values),
        "ours": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "best": judged.best if row["metric"] == ACCURACY else math.nan,
        "keys": [record.key for record in judged.counted],
        "defined": arm(defined, index, stale) if official else None,
        **_judge(row, judged, values, margin, rates),
    }


def _judge(
    row: Mapping[str, Any], judged: Arm, values: Sequence[float], margin: float, rates: Mapping[str, float]
) -> dict[str, Any]:
    """The state of a number; the difference to it and the seeds that would settle it, if its runs are judged."""
    open_ends = dict.fromkeys(("difference", "difference_low", "difference_high"), math.nan)
    unjudged = {**open_ends, "seeds_to_settle": None}
    if judged.diverged:
        return {**unjudged, "verdict": "diverged"}
    if not values:
        return {**unjudged, "verdict": _not_run(judged.check, rates)}
    if math.isnan(margin):
        return {**unjudged, "verdict": "not comparable"}
    result = verdict(values, published_of(row), margin=margin)
    ends = (result.difference.mean, result.difference.low, result.difference.high)
    return {
        **dict(zip(open_ends, ends, strict=True)),
        "seeds_to_settle": result.seeds_to_settle,
        "verdict": result.name,
    }


def _not_run(check: Check, rates: Mapping[str, float]) -> str:
    hours = estimated_hours(check, rates)
    return "over budget" if hours is not None and hours > BUDGET_HOURS else "not run"
