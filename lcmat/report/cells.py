"""The published numbers as an HTML table: each with ours beside it, the verdict, and a drawer of provenance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from lcmat.report.chances import describe_chances
from lcmat.report.markup import cell, details, element, listing, plain_rows, table, text
from lcmat.report.reduced import Groups, Reduced, reduced_for
from lcmat.report.runs import ACCURACY, BEST_ACCURACY, as_rows

if TYPE_CHECKING:
    from lcmat.records.record import Record
    from lcmat.report.protocol import Check

KEY_LETTERS = 8
NOTHING = "–"
HEADS = (
    *("Method", "Data, network", "Budget", "Paper", "Ours", "n", "95 % interval", "Difference", "Verdict"),
    "As defined",
)
_SUMMARY, _ALSO = "How to check it, and where it comes from", "; runs of reduced protocols"
OFFICIAL, DEFINED = "The method as its official code does it", "The method as defined"


@dataclass(frozen=True)
class Context:
    """What the rows of a table need besides themselves.

    Attributes:
        groups: as `lcmat.report.reduced.reduced_groups` gives them.
        stale: keys of the records that other code made than today's.
        sharing: cell -> the other published numbers that its runs measure, in words.
    """

    groups: Groups
    stale: set[str]
    sharing: Mapping[int, str]


def cells_table(comparison: pd.DataFrame, context: Context, name: str, caption: str) -> str:
    """Show compared cells of the paper.

    Args:
        comparison: rows of `lcmat.report.compare`.
        context: see there.
        name: identifier of the table, unique on its page.
        caption: what the table holds.
    """
    bodies = [_body(row, _reduced_runs(row, context.groups), context) for row in as_rows(comparison)]
    return table(name, HEADS, bodies, caption, filters="verdict")


def published_text(row: dict[str, Any]) -> str:
    """The published mean with its spread and number of seeds, where stated."""
    spread = "" if pd.isna(row["std"]) else f" ± {row['std']:g}"
    seeds = "" if pd.isna(row["seeds"]) else f" (n = {row['seeds']:.0f})"
    return f"{row['mean']:g}{spread}{seeds}"


def _reduced_runs(row: dict[str, Any], groups: Groups) -> list[Reduced]:
    """Runs of reduced protocols, of both arms where there are two."""
    if row["defined"] is None:
        return reduced_for(row["check"], groups)
    official = [
        Reduced(f"{each.protocol}, as official code", each.records) for each in reduced_for(row["check"], groups)
    ]
    return [*official, *reduced_for(row["defined"].check, groups)]


def _body(row: dict[str, Any], reduced: Sequence[Reduced], context: Context) -> str:
    measured = row["n"] > 0
    shown = [
        element("th", text(row["method"]), scope="row"),
        cell(_setting(row)),
        cell(_budget(row), _sortable(row["budget"])),
        cell(published_text(row), row["mean"]),
        cell(_ours(row), row["ours"] if measured else ""),
        cell(row["n"]),
        cell(_range(row["low"], row["high"]) if measured and row["metric"] != "wins_of_90" else NOTHING),
        cell(_difference(row), "" if math.isnan(row["difference"]) else row["difference"]),
        element("td", text(_verdict(row, context.stale)), class_=f"verdict {row['verdict'].replace(' ', '-')}"),
        cell(_as_defined(row)),
    ]
    drawer = element(
        "td", details(_SUMMARY + _ALSO * bool(reduced), _drawer(row, reduced, context)), colspan=len(HEADS)
    )
    rows = element("tr", "".join(shown)) + element("tr", drawer, class_="drawer")
    return element("tbody", rows, id=f"cell-{row['cell']}", data_verdict=row["verdict"])


def _drawer(row: dict[str, Any], reduced: Sequence[Reduced], context: Context) -> str:
    check, defined, stale = row["check"], row["defined"], context.stale
    said = [check.reason, describe_chances(row), context.sharing.get(row["cell"], "")]
    if _stated(row["note"]):
        said.append(f"Note in the table of published numbers: {row['note']}.")
    parts = [
        *(element("p", text(each)) for each in said if each),
        _runs(OFFICIAL if defined else "", check, row["records"], row["keys"], stale),
        _runs(DEFINED, defined.check, defined.records, [r.key for r in defined.counted], stale) if defined else "",
        *(
            element("p", text(f"Reduced protocol: {_reduced(each)}."))
            + _provenance(each.records, [record.key for record in each.records], stale)
            for each in reduced
        ),
    ]
    return "".join(parts)


def _runs(title: str, check: Check, records: Sequence[Record], counted: Sequence[str], stale: set[str]) -> str:
    """One arm: the command that makes its runs, and what is recorded of them."""
    command = check.command()
    return "".join(
        [
            element("p", text(f"{title}:")) if title else "",
            element("p", "Check it:") + element("pre", element("code", text(command))) if command else "",
            _provenance(records, counted, stale) if records else element("p", "No record of this protocol."),
        ]
    )


def _provenance(records: Sequence[Record], counted: Sequence[str], stale: set[str]) -> str:
    """Every seed's value and record, then what the records have in common."""
    rows = [
        (
            record.seed,
            _metric(record, ACCURACY),
            _metric(record, BEST_ACCURACY),
            record.key,
            record.status if record.error is None else f"{record.status}: {record.error}",
            f"{record.wall_seconds / 60:.1f}",
            "stale" if record.key in stale else "current",
            "yes" if record.key in counted else "no",
        )
        for record in records
    ]
    heads = ("Seed", "Last epoch", "Best epoch", "Record", "Status", "Minutes", "Code", "Counts")
    head = element("tr", "".join(element("th", text(each), scope="col") for each in heads))
    return element("table", element("thead", head) + "".join(plain_rows(rows))) + listing(shared_provenance(records))


