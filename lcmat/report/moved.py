"""What the first edition's accuracies have become: the same runs on exact images, with today's code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd
from scipy.stats import spearmanr

from lcmat.config.registry import title_of
from lcmat.files.paths import repository_folder
from lcmat.report.runs import ACCURACY, as_rows
from lcmat.report.schemes import data_text

if TYPE_CHECKING:
    from lcmat.records.record import Record


def read_first_edition() -> pd.DataFrame:
    """The first edition's accuracies in percent, by the key of the same run today.

    Raises:
        NoRepositoryError: there is none here.
    """
    return pd.read_csv(repository_folder() / "book" / "history" / "first-edition.csv")


def moved(first: pd.DataFrame, records: Iterable[Record], stale: set[str]) -> pd.DataFrame:
    """Set the accuracies of runs that were made again beside the former ones.

    Args:
        first: as `read_first_edition` gives it.
        records: of any experiments; a run counts that ended well in both editions.
        stale: keys of the records that other code made than today's.

    Returns:
        A row for each data set, experiment and method: `runs`, mean accuracies `before` and `now`, in percent, mean
        `change`, the `lowest` and the `highest` of a single run, in points.
    """
    now = {r.key: r.metrics[ACCURACY] for r in records if r.status == "done" and r.key not in stale}
    both = first[(first["status"] == "done") & first["key"].isin(now)]
    both = both.assign(before=both[ACCURACY], now=both["key"].map(now).astype(float))
    both = both.assign(change=both["now"] - both["before"])
    return (
        both.groupby(["dataset", "experiment", "method"], sort=False)
        .agg(
            runs=("key", "size"),
            before=("before", "mean"),
            now=("now", "mean"),
            change=("change", "mean"),
            lowest=("change", "min"),
            highest=("change", "max"),
        )
        .reset_index()
        .assign(dataset=lambda rows: rows["dataset"].map(data_text), method=lambda rows: rows["method"].map(title_of))
    )


def describe_moved(first: pd.DataFrame, rows: pd.DataFrame) -> str:
    """Say how many runs were made again, how far they moved and whether the methods' order did, in Markdown.

    Args:
        first: as `read_first_edition` gives it.
        rows: as `moved` gives them.
    """
    if rows.empty:
        return f"None of the first edition's {len(first)} runs has been made again so far."
    lines = [f"Of the first edition's {len(first)} runs {rows['runs'].sum()} were made again.\n"]
    for (dataset, experiment), group in rows.groupby(["dataset", "experiment"], sort=False):
        change = (group["change"] * group["runs"]).sum() / group["runs"].sum()
        reach = f"single runs {group['lowest'].min():+.1f} to {group['highest'].max():+.1f}"
        order = spearmanr(group["before"], group["now"]).statistic if len(group) > 2 else None
        kept = "" if order is None else f"; rank correlation of the methods' means before and now {order:.2f}"
        lines.append(f"- **{dataset}, {experiment}:** {change:+.1f} points on average, {reach}{kept}.")
    return "\n".join(lines)


def moved_rows(rows: pd.DataFrame) -> list[dict[str, object]]:
    """The rows of `moved` as a table shows them, by data set and experiment."""
    return [
        {
            "group": f"{row['dataset']}, {row['experiment']}",
            "Method": row["method"],
            "Runs": row["runs"],
            "Before (%)": f"{row['before']:.1f}",
            "Now (%)": f"{row['now']:.1f}",
            "Change (points)": f"{row['change']:+.1f} ({row['lowest']:+.1f} to {row['highest']:+.1f})",
        }
        for row in as_rows(rows)
    ]
