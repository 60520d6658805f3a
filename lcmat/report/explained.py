"""What the choices of the ledger consist of, by `lcmat measure`, and whether that goes with accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.axes import Axes
from scipy.stats import spearmanr

from lcmat.config.registry import title_of
from lcmat.report import figures
from lcmat.report.ledger import AS_CODE, DEFINED, UNIFORM, setting_text, step_words
from lcmat.report.measured import listed
from lcmat.report.runs import ACCURACY, as_rows, runs_frame, with_default_selector
from lcmat.report.schemes import CHOICE
from lcmat.report.statistics import FEWEST_SEEDS, Interval, mean_interval

if TYPE_CHECKING:
    from lcmat.records.record import Record

MEASURES: Mapping[str, str] = {
    "gradient_gap": "gradient gap",
    "spectral_norm": "curvature gap",
    "misclassified_percent": "misclassified images (%)",
    "nearest_distance": "distance to nearest",
    "mean_distance": "distance of means",
}
"""What is measured of a choice, by `lcmat.measurements.explanation` and `coverage` -> in words, as on an axis."""
FEWEST_CONFIGURATIONS = 5
GAP_HERDING = "gap-herding"
_BESIDE = (
    *((name, MEASURES[name], ".3f") for name in ("gradient_gap", "spectral_norm")),
    *(
        ("misclassified_percent", "misclassified images in percent", ".0f"),
        (ACCURACY, "test accuracy in percent", ".1f"),
    ),
)
_NOT_SHOWN = ("key", "largest_class_percent", "smallest_class_percent")  # every choice here is made class by class
_NAMED = {DEFINED: ("as defined", "right"), AS_CODE: ("as the code", "left")}


def joined(rows: Iterable[Mapping[str, Any]], others: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Add to the rows of a measurement what another one says of the same run; NaN where it says nothing.

    >>> joined([{"key": "a", "x": 1}], [{"key": "a", "y": 2}, {"key": "b", "y": 3}])
    [{'key': 'a', 'x': 1, 'y': 2}]
    """
    first, second = (pd.DataFrame([dict(row) for row in part]) for part in (rows, others))
    return as_rows(first.merge(second, how="left", on="key") if len(first) and len(second) else first)


def explained_runs(rows: Sequence[Mapping[str, Any]], records: Iterable[Record]) -> pd.DataFrame:
    """The runs that were measured: `group` (their setting in words), `label`, their parameters and measures.

    Args:
        rows: of the measurement, see `lcmat.measurements.explanation`.
        records: among which those of its keys are; a row without a record is left out.
    """
    measured = {row["key"]: row for row in rows}
    runs = runs_frame([record for record in records if record.key in measured], stale=set())
    listed = as_rows(runs)
    found = [{"group": setting_text(run), "label": CHOICE.label(run), **measured[run["key"]]} for run in listed]
    columns = pd.DataFrame(found, columns=None if found else ["group", "label", "key"])
    return runs.merge(columns, on="key") if found else columns


def explained_by_step(rows: Sequence[Mapping[str, Any]], records: Iterable[Record]) -> pd.DataFrame:
    """Average what was measured over `n` seeds: a row for each setting and configuration, in the ledger's order.

    Args:
        rows: as `explained_runs` takes them.
        records: likewise.
    """
    runs, words = explained_runs(rows, records), step_words()
    order = {label: place for place, label in enumerate((UNIFORM, *words))}
    settings = {group: place for place, group in enumerate(dict.fromkeys(runs["group"]))}
    ordered = runs.assign(
        place=runs["label"].map(lambda label: order.get(label, len(order))), setting=runs["group"].map(settings)
    ).sort_values(["setting", "place"], kind="stable")
    own = [str(name) for name in (rows[0] if rows and len(runs) else ()) if name not in _NOT_SHOWN]
    names = {name: name.replace("_percent", " (%)").replace("_", " ") for name in own}
    groups = ordered.groupby(["group", "label"], sort=False)
    means = groups[own].mean().rename(columns=names) if own else pd.DataFrame(index=groups.size().index)
    means = means.round({name: 1 if name.endswith("(%)") else 3 for name in names.values()})
    means.insert(0, "n", groups.size())
    table = means.reset_index()
    table["label"] = [words.get(label, label) for label in table["label"]]
    return table.rename(columns={"label": "What is computed"})


def with_accuracy(runs: pd.DataFrame) -> pd.DataFrame:
    """Spearman's rank correlation of each measure with accuracy over the configurations of a setting, seed by seed.

    Args:
        runs: as `explained_runs` gives them; those trained with weights are left out, because equal ones are measured,
            and those whose selecting network was trained longer or shorter than usual.

    Returns:
        A row for each setting in which a seed has `FEWEST_CONFIGURATIONS`: `group`, `configurations` (the most of a
        seed), and for each of `MEASURES` the `Interval` over the seeds, None if it was not measured of all; the setting
        with most configurations first.
    """
    found = []
    for group, part in _equal(runs).groupby("group", sort=False):
        seeds = [seed for _, seed in part.groupby("seed") if len(seed) >= FEWEST_CONFIGURATIONS]
        if seeds:
            ranks = {name: _orders(seeds, name) for name in MEASURES}
            found.append({"group": group, "configurations": max(map(len, seeds)), **ranks})
    table = pd.DataFrame(found, columns=["group", "configurations", *MEASURES])
    return table.sort_values("configurations", ascending=False, kind="stable", ignore_index=True)


def few_mistakes(runs: pd.DataFrame) -> pd.DataFrame:
    """Keep the runs whose images the selecting network misclassifies no more often than all images."""
    return runs[runs["misclassified_percent"] <= runs["misclassified_of_all_percent"]] if len(runs) else runs