def shared_provenance(records: Sequence[Record]) -> list[str]:
    """What made the records: each fact once, with all the values it has."""
    return [
        _fact("Data", (source.provenance for record in records for source in record.data.values())),
        _fact("Device", (f"{record.device} ({_processor(record)})" for record in records)),
        _fact("Versions", (_pairs(record.versions) for record in records)),
        _fact("Commit", ((record.commit or "none") + (" (changed)" if record.dirty else "") for record in records)),
        _fact("Code", (record.fingerprint for record in records)),
        _fact("Determinism", (_pairs(record.determinism.model_dump()) for record in records)),
        _fact("Precision", (str(record.parameters.get("precision", "float32")) for record in records)),
    ]


def _processor(record: Record) -> str:
    return f"{record.machine.processor}; {record.machine.instructions}"


def _fact(name: str, values: Iterable[str]) -> str:
    return f"{name}: {'; '.join(sorted(set(values))) or 'not stated'}"


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _metric(record: Record, name: str) -> str:
    return f"{record.metrics[name]:.2f}" if name in record.metrics else NOTHING


def _setting(row: dict[str, Any]) -> str:
    first, other = row["reduction_network"], row["test_network"]
    networks = f"{first} → {other}" if _stated(first) and _stated(other) and first != other else first
    return ", ".join(str(each) for each in (row["dataset"], networks) if _stated(each)) or "not stated"


def _budget(row: dict[str, Any]) -> str:
    """A budget in words; percentages where the paper has them.

    >>> _budget({"budget_kind": "fraction", "budget": "0.005", "note": ""})
    '0.5 %'
    """
    fraction = str(row["note"]).partition(";")[0] if str(row["note"]).startswith("fraction") else ""
    value = str(row["budget"])
    if row["budget_kind"] == "fraction":
        return f"{100 * float(value):g} %"
    words = {"rho": "ρ =", "ipc": "images per class:", "classes_seen": "classes seen:", "versus": "wins over"}
    stated = f" ({row['metric'].replace('_', ' ')})" if row["metric"] in ("gradient_gap_l2", "half_rho_lambda1") else ""
    return f"{words[row['budget_kind']]} {value}{stated}" + (f", {fraction}" if fraction else "")


def _sortable(budget: str) -> str:
    return budget if budget.replace(".", "", 1).isdigit() else ""


def _ours(row: dict[str, Any]) -> str:
    if not row["n"]:
        return NOTHING
    if row["metric"] == "wins_of_90":
        return f"{sum(row['values']):.0f} of {row['n']}"
    kinds = len({_processor(record) for record in row["counted"]})
    mixed = f", {kinds} kinds of processor" if kinds > 1 else ""
    best = "" if math.isnan(row["best"]) else f" (best epoch {row['best']:.2f})"
    return f"{row['ours']:.2f}{best}{mixed}"


def _difference(row: dict[str, Any]) -> str:
    if math.isnan(row["difference"]):
        return NOTHING
    return f"{row['difference']:+.2f} ({_range(row['difference_low'], row['difference_high'])})"


def _as_defined(row: dict[str, Any]) -> str:
    """The other arm: the method as defined, where its official code does something else."""
    defined = row["defined"]
    if defined is None:
        return "the same runs" if row["check"].experiment == "selection" else NOTHING
    if not defined.values:
        return "diverged" if defined.diverged else NOTHING
    interval = defined.interval
    diverged = f"; {len(defined.diverged)} diverged" if defined.diverged else ""
    return f"{interval.mean:.2f} ({_range(interval.low, interval.high)}, n = {interval.n}{diverged})"


def _verdict(row: dict[str, Any], stale: set[str]) -> str:
    old = sum(record.key in stale for record in row["records"])
    notes = []
    if row["seeds_to_settle"] is not None and not pd.isna(row["seeds_to_settle"]):
        notes.append(f"settled by {row['seeds_to_settle']:.0f} seeds")
    if row["diverged"]:
        notes.append(f"{len(row['diverged'])} of {len({record.seed for record in row['records']})} seeds")
    if old:
        notes.append(f"{old} stale records not counted")
    return f"{row['verdict']} ({'; '.join(notes)})" if notes else str(row["verdict"])


def _reduced(reduced: Reduced) -> str:
    interval = reduced.interval
    return f"{interval.mean:.2f} ({_range(interval.low, interval.high)}, n = {interval.n}) with {reduced.protocol}"


def _range(low: float, high: float) -> str:
    return f"{low:.2f} to {high:.2f}" if math.isfinite(high - low) else "no interval: one seed"


def _stated(value: Any) -> bool:
    return not pd.isna(value) and value != ""
