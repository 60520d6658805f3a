"""What the rules can say of each published number before anything is run: which verdicts our seeds can reach."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from lcmat.report.published import published_of
from lcmat.report.runs import as_rows
from lcmat.report.verdicts import SMALLEST_SEEDS, VERDICTS, verdict_chances, within_reach

SEEDS = (3, 5)
"""Numbers of our seeds that the pages name."""


def describe_chances(row: Mapping[str, Any]) -> str:
    """Say which verdicts our seeds can reach if both truths and spreads are equal; empty if nothing is judged."""
    published, margin = published_of(row), row["margin"]
    if math.isnan(margin):
        return ""
    if not published.std:
        return f"Margin {margin:.2f}. Without a published spread the number counts as exact; it cannot be compatible."
    parts = [
        f"n = {n}: " + ", ".join(f"{name} {100 * share:.0f} %" for name, share in chances.items() if share >= 0.005)
        for n in SEEDS
        for chances in (verdict_chances(*published.spread, n, margin),)
    ]
    assumed = "" if published.seeds else f" The paper states no number of seeds; {published.spread[1]} are assumed."
    return f"Margin {margin:.2f}. If the truth and the spread were equal, {'; '.join(parts)}.{assumed}"


def chances_by_table(comparison: pd.DataFrame) -> pd.DataFrame:
    """Count for each table what our seeds can decide beforehand.

    Args:
        comparison: rows of `lcmat.report.compare`.

    Returns:
        A row per table and one for all: `table`, `judged` (numbers whose runs would be judged), `spread` (those of them
        with a spread above zero), `too wide` (those that no number of our seeds could reproduce), and for each of
        `SEEDS` and verdict, as "reproduced, n = 3", the expected number if truth and spread are equal; "decided" is all
        but the inconclusive ones.
    """
    rows = [_chances(row) for row in as_rows(comparison) if not math.isnan(row["margin"])]
    table = pd.DataFrame(rows)
    counts = table.groupby("table", sort=False).sum()
    return pd.concat([counts, counts.sum().to_frame("all").T]).rename_axis("table").reset_index()


def describe_assumptions(comparison: pd.DataFrame) -> str:
    """Count the numbers whose published spread or number of seeds leaves something open."""
    judged = comparison[comparison["margin"].notna()]
    no_seeds, wide = judged["std"].notna() & judged["seeds"].isna(), chances_by_table(comparison).iloc[-1]
    exact = int(len(judged) - wide["spread"])
    return (
        f"Of {len(comparison)} numbers {len(judged)} can be judged. {no_seeds.sum()} of these have a spread but no "
        f"number of seeds, so {SMALLEST_SEEDS} are assumed; {exact} have no spread, or one printed as zero, and count "
        f"as exact. For {wide['too wide']:.0f} the published spread alone forbids that they be reproduced."
    )


def describe_by_chance(comparison: pd.DataFrame) -> str:
    """Say how many numbers came out higher or lower, and how many would by chance; empty if none has two seeds."""
    rows = as_rows(comparison[comparison["verdict"].isin(VERDICTS) & (comparison["n"] > 1) & (comparison["std"] > 0)])
    if not rows:
        return ""
    apart = sum(row["verdict"] in ("higher", "lower") for row in rows)
    chances = [verdict_chances(*published_of(row).spread, row["n"], row["margin"]) for row in rows]
    expected = sum(each["higher"] + each["lower"] for each in chances)
    return (
        f"With a printed spread and two or more of our seeds {apart} of {len(rows)} came out higher or lower. If the "
        f"truths and the spreads were equal, {expected:.1f} would be expected to, by chance."
    )


def gains_within_margin(comparison: pd.DataFrame, dataset: str) -> tuple[int, int]:
    """In how many cells of Table 1 the margin exceeds the printed gain of LCMat-S over Uniform, and of how many.

    Args:
        comparison: as `lcmat.report.compare` gives it.
        dataset: named as in published.csv.
    """
    cells = comparison[(comparison["table"] == "1") & (comparison["dataset"] == dataset)]
    ours, uniform = (cells[cells["method"] == name].set_index("budget") for name in ("LCMat-S", "Uniform"))
    within = ours["margin"] > (ours["mean"] - uniform["mean"]).abs()
    return int(within.sum()), len(within)


def _chances(row: Mapping[str, Any]) -> dict[str, Any]:
    published, margin = published_of(row), row["margin"]
    counted = {"table": row["table"], "judged": 1, "spread": int(bool(published.std))}
    counted["too wide"] = int(not within_reach(published, None, margin))
    for n in SEEDS:
        chances = verdict_chances(*published.spread, n, margin) if published.std else dict.fromkeys(VERDICTS, 0.0)
        counted |= {f"{name}, n = {n}": chances[name] for name in ("reproduced", "compatible")}
        counted[f"decided, n = {n}"] = (1.0 - chances["inconclusive"]) if published.std else 0.0
    return counted