def gaps_answer(runs: pd.DataFrame) -> str:
    """Say what goes with accuracy where most configurations were run; empty where too few were.

    Args:
        runs: as `explained_runs` gives them.
    """
    everything = with_accuracy(runs)
    if everything.empty:
        return ""
    first = as_rows(everything)[0]
    own = runs[runs["group"] == first["group"]]
    rest = as_rows(with_accuracy(few_mistakes(own)))
    parts = [f"Over the {first['configurations']} configurations of {first['group']}, {_ranks_text(first)}."]
    parts += [
        f"Over the {row['configurations']} of these that choose no more mistakes of the network than there are, "
        f"{_ranks_text(row)}."
        for row in rest
    ]
    return " ".join([*parts, _herding_text(own)])


def correlations_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Show `with_accuracy` of all configurations and of those with `few_mistakes`; 95 % intervals from three seeds on.

    Args:
        runs: as `explained_runs` gives them.
    """
    both = {"all": with_accuracy(runs), "with few mistakes": with_accuracy(few_mistakes(runs))}
    found = pd.concat([table.assign(which=words) for words, table in both.items()], ignore_index=True)
    return pd.DataFrame(
        {
            "group": found["group"],
            "Configurations": found["which"],
            "Their number": found["configurations"],
            "n": [interval.n for interval in found[next(iter(MEASURES))]],
            **{words: [_interval_text(each) for each in found[name]] for name, words in MEASURES.items()},
        }
    )


def draw_against_accuracy(ax: Axes, runs: pd.DataFrame, measure: str) -> Axes:
    """Draw each configuration's mean accuracy against its mean of a measure, with the look of its method.

    Args:
        ax: where to draw.
        runs: as `explained_runs` gives them, of one setting.
        measure: one of `MEASURES`.
    """
    for label, part in _equal(runs).groupby("label", sort=False):
        title = title_of(part["method"].iloc[0])
        look, known = figures.method_style(title), title in ax.get_legend_handles_labels()[1]
        place = float(part[measure].mean()), float(part[ACCURACY].mean())
        ax.plot(*place, look.marker, color=look.color, markersize=6, label=f"_{title}" if known else title)
        if label in _NAMED:
            words, side = _NAMED[str(label)]
            offset = (-6 if side == "right" else 6, -3)
            ax.annotate(words, place, offset, textcoords="offset points", fontsize=7, ha=side)
    ax.set(xlabel=MEASURES[measure], ylabel="test accuracy (%)")
    return ax


def _equal(runs: pd.DataFrame) -> pd.DataFrame:
    """Those trained with equal weights, which are what is measured, and chosen by the usual network of their seed."""
    if runs.empty:
        return runs
    usual = with_default_selector(runs)
    return usual[~usual["weighted"].astype(bool)].astype({ACCURACY: float})


def _orders(seeds: Sequence[pd.DataFrame], measure: str) -> Interval | None:
    """The rank correlation of a measure with accuracy, seed by seed; zero where either is constant and has no order."""
    if any(measure not in seed or seed[measure].isna().any() for seed in seeds):
        return None
    pairs = [(seed[ACCURACY], seed[measure]) for seed in seeds]
    return mean_interval(
        [float(spearmanr(*pair).statistic) if min(map(pd.Series.nunique, pair)) > 1 else 0.0 for pair in pairs]
    )


def _ranks_text(row: Mapping[str, Any]) -> str:
    known = {words.removesuffix(" (%)"): row[name] for name, words in MEASURES.items() if row[name] is not None}
    ranks = listed(f"{interval.mean:+.2f} ({words})" for words, interval in known.items())
    return f"the rank correlation with accuracy is {ranks}, n = {row['gradient_gap'].n}"


def _herding_text(runs: pd.DataFrame) -> str:
    """What becomes of a set that makes both gaps small; empty if it was not run."""
    own = runs[runs["method"] == GAP_HERDING]
    drawn = runs[(runs["method"] == "uniform") & runs["seed"].isin(own["seed"])]
    if own.empty or drawn.empty:
        return ""
    ours, chance = (part[[name for name, *_ in _BESIDE]].astype(float).mean() for part in (own, drawn))
    told = [f"{words} {ours[name]:{digits}} ({chance[name]:{digits}})" for name, words, digits in _BESIDE]
    return f"**Gap herding** beside uniform selection (in brackets), n = {len(own)}: {', '.join(told)}."


def modes_answer(runs: pd.DataFrame) -> str:
    """Say how sure the selecting network is in evaluation mode and with single-class statistics, if that was measured.

    Args:
        runs: as `explained_runs` gives them.
    """
    columns = ["labelled_rightly_percent", "largest_probability_percent"]
    if not set(columns) <= set(runs):
        return ""
    known = with_default_selector(runs[(runs["method"] == "lcmat-s") & runs[columns].notna().all(axis=1)])
    told = []
    for words, part in (
        ("in evaluation mode", known[known["batch_norm"].isna()]),
        ("with single-class statistics", known[known["batch_norm"] == "batch"]),
    ):
        seeds = part.groupby("seed")[columns].mean()
        if len(seeds):
            right, sure = seeds.mean()
            told.append(
                f"{words} it labels {right:.0f} % of the training images rightly, and the largest probability of an "
                f"image is {sure:.0f} % on average (n = {len(seeds)})"
            )
    places = listed(dict.fromkeys(known["group"])) if told else ""
    return f"The selecting network ({places}; trained again for this measurement): {'; '.join(told)}." if told else ""


def _interval_text(interval: Interval | None) -> str:
    if interval is None:
        return "not measured"
    low, high = max(interval.low, -1.0), min(interval.high, 1.0)
    return f"{interval.mean:+.2f}" + (f" ({low:.2f} to {high:.2f})" if interval.n >= FEWEST_SEEDS else "")
