"""Tables of the report in HTML.

A record may come from anywhere, so no text of it may act as markup: great_tables escapes cells, headings and groups,
and what is written here without it is escaped by hand.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from great_tables import GT
from IPython.display import HTML

from lcmat.records import adoptions
from lcmat.report.runs import ACCURACY, BEST_ACCURACY, as_rows, method_label
from lcmat.report.statistics import Interval, mean_interval

if TYPE_CHECKING:
    from lcmat.records.record import Problem

KEY_LETTERS = 8


def not_run(what: str) -> HTML:
    """Say visibly that something has no records, in place of a table or a figure that would be blank."""
    return _admonition("warning", "not run", f"<p>{html.escape(what)}</p>")


def problems_notice(problems: Sequence[Problem]) -> HTML:
    """Name the records that could not be read."""
    texts = (problem.message.replace(str(problem.path), problem.path.name) for problem in problems)
    items = "".join(f"<li>{html.escape(text)}</li>" for text in texts)
    return _admonition("danger", f"{len(problems)} damaged record(s) left out", f"<ul>{items}</ul>")


def counts_table(counts: pd.DataFrame, name: str) -> GT:
    """Show `lcmat.report.verdict_counts`."""
    return _table(counts.rename(columns={"table": "Table of the paper"}), name)


def accuracy_table(grouped: pd.DataFrame, name: str) -> GT:
    """Show `lcmat.report.group_seeds`: mean of the last epoch with its t interval, best epoch beside it."""
    rows = []
    for row in as_rows(grouped):
        last, best = mean_interval(row[ACCURACY]), _present(row[BEST_ACCURACY])
        rows.append(
            {
                "group": f"{row['dataset']}, {_network(row)}, selecting network: {row['selection_epochs']} epochs",
                "Method": method_label(row["method"], row),
                "Fraction": f"{100 * row['fraction']:g} %",
                "n": last.n,
                "Last epoch": f"{last.mean:.2f}",
                "95 % interval": _range(last),
                "Best epoch": f"{sum(best) / len(best):.2f}" if best else "",
            }
        )
    return _table(pd.DataFrame(rows), name, groupname_col="group")


def differences_table(differences: pd.DataFrame, name: str) -> GT:
    """Show `lcmat.report.paired_to_baseline`."""
    rows = [
        {
            "group": f"{row['dataset']}, {_network(row)}",
            "Method": row["label"],
            "Fraction": f"{100 * row['fraction']:g} %",
            **_tested(row),
        }
        for row in as_rows(differences)
    ]
    return _table(pd.DataFrame(rows), name, groupname_col="group")


def provenance_table(runs: pd.DataFrame, name: str, missing: str = "No run has been recorded.") -> GT | HTML:
    """Show where runs come from and what they cost, one row for each data set, network, code and device.

    A row is stale if the code that makes such numbers has changed since. Without any run, `missing` is said instead.
    """
    if runs.empty:
        return not_run(missing)
    columns = ["dataset", "network", "precision", "data", "device", "commit", "dirty", "fingerprint", "stale"]
    texts = runs.assign(**{column: runs[column].map(_text) for column in columns})
    rows = [_provenance_row(as_rows(group)) for _, group in texts.groupby(columns)]
    return _table(pd.DataFrame(rows), name, groupname_col="group")


def adoptions_table(name: str) -> GT | HTML:
    """Show each time that records of older code were adopted, or say that there was none."""
    rows = adoptions.rows()
    if not rows:
        return HTML("<p>No record was adopted: each counts for the code alone that made it.</p>")
    return _table(pd.DataFrame(rows), name)


def protocol_text(row: dict[str, Any]) -> str:
    """Name the parameters of a protocol that are not part of a table's other columns.

    >>> protocol_text({"network": "convnet", "width": 32, "selection_epochs": 2, "epochs": 30})
    'convnet, width 32, 30 epochs, selection network 2 epochs'
    """
    selection = row.get("selection_epochs")
    trained = "" if selection is None or pd.isna(selection) else f", selection network {selection} epochs"
    return f"{_network(row)}, {row['epochs']} epochs{trained}"


def _provenance_row(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Summarise runs that share everything shown here but their number and cost."""
    first = runs[0]
    return {
        "group": first["dataset"],
        "Network": _network(first),
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
        "p": _p_value(row["p_value"]),
        "p (Holm)": _p_value(row["adjusted_p"]),
    }


def _range(interval: Interval) -> str:
    return f"{interval.low:.2f} to {interval.high:.2f}" if math.isfinite(interval.half_width) else "none (one seed)"


def _p_value(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def _network(row: dict[str, Any]) -> str:
    width = row.get("width")
    return _text(row["network"]) + ("" if width is None or pd.isna(width) else f", width {width:g}")


def _text(value: Any) -> str:
    return "" if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)) else str(value)


def _present(values: Sequence[Any]) -> list[float]:
    return [float(value) for value in values if not pd.isna(value)]


def _table(shown: pd.DataFrame, name: str, **options: Any) -> GT:
    """One look for all tables; a fixed identifier, so that a page is the same at every build."""
    table = GT(shown, id=name, **options)
    return table.tab_options(table_font_size="13px", data_row_padding="3px", table_background_color="white")


def _admonition(kind: str, title: str, body: str) -> HTML:
    return HTML(f'<div class="admonition {kind}"><p class="admonition-title">{html.escape(title)}</p>{body}</div>')
