"""The ledger: what each step from the definition of LCMat-S to its official code is worth."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.axes import Axes

from lcmat.config.official import OFFICIAL
from lcmat.config.registry import METHODS
from lcmat.report import figures
from lcmat.report.defects import QUIRKS
from lcmat.report.markup import p_value, plain_rows, table
from lcmat.report.paired import Pair, label_differences, setting_key
from lcmat.report.runs import as_rows, done_runs, runs_frame, with_default_selector
from lcmat.report.schemes import SELECTION, data_text, method_label, network_text
from lcmat.report.statistics import FEWEST_SEEDS, Interval
from lcmat.sweep.profiles.variants import LEDGER

if TYPE_CHECKING:
    from lcmat.records.record import Record

UNIFORM = "Uniform"
DEFAULT_RHO = METHODS["lcmat-s"].options["rho"]
DEFINED = method_label("lcmat-s", {"rho": DEFAULT_RHO})
AS_CODE = method_label("lcmat-s", OFFICIAL["lcmat-s"])
STEPS: Mapping[str, str] = {name: QUIRKS[name] for name in OFFICIAL["lcmat-s"]}
"""The options by which the official code differs, in words."""

_ABOVE: Mapping[str, Any] = {
    **{"xycoords": ("data", "axes fraction"), "textcoords": "offset points"},
    **{"fontsize": 7, "annotation_clip": False},
}
SHOWN = ("dataset", "network", "width", "fraction", "precision")
"""What a reader is told of a setting."""

_HEADS = (
    *("What is computed", "n", "Accuracy (%)", "Minus uniform", "95 % interval", "p (Holm)"),
    *("Minus definition", "95 % interval", "p (Holm)", "Images in common with the definition (%)"),
)


def step_words() -> dict[str, str]:
    """Label of each configuration of the ledger -> what it is, in words; in the order in which they are shown.

    >>> list(step_words().values())[:2]
    ['LCMat-S as defined', 'LCMat-S as its official code does it']
    """
    words = {DEFINED: "LCMat-S as defined", AS_CODE: "LCMat-S as its official code does it"}
    for name, value in OFFICIAL["lcmat-s"].items():
        words[method_label("lcmat-s", {"rho": DEFAULT_RHO, name: value})] = f"definition, but {STEPS[name]}"
    for variant in LEDGER:
        label = method_label(variant["method"], variant)
        if variant["method"] not in ("lcmat-s", "uniform"):
            words[label] = f"{METHODS[variant['method']].title} as {_kind(variant)}"
    return words


def ledger(records: Iterable[Record], stale: set[str]) -> pd.DataFrame:
    """Compare each step with uniform selection and with the definition, in each setting that has both and the code.

    Args:
        records: of any experiment; those of clean data and default selecting networks count, if they are current.
        stale: keys of records that other code made than today's.

    Returns:
        A row for each setting and step: `setting`, which numbers whatever runs of a comparison share, `dataset`,
        `network`, `width`, `fraction` and `precision`, `label`, `words`, `n`, `accuracy` (mean), `uniform` (mean),
        `to_uniform` and `to_defined` (paired `Interval`; the latter None in the definition's own row), `uniform_p` and
        `adjusted_p` of them, by Holm over the setting's rows, and `shared`: mean percentage of its images that the
        definition chooses, too (NaN if no record has indices).
    """
    current = [record for record in records if record.experiment == "selection" and record.key not in stale]
    runs = labelled_runs(runs_frame(current, stale=set()))
    words, by_key = step_words(), {record.key: record for record in current}
    rows: list[dict[str, Any]] = []
    for number, (_, group) in enumerate(runs.groupby(setting_key(runs, SELECTION.setting), sort=False)):
        if {UNIFORM, DEFINED, AS_CODE} <= set(group["label"]):
            rows += [{"setting": number, **row} for row in _setting_rows(group, words, by_key)]
    columns = [
        "setting",
        *SHOWN,
        *("label", "words", "n", "accuracy", "uniform", "to_uniform", "uniform_p"),
        "to_defined",
    ]
    return pd.DataFrame(rows, columns=[*columns, "adjusted_p", "shared"])


def labelled_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Keep the current runs of clean data and default selecting networks, with the label of their configuration."""
    clean = runs[runs["label_noise"].isna() & runs["imbalance"].isna() & runs["learner"].isna()]
    done = done_runs(with_default_selector(clean))
    return done.assign(label=[SELECTION.label(row) for row in as_rows(done)])


def settings(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Part the rows of `ledger` by setting."""
    return [group for _, group in rows.groupby("setting")]


def share_of_gap(rows: pd.DataFrame, label: str) -> float:
    """How much of the step from the definition to the official code one configuration makes alone, in percent.

    Args:
        rows: of `ledger`, of one setting.
        label: the configuration.
    """
    gaps = {row["label"]: row["to_defined"] for row in as_rows(rows)}
    return 100 * float(gaps[label].mean / gaps[AS_CODE].mean)


def draw_ledger(ax: Axes, rows: pd.DataFrame, published: float | None = None) -> Axes:
    """Draw each step's difference to uniform selection, and the published one of LCMat-S as a line.

    Args:
        ax: where to draw.
        rows: of `ledger`, of one setting.
        published: LCMat-S minus uniform selection as the paper prints them, in points.
    """
    listed = as_rows(rows)
    titles = [row["label"].partition(",")[0] for row in listed]
    labels = [textwrap.fill(row["words"], 38, break_on_hyphens=False) for row in listed]
    figures.plot_intervals(ax, labels, [row["to_uniform"] for row in listed], method=titles)
    lines = {"uniform selection": 0.0} | ({} if published is None else {"LCMat-S, published": published})
    for words, place in lines.items():
        side = "right" if place == min(lines.values()) else "left"
        ax.annotate(words, (place, 1), (0, 3), ha=side, **_ABOVE)
    if published is not None:
        ax.axvline(published, color=figures.PAPER_GREY, linewidth=3, zorder=0)
    ax.set_xlabel("accuracy minus that of uniform selection (points)")
    ax.set_title(f"{setting_text(listed[0])} (n = {listed[0]['n']})", pad=16)
    return ax


def setting_text(row: Mapping[str, Any]) -> str:
    """Name the data, the network, the precision, if not single, and the fraction of a run or a row of `ledger`."""
    precision = "" if row["precision"] == "float32" else f", {row['precision']}"
    return f"{data_text(row['dataset'])}, {network_text(row)}{precision}, {100 * row['fraction']:g} %"


def ledger_html(rows: pd.DataFrame, name: str, caption: str) -> str:
    """Show the rows of one setting; the first one is uniform selection itself."""
    listed = as_rows(rows)
    uniform = ("uniform selection", max(row["n"] for row in listed), f"{listed[0]['uniform']:.2f}", *("–",) * 7)
    return table(name, _HEADS, plain_rows([uniform, *map(_cells, listed)]), caption)


def _setting_rows(group: pd.DataFrame, words: Mapping[str, str], by_key: Mapping[str, Record]) -> list[dict[str, Any]]:
    """The rows of one setting, in the order of `step_words`."""
    present = [label for label in words if label in set(group["label"])]
    to_uniform = _paired(group, [(label, UNIFORM) for label in present])
    to_defined = _paired(group, [(label, DEFINED) for label in present if label != DEFINED])
    picks = {label: _picks(rows["key"], by_key) for label, rows in group.groupby("label")}
    first = group.iloc[0]
    return [
        {
            **{name: first[name] for name in SHOWN},
            "label": label,
            "words": words[label],
            "n": to_uniform[label]["interval"].n,
            "accuracy": to_uniform[label]["first"],
            "uniform": to_uniform[label]["second"],
            "to_uniform": to_uniform[label]["interval"],
            "uniform_p": to_uniform[label]["adjusted_p"],
            "to_defined": to_defined.get(label, {}).get("interval"),
            "adjusted_p": to_defined.get(label, {}).get("adjusted_p"),
            "shared": _shared(picks[label], picks[DEFINED]),
        }
        for label in present
        if label in to_uniform
    ]


def _paired(group: pd.DataFrame, pairs: list[Pair]) -> dict[str, dict[str, Any]]:
    return {row["better"]: row for row in as_rows(label_differences(group, pairs))}


def _picks(keys: Iterable[str], by_key: Mapping[str, Record]) -> dict[int, set[int]]:
    """Seed -> the images chosen, of the records that name them."""
    records = [by_key[key] for key in keys]
    return {record.seed: set(record.indices) for record in records if record.indices}


def _shared(one: Mapping[int, set[int]], other: Mapping[int, set[int]]) -> float:
    shares = [100 * len(one[seed] & other[seed]) / len(one[seed]) for seed in one.keys() & other.keys()]
    return sum(shares) / len(shares) if shares else float("nan")


def _cells(row: Mapping[str, Any]) -> tuple[object, ...]:
    defined: Interval | None = row["to_defined"]
    return (
        row["words"],
        row["n"],
        (f"{row['accuracy']:.2f}", row["accuracy"]),
        *_interval_cells(row["to_uniform"], row["uniform_p"]),
        *(("–",) * 3 if defined is None else _interval_cells(defined, row["adjusted_p"])),
        "–" if row["shared"] != row["shared"] else (f"{row['shared']:.0f}", row["shared"]),
    )


def _interval_cells(interval: Interval, adjusted_p: float) -> tuple[object, object, object]:
    ends = f"{interval.low:.2f} to {interval.high:.2f}" if interval.n > 1 else "one seed"
    return (f"{interval.mean:+.2f}", interval.mean), ends, p_value(adjusted_p) if interval.n >= FEWEST_SEEDS else "–"


def _kind(variant: Mapping[str, Any]) -> str:
    return "defined" if len(variant) == 1 else "its official code does it"
