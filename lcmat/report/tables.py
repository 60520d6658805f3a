"""Tables of the report in HTML.

A record may come from anywhere, so no text of it may act as markup: great_tables escapes cells, headings and groups,
and what is written here without it by `lcmat.report.markup`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from great_tables import GT
from IPython.display import HTML

from lcmat.records import adoptions
from lcmat.report.markup import p_value
from lcmat.report.markup import text as escaped
from lcmat.report.paired import SIGNIFICANCE, setting_key, testable
from lcmat.report.runs import ACCURACY, BEST_ACCURACY, as_rows
from lcmat.report.schemes import SELECTION, Scheme, missing, network_text
from lcmat.report.statistics import FEWEST_SEEDS, Interval, mean_interval
from lcmat.report.verdicts import MAX_SEEDS, seeds_to_tell

if TYPE_CHECKING:
    from lcmat.records.record import Problem

KEY_LETTERS = 8


def not_run(what: str) -> HTML:
    """Say visibly that something has no records, in place of a table or a figure that would be blank."""
    return _admonition("warning", "not run", f"<p>{escaped(what)}</p>")


def problems_notice(problems: Sequence[Problem]) -> HTML:
    """Name the records that could not be read."""
    texts = (problem.message.replace(str(problem.path), problem.path.name) for problem in problems)
    items = "".join(f"<li>{escaped(text)}</li>" for text in texts)
    return _admonition("danger", f"{len(problems)} damaged record(s) left out", f"<ul>{items}</ul>")


def counts_table(counts: pd.DataFrame, name: str) -> GT:
    """Show `lcmat.report.verdict_counts`."""
    return table(as_rows(counts.rename(columns={"table": "Table of the paper"})), name)


def accuracy_table(grouped: pd.DataFrame, name: str, scheme: Scheme = SELECTION) -> GT:
    """Show `lcmat.report.group_seeds`: mean of the last epoch with its t interval, best epoch beside it.

    Args:
        grouped: not empty. A column `paper` has the paper's number, `recovery` what is missing to all images.
        name: identifier of the table, unique on its page.
        scheme: of the experiment.
    """
    return table([_accuracy_row(row, scheme) for row in as_rows(grouped)], name)


def differences_table(differences: pd.DataFrame, name: str, scheme: Scheme = SELECTION, *, needed: bool = False) -> GT:
    """Show `lcmat.report.paired_to_baseline`.

    Args:
        differences: not empty.
        name: identifier of the table, unique on its page.
        scheme: of the experiment.
        needed: also tell how many seeds would suffice to show each difference.
    """
    family = setting_key(differences, scheme.setting)
    sizes = family.map(family[testable(differences).index].value_counts()).fillna(0).astype(int)
    rows = []
    for row, size in zip(as_rows(differences), sizes, strict=True):
        rows.append({"group": scheme.describe(row), "Method": row["label"], **_columns(row, scheme), **_tested(row)})
        if needed:
            rows[-1]["Seeds that suffice"] = _seeds_text(row["interval"], row["adjusted_p"] < SIGNIFICANCE, size)
    return table(rows, name)


def provenance_table(runs: pd.DataFrame, name: str, missing: str = "No run has been recorded.") -> GT | HTML:
    """Show where runs come from and what they cost, one row for each data set, network, code and device.

    A row is stale if the code that makes such numbers has changed since. Without any run, `missing` is said instead.
    """
    if runs.empty:
        return not_run(missing)
    columns = ["dataset", "network", "precision", "data", "device", "commit", "dirty", "fingerprint", "stale"]
    texts = runs.assign(**{column: runs[column].map(_text) for column in columns})
    rows = [_provenance_row(as_rows(group)) for _, group in texts.groupby(columns)]
    return table(rows, name)


def adoptions_table(name: str) -> GT | HTML:
    """Show each time that records of older code were adopted, or say that there was none."""
    rows = adoptions.rows()
    if not rows:
        return HTML("<p>No record was adopted: each counts for the code alone that made it.</p>")
    return table(rows, name)


def table(rows: pd.DataFrame | Sequence[Mapping[str, Any]], name: str, **options: Any) -> GT:
    """A table in the look of all tables of the report.

    Args:
        rows: heading -> value of each row; `group` is the heading above those rows that share it. A column without any
            text is left out.
        name: identifier, unique on its page: without one a page would be another at every build.
        options: of `great_tables.GT`.
    """
    shown = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows)
    shown = shown[[column for column in shown if not (shown[column] == "").all()]]
    group = "group" if "group" in shown else None
    made = GT(shown, id=name, groupname_col=group, **options)
    return made.tab_options(table_font_size="13px", data_row_padding="3px", table_background_color="white")


def _accuracy_row(row: dict[str, Any], scheme: Scheme) -> dict[str, Any]:
    last, best = mean_interval(row[ACCURACY]), [value for value in row[BEST_ACCURACY] if not missing(value)]
    return {
        "group": scheme.describe(row),
        "Method": row["label"],
        **_columns(row, scheme),
        "n": last.n,
        "Last epoch": f"{last.mean:.2f}",
        "95 % interval": _range(last),
        "Best epoch": f"{sum(best) / len(best):.2f}" if best else "",
        "Hard-label recovery": row.get("recovery", ""),
        "Paper (width 128)": row.get("paper", ""),
    }


def _columns(row: dict[str, Any], scheme: Scheme) -> dict[str, str]:
    return {heading: text(row) for heading, text in scheme.columns.items()}


def _seeds_text(interval: Interval, shown: bool, comparisons: int) -> str:
    if interval.n < FEWEST_SEEDS:
        return ""
    needed = interval.n if shown else seeds_to_tell(interval, comparisons)
    return f"more than {MAX_SEEDS}" if needed is None else str(needed)


def _provenance_row(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Summarise runs that share everything shown here but their number and cost."""
    first = runs[0]
    return {
        "group": first["dataset"],
        "Network": network_text(first),
        "Precision": first["precision"],
        "Data": first["data"],
        "Device": first["device"],
        "Commit": first["commit"][:KEY_LETTERS] + (" (changed)" if first["dirty"] == "True" else ""),
        "Code": first["fingerprint"][:KEY_LETTERS] + (" (stale)" if first["stale"] == "True" else ""),
        "Runs": len(runs),
        "Not done": sum(run["status"] != "done" for run in runs),
        "Minutes": f"{sum(run['wall_seconds'] for run in runs) / 60:.1f}",
    }


def _tested(row: dict[str, Any]) -> dict[str, Any]:
    """What a paired test found, column by column."""
    return {
        "Pairs": row["interval"].n,
        "Difference": f"{row['interval'].mean:+.2f}",
        "95 % interval": _range(row["interval"]),
        "p": p_value(row["p_value"]),
        "p (Holm)": p_value(row["adjusted_p"]),
    }


def _range(interval: Interval) -> str:
    return f"{interval.low:.2f} to {interval.high:.2f}" if math.isfinite(interval.half_width) else "none (one seed)"


def _text(value: Any) -> str:
    return "" if missing(value) else str(value)


def _admonition(kind: str, title: str, body: str) -> HTML:
    return HTML(f'<div class="admonition {kind}"><p class="admonition-title">{escaped(title)}</p>{body}</div>')
